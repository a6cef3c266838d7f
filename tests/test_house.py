"""presets/house.yaml and the platforms, read and checked as one: a typo there is found here."""

from __future__ import annotations

import pytest

from daiw_master import house
from daiw_master.errors import UnknownNameError
from daiw_master.refine.actuators import ACTUATORS
from daiw_master.stack import EFFECTS, HOUSE_CHAIN
from daiw_master.stack.chain import chain_space, qualified
from daiw_master.targets import DELIVERY, FIELDS, HEARD

LIMITS = house.limits()
PLATFORMS = house.platforms()


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
def test_relaxing_a_limit_never_tightens_it(limit):
    assert limit.hard <= limit.default if limit.at_least else limit.hard >= limit.default
    assert limit.about
    assert (limit.value(False), limit.value(True)) == (limit.default, limit.hard)


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
def test_a_limit_holds_on_its_own_side(limit):
    inwards = 1.0 if limit.at_least else -1.0
    for relaxed in (False, True):
        line = limit.value(relaxed)
        assert limit.holds(line, relaxed)
        assert limit.holds(line + inwards, relaxed)
        assert not limit.holds(line - inwards, relaxed)
        assert limit.holds(line - 0.04 * inwards, relaxed, slack=0.05)


@pytest.mark.parametrize(
    ("name", "default", "hard"),
    [
        ("eq_band_db", 3, 6),
        ("compressor_mean_db", 2, 4),
        ("compressor_p95_db", 4, 8),
        ("limiter_p99_db", 4, 6),
        ("side_gain_db", 2, 4),
        ("side_low_db", -20, -20),
        ("correlation_p5", 0, -0.2),
        ("fold_down_loss_lu", 1, 2),
        ("reverb_bus_wet_db", -24, -16),
        ("reverb_send_wet_db", -14, -9),
        ("exciter_db", -24, -15),
    ],
)
def test_the_limits_of_taste_are_these(name, default, hard):
    assert (LIMITS[name].default, LIMITS[name].hard) == (default, hard)


def test_every_knob_in_the_search_leans_on_a_known_limit_inside_its_range():
    from daiw_master.plan import make_plan

    space = chain_space(qualified([EFFECTS[name] for name in HOUSE_CHAIN]))
    for plan in (make_plan(), make_plan(relaxed=LIMITS)):
        for actuator in ACTUATORS:
            assert actuator.limit_name in LIMITS
            param = space[actuator.knob]
            low, high = actuator.limits(plan)
            assert param.low <= low < high <= param.high, actuator.knob
            assert low <= actuator.rest <= high, actuator.knob


def test_the_envelope_is_an_interval_of_heard_fields():
    for name, (low, high) in house.envelope().items():
        assert name in HEARD
        assert FIELDS[name].low <= low < high <= FIELDS[name].high


def test_neutral_is_a_possible_master():
    neutral = house.neutral()
    for name in DELIVERY:
        FIELDS[name].check(neutral[name])
    assert (neutral["loudness_lufs"], neutral["true_peak_dbtp"]) == (-14, -1)
    room, limits = neutral["midi"], LIMITS
    assert room["reverb_wet_db"] <= limits["reverb_send_wet_db"].default
    assert room["reverb_decay_s"] <= limits["reverb_send_decay_s"].default


@pytest.mark.parametrize("row", PLATFORMS.values(), ids=PLATFORMS)
def test_platforms_say_both_numbers_and_nothing_else(row):
    assert set(row) == set(DELIVERY)
    for name, value in row.items():
        FIELDS[name].check(value)


def test_platforms_go_by_name():
    assert {"spotify", "apple", "youtube", "tidal", "amazon", "deezer", "r128", "cd", "club"} <= set(
        PLATFORMS
    )
    assert house.platform("Spotify") == PLATFORMS["spotify"]
    assert PLATFORMS["r128"] == {"loudness_lufs": -23, "true_peak_dbtp": -1}, (
        "EBU R 128-2020, section (h), (i)"
    )
    with pytest.raises(UnknownNameError, match="did you mean spotify"):
        house.platform("spotfy")
