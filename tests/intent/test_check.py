"""Two voices: errors that stop, warnings that teach, each with a sentence of its own."""

from __future__ import annotations

import copy
import re

import pytest

from daiw_master.data import load_yaml
from daiw_master.errors import InputError
from daiw_master.intent.check import Notice, check_intent, insist, questions, value_of
from daiw_master.intent.schema import Intent
from daiw_master.intent.shapes import read_intent
from daiw_master.intent.template import example_answers, sheet_json, sheet_text
from tests.intent import written as sheets

ROOT, SONG, TECHNICAL = "song_root", "song_intent", "technical_constraints"


def changed(**fields: object) -> Intent:
    """Our saved sheet with some fields other than they were."""
    tree = copy.deepcopy(sheets.SAVED)
    for name, value in fields.items():
        home = next((key for key in (ROOT, SONG, TECHNICAL, "system_directive") if name in tree[key]), None)
        (tree[home] if home else tree)[name] = value
    return read_intent(tree)


def said(intent: Intent, level: str, force: bool = False) -> list[str]:
    return [f"{n.field}: {n.text}" for n in check_intent(intent, force) if n.level == level]


def test_a_good_sheet_hears_nothing():
    assert check_intent(read_intent(sheets.SAVED)) == []
    assert insist(read_intent(sheets.SAVED)) == []


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"mood_secondary_tension": 1.4}, "is 1.4; it runs from 0"),
        ({"mood_secondary_tension": -0.1}, "is -0.1; it runs from 0"),
        ({"mood_secondary_tension": "high"}, "is 'high', which is not a number from 0 to 1"),
        ({"mood_secondary_tension": True}, "is True, which is not a number"),
        ({"mood_secondary_tension": float("nan")}, "is nan, which is not a number"),
        ({"mood_secondary_tension": {"now": 1}}, "is {'now': 1}, which is not a number"),
        ({"rule_breaking_justification": ""}, "breaks 'PRODUCTION_RoomNoise' and does not say why"),
        ({"rule_breaking_justification": "[why]"}, "breaks 'PRODUCTION_RoomNoise' and does not say why"),
    ],
)  # fmt: skip
def test_errors_that_stop(fields, told):
    intent = changed(**fields)
    (error,) = said(intent, "error")
    assert told in error
    with pytest.raises(InputError) as stopped:
        insist(intent)
    assert told in str(stopped.value) and "\n" not in str(stopped.value)


def test_several_errors_are_counted():
    with pytest.raises(InputError, match="and 1 more; see `daiw-master intent check`"):
        insist(changed(mood_secondary_tension=7, rule_breaking_justification=None))


def test_force_lets_a_rule_be_broken_without_a_reason():
    intent = changed(rule_breaking_justification=None)
    assert said(intent, "error", force=True) == []
    assert "because you insisted" in said(intent, "note", force=True)[0]
    assert insist(intent, force=True)
    with pytest.raises(InputError):
        insist(changed(mood_secondary_tension=3), force=True)


def test_the_wizard_is_not_blamed_for_what_it_never_asks():
    assert said(read_intent(sheets.WIZARD), "error") == []
    assert any("never asks for" in text for text in said(read_intent(sheets.WIZARD), "warning"))


#: What makes each warning speak, and a piece of what it says.
WARNINGS = [
    ({"core_event": ""}, "nobody has asked what happened"),
    ({"core_longing": None}, "the longing is missing"),
    ({"mood_primary": ""}, "no feeling leads"),
    ({"mood_primary": "Greif"}, "nearest to it lie grief"),
    ({"mood_primary": "qqqq zzzz"}, "`daiw-master list emotions` shows what does"),
    ({"mood_primary": "grief:0.5,hope"}, "cannot be read as a feeling"),
    ({"mood_secondary_tension": 0.2, "vulnerability_scale": "High"}, "pulls at something"),
    ({"vulnerability_scale": "sometimes"}, "is none of Low, Medium and High"),
    ({"imagery_texture": "Mufled"}, "is it Muffled"),
    ({"narrative_arc": "Slow Revael"}, "is it Slow Reveal?"),
    ({"technical_genre": "Shoegaze/Chambr Ppo"}, "'Chambr Ppo' stands on no shelf of ours"),
    ({"technical_groove_feel": "Laidbck"}, "is it Laid Back?"),
    ({"technical_rule_to_break": "PRODUCTION_RoomNoize"}, "did you mean PRODUCTION_RoomNoise"),
    ({"technical_rule_to_break": ""}, "gives a reason, and no rule is broken"),
    ({"technical_tempo_range": [140, 120]}, "[120, 140] was probably meant"),
    ({"technical_tempo_range": [1, 2]}, "which no foot taps"),
    ({"technical_tempo_range": "fast"}, "which is not a tempo range like [70, 84]"),
    ({"mood_primray": "Grief"}, "did you mean mood_primary"),
    ({"emotion": "Rage"}, "already says 'Tenderness', which counts"),
    ({"song_intent": "sad"}, "where a section belongs"),
    ({"arrangement": {"sections": [1]}}, "kept, not followed"),
    ({"mastering": {"rules": ["PRODUCTION_Dust"]}}, "is no rule anybody here can break"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "told"), WARNINGS)
def test_warnings_that_teach(fields, told):
    texts = said(changed(**fields), "warning")
    assert any(told in text for text in texts), texts
    assert said(changed(**fields), "error") == []


