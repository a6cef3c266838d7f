"""A knob is described once: range, scale, unit; everything else reads it."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from daiw_master.errors import OutOfRangeError, UnknownNameError
from daiw_master.params import Param, Space

GAIN = Param("gain_db", -12, 12, 0, "dB", about="up or down")
CUTOFF = Param("cutoff_hz", 20, 20000, 1000, "Hz", "log", about="where")
SPACE = Space({"eq.gain_db": GAIN, "eq.cutoff_hz": CUTOFF})


@settings(deadline=None, derandomize=True)  # a busy machine is no failing test
@given(st.floats(0, 1), st.sampled_from([GAIN, CUTOFF]))
def test_positions_survive_the_way_out_and_back(u, param):
    assert param.normalised(param.physical(u)) == pytest.approx(u, abs=1e-9)
    assert param.low - 1e-9 <= param.physical(u) <= param.high + 1e-9


@pytest.mark.parametrize("param", [GAIN, CUTOFF])
def test_ends_middle_and_slope(param):
    assert param.physical(0.0) == param.low
    assert param.physical(1.0) == pytest.approx(param.high)
    u = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64, requires_grad=True)
    param.physical(u).sum().backward()
    assert u.grad.isfinite().all() and (u.grad > 0).all(), "an optimiser may start at either end"


def test_the_middle_of_a_log_knob_is_the_geometric_mean():
    assert CUTOFF.physical(0.5) == pytest.approx(math.sqrt(20 * 20000))
    assert GAIN.physical(0.5) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"low": 1, "high": 1, "default": 1},
        {"low": 2, "high": 1, "default": 1},
        {"low": 0, "high": 1, "default": 2},
        {"low": 0, "high": 1, "default": 0.5, "scale": "log"},
    ],
)
def test_impossible_knobs_are_refused_when_written_down(wrong):
    with pytest.raises(ValueError, match="knob"):
        Param("knob", **wrong)


@pytest.mark.parametrize("value", [-12, 0.0, 12, torch.tensor([-12.0, 12.0])])
def test_what_a_knob_can_hold_passes_unchanged(value):
    assert GAIN.check(value) is value


@pytest.mark.parametrize(
    "value", [12.01, math.nan, math.inf, -math.inf, torch.tensor([0.0, 13.0]), torch.tensor(math.nan)]
)
def test_what_it_cannot_hold_is_named_with_range_and_unit(value):
    with pytest.raises(OutOfRangeError, match=r"eq\.gain_db is .*-12 and 12 dB"):
        SPACE.check({"eq.gain_db": value})


def test_text_becomes_a_checked_value():
    assert SPACE.parse("eq.gain_db=1.5") == ("eq.gain_db", 1.5)
    assert SPACE.parse(" eq.gain_db = -3e0 ") == ("eq.gain_db", -3.0)


@pytest.mark.parametrize(
    "text",
    ["eq.gain_db", "eq.gain_db=", "eq.gain_db=loud", "eq.gain_db=nan", "eq.gain_db=1=2", "eq.gain_db=13"],
)
def test_text_that_is_no_value_is_refused(text):
    with pytest.raises(OutOfRangeError, match=r"eq\.gain_db .*between -12 and 12 dB"):
        SPACE.parse(text)


def test_unknown_names_get_the_nearest():
    for use in (
        lambda: SPACE.parse("eq.gian_db=1"),
        lambda: SPACE["eq.gian_db"],
        lambda: SPACE.check({"eq.gian_db": 1.0}),
        lambda: SPACE.vector({"eq.gian_db": 1.0}),
    ):
        with pytest.raises(UnknownNameError, match=r"'eq\.gian_db'; did you mean eq\.gain_db") as refusal:
            use()
        assert refusal.value.nearest[0] == "eq.gain_db"


def test_vectors_hold_names_in_order_and_rest_at_defaults():
    u = SPACE.vector({"eq.gain_db": 6.0})
    assert u.tolist() == pytest.approx([0.75, math.log(50) / math.log(1000)])
    batch = SPACE.vector({"eq.gain_db": torch.tensor([-12.0, 0.0, 12.0])})
    assert batch.shape == (3, 2)
    values = SPACE.values(batch)
    assert values["eq.gain_db"].tolist() == pytest.approx([-12, 0, 12])
    assert values["eq.cutoff_hz"].tolist() == pytest.approx([1000] * 3)


def test_a_pinned_knob_leaves_the_space():
    rest = SPACE.without(["eq.gain_db"])
    assert list(rest) == ["eq.cutoff_hz"] and len(SPACE) == 2
    assert rest.vector({}).shape == (1,)
    with pytest.raises(UnknownNameError):
        rest["eq.gain_db"]


def test_clipping_brings_values_to_the_nearest_end():
    assert SPACE.clip({"eq.gain_db": 12.0000001, "eq.cutoff_hz": 500.0}) == {
        "eq.gain_db": 12,
        "eq.cutoff_hz": 500.0,
    }
    assert SPACE.clip({"eq.gain_db": -99.0}) == {"eq.gain_db": -12}
    with pytest.raises(UnknownNameError):
        SPACE.clip({"eq.gian_db": 0.0})
