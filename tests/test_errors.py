"""One tree of refusals; each message is one line with what came, what is allowed and the nearest name."""

from __future__ import annotations

import pytest

from daiw_master import errors
from daiw_master.errors import DaiwMasterError, OutOfRangeError, UnknownNameError, either, nearest

LEAVES = (
    errors.InputError,
    errors.UnknownNameError,
    errors.OutOfRangeError,
    errors.MissingDependencyError,
    errors.PluginError,
    errors.WriteError,
)


@pytest.mark.parametrize("leaf", LEAVES)
def test_one_except_catches_every_refusal(leaf):
    assert issubclass(leaf, DaiwMasterError)
    # a ValueError or OSError parent would let somebody's broad net swallow our sentence
    assert leaf.__bases__ == (DaiwMasterError,)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("greif", "grief"), ("GRIEF", "grief"), ("high shelf gain db", "high_shelf_gain_db"), ("hpoe", "hope")],
)
def test_the_nearest_name_comes_first(typed, meant):
    known = ["hope", "grief", "rage", "high_shelf_gain_db", "low_shelf_gain_db"]
    assert nearest(typed, known)[0] == meant


def test_nothing_near_is_no_suggestion():
    error = UnknownNameError("emotion", "zzzzzz", ["grief", "hope"], hint="(`list emotions` shows all)")
    assert error.nearest == []
    assert str(error) == "unknown emotion 'zzzzzz' (`list emotions` shows all)"
    assert "did you mean" not in str(error)


def test_at_most_three_suggestions():
    assert len(nearest("band_db", [f"band_{i}_db" for i in range(9)])) == 3


@pytest.mark.parametrize(
    ("words", "said"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_either(words, said):
    assert either(words) == said


@pytest.mark.parametrize(
    ("unit", "said"),
    [
        ("dB", "eq.tilt_db is 99; it must lie between -12 and 12 dB"),
        ("", "eq.tilt_db is 99; it must lie between -12 and 12"),
    ],
)
def test_out_of_range_says_value_range_and_unit(unit, said):
    assert str(OutOfRangeError("eq.tilt_db", "99", -12, 12, unit)) == said


def test_a_piece_of_a_long_name_finds_it():
    known = ["PRODUCTION_LoFiDegradation", "PRODUCTION_RoomNoise", "TEMPORAL_AbruptEnding"]
    assert nearest("lofi", known) == ["PRODUCTION_LoFiDegradation"]
    assert nearest("zz", known) == []