def skeleton(text: str) -> str:
    """A sentence without what it quotes."""
    return re.sub(r"'[^']*'|\[[^\]]*\]|[\d.]+", "_", text)


def test_no_two_warnings_are_alike():
    """Each begins with words of its own; only the same mistake in the same place says the same."""
    places: dict[str, set[str]] = {}
    for fields, _ in WARNINGS:
        for text in said(changed(**fields), "warning"):
            field, _, sentence = text.partition(": ")
            # a rule may stand in two places and be unknown in either
            field = field.replace("mastering.rules", "technical_constraints.technical_rule_to_break")
            places.setdefault(" ".join(skeleton(sentence).split()[:6]), set()).add(field)
    shared = {opening: fields for opening, fields in places.items() if len(fields) > 1}
    assert not shared
    assert len(places) >= len(WARNINGS) - 3
    rows = questions().values()
    for key in ("asks", "unfilled"):
        sentences = [row[key] for row in rows]
        assert len(sentences) == len(set(sentences))


@pytest.mark.parametrize(
    "text", ["[Primary emotion]", "<your mood>", "TODO", "tbd", "???", "...", "fill me in", "xxx"]
)
def test_placeholders_are_not_taken_for_answers(text):
    warned = said(changed(mood_primary=text), "warning")
    assert len(warned) == 1
    assert f"still holds the template's {text!r}" in warned[0]


@pytest.mark.parametrize("field", [name for name in questions() if name.split(".")[-1] not in
                                   ("mood_secondary_tension", "technical_tempo_range")])  # fmt: skip
def test_every_field_teaches_its_own_placeholder(field):
    warned = said(changed(**{field.rpartition(".")[2]: "[fill this in]"}), "warning")
    assert any(questions()[field]["unfilled"] in text for text in warned)


@pytest.mark.parametrize("text", ["Grief", "[sic] grief", "Dream Pop/Shoegaze", "a <3 song"])
def test_words_with_brackets_in_them_are_words(text):
    assert not any("template" in line for line in said(changed(title=text, mood_primary=text), "warning"))


def test_notices_come_in_order_and_once():
    intent = read_intent({"mood": "Greif", "tension": 4, "colour": 1, "rule": "none"})
    levels = [notice.level for notice in check_intent(intent)]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)
    assert len(set(check_intent(intent))) == len(levels)


def test_a_notice_prints_on_one_line_whatever_it_is_about():
    notice = Notice("note", "a\nb\x1b[31m", "x")
    assert str(notice) == r"note     a\nb\x1b[31m: x"
    assert notice.as_json() == {"level": "note", "field": r"a\nb\x1b[31m", "text": "x"}


# the sheet to fill in


def test_an_empty_sheet_says_nothing_but_its_defaults(tmp_path):
    for text, suffix in ((sheet_text(), ".yaml"), (sheet_json(), ".json")):
        path = tmp_path / f"new{suffix}"
        path.write_text(text, encoding="utf-8")
        intent = read_intent(path)
        held = intent.model_dump(exclude_defaults=True, exclude={"origin"})
        assert held == {TECHNICAL: {"technical_tempo_range": (80.0, 120.0)}}
        assert {notice.field for notice in check_intent(intent)} == {
            "song_root.core_event", "song_root.core_longing", "song_intent.mood_primary",
        }  # fmt: skip


def test_the_example_sheet_is_whole_and_nothing_is_wrong_with_it(tmp_path):
    answers = example_answers()
    assert all(answers.values()) and answers.keys() == questions().keys()
    sheets_read = []
    for text, suffix in ((sheet_text(answers), ".yaml"), (sheet_json(answers), ".json")):
        path = tmp_path / f"new{suffix}"
        path.write_text(text, encoding="utf-8")
        intent = read_intent(path)
        assert check_intent(intent) == []
        sheets_read.append(intent.model_copy(update={"origin": ""}))
        for field, answer in answers.items():
            value = value_of(intent, field)
            assert value in (answer, (answer,), tuple(answer) if isinstance(answer, list) else None), field
    assert sheets_read[0] == sheets_read[1]


def test_every_question_has_its_field_in_the_schema():
    for field, row in questions().items():
        value_of(Intent(), field)
        assert row["asks"].endswith("?") and row["hint"].endswith(".")
    asked = {field.partition(".")[0] for field in questions() if "." in field}
    assert asked == set(load_yaml("presets", "interrogation")["sections"])


def test_the_commented_mastering_settings_would_be_read(tmp_path):
    lines = sheet_text().splitlines()
    start = lines.index("# mastering:")
    path = tmp_path / "new.yaml"
    path.write_text("\n".join([*lines[:start], *(line.removeprefix("# ") for line in lines[start:])]))
    mastering = read_intent(path).mastering
    assert (mastering.platform, mastering.lufs, mastering.strength) == ("spotify", -14, "0.8")
    assert [section.energy for section in mastering.sections] == [0.3, 0.9]


def test_answers_of_every_kind_survive_the_sheet(tmp_path):
    odd = 'He said: "no" # and left\u2014\u00e9t\u00e9 \\ [x'
    path = tmp_path / "new.yaml"
    path.write_text(sheet_text({"title": odd, "song_root.core_event": "on: off"}), encoding="utf-8")
    intent = read_intent(path)
    assert (intent.title, intent.song_root.core_event) == (odd, "on: off")
