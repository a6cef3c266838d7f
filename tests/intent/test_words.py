"""Words into rows: the lists are whole, in taste and told apart; free text is read as people mean it."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daiw_master import house
from daiw_master.data import load_yaml
from daiw_master.errors import UnknownNameError
from daiw_master.intent.genres import read_genre
from daiw_master.intent.words import (
    dial_moves,
    index_of,
    plain,
    read_texture,
    read_word,
    rows_of,
    texture_names,
)
from daiw_master.moves import check_switch, moves_of_row
from daiw_master.stack import EFFECTS
from daiw_master.stack.chain import chain_space, qualified
from daiw_master.targets import BANDS, FIELDS, WIDTHS

IMAGERY = (
    "Sharp Edges", "Muffled", "Open/Vast", "Claustrophobic", "Hazy/Dreamy", "Crystalline", "Muddy/Thick",
    "Sparse/Empty", "Chaotic", "Flowing/Liquid", "Fractured", "Warm/Enveloping", "Cold/Distant",
    "Blinding Light", "Deep Shadow",
)  # fmt: skip
TYPES = ("Ethereal", "Intimate", "Massive", "Skeletal", "Lush", "Harsh", "Murky", "Crystalline")
ARCS = (
    "Climb-to-Climax", "Slow Reveal", "Repetitive Despair", "Static Reflection", "Sudden Shift", "Descent",
    "Rise and Fall", "Spiral",
)  # fmt: skip
WIZARD_ARCS = ("climb", "reveal", "repetitive", "release", "descent", "acceptance", "defiant")
GROOVES = (
    "Straight/Driving", "Laid Back", "Swung", "Syncopated", "Rubato/Free", "Mechanical", "Organic/Breathing",
    "Push-Pull",
)  # fmt: skip
LISTS = ("textures", "images", "arcs", "grooves", "vulnerability")
#: Rows that are the middle of their list, and say so.
NEUTRAL = {"Medium", "Linear"}
#: Fields that belong to the platform and the house.
NOT_OURS = {"true_peak_dbtp", "width_low_db", "gain_reduction_db"}
#: Pieces of what people write: every known phrase, and the small words that turn it round.
SAYABLE = {
    *(
        word
        for kind in LISTS
        for name, row in rows_of(kind).items()
        for word in (name, *row.get("words", ()))
    ),
    *"not no without after very slightly or and but , . like a the of".split(),
}

every_row = pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in LISTS for name in rows_of(kind)],
    ids=lambda value: str(value),
)


def moves(kind, name, weight=1.0):
    return moves_of_row(rows_of(kind)[name], kind, name, weight)


def tolerances(move):
    field = FIELDS[move.what]
    scale = field.tolerance * field.default if field.relative_tolerance else field.tolerance
    return abs(move.value) / scale


def asked(found):
    return sorted((move.kind, move.what, move.value) for move in found)


def test_every_word_of_the_sheet_is_there():
    assert texture_names() == IMAGERY
    assert set(texture_names("type")) == set(TYPES)
    assert tuple(rows_of("arcs"))[:8] == ARCS
    assert tuple(rows_of("grooves")) == GROOVES
    assert tuple(rows_of("vulnerability")) == ("Low", "Medium", "High")


def test_there_are_words_enough_for_pictures():
    words = [word for row in rows_of("images").values() for word in row["words"]]
    assert len(words) >= 60 and len(words) == len({plain(word) for word in words})
    for name, row in rows_of("images").items():
        assert len(row["words"]) >= 4, name


def test_no_word_stands_for_two_things():
    for lists in (("textures", "images"), ("arcs",), ("grooves",), ("vulnerability",)):
        owner: dict[str, str] = {}
        for name, row in rows_of(*lists).items():
            for word in {plain(word) for word in (name, *name.split("/"), *row.get("words", ()))}:
                assert owner.setdefault(word, name) == name, f"{word}: {owner[word]} and {name}"


@every_row
def test_moves_something_one_can_hear_or_says_that_it_does_not(kind, name):
    found = moves(kind, name)
    if name in NEUTRAL:
        assert found == [] and "nothing is moved" in rows_of(kind)[name]["about"]
        return
    heard = [move for move in found if move.kind == "shift" and tolerances(move) >= 1.0]
    assert heard or any(move.kind == "switch" for move in found)
    assert all(move.why.strip() for move in found)


@every_row
def test_bands_sum_to_zero_and_stay_in_taste(kind, name):
    shifts = {move.what: move.value for move in moves(kind, name) if move.kind == "shift"}
    assert set(shifts) <= {*FIELDS} - NOT_OURS
    assert math.fsum(shifts.get(band, 0.0) for band in BANDS) == pytest.approx(0.0, abs=1e-9)
    assert max((abs(shifts.get(band, 0.0)) for band in BANDS), default=0.0) <= 2.0
    assert all(abs(shifts.get(width, 0.0)) <= 2.0 for width in WIDTHS)
    assert abs(shifts.get("loudness_lufs", 0.0)) <= 1.5
    room, limit = house.neutral()["midi"], house.limits()
    assert room["reverb_wet_db"] + shifts.get("reverb_wet_db", 0.0) <= limit["reverb_send_wet_db"].default
    assert 0.3 <= room["reverb_decay_s"] + shifts.get("reverb_decay_s", 0.0) <= 4.5
    assert -60.0 + shifts.get("drive_db", 0.0) <= limit["exciter_db"].default
    if shifts.get("loudness_lufs", 0.0) >= 1.0:  # level and peaks cannot both be had (PLR)
        assert shifts.get("crest_db", 0.0) <= -0.5


@every_row
def test_knobs_and_switches_exist(kind, name):
    space = chain_space(qualified(list(EFFECTS.values())))
    taken = {move.value for move in moves(kind, name) if move.what == "in"}
    forms = load_yaml("presets", "form")["shapes"]
    for move in moves(kind, name):
        if move.kind in ("set", "lean"):
            space[move.what].check(move.value, move.what)
        if move.kind == "set":
            assert move.what.partition(".")[0] in taken, "a knob of an effect that is not taken in"
        if move.kind == "switch":
            check_switch(move.what, move.value)
            assert move.what != "in" or move.value in EFFECTS
            assert move.what != "form" or move.value in forms
        if move.what == "automation.level_db":
            assert move.value <= house.limits()["ride_db"].default


@pytest.mark.parametrize("kind", LISTS)
def test_no_two_words_of_a_list_ask_for_the_same(kind):
    for one, other in itertools.combinations(rows_of(kind), 2):
        assert asked(moves(kind, one)) != asked(moves(kind, other)), f"{one} and {other}"


def test_no_reason_is_given_twice():
    reasons = [move.why for kind in LISTS for name in rows_of(kind) for move in moves(kind, name)]
    for dial in load_yaml("presets/words", "tension").values():
        reasons += [row[way] for row in dial["moves"].values() for way in ("more", "less")]
    for sentences in load_yaml("presets/words", "settled").values():
        reasons += sentences.values()
    reasons += load_yaml("presets/words", "silent").values()
    folded = [reason.casefold() for reason in reasons]
    assert sorted(set(folded)) == sorted(folded)


@pytest.mark.parametrize("name", IMAGERY + TYPES)
def test_a_word_of_the_list_is_asked_in_full(name):
    reading = read_texture(name)
    assert [(hit.name, hit.said, hit.weight) for hit in reading.hits] == [(name, name, 1.0)]
    assert asked(reading.moves("t")) == asked(moves("textures", name))


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("Muffled, like hearing through water", {"Muffled", "water"}),
        ("Underwater, muffled, edges blurred", {"water", "Muffled", "Hazy/Dreamy"}),
        ("Sharp edges, breaking glass, red vision", {"Sharp Edges", "Fractured", "fire"}),
        ("A sudden, blinding light after being in the dark.", {"Blinding Light"}),
        ("Open/Vast, like looking out over an ocean", {"Open/Vast", "ocean"}),
        ("old cassettes in the glove box", {"tape"}),
        ("the quiet after a storm", {"whisper"}),
        ("not muffled, but slightly hazy", {"Hazy/Dreamy"}),
        ("no longer muffled: clear", {"Crystalline"}),
        ("without glass or metal", set()),
        ("neither warm nor cold", set()),
        ("anything but warm", set()),
        ("far from cold", set()),
        ("the far, cold shore", {"Cold/Distant", "ocean"}),
        ("nothing but glass", {"glass"}),
        ("warm, not muddy; tape in a cathedral", {"Warm/Enveloping", "tape", "cathedral"}),
        ("FOGGY WINDOWS", {"fog", "glass"}),
        ("a colour I have no name for", set()),
        ("", set()),
        ("\u6c34 \U0001f30a", set()),
    ],
)
def test_free_text_is_read_as_people_mean_it(text, heard):
    assert {hit.name for hit in read_texture(text).hits} == heard


def test_what_is_passed_over_is_told():
    (line,) = read_texture("not muffled").passed
    assert "muffled" in line and "'not'" in line
    (line,) = read_texture("the light after the rain").passed
    assert "rain" in line and "left behind" in line


def test_many_words_share_little_more_than_one_weight():
    everything = ", ".join(rows_of("images"))
    for text in ("Muffled", "Muffled, water", "Muffled, water, fog", everything):
        reading = read_texture(text)
        total = math.fsum(hit.weight for hit in reading.hits)
        assert total == pytest.approx(min(1.4, 1.0 + 0.2 * (len(reading.hits) - 1)), abs=0.01)
    loudest = read_texture("extremely dark, extremely cold, extremely sharp, overwhelmingly vast")
    assert math.fsum(hit.weight for hit in loudest.hits) <= 1.4 + 1e-3


def test_how_much_of_a_picture_counts():
    (hint,), (plainly,), (much,) = (read_texture(t).hits for t in ("a touch of fog", "fog", "very foggy"))
    assert hint.weight < plainly.weight == 1.0 < much.weight <= 1.4


@pytest.mark.parametrize("text", WIZARD_ARCS)
def test_the_wizard_s_arcs_are_known(text):
    (hit,) = read_word("arcs", text).hits
    assert moves("arcs", hit.name)


def test_one_word_from_a_list_by_any_spelling():
    for kind, text, name in (
        ("arcs", "climb_to_climax", "Climb-to-Climax"),
        ("arcs", "linear", "Linear"),
        ("grooves", "Laid back, almost late", "Laid Back"),
        ("grooves", "rubato", "Rubato/Free"),
        ("vulnerability", "HIGH", "High"),
    ):
        assert [hit.name for hit in read_word(kind, text).hits] == [name]


def test_of_two_arcs_the_first_is_followed_and_the_other_told():
    reading = read_word("arcs", "Slow Reveal, then a sudden shift")
    assert [hit.name for hit in reading.hits] == ["Slow Reveal"]
    assert any("Sudden Shift" in line for line in reading.passed)


def test_an_unknown_word_answers_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Spiral"):
        read_word("arcs", "spirral")


def test_tension_is_linear_both_ways_from_the_middle():
    def at(value):
        return {move.what: move.value for move in dial_moves("mood_secondary_tension", value)}

    assert at(0.5) == {}
    top, bottom, quarter = at(1.0), at(0.0), at(0.75)
    assert {"onset_db", "band_high_mid_db", "loudness_range_lu", "width_mid_db"} <= set(top)
    for field, by in top.items():
        assert bottom[field] == -by and quarter[field] == pytest.approx(by / 2, abs=1e-3)
    assert max(abs(top[field]) / FIELDS[field].tolerance for field in top) >= 1.0
    assert math.fsum(top.get(band, 0.0) for band in BANDS) == pytest.approx(0.0, abs=1e-9)
    whys = {move.what: move.why for move in dial_moves("mood_secondary_tension", 1.0)}
    assert all(whys[move.what] != move.why for move in dial_moves("mood_secondary_tension", 0.0))


def test_high_vulnerability_is_close_and_dry():
    high = {move.what: move.value for move in moves("vulnerability", "High")}
    assert high["reverb_wet_db"] <= -3 and high["reverb_decay_s"] < 0
    assert high["width_mid_db"] < 0 < high["band_presence_db"] and high["onset_db"] < 0


def test_the_index_knows_the_longest_phrase():
    assert max(map(len, index_of("textures", "images"))) >= 3


def test_reading_words_needs_no_torch():
    probe = (
        "import sys; import daiw_master.intent.explain, daiw_master.intent.genres, daiw_master.intent.words;"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80) | st.lists(st.sampled_from(sorted(SAYABLE)), max_size=8).map(" ".join))
def test_anything_may_be_written_there(text):
    reading = read_texture(text)
    assert math.fsum(hit.weight for hit in reading.hits) <= 1.4 + 1e-3
    assert all(hit.weight > 0 and hit.said in text.replace("\u2019", "'") for hit in reading.hits)
    assert all(math.isfinite(move.value) for move in reading.moves("t") if move.kind == "shift")
    read_genre(text)
    for kind in ("arcs", "grooves", "vulnerability"):
        try:
            assert read_word(kind, text).hits
        except UnknownNameError:
            continue
