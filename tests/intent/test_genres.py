"""Genres as leans: small, relative to the mean genre, told apart, each reason once."""

from __future__ import annotations

import itertools
import math

import pytest

from daiw_master.data import load_yaml
from daiw_master.errors import UnknownNameError
from daiw_master.intent.genres import fingerprint_names, genre_named, genres, lean_of, read_genre
from daiw_master.stack import EFFECTS
from daiw_master.stack.chain import chain_space, qualified
from daiw_master.targets import BANDS, FIELDS

SHEET = (
    "Cinematic Neo-Soul", "Lo-Fi Bedroom", "Industrial Pop", "Synthwave", "Confessional Acoustic", "Art Rock",
    "Indie Folk", "Post-Punk", "Chamber Pop", "Electronic", "Hip-Hop", "R&B", "Alternative", "Shoegaze",
    "Dream Pop",
)  # fmt: skip
FINGERPRINTS = (
    "hiphop", "trap", "pop", "rock", "metal", "jazz", "rnb", "electronic", "house", "lofi", "classical",
    "country", "folk", "ambient",
)  # fmt: skip
WIZARD = ("pop", "rock", "hiphop", "electronic", "folk", "indie", "soul", "country", "ambient")
OTHERS = (
    "funk", "jazz_swing", "neo_soul", "edm", "blues", "latin", "bedroom_lofi", "confessional_acoustic",
    "lofi_hiphop", "jazz_fusion", "Lo-Fi Hip Hop",
)  # fmt: skip

every_genre = pytest.mark.parametrize("genre", list(genres().values()), ids=lambda genre: genre.name)


def summed(moves):
    totals: dict[str, float] = {}
    for move in moves:
        if move.kind == "shift":
            totals[move.what] = totals.get(move.what, 0.0) + move.value
    return totals


def asked(moves):
    return sorted((move.kind, move.what, move.value) for move in moves)


@pytest.mark.parametrize("name", SHEET + FINGERPRINTS + WIZARD + OTHERS)
def test_every_genre_of_daiw_s_is_known(name):
    assert genre_named(name).moves()


def test_the_fourteen_are_the_fingerprints():
    rows = load_yaml("presets/genres", "fingerprints")
    assert tuple(rows) == FINGERPRINTS
    assert fingerprint_names() == tuple(row["name"] for row in rows.values())
    for row in rows.values():
        assert len(row["balance"]) == 8 and row["balance"]["mid"] == 0


@every_genre
def test_moves_something_one_can_hear(genre):
    def tolerances(field, by):
        scale = FIELDS[field].tolerance
        return abs(by) / (scale * FIELDS[field].default if FIELDS[field].relative_tolerance else scale)

    totals = summed(genre.moves())
    switched = any(move.kind == "switch" for move in genre.moves())
    least = 1.0 if genre.name in {*SHEET, *fingerprint_names()} else 0.6
    assert switched or max(tolerances(field, by) for field, by in totals.items()) >= least


@every_genre
def test_leans_and_does_not_fall(genre):
    totals = summed(genre.moves())
    assert math.fsum(totals.get(band, 0.0) for band in BANDS) == pytest.approx(0.0, abs=2e-3)
    assert max((abs(totals.get(band, 0.0)) for band in BANDS), default=0.0) <= 1.5 + 1e-3
    assert abs(totals.get("loudness_range_lu", 0.0)) <= 1.6 and abs(totals.get("crest_db", 0.0)) <= 1.6
    assert "loudness_lufs" not in totals  # how loud is the platform's and the feeling's to say


@every_genre
def test_blends_are_whole_and_reasons_stand(genre):
    assert math.fsum(genre.of.values()) == pytest.approx(1.0)
    assert genre.about and all(move.why.strip() for move in genre.moves())


@every_genre
def test_own_knobs_exist(genre):
    space = chain_space(qualified(list(EFFECTS.values())))
    taken = {move.value for move in genre.moves() if move.what == "in"}
    for move in genre.moves():
        if move.kind == "set":
            space[move.what].check(move.value, move.what)
            assert move.what.partition(".")[0] in taken
        assert move.what != "in" or move.value in EFFECTS


