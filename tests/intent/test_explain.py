"""The explanation: every move once, every argument settled in a sentence, one field's lines its own."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daiw_master.errors import DaiwMasterError
from daiw_master.intent.explain import explain, explain_moves, own_words
from daiw_master.intent.rules import RULES
from daiw_master.intent.shapes import read_intent
from daiw_master.moves import Move
from daiw_master.params import Param
from tests.intent.sheets import sheet
from tests.intent.test_genres import SHEET as GENRES
from tests.intent.test_words import ARCS, GROOVES, IMAGERY

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/data/daiw"
SPACE = {
    "reverb.predelay_ms": Param("predelay_ms", 0, 120, 15, "ms"),
    "dynamics.attack_ms": Param("attack_ms", 0.5, 200, 30, "ms", "log"),
    "dynamics.release_ms": Param("release_ms", 20, 2000, 200, "ms", "log"),
    "eq.tilt_db": Param("tilt_db", -12, 12, 0, "dB"),
}
VALUES = {
    "core_event": ["", "a door", "a longer story about the door"],
    "mood_primary": ["", "Grief", "Rage", "Defiance and Liberation", "unheard-of", "a little hopeful"],
    "mood_secondary_tension": [0.0, 0.3, 0.5, 0.9],
    "imagery_texture": ["", *IMAGERY[:6], "glass and water", "not muffled", "nothing known"],
    "vulnerability_scale": ["Low", "Medium", "High"],
    "narrative_arc": ["", *ARCS, "linear", "zigzag"],
    "technical_genre": ["", *GENRES[:5], "Dream Pop/Shoegaze", "gabber"],
    "technical_key": ["", "F", "C minor"],
    "technical_groove_feel": ["", *GROOVES],
    "technical_energy": ["", "2", "9"],
    "technical_rule_to_break": ["", *list(RULES)[::6]],
    "rule_breaking_justification": ["because it hurts", "because I can"],
    "mastering__platform": [None, "spotify", "cd"],
    "mastering__lufs": [None, -12, -9],
    "mastering__ceiling": [None, -2],
    "mastering__targets": [{}, {"band_air_db": -6}, {"reverb_wet_db": -30}],
    "mastering__settings": [{}, {"eq.tilt_db": 1}, {"dynamics.release_ms": 300}],
    "mastering__rules": [[], ["PRODUCTION_MonoCollapse"]],
    "mastering__without": [[], ["tape"], ["automation"]],
    "mastering__sections": [
        [],
        [{"name": "a", "energy": 0.2}, {"name": "b", "energy": 0.9}],
        [{"name": "a", "energy": 0.4}, {"name": "b", "energy": 0.3}],
    ],
}
#: Under which names a field speaks, beside its own.
SPEAKS_AS = {
    "technical_rule_to_break": ("rule ",),
    "rule_breaking_justification": ("rule ",),
    "mastering.rules": ("rule ",),
}


def explained(fields):
    return explain(sheet("mastering", **fields), SPACE, force=True)


def parts_of(explanation, field):
    """(lines of the field's own block or naming it, every other line by where it stands)."""
    names = (field, *SPEAKS_AS.get(field, ()))
    own, rest = [], {}
    for block in explanation.blocks:
        if block.source.startswith(names):
            own += block.lines
        else:
            rest[block.source] = block.lines
    rest["title"] = explanation.title
    for line in explanation.lines:
        if line.startswith("  ") and any(name in line for name in names):
            own.append(line)
    rest["words"] = [word for word in explanation.words if word[0] != field]
    rest["silent"] = [
        line for line in explanation.silent if not any(name in " ".join(line) for name in names)
    ]
    together = {settled.what: settled.line for settled in explanation.together}
    return own, rest, together


def assert_own_lines_only(one, other, field):
    """What differs is the field's block, what names it, and arguments it takes part in on either side."""
    names = (field, *SPEAKS_AS.get(field, ()))
    (_, rest_1, together_1), (_, rest_2, together_2) = parts_of(one, field), parts_of(other, field)
    assert rest_1 == rest_2
    for what in {*together_1, *together_2}:
        lines = together_1.get(what, ""), together_2.get(what, "")
        assert lines[0] == lines[1] or any(name in line for line in lines for name in names), lines


@pytest.mark.parametrize("name", VALUES)
def test_one_field_changes_its_own_lines_only(name):
    field = name.replace("__", ".")
    seen = [explained({name: value} if value is not None else {}) for value in VALUES[name]]
    for one, other in zip(seen, seen[1:], strict=False):
        assert_own_lines_only(one, other, field)
        assert parts_of(one, field)[0] != parts_of(other, field)[0]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_one_field_changes_its_own_lines_only_whatever_the_rest_says(data):
    fields = {name: data.draw(st.sampled_from(values), name) for name, values in VALUES.items()}
    name = data.draw(st.sampled_from(list(VALUES)), "field")
    changed = {**fields, name: data.draw(st.sampled_from(VALUES[name]), "value")}
    field = name.replace("__", ".")
    one, other = (
        explained({key: value for key, value in each.items() if value is not None})
        for each in (fields, changed)
    )
    assert_own_lines_only(one, other, field)
    assert_whole(one)


def assert_whole(explanation):
    """Nothing is applied that is not shown, nothing shown that is not in the plan."""
    shown = [move for block in explanation.blocks for move in block.moves]
    assert Counter(shown) == Counter(explanation.plan.moves)
    told = [
        (move["what"], json.dumps(move["value"]))
        for entry in explanation.as_json()["fields"]
        for move in entry["moves"]
    ]
    planned = [(move.what, json.dumps(move.value)) for move in explanation.plan.moves]
    assert Counter(told) == Counter(planned)
    text = explanation.text()
    assert all(move.what in text and move.why in text for move in explanation.plan.moves)
    for target, shift in explanation.plan.shifts.items():
        pulls = [move.value for move in shown if move.kind == "shift" and move.what == target]
        assert sum(pulls) == pytest.approx(shift.by, abs=1e-6)


def test_everything_asked_is_shown_and_everything_shown_is_asked():
    assert_whole(explain(sheet(), SPACE))


def test_the_composer_speaks_first():
    explanation = explain(sheet(), SPACE)
    assert explanation.lines[0] == "Empty Chair"
    assert explanation.lines[1] == "  core_event: the chair stayed empty"
    assert explanation.words == tuple(own_words(sheet()))
    assert ("imagery_texture", "Muffled, like hearing through water") in explanation.words


def test_exposed_argues_with_the_long_room_and_the_outcome_is_said():
    plain = sheet(
        "mastering",
        "imagery_texture",
        "technical_genre",
        "technical_rule_to_break",
        mood_secondary_tension=0.5,
    )
    explanation = explain(plain, SPACE)
    (wet,) = (settled for settled in explanation.together if settled.what == "reverb_wet_db")
    assert wet.line == (
        "reverb_wet_db: mood_primary +6.0, vulnerability_scale -4.0 -> +2.0 dB: "
        "close, but the house still answers"
    )
    assert explanation.plan.shifts["reverb_wet_db"].by == pytest.approx(2.0)


def test_a_number_overrules_and_says_so():
    explanation = explain(sheet("mastering", mastering__lufs=-12), SPACE)
    (line,) = (settled.line for settled in explanation.together if settled.what == "loudness_lufs")
    assert line.startswith("loudness_lufs: mood_primary -2.5, vulnerability_scale -0.5")
    assert "mastering.lufs = -12 -> -12 LUFS: mastering.lufs names a number" in line
    assert explanation.plan.loudness_lufs == -12


def test_every_pair_of_moves_on_one_thing_is_settled():
    both = [
        Move("lean", "dynamics.attack_ms", 10, "first", "a"),
        Move("lean", "dynamics.attack_ms", 20, "second", "b"),
        Move("set", "tape.drive_db", 3, "some", "a"),
        Move("set", "tape.drive_db", 6, "more", "b", voice="user"),
        Move("switch", "in", "tape", "for one", "a"),
        Move("switch", "in", "tape", "for another", "b"),
        Move("switch", "in", "noise", "wanted", "a"),
        Move("switch", "out", "noise", "unwanted", "b"),
        Move("switch", "form", "descent", "down", "a"),
        Move("switch", "form", "spiral", "round", "b"),
        Move("part", "lead.gain_db", -4, "lower", "a"),
        Move("part", "lead.gain_db", 1, "higher", "b"),
        Move("shift", "crest_db", 1.0, "up", "a"),
        Move("shift", "crest_db", -1.0, "down", "b"),
    ]
    explanation = explain_moves(both)
    results = {settled.what: settled.result for settled in explanation.together}
    assert results == {
        "crest_db": "+0.0 dB", "dynamics.attack_ms": "20 ms", "tape.drive_db": "6 dB",
        "lead.gain_db": "-3.0 dB", "form": "spiral", "tape": "in", "noise": "out",
    }  # fmt: skip
    plan = explanation.plan
    assert plan.character["dynamics.attack_ms"][0] == 20 and plan.settings["tape.drive_db"] == 6
    assert plan.form == "spiral" and plan.added == ("tape",) and plan.parts == {"lead": {"gain_db": -3.0}}
    assert "crest_db" not in plan.shifts
    hows = {settled.what: settled.how for settled in explanation.together}
    assert hows["tape.drive_db"] == "b is the louder voice" and "speaks last" in hows["form"]


def test_what_moved_nothing_says_why():
    told = dict(explain(sheet(mood_primary="flibbertigibbet", vulnerability_scale="Medium"), SPACE).silent)
    assert told["core_event"] == "heard, and left to the music"
    assert "flibbertigibbet" in told["mood_primary"]
    assert "technical_key" in told and "technical_tempo_range" in told


def test_strength_is_in_every_amount():
    full, half = (explain(sheet(mastering__strength=strength), SPACE) for strength in ("1", "0.5"))
    amounts = [
        {
            move.what: move.value
            for block in each.blocks
            if block.source == "mood_primary"
            for move in block.moves
        }
        for each in (full, half)
    ]
    assert amounts[1]["reverb_wet_db"] == pytest.approx(amounts[0]["reverb_wet_db"] / 2)
    assert any(name == "mastering.strength" for name, _ in half.silent)


def test_a_preset_stands_below():
    below = [Move("shift", "band_air_db", -1.0, "worn", "preset cassette", "cassette")]
    explanation = explain(sheet(), SPACE, below=below)
    assert explanation.blocks[0].source == "preset cassette"
    assert_whole(explanation)


def test_reads_as_json_and_twice_the_same():
    explanation = explain(sheet(), SPACE)
    assert json.loads(json.dumps(explanation.as_json())) == explanation.as_json()
    assert explanation.text() == str(explain(sheet(), SPACE)) == "\n".join(explanation.lines)


#: Files that hold several intents.
SETS = {
    "song_intent_examples.json": (
        "triumphant_hope", "defiance_liberation", "grief_misdirection", "dissociation", "anger_catharsis",
    ),
    "song_intent_schema.yaml": ("example_defiance_song", "example_grief_song", "example_triumphant_hope"),
}  # fmt: skip


def samples():
    files = sorted(path for path in SAMPLES.rglob("*") if path.suffix in (".json", ".yaml"))
    return [f"{path}:{name}" if name else str(path) for path in files for name in SETS.get(path.name, ("",))]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the DAiW samples are not here")
def test_every_sample_intent_explains():
    explanations = {}
    for sample in samples():
        try:
            intent = read_intent(sample)
        except DaiwMasterError:
            continue  # no intent: test_shapes.py says of each why
        explanations[sample] = explain(intent, SPACE)
        assert_whole(explanations[sample])
        assert explanations[sample].blocks or explanations[sample].silent
    moved = [sample for sample, explanation in explanations.items() if explanation.blocks]
    assert len(moved) >= 15


def test_a_pasted_page_stays_one_line():
    page = "so\nit\twas \x1b[31mred " * 40
    explanation = explain(
        sheet(core_event=page, mood_primary="grief", rule_breaking_justification=page), SPACE
    )
    assert not any("\n" in line or "\x1b" in line for line in explanation.lines)
    (heading,) = (line for line in explanation.lines if line.startswith("rule "))
    assert len(heading) < 250
