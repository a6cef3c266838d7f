"""Loudness the limiter cannot give cleanly: taken off the peaks before it, as far as the rest can bear."""

from __future__ import annotations

import torch

from daiw_master.audio import Audio
from daiw_master.plan import make_plan
from daiw_master.refine.actuators import free_actuators
from daiw_master.refine.asks import ask_of
from daiw_master.refine.bench import Bench
from daiw_master.refine.jacobian import measure_jacobian
from daiw_master.refine.solver import solve
from daiw_master.refine.song import put_on_bench
from daiw_master.stack import effect_named
from daiw_master.stack.chain import qualified

RATE = 44100


def hits() -> Audio:
    """Clicks over a quiet tone: more peak than any limiter gives away cleanly."""
    t = torch.arange(8 * RATE) / RATE
    decay = torch.exp(-25 * torch.remainder(t, 0.5))
    hit = decay * torch.sin(2 * torch.pi * 180 * t)
    x = 0.02 * torch.sin(2 * torch.pi * 330 * t) + hit
    return Audio(torch.stack([x, x + 0.01 * hit.roll(40)]), RATE)


def bench_of(audio: Audio) -> Bench:
    names = ("eq", "dynamics", "imager", "loudness", "limiter")
    return Bench(put_on_bench(audio), qualified([effect_named(name) for name in names]))


def test_a_shortfall_is_made_smaller_by_softening_peaks():
    desk = bench_of(hits())
    plan = make_plan(targets={"loudness_lufs": -8.0})
    with torch.no_grad():
        first = desk.take(desk.space.defaults(), -8.0, -1.0, 6.0)
        solved = solve(desk, plan, first.settings, ask_of(plan, first.heard, 8.0), first=first)
    assert not first.delivered.reached, "the signal must be too peaky to begin with"
    gained = solved.take.delivered.loudness_lufs - first.delivered.loudness_lufs
    assert gained > 0.3
    assert solved.take.settings["dynamics.attack_db"] < 0


def test_the_peaks_row_knows_that_softer_attacks_are_lower_peaks():
    desk = bench_of(hits())
    actuators = free_actuators(desk.space, {})
    with torch.no_grad():
        matrix = measure_jacobian(
            desk, desk.space.defaults(), actuators, ["crest_db"], drive_db=6.0, ceiling_dbtp=-1.0
        )
    assert matrix.shape == (2, len(actuators))
    attack = [a.knob for a in actuators].index("dynamics.attack_db")
    assert matrix[-1, attack] > 0.1
