"""From shifts to asks: what the song cannot give is cut before it is asked, smoothly and with a reason."""

from __future__ import annotations

import pytest

from daiw_master import house
from daiw_master.plan import Shift, make_plan
from daiw_master.refine.asks import ask_of
from daiw_master.targets import BANDS, FIELDS, HEARD, WIDTHS

#: A song in the middle of the envelope: nothing is cut.
MIDDLE = {name: sum(edges) / 2 for name, edges in house.envelope().items()} | {"width_low_db": -50.0}


def plan(_targets=None, **by):
    return make_plan(
        "x", {name: Shift(name, value, f"why {name}") for name, value in by.items()}, targets=_targets
    )


def test_neutral_asks_everything_heard_to_stay():
    asks = ask_of(plan(), MIDDLE)
    assert tuple(asks) == HEARD
    for name, ask in asks.items():
        assert ask.wanted == pytest.approx(MIDDLE[name], abs=1e-12)
        assert ask.by == 0 and not ask.claimed and not ask.cut


def test_a_shift_the_song_has_room_for_is_asked_whole():
    asks = ask_of(plan(band_air_db=-1.4, band_mid_db=1.4, crest_db=-1.5, width_high_db=1.2), MIDDLE)
    assert asks["band_air_db"].by == pytest.approx(-1.4)
    assert asks["crest_db"].wanted == pytest.approx(MIDDLE["crest_db"] - 1.5)
    assert asks["crest_db"].why == "why crest_db"
    assert asks["crest_db"].claimed, "two tolerances"
    assert not asks["width_high_db"].claimed
    assert not any(ask.cut for ask in asks.values())


@pytest.mark.parametrize("dark_db", [0, -2, -4, -8, -20])
def test_bands_are_read_against_their_mean_so_asks_sum_to_nought(dark_db):
    """The eight band numbers always sum to nought; asks that do not could never be met."""
    song = {**MIDDLE, "band_air_db": house.envelope()["band_air_db"][0] + dark_db}
    asks = ask_of(plan(band_air_db=-1.6, band_mid_db=1.2, band_sub_db=2.0), song)
    assert sum(asks[name].by for name in BANDS) == pytest.approx(0, abs=1e-9)
    assert all(asks[name].wanted == pytest.approx(song[name] + asks[name].by) for name in BANDS)


def test_a_song_without_highs_has_no_highs_to_soften():
    name = "band_brilliance_db"
    dark = {**MIDDLE, name: house.envelope()[name][0] - 6}
    ask = ask_of(plan(**{name: -2.0}), dark)[name]
    assert ask.by == pytest.approx(0, abs=1e-9)
    assert "-2.0 dB" in ask.cut and f"{dark[name]:.1f}" in ask.cut
    # the other way there is all the room in the world
    assert not ask_of(plan(**{name: 2.0}), dark)[name].cut


def test_an_empty_band_is_neither_moved_nor_fought_over():
    asks = ask_of(plan(band_air_db=2.0), {**MIDDLE, "band_air_db": -60.0})
    assert asks["band_air_db"].by == pytest.approx(0, abs=1e-9)
    assert "nothing sounds there" in asks["band_air_db"].cut
    assert asks["band_air_db"].weight < asks["band_mid_db"].weight == 1.0


def test_the_cut_is_smooth_and_one_sided():
    """No cliff: a song a tenth of a dB darker gets nearly the same ask, and never a reversed one."""
    edge = house.envelope()["crest_db"][0]
    asked = [
        ask_of(plan(crest_db=-2.0), {**MIDDLE, "crest_db": edge + 4 - 0.1 * i})["crest_db"].by
        for i in range(120)
    ]
    assert asked[0] == -2.0 and asked[-1] == 0.0
    steps = [b - a for a, b in zip(asked, asked[1:], strict=False)]
    assert all(0 <= step < 0.06 for step in steps)


@pytest.mark.parametrize("name", [w for w in WIDTHS if w != "width_low_db"])
def test_mono_has_no_side_to_move(name):
    ask = ask_of(plan(**{name: 2.0}), {**MIDDLE, name: -70.0})[name]
    assert ask.by == 0 and "mono" in ask.cut


@pytest.mark.parametrize("here", [1.0, 1.8, 3.0, 6.0, 15.0])
def test_range_falls_at_most_half_way_to_what_steady_music_has(here):
    ask = ask_of(plan(loudness_range_lu=-3.0), {**MIDDLE, "loudness_range_lu": here})["loudness_range_lu"]
    most = 0.5 * max(0.0, here - 1.2)
    assert ask.by == pytest.approx(-min(3.0, most))
    assert bool(ask.cut) == (most < 3.0)
    if ask.cut:
        assert "3.0 LU" in ask.cut and f"{here:.1f}" in ask.cut


def test_what_the_user_sets_is_asked_as_it_stands():
    asks = ask_of(plan({"band_air_db": 5.0}, band_mid_db=1.0), MIDDLE)
    assert asks["band_air_db"].wanted == 5.0
    assert asks["band_air_db"].by == pytest.approx(5.0 - MIDDLE["band_air_db"])
    assert asks["band_air_db"].why == "you set it" and not asks["band_air_db"].cut


def test_errors_are_in_tolerances():
    ask = ask_of(plan(crest_db=-1.5), MIDDLE)["crest_db"]
    assert ask.error(MIDDLE["crest_db"]) == pytest.approx(1.5 / FIELDS["crest_db"].tolerance)
    assert ask.error(ask.wanted) == 0


def test_a_few_seconds_have_no_range():
    assert "loudness_range_lu" not in ask_of(plan(loudness_range_lu=-1.0), MIDDLE, duration_s=5.0)
    assert "loudness_range_lu" in ask_of(plan(loudness_range_lu=-1.0), MIDDLE, duration_s=30.0)


def test_an_empty_band_is_not_fought_over():
    weights = [
        ask_of(plan(), {**MIDDLE, "band_air_db": level})["band_air_db"].weight
        for level in (-10, -35, -40, -58)
    ]
    assert weights[0] == 1.0 and weights == sorted(weights, reverse=True)
    assert 0 < weights[-1] <= 0.1
