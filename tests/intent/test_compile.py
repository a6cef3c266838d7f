"""A sheet into moves: every field that can move a target does, under its own name, in one order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daiw_master.errors import InputError, OutOfRangeError, UnknownNameError
from daiw_master.intent import parse_emotion
from daiw_master.intent.compile import compile_intent, compiled
from daiw_master.intent.schema import Intent
from daiw_master.intent.shapes import read_intent
from daiw_master.params import Param
from daiw_master.plan import plan_of
from tests.intent.sheets import sheet

SPACE = {
    "reverb.predelay_ms": Param("predelay_ms", 0, 120, 15, "ms"),
    "dynamics.release_ms": Param("release_ms", 20, 2000, 200, "ms", "log"),
    "eq.tilt_db": Param("tilt_db", -12, 12, 0, "dB"),
}


def sources(moves):
    return list(dict.fromkeys(move.source for move in moves))


def by(moves, source):
    return {move.what: move.value for move in moves if move.source == source}


def test_an_empty_sheet_asks_for_nothing():
    assert compile_intent(Intent(), SPACE) == []


def test_fields_speak_in_one_order_under_their_own_names():
    assert sources(compile_intent(sheet(), SPACE)) == [
        "mood_primary", "mood_secondary_tension", "imagery_texture", "vulnerability_scale", "narrative_arc",
        "technical_genre", "technical_groove_feel", "rule PRODUCTION_LoFiDegradation", "mastering.platform",
        "mastering.targets", "mastering.settings",
    ]  # fmt: skip


def test_the_order_of_keys_does_not_matter():
    one = sheet()
    other = read_intent(
        {
            key: value
            for key, value in reversed(one.model_dump(exclude={"notices", "origin", "shape"}).items())
        }
    )
    assert compile_intent(one, SPACE) == compile_intent(other, SPACE)


def test_the_mood_is_the_emotion_of_that_name():
    moves = compile_intent(sheet(), SPACE)
    feeling = parse_emotion("Grief")
    asked = {
        move.what: move.value for move in moves if move.source == "mood_primary" and move.kind == "shift"
    }
    assert asked == {name: shift.by for name, shift in feeling.shift().items()}
    leans = {m.what: (m.value, m.why) for m in moves if m.source == "mood_primary" and m.kind == "lean"}
    assert leans == feeling.character(SPACE) and leans
    assert {move.word for move in moves if move.source == "mood_primary"} == {"Grief"}


def test_words_are_quoted_as_the_composer_wrote_them():
    moves = compile_intent(sheet(imagery_texture="Old CASSETTE in the rain"), SPACE)
    assert {move.word for move in moves if move.source == "imagery_texture"} == {"CASSETTE", "rain"}


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("mood_primary", "flibbertigibbet"),
        ("imagery_texture", "like nothing on any list"),
        ("narrative_arc", "zigzag"),
        ("technical_genre", "gabber"),
        ("technical_groove_feel", "wobbly"),
        ("technical_rule_to_break", "PRODUCTION_MoreCowbell"),
    ],
)
def test_a_word_nobody_knows_moves_nothing_and_is_told(field, text):
    read = compiled(sheet(**{field: text}), SPACE)
    assert field not in sources(read.moves)
    assert [notice.field for notice in read.notices] == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mood_primary", "neutral"),
        ("mood_secondary_tension", 0.5),
        ("vulnerability_scale", "Medium"),
        ("narrative_arc", "linear"),
    ],
)
def test_the_middle_of_a_list_says_that_it_is_the_middle(field, value):
    read = compiled(sheet(**{field: value}), SPACE)
    assert field not in sources(read.moves)
    (notice,) = (notice for notice in read.notices if notice.field == field)
    assert "nothing is moved" in notice.text


def test_a_rule_is_broken_for_the_composer_s_reason_and_once():
    moves = compile_intent(sheet(mastering__rules=["lofi", "PRODUCTION_MonoCollapse"]), SPACE)
    rules = [source for source in sources(moves) if source.startswith("rule ")]
    assert "rule PRODUCTION_LoFiDegradation" in rules and "rule PRODUCTION_MonoCollapse" in rules
    lofi = [move for move in moves if move.source == "rule PRODUCTION_LoFiDegradation"]
    assert {move.word for move in lofi} == {"because the memory is worn"}
    assert len(lofi) == len({(move.kind, move.what, move.value) for move in lofi})


def test_a_rule_without_a_reason_stops_unless_one_insists():
    bare = sheet("rule_breaking_justification")
    with pytest.raises(InputError, match="rule_breaking_justification"):
        compile_intent(bare, SPACE)
    assert "rule PRODUCTION_LoFiDegradation" in sources(compile_intent(bare, SPACE, force=True))


def test_a_tension_off_its_scale_stops():
    with pytest.raises(InputError, match="tension"):
        compile_intent(sheet(mood_secondary_tension=3), SPACE)


def test_numbers_in_the_mastering_section_stand_above_the_feeling():
    plan = plan_of(compile_intent(sheet(mastering__lufs=-12, mastering__ceiling=-2), SPACE))
    assert plan.loudness_lufs == -12 and plan.ceiling_dbtp == -2
    assert plan.wanted == {"band_air_db": -6} and "band_air_db" not in plan.shifts
    assert plan.settings["eq.tilt_db"] == -0.5
    voices = {move.source: move.voice for move in plan.moves}
    assert voices["mastering.platform"] == "platform" and voices["mastering.lufs"] == "user"
    assert voices["mood_primary"] == "feeling"


def test_delivery_knobs_are_targets_under_another_name():
    plan = plan_of(compile_intent(sheet(mastering__settings={"limiter.ceiling_dbtp": -3}), SPACE))
    assert plan.ceiling_dbtp == -3 and "limiter.ceiling_dbtp" not in plan.settings


def test_a_knob_nobody_has_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="eq.tilt_db"):
        compile_intent(sheet(mastering__settings={"eq.tild_db": 1}), SPACE)
    with pytest.raises(OutOfRangeError, match="eq.tilt_db"):
        compile_intent(sheet(mastering__settings={"eq.tilt_db": 90}), SPACE)


def test_what_is_left_out_is_a_move():
    plan = plan_of(compile_intent(sheet(mastering__without=["tape"]), SPACE))
    assert "tape" in plan.removed and "tape" not in plan.added


def test_strength_reaches_the_starting_points_too():
    full, half = (
        by(compile_intent(sheet(mastering__strength=strength), SPACE), "mood_primary")["dynamics.release_ms"]
        for strength in (1, 0.5)
    )
    assert 200 < half < full == pytest.approx(450)


def test_section_energies_shape_the_level_and_the_composer_s_go_first():
    sections = [{"name": "verse", "bars": 16, "energy": 0.3}, {"name": "chorus", "bars": 8, "energy": 1.0}]
    intent = sheet(mastering__sections=sections)
    extras = intent.extras.model_copy(update={"dynamic_arc": (0.1, 0.9, 0.2)})
    plan = plan_of(compile_intent(intent.model_copy(update={"extras": extras}), SPACE))
    assert plan.energies == (("verse", 16.0, 0.3), ("chorus", 8.0, 1.0))
    assert plan.form == "sections" and "automation" in plan.added
    assert plan.settings["automation.level_db"] == 1.5
    alone = sheet("mastering").model_copy(update={"extras": extras})
    assert plan_of(compile_intent(alone, SPACE)).energies == (
        ("1", 8.0, 0.1),
        ("2", 8.0, 0.9),
        ("3", 8.0, 0.2),
    )


def test_starts_in_seconds_become_proportions():
    sections = [
        {"name": name, "start_s": start, "energy": energy}
        for name, start, energy in (("a", 0, 0.2), ("b", 20, 0.8), ("c", 60, 0.4))
    ]
    plan = plan_of(compile_intent(sheet(mastering__sections=sections), SPACE))
    assert [bars for _, bars, _ in plan.energies] == [20, 40, 30]
    backwards = [{**section, "start_s": -index + 9} for index, section in enumerate(sections)]
    with pytest.raises(InputError, match="backwards"):
        compile_intent(sheet(mastering__sections=backwards), SPACE)


def test_sections_of_one_energy_move_nothing():
    flat = [{"name": str(i), "energy": 0.5} for i in range(3)]
    read = compiled(sheet(mastering__sections=flat), SPACE)
    assert "mastering.sections" not in sources(read.moves)
    assert "mastering.sections" in {notice.field for notice in read.notices}


def test_a_sidecar_s_emotion_speaks_where_the_sheet_is_silent():
    intent = sheet("mood_primary")
    intent = intent.model_copy(update={"extras": intent.extras.model_copy(update={"emotion": "hope"})})
    moves = compile_intent(intent, SPACE)
    assert sources(moves)[0] == "extras.emotion" and "mood_primary" not in sources(moves)


def test_the_plan_keeps_every_move():
    moves = compile_intent(sheet(), SPACE)
    plan = plan_of(moves)
    assert sorted(map(repr, plan.moves)) == sorted(map(repr, moves))
    assert all(replace(move) == move for move in plan.moves)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("vulnerability_scale", "[Low/Medium/High]"),
        ("narrative_arc", "<Climb-to-Climax | Slow Reveal>"),
        ("imagery_texture", "[Sharp Edges, Muffled, ...]"),
        ("technical_genre", "{Synthwave}"),
        ("mood_primary", "[Grief]"),
    ],
)
def test_a_template_s_brackets_are_nobody_s_words(field, text):
    read = compiled(sheet(**{field: text}), SPACE)
    assert field not in sources(read.moves)
    assert any(notice.field == field and "template" in notice.text for notice in read.notices)
