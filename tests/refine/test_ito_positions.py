"""Knobs as points of a cube: there and back, on the scale they are heard on, inside their walls."""

from __future__ import annotations

import numpy as np
import pytest

from daiw_master.errors import InputError, OutOfRangeError, UnknownNameError
from daiw_master.refine.ito.positions import Positions
from daiw_master.stack import EFFECTS, HOUSE_CHAIN
from daiw_master.stack.chain import chain_space, qualified

SPACE = chain_space(qualified([EFFECTS[name] for name in HOUSE_CHAIN]))


def test_settings_go_there_and_back():
    start = {"eq.peak_2_hz": 440.0, "dynamics.ratio": 2.5, "reverb.wet_db": -20.0}
    places = Positions(SPACE, start, free=list(start))
    assert places.settings(places.home) == {**SPACE.defaults(), **start}
    moved = np.array([0.25, 0.5, 0.75])
    back = places.of(places.settings(moved))
    assert back == pytest.approx(moved, abs=1e-6)
    assert places.settings(moved)["eq.low_shelf_hz"] == SPACE["eq.low_shelf_hz"].default


def test_every_knobs_ends_can_be_reached_and_are_inside():
    places = Positions(SPACE)
    for end in (0.0, 1.0):
        settings = places.settings(np.full(len(places), end))
        SPACE.check(settings)
        SPACE.check(places.candidates(np.full((3, len(places)), end)))
        for name, param in SPACE.items():
            assert settings[name] == pytest.approx(param.high if end else param.low, rel=1e-6, abs=1e-6)


def test_frequencies_and_times_are_moved_in_ratios():
    for name, param in SPACE.items():
        # a pre-delay may be none, so its scale cannot be a ratio; it is a gap, heard in milliseconds
        heard_in_ratios = param.unit in ("Hz", "ms", "s") and param.low > 0
        assert (param.scale == "log") >= heard_in_ratios, name


def test_walls_are_physical():
    places = Positions(SPACE, free={"dynamics.attack_ms": (10.0, 100.0), "eq.tilt_db": (-3.0, 3.0)})
    for end, expected in ((0.0, (10.0, -3.0)), (1.0, (100.0, 3.0))):
        got = places.settings(places.within(np.full(2, end)))
        assert (got["dynamics.attack_ms"], got["eq.tilt_db"]) == pytest.approx(expected, rel=1e-5)


def test_refusals():
    with pytest.raises(UnknownNameError, match="eq.tilt_db"):
        Positions(SPACE, free=["eq.tillt_db"])
    with pytest.raises(OutOfRangeError, match="eq.tilt_db"):
        Positions(SPACE, {"eq.tilt_db": 40.0})
    with pytest.raises(OutOfRangeError, match="dynamics.attack_ms"):
        Positions(SPACE, free={"dynamics.attack_ms": (0.0, 10.0)})
    with pytest.raises(OutOfRangeError, match="upper end"):
        Positions(SPACE, free={"dynamics.attack_ms": (20.0, 10.0)})
    with pytest.raises(InputError, match="no knob may move"):
        Positions(SPACE, free=[])


def test_a_prior_by_name_leaves_the_others_loose():
    places = Positions(SPACE, free=["eq.tilt_db", "dynamics.ratio"])
    assert places.spread(0.1).tolist() == [0.1, 0.1]
    assert places.spread({"dynamics.ratio": 0.2}).tolist() == [1.0, 0.2]
