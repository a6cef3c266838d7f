"""The table of targets: complete, consistent, and honest about tolerance."""

from __future__ import annotations

import pytest

from daiw_master.errors import OutOfRangeError, UnknownNameError
from daiw_master.params import UNIT_OF_SUFFIX
from daiw_master.targets import (
    BAND_EDGES_HZ,
    BANDS,
    DELIVERY,
    DONE,
    FIELDS,
    HEARD,
    SPACE,
    WIDTH_EDGES_HZ,
    WIDTHS,
    Targets,
)


def test_the_fields_are_these():
    """Rule 1 of the house: reports, presets and other people's programs go by these names."""
    assert DELIVERY == ("loudness_lufs", "true_peak_dbtp")
    assert HEARD == (*BANDS, *WIDTHS, "crest_db", "loudness_range_lu", "onset_db")
    assert DONE == ("reverb_decay_s", "reverb_wet_db", "drive_db", "gain_reduction_db")
    assert (len(BANDS), len(WIDTHS)) == (8, 4)
    assert set(FIELDS) == {*DELIVERY, *HEARD, *DONE}


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [("loudness_lufs", 0.1), ("true_peak_dbtp", 0.0), ("reverb_decay_s", 0.1), ("reverb_wet_db", 1.0)]
    + [(name, 0.5) for name in BANDS]
    + [(name, 0.75) for name in (*WIDTHS, "crest_db", "loudness_range_lu", "onset_db")],
)
def test_tolerances_are_the_promised_ones(name, tolerance):
    assert FIELDS[name].tolerance == tolerance


@pytest.mark.parametrize("edges", [BAND_EDGES_HZ, WIDTH_EDGES_HZ])
def test_bands_tile_what_is_audible(edges):
    bands = list(edges.values())
    assert bands[0][0] == 20 and bands[-1][1] == 20000
    assert all(low[1] == high[0] for low, high in zip(bands, bands[1:], strict=False))


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_a_name_tells_its_unit(field):
    suffix = max((s for s in UNIT_OF_SUFFIX if field.name.endswith(s)), key=len)
    assert field.unit == UNIT_OF_SUFFIX[suffix]
    assert field.about


def test_errors_are_counted_in_tolerances():
    assert FIELDS["band_air_db"].error(-10.0, -9.0) == 2.0
    assert FIELDS["band_air_db"].error(-10.0, -11.0) == -2.0
    # reverb time is judged by its share: 3.3 s for 3 s is one tolerance, 0.33 for 0.3 too
    assert FIELDS["reverb_decay_s"].error(3.0, 3.3) == pytest.approx(1.0)
    assert FIELDS["reverb_decay_s"].error(0.3, 0.33) == pytest.approx(1.0)


def test_targets_hold_any_known_subset():
    targets = Targets({"crest_db": 10.0, "band_air_db": -12.0})
    assert dict(targets) == {"crest_db": 10.0, "band_air_db": -12.0}
    assert targets.replace(crest_db=8.0)["crest_db"] == 8.0 and targets["crest_db"] == 10.0
    moved = targets.plus({"crest_db": -2.0, "onset_db": 1.0})
    assert dict(moved) == {"crest_db": 8.0, "band_air_db": -12.0}, "a field nobody had is not invented"
    assert moved.minus(targets) == {"crest_db": -2.0, "band_air_db": 0.0}
    assert moved.minus({"onset_db": 1.0}) == {}


def test_unknown_fields_are_refused_by_name():
    with pytest.raises(UnknownNameError, match="did you mean crest_db"):
        Targets({"crest_bd": 1.0})
    with pytest.raises(UnknownNameError, match="did you mean band_air_db"):
        SPACE.parse("band_aire_db=3")


@pytest.mark.parametrize("text", ["loudness_lufs=-4.9", "true_peak_dbtp=0.1", "crest_db=-1", "drive_db=nan"])
def test_targets_have_ranges_too(text):
    with pytest.raises(OutOfRangeError, match=text.partition("=")[0]):
        SPACE.parse(text)
