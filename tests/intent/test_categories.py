"""The fourteen rows and the linear map: what they may ask for, and how far."""

from __future__ import annotations

import itertools
import math

import pytest

from daiw_master import house
from daiw_master.data import load_yaml
from daiw_master.intent import categories
from daiw_master.intent.categories import linear_map
from daiw_master.targets import BANDS, FIELDS, WIDTHS

CATEGORIES = {
    "joy", "hope", "tenderness", "nostalgia", "sadness", "grief", "fear", "rage", "tension", "triumph", "awe",
    "surprise", "disgust", "dissociation",
}  # fmt: skip
#: The five that are told apart blind, by features nothing steers.
BLIND = ("grief", "rage", "hope", "nostalgia", "fear")
#: Fields a feeling may move. Ceiling, sub-120 Hz width and reduction belong to the platform and the house.
MOVABLE = {*FIELDS} - {"true_peak_dbtp", "width_low_db", "gain_reduction_db"}

rows = pytest.mark.parametrize("category", list(categories().values()), ids=lambda category: category.name)


def by(category, field):
    row = category.shifts.get(field)
    return row.value if row else 0.0


def in_tolerances(category, field):
    target = FIELDS[field]
    scale = target.tolerance * target.default if target.relative_tolerance else target.tolerance
    return by(category, field) / scale


def test_the_fourteen_and_which_are_our_own_design():
    assert set(categories()) == CATEGORIES
    marked = {category.name for category in categories().values() if category.marked}
    assert marked == {"surprise", "disgust", "dissociation"}


@rows
def test_moves_only_what_a_feeling_may_move(category):
    assert set(category.shifts) <= MOVABLE
    assert all(row.why.strip() for row in (*category.shifts.values(), *category.settings.values()))


@rows
def test_bands_are_relative_to_their_mean_so_the_eight_sum_to_zero(category):
    assert math.fsum(by(category, band) for band in BANDS) == pytest.approx(0.0, abs=1e-9)


@rows
def test_default_strength_stays_tasteful(category):
    limit = {name: row.default for name, row in house.limits().items()}
    room = house.neutral()["midi"]
    assert max(abs(by(category, band)) for band in BANDS) <= 2.0
    assert -3.0 <= by(category, "loudness_lufs") <= 2.0
    for width in WIDTHS:
        assert -3.0 <= by(category, width) <= limit["side_gain_db"]
    assert room["reverb_wet_db"] + by(category, "reverb_wet_db") <= limit["reverb_send_wet_db"]
    decay_s = room["reverb_decay_s"] + by(category, "reverb_decay_s")
    assert 0.3 <= decay_s <= limit["reverb_send_decay_s"]
    drive_db = FIELDS["drive_db"].default + by(category, "drive_db")
    assert drive_db <= limit["exciter_db"]


@rows
def test_asks_agree_with_each_other(category):
    """PLR = ceiling - loudness: who asks for level does not ask for peaks as well (physics)."""
    loudness, crest, onset = (by(category, name) for name in ("loudness_lufs", "crest_db", "onset_db"))
    if loudness >= 1.0:
        assert crest <= -0.5
    if crest >= 1.0:
        assert loudness < 0 < onset
    if onset <= -1.5:
        assert crest <= 0.5


@rows
def test_claims_enough_to_be_heard(category):
    claimed = [name for name in category.shifts if abs(in_tolerances(category, name)) >= 2]
    assert len([name for name in claimed if name != "loudness_lufs"]) >= 4, claimed


def test_signs_that_listeners_agreed_on():
    """Juslin & Laukka 2003 and the corrections drawn from it: level variability and attack."""
    sign = {
        ("sadness", "loudness_range_lu"): -1, ("tenderness", "loudness_range_lu"): -1,
        ("grief", "loudness_range_lu"): 1, ("fear", "loudness_range_lu"): 1, ("awe", "loudness_range_lu"): 1,
        ("triumph", "crest_db"): -1, ("joy", "crest_db"): -1,
        ("sadness", "onset_db"): -1, ("tenderness", "onset_db"): -1, ("rage", "onset_db"): 1,
        ("sadness", "band_brilliance_db"): -1, ("joy", "band_brilliance_db"): 1,
        ("rage", "reverb_decay_s"): -1, ("grief", "reverb_decay_s"): 1, ("awe", "reverb_decay_s"): 1,
        ("rage", "loudness_lufs"): 1, ("sadness", "loudness_lufs"): -1,
    }  # fmt: skip
    wrong = [key for key, wanted in sign.items() if by(categories()[key[0]], key[1]) * wanted <= 0]
    assert not wrong


def cosine(first, second, fields):
    a = [in_tolerances(first, field) for field in fields]
    b = [in_tolerances(second, field) for field in fields]
    return (
        sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))
        if any(a) and any(b)
        else 0.0
    )


@pytest.mark.parametrize("pair", list(itertools.combinations(BLIND, 2)), ids="-".join)
def test_the_five_point_in_different_directions(pair):
    """Not only in different amounts: grief/nostalgia and rage/fear are what collapses in a naive design."""
    first, second = (categories()[name] for name in pair)
    assert cosine(first, second, BANDS) < 0.5
    heard = [name for name, field in FIELDS.items() if field.kind == "heard"]
    assert cosine(first, second, heard) < 0.6
    apart = [abs(in_tolerances(first, name) - in_tolerances(second, name)) for name in heard]
    assert sum(distance >= 2 for distance in apart) >= 5


def test_the_linear_map_keeps_bands_centred_and_stays_small():
    for axis in linear_map():
        assert math.fsum(axis[band].value for band in BANDS if band in axis) == pytest.approx(0.0, abs=1e-9)
        assert max(abs(axis[band].value) for band in BANDS if band in axis) <= 0.5
        assert all(slope.more != slope.less for slope in axis.values())
        # range is no function of valence and arousal (R2 .06), drive is none by design: categories carry them
        assert not {"loudness_range_lu", "drive_db"} & set(axis)


def test_arousal_brings_level_attack_and_brightness():
    arousal = linear_map()[1]
    for field in ("loudness_lufs", "onset_db", "band_presence_db", "band_brilliance_db"):
        assert arousal[field].value > 0


def test_every_hinted_knob_exists_and_can_hold_its_value():
    from daiw_master.stack import EFFECTS

    for category in categories().values():
        for knob, row in category.settings.items():
            effect, _, name = knob.partition(".")
            assert effect in EFFECTS, knob
            EFFECTS[effect].space[name].check(row.value, knob)
            if knob == "dynamics.attack_ms":
                assert row.value >= house.limits()["compressor_attack_ms"].default


def test_intensity_words_include_the_six_tiers_in_order():
    intensity = load_yaml("presets", "affect")["intensity"]
    tiers = ("subtle", "mild", "moderate", "strong", "intense", "overwhelming")
    sizes = [intensity["words"][tier] for tier in tiers]
    assert sizes == sorted(set(sizes)) and sizes[-1] == intensity["limit"]
    assert all(0 < size <= intensity["limit"] for size in intensity["words"].values())
