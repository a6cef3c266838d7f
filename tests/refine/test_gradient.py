"""`--refine` goes further by gradient on the same objective, or leaves the master as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from daiw_master.plan import Shift, make_plan
from daiw_master.refine import gradient
from daiw_master.refine.asks import ask_of
from daiw_master.refine.gradient import refine_by_gradient
from daiw_master.refine.master import make_master, make_neutral
from daiw_master.sounds import whole
from tests.refine.benches import bench

PINNED = {"eq.peak_2_gain_db": 0.5}


def distance(asks, take) -> float:
    return sum(ask.error(take.heard[name]) ** 2 for name, ask in asks.items())


@pytest.fixture(scope="module")
def desk():
    return bench("eq", "imager", seconds=3.0)


@pytest.fixture(scope="module")
def half_done(desk):
    """A master whose knobs were set back half way: there is something left to gain."""
    shifts = {
        name: Shift(name, by, "because")
        for name, by in (("band_brilliance_db", 2.0), ("band_mid_db", -1.5), ("width_high_db", -2.0))
    }
    plan = make_plan("x", shifts, targets={"loudness_lufs": -22.0}, settings=PINNED)
    with torch.no_grad():
        neutral = make_neutral(desk, plan)
        made = make_master(desk, plan, neutral)
        settings = {
            k: v if k in PINNED else 0.5 * (v + neutral.settings[k]) for k, v in made.take.settings.items()
        }
        take = desk.take(settings, -22.0, -1.0, 6.0)
    return neutral, replace(made, take=take, asks=ask_of(plan, neutral.heard), log=[])


def test_gradient_steps_bring_the_song_closer(desk, half_done):
    neutral, made = half_done
    refined = refine_by_gradient(desk, made)
    assert distance(made.asks, refined.take) < 0.7 * distance(made.asks, made.take)
    assert refined.take.settings["eq.peak_2_gain_db"] == PINNED["eq.peak_2_gain_db"]
    assert {entry.step for entry in refined.log} == {"refine"}
    assert not refined.violations
    assert refined.take.delivered.reached


def test_never_worse_than_its_start(desk, half_done, monkeypatch):
    """Steps far too long throw the knobs to their bounds; the old master is handed back."""
    neutral, made = half_done
    monkeypatch.setattr(gradient, "LEARNING_RATE", 50.0)
    monkeypatch.setattr(gradient, "STEPS", 3)
    refined = refine_by_gradient(desk, made)
    assert refined.take is made.take
    assert "no gain" in refined.log[-1].step


def test_it_also_works_where_gradients_are_off(desk, half_done):
    """The pipeline runs under no_grad; the refinement turns gradients on for itself alone."""
    neutral, made = half_done
    with torch.no_grad():
        refined = refine_by_gradient(desk, made)
        assert not torch.is_grad_enabled()
    assert not whole(refined.take.sound).requires_grad