def test_no_two_genres_ask_for_the_same():
    for one, other in itertools.combinations(genres().values(), 2):
        assert asked(one.moves()) != asked(other.moves()), f"{one.name} and {other.name}"


def test_no_reason_is_given_twice():
    reasons = [
        why for row in load_yaml("presets/genres", "fingerprints").values() for why in row["why"].values()
    ]
    reasons += [
        row["about"]
        for file in ("fingerprints", "genres")
        for row in load_yaml("presets/genres", file).values()
    ]
    for row in load_yaml("presets/genres", "genres").values():
        reasons += [entry["why"] for entry in (*row.get("shifts", {}).values(), *row.get("set", {}).values())]
    assert len({reason.casefold() for reason in reasons}) == len(reasons)


@pytest.mark.parametrize("fingerprint", FINGERPRINTS)
def test_every_reason_is_used(fingerprint):
    assert set(load_yaml("presets/genres", "fingerprints")[fingerprint]["why"]) == set(lean_of(fingerprint))


def test_a_lean_is_the_difference_from_the_mean_genre():
    """Ambient by hand: its air against the mean air of fourteen, centred over the bands, a quarter of it."""
    rows = load_yaml("presets/genres", "fingerprints")
    means = {
        band: sum(row["balance"][band] for row in rows.values()) / 14 for band in rows["ambient"]["balance"]
    }
    differs = {band: rows["ambient"]["balance"][band] - means[band] for band in means}
    by_hand = {band: 0.25 * (by - sum(differs.values()) / 8) for band, by in differs.items()}
    kept = {band: by for band, by in by_hand.items() if abs(by) >= 0.15}
    expected = by_hand["air"] - sum(kept.values()) / len(kept)
    assert lean_of("ambient")["band_air_db"][0] == pytest.approx(expected, abs=1e-3)


def test_directions_are_those_of_the_genres():
    def by(name, field):
        return summed(genre_named(name).moves()).get(field, 0.0)

    assert by("trap", "band_sub_db") > 1 > by("folk", "band_sub_db")
    assert by("Lo-Fi Bedroom", "band_air_db") < 0 < by("ambient", "band_air_db")
    assert by("classical", "loudness_range_lu") > 1 > 0 > by("electronic", "loudness_range_lu")
    assert by("ambient", "width_high_db") > 1 and by("lofi", "width_high_db") < -1
    assert by("metal", "onset_db") > 0 > by("Shoegaze", "onset_db")


@pytest.mark.parametrize(
    ("text", "names", "unknown"),
    [
        ("Dream Pop/Shoegaze", ["Dream Pop", "Shoegaze"], []),
        ("Lo-Fi Bedroom/Confessional Acoustic", ["Lo-Fi Bedroom", "Confessional Acoustic"], []),
        ("Industrial Pop/Synthwave", ["Industrial Pop", "Synthwave"], []),
        ("Post-Punk/Industrial", ["Post-Punk", "Industrial Pop"], []),
        ("a slow cinematic neo-soul ballad", ["Cinematic Neo-Soul"], []),
        ("R&B", ["R&B"], []),
        ("drum and bass", ["Electronic"], []),
        ("folk meets techno", ["Folk", "Electronic"], []),
        ("folk/folk", ["Folk"], []),
        ("gabber", [], ["gabber"]),
        ("folk/gabber", ["Folk"], ["gabber"]),
        ("", [], []),
    ],
)
def test_a_list_shares_the_song(text, names, unknown):
    found, not_found = read_genre(text)
    assert [genre.name for genre, _, _ in found] == names and not_found == unknown
    assert math.fsum(weight for _, _, weight in found) == pytest.approx(1.0 if names else 0.0)


def test_half_a_genre_is_half_of_what_it_asks():
    whole, half = (summed(genre_named("Shoegaze").moves(weight=weight)) for weight in (1.0, 0.5))
    assert half == {field: pytest.approx(by / 2, abs=1e-3) for field, by in whole.items()}


def test_an_unknown_genre_answers_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Synthwave"):
        genre_named("Sinthwave")
