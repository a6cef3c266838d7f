"""Limiter and loudness in the middle of a song: cut as one likes, the same samples."""

from __future__ import annotations

import pytest
import torch

from daiw_master.sounds import Held, Spool
from daiw_master.stack.flow import stream, through
from daiw_master.stack.limiter import LIMITER, LimiterFlow, apply_reduction, reduction_blocks
from daiw_master.stack.loudness import LOUDNESS
from daiw_master.stack.peaks import BLOCK, REACH, over_ceiling_db, peak_envelope_db
from tests import signals

RATE = 44100
CUTS = {"odd": (4097,), "tiny and huge": (1, 0, 7, 150_000, 0, 333), "live": (64,), "one": (10**9,)}
SETTINGS = {"ceiling_dbtp": -4.0, "release_ms": 80.0, "lookahead_ms": 3.0}


def cut(x, lengths):
    start, number = 0, 0
    while start < x.shape[-1]:
        length = lengths[number % len(lengths)]
        yield x[..., start : start + length]
        start, number = start + length, number + 1


def loud_and_soft(channels=2):
    """Noise bursts with rests between them, long enough for the limiter to let go."""
    x = signals.noise(4.0, channels=channels, level_db=0.0)
    return x * (torch.arange(x.shape[-1]) % 120_000 < 9_000)


@pytest.mark.parametrize("lengths", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("channels", [1, 2])
def test_the_flow_is_the_stage(lengths, channels):
    x = loud_and_soft(channels)
    if lengths == (64,):
        x = x[..., :40_000]
    whole = LIMITER(x, RATE, **SETTINGS)  # the differentiable one
    line = LIMITER.flow(RATE, channels, **SETTINGS)
    held = Held(x, RATE)
    held.blocks = lambda size=BLOCK: cut(x, lengths)
    y = torch.cat(list(stream(line, held, lambda: Spool(channels, RATE))), dim=-1)
    assert y.shape == x.shape and float((y - whole).abs().max()) < 1e-5
    with torch.no_grad():
        assert float((LIMITER(x, RATE, **SETTINGS) - whole).abs().max()) < 1e-5


@pytest.mark.parametrize("length", [0, 1, 11, 12, 13, 100, 200])
def test_short_sounds_come_out_whole(length):
    x = signals.noise(0.1, level_db=6.0)[..., :length]
    y = list(through([LimiterFlow(RATE, **SETTINGS)], [x]))
    assert sum(block.shape[-1] for block in y) == length
    if length:
        whole = apply_reduction(x, reduction_blocks(peak_envelope_db(x), RATE, -4.0, 80.0, 3.0))
        assert float((torch.cat(y, dim=-1) - whole).abs().max()) < 1e-5


@pytest.mark.parametrize("block", [64, 512])
def test_live_it_holds_back_its_look_ahead_and_nothing_more(block):
    x = signals.noise(0.5, level_db=3.0)
    flow = LimiterFlow(RATE, **SETTINGS, block=block)
    assert flow.latency <= 3.0 * RATE / 1000 + 14
    came = 0
    for number, part in enumerate(x.split(block, dim=-1), 1):
        y = flow.push(part)
        assert flow.reduction_db.shape[-1] == y.shape[-1]
        came += y.shape[-1]
        assert came >= min(number * block, x.shape[-1]) - flow.latency
    assert came + flow.finish().shape[-1] == x.shape[-1]


def test_a_batch_of_settings_flows_as_it_stands():
    x = signals.music(2.0) * 3
    settings = {
        "ceiling_dbtp": torch.tensor([-1.0, -3.0, -9.0]),
        "release_ms": torch.tensor([20.0, 80.0, 500.0]),
        "lookahead_ms": torch.tensor([1.0, 3.0, 4.4]),
    }
    whole = LIMITER(x, RATE, **settings)
    y = torch.cat(list(stream(LIMITER.flow(RATE, 2, **settings), Held(x, RATE), Kept)), dim=-1)
    assert y.shape == whole.shape and float((y - whole).abs().max()) < 1e-5


class Kept:
    """A spool in memory for a batch."""

    def __init__(self):
        self.kept = []

    def write(self, block):
        self.kept.append(block)

    def blocks(self):
        return iter(self.kept)

    def close(self):
        pass


def test_a_ceiling_lowered_while_it_runs_makes_no_step():
    x = signals.sine(100.0, 2.0, level_db=0.0)
    flow, turned = LimiterFlow(RATE, **SETTINGS), []
    for number, part in enumerate(x.split(512, dim=-1)):
        if number == 80:
            flow.ceiling_dbtp = -10.0
        flow.push(part)
        turned.append(flow.reduction_db[0])
    reduction = torch.cat(turned)
    assert float(reduction[-1]) == pytest.approx(10.0, abs=0.3)
    assert float(reduction.diff().abs().max()) < 2.2 * 6 / (0.003 * RATE)


@pytest.mark.parametrize("kind", ["music", "noise", "low", "edge"])
def test_frames_that_are_passed_by_were_under_the_ceiling(kind):
    x = {
        "music": signals.music(2.0),
        "noise": signals.noise(2.0),
        "low": signals.sine(60.0, 2.0),
        "edge": signals.sine(0.47 * RATE, 2.0, phase=0.3),
    }[kind].double()
    for below_db in (0.0, 0.3, 3.0):
        envelope = peak_envelope_db(x)
        ceiling = envelope.max().reshape(1, 1) - below_db
        over = over_ceiling_db(torch.nn.functional.pad(x, (REACH, REACH)), ceiling)
        torch.testing.assert_close(over, (envelope - ceiling).clamp_min(0.0), rtol=0, atol=1e-9)


@pytest.mark.parametrize("lengths", [(4097,), (1, 0, 7, 100_000, 0, 333)])
def test_loudness_hears_first_and_turns_once(lengths):
    x = torch.cat([signals.music(4.0), signals.music(4.0) * 0.1])
    settings = {"loudness_lufs": torch.tensor([-20.0, -30.0])}
    (flow,) = LOUDNESS.flow(RATE, 2, **settings)
    for block in cut(x, lengths):
        flow.hear(block)
    y = torch.cat([flow.push(block) for block in cut(x, lengths)], dim=-1)
    assert flow.finish() is None and float((y - LOUDNESS(x, RATE, **settings)).abs().max()) < 1e-5
