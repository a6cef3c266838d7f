"""Compressor and expanders against the published equations, sample by sample in float64.

Giannoulis, Massberg & Reiss, "Digital Dynamic Range Compressor Design", JAES 60(6), 2012: the gain
computer (eq. 4), the smooth branching detector (eq. 16) on its output, the gain in dB (eq. 25 with no
make-up); in front a mean square over one hop and a one-pole, behind it straight lines between hops.
"""

from __future__ import annotations

import math

import pytest
import torch

from daiw_master.stack.dynamics import DYNAMICS
from daiw_master.stack.envelope import control_hop
from tests import signals

RATE = 44100

SETTINGS = {
    "compressor": dict(threshold_db=-30.0, ratio=3.0, knee_db=9.0, attack_ms=12.0, release_ms=90.0),
    "hard knee": dict(threshold_db=-24.0, ratio=10.0, knee_db=0.0, attack_ms=1.0, release_ms=40.0),
    "slow attack": dict(threshold_db=-30.0, ratio=2.0, attack_ms=150.0, release_ms=25.0),
    "upward": dict(threshold_db=-30.0, expand_up_ratio=1.6, expand_depth_db=6.0),
    "downward": dict(expand_down_ratio=2.5, expand_threshold_db=-28.0, expand_depth_db=9.0),
}


def knee(over: float, width: float) -> float:
    """Eq. 4 without its slope; a hard knee is the limit of a narrow one."""
    if width > 0 and 2 * abs(over) <= width:
        return (over + width / 2) ** 2 / (2 * width)
    return max(over, 0.0)


def branch(x: list[float], up: float, down: float) -> list[float]:
    """Eq. 16, from the first value."""
    y, trace = x[0], []
    for value in x:
        c = up if value > y else down
        y = c * y + (1 - c) * value
        trace.append(y)
    return trace


def reference(x: torch.Tensor, **settings: float) -> torch.Tensor:
    knobs = {**DYNAMICS.space.defaults(), **settings}
    hop, samples = control_hop(RATE), x[0].double().tolist()
    count = len(samples[0])

    def fade(time_ms: float) -> float:
        return math.exp(-1000 * hop / (time_ms * RATE))

    attack, release = fade(knobs["attack_ms"]), fade(knobs["release_ms"])
    smooth = fade(min(knobs["attack_ms"] / 20, knobs["release_ms"] / 40, 5.0))
    level, state = [], None
    for start in range(0, count, hop):
        stop = min(start + hop, count)
        square = sum(v * v for side in samples for v in side[start:stop]) / (len(samples) * (stop - start))
        state = square if state is None else smooth * state + (1 - smooth) * square
        level.append(10 * math.log10(max(state, 1e-12)))
    width, threshold, depth = knobs["knee_db"], knobs["threshold_db"], knobs["expand_depth_db"]
    over = [knee(value - threshold, width) for value in level]
    under = [knee(knobs["expand_threshold_db"] - value, width) for value in level]
    held = branch([(1 - 1 / knobs["ratio"]) * value for value in over], attack, release)
    lifted = branch([min((knobs["expand_up_ratio"] - 1) * v, depth) for v in over], attack, release)
    lowered = branch([min((knobs["expand_down_ratio"] - 1) * v, depth) for v in under], release, attack)
    moves = zip(held, lifted, lowered, strict=True)
    gain = [10 ** ((up - down - less) / 20) for less, up, down in moves]
    y = []
    for side in samples:
        before, moved = gain[0], []
        for frame, now in enumerate(gain):
            for step, value in enumerate(side[frame * hop : (frame + 1) * hop], 1):
                moved.append(value * (before + (now - before) * step / hop))
            before = now
        y.append(moved)
    return torch.tensor([y], dtype=torch.float64)


@pytest.mark.parametrize("name", SETTINGS)
def test_process_and_flow_are_the_published_equations(name):
    settings, x = SETTINGS[name], signals.music(0.8)
    expected = reference(x, **settings)
    assert float((expected - x).abs().max()) > 0.05, "the equations do something here"
    whole = DYNAMICS(x, RATE, **settings).double()
    torch.testing.assert_close(whole, expected, atol=2e-6, rtol=0)
    exact = DYNAMICS(x.double(), RATE, **settings)
    # a hard knee is drawn 0.001 dB wide
    torch.testing.assert_close(exact, expected, atol=1e-9 if settings.get("knee_db", 6.0) else 2e-5, rtol=0)
    for block, size in ((64, 64), (100, 100), (1 << 16, 5000)):
        (flow,) = DYNAMICS.flow(RATE, 2, block=block, **{**DYNAMICS.space.defaults(), **settings})
        parts = [flow.push(part) for part in x.split(size, dim=-1)] + [flow.finish()]
        y = torch.cat([part for part in parts if part is not None], dim=-1).double()
        torch.testing.assert_close(y, expected, atol=2e-6, rtol=0)
