"""A plan is a sum with an order: user > platform > feeling; strength scales what is relative."""

from __future__ import annotations

import math

import pytest

from daiw_master.errors import OutOfRangeError, UnknownNameError
from daiw_master.house import limits
from daiw_master.plan import Shift, make_plan, parse_strength
from daiw_master.strength import STRENGTH_GROUPS, strength_of
from daiw_master.targets import FIELDS


def shifts(**by: float) -> dict[str, Shift]:
    return {name: Shift(name, value, f"why {name}") for name, value in by.items()}


LOUD = shifts(loudness_lufs=2.0, band_air_db=-1.6, width_mid_db=-1.8, drive_db=34.0)


def test_nothing_asked_is_neutral():
    plan = make_plan()
    assert plan.is_neutral and plan.name == "neutral"
    assert (plan.loudness_lufs, plan.ceiling_dbtp) == (-14, -1)


def test_a_feeling_is_relative_to_the_house():
    plan = make_plan("rage", LOUD)
    assert plan.loudness_lufs == -12
    assert plan.ceiling_dbtp == -1
    assert {name: shift.by for name, shift in plan.shifts.items()} == {
        "band_air_db": -1.6, "width_mid_db": -1.8, "drive_db": 34.0,
    }  # fmt: skip
    assert plan.shifts["drive_db"].why == "why drive_db"


def test_user_over_platform_over_feeling():
    assert make_plan("x", LOUD).loudness_lufs == -12
    assert make_plan("x", LOUD, platform="r128").loudness_lufs == -23
    assert make_plan("x", LOUD, platform="r128", targets={"loudness_lufs": -18}).loudness_lufs == -18
    assert make_plan("x", LOUD, platform="r128").shifts.keys() == {"band_air_db", "width_mid_db", "drive_db"}
    # the other half of a platform stays when the user says one half
    club = make_plan(platform="club", targets={"loudness_lufs": -9})
    assert (club.loudness_lufs, club.ceiling_dbtp) == (-9, -0.3)


def test_a_users_value_replaces_the_feelings_shift():
    plan = make_plan("x", LOUD, targets={"band_air_db": -20.0})
    assert plan.wanted == {"band_air_db": -20.0}
    assert "band_air_db" not in plan.shifts and "width_mid_db" in plan.shifts
    assert not plan.is_neutral


@pytest.mark.parametrize("text", ["0", "0.0", ",".join(f"{group}=0" for group in STRENGTH_GROUPS)])
def test_strength_nought_is_neutral(text):
    plan = make_plan(
        "x", LOUD, strength=parse_strength(text), character={"reverb.predelay_ms": (0.0, "no distance")}
    )
    assert plan.is_neutral
    assert plan.loudness_lufs == -14
    assert plan.character == {}


def test_strength_scales_shifts_group_by_group():
    half = make_plan("x", LOUD, strength=parse_strength("0.5"))
    assert half.loudness_lufs == -13
    assert half.shifts["drive_db"].by == 17.0
    some = make_plan("x", LOUD, strength=parse_strength("bands=0.5, width=0"))
    assert some.shifts["band_air_db"].by == -0.8
    assert "width_mid_db" not in some.shifts
    assert (some.shifts["drive_db"].by, some.loudness_lufs) == (34.0, -12)


def test_strength_does_not_touch_what_the_user_said():
    plan = make_plan("x", LOUD, strength=parse_strength("0.5"), targets={"band_air_db": -20.0})
    assert plan.wanted["band_air_db"] == -20.0


def test_every_relative_field_has_a_strength():
    grouped = [name for names in STRENGTH_GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(set(FIELDS) - {"true_peak_dbtp"}), "each once, the ceiling is no feeling"
    for name in grouped:
        assert strength_of(name, dict.fromkeys(STRENGTH_GROUPS, 0.3)) == 0.3


@pytest.mark.parametrize("text", ["1.5", "-0.1", "nan", "much", "bands=2", "bands=", "bands=0.5,width=x"])
def test_impossible_strengths_are_refused(text):
    with pytest.raises(OutOfRangeError, match="strength of .*between 0 and 1"):
        parse_strength(text)


def test_unknown_strength_groups_are_named():
    with pytest.raises(UnknownNameError, match="'bnads'; did you mean bands"):
        parse_strength("bnads=1")
    with pytest.raises(UnknownNameError, match=r"loudness, bands, width, dynamics, space, drive"):
        parse_strength("fog=1")


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ({"loudness_lufs": -3.0}, "loudness_lufs is -3; it must lie between -40 and -5 LUFS"),
        ({"true_peak_dbtp": 1.0}, "true_peak_dbtp is 1; it must lie between -12 and 0 dBTP"),
        ({"band_air_db": math.nan}, "band_air_db is nan"),
    ],
)
def test_impossible_targets_are_refused(targets, said):
    with pytest.raises(OutOfRangeError, match=said):
        make_plan(targets=targets)


def test_a_feeling_cannot_ask_for_the_impossible_either():
    with pytest.raises(OutOfRangeError, match="loudness_lufs is -4"):
        make_plan("x", shifts(loudness_lufs=10.0))


def test_relaxing_names_a_limit_and_leaves_the_plan_it_came_from():
    plan = make_plan(relaxed=["side_gain_db"])
    assert plan.limit("side_gain_db") == limits()["side_gain_db"].hard
    assert plan.limit("eq_band_db") == limits()["eq_band_db"].default
    further = plan.relaxing(["eq_band_db"])
    assert further.limit("eq_band_db") == limits()["eq_band_db"].hard
    assert plan.relaxed == {"side_gain_db"} and further.relaxed == {"side_gain_db", "eq_band_db"}
