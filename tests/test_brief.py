"""From words to a finished plan and back: intents, rules and presets through the whole program."""

from __future__ import annotations

import json

import pytest
import torch

import daiw_master as dm
from daiw_master.brief import briefs_of, fitting
from daiw_master.errors import InputError, UnknownNameError
from daiw_master.files import read_audio
from daiw_master.options import Options, chain_of
from daiw_master.pipeline import render_many
from daiw_master.targets import HEARD

INTENT = {
    "title": "Kitchen light",
    "song_root": {"core_event": "The house was sold.", "core_longing": "One more winter in it."},
    "song_intent": {
        "mood_primary": "Grief",
        "mood_secondary_tension": 0.5,
        "imagery_texture": "Muffled",
        "vulnerability_scale": "Medium",
        "narrative_arc": "",
    },
    "technical_constraints": {"technical_genre": "", "technical_rule_to_break": ""},
}


def with_word(section: str, field: str, word) -> dict:
    told = json.loads(json.dumps(INTENT))
    told[section][field] = word
    return told


def planned(options: Options, *emotions: str):
    briefs, options = briefs_of(emotions, options)
    return fitting(briefs[0].plan(options), options)[0]


def test_an_intent_is_its_mood_and_more():
    plan, mood = planned(Options(intent=INTENT)), planned(Options(), "grief")
    assert {move.source for move in plan.moves} == {"mood_primary", "imagery_texture"}
    assert plan.shifts["reverb_wet_db"].by == mood.shifts["reverb_wet_db"].by
    assert plan.shifts["band_brilliance_db"].by < mood.shifts["band_brilliance_db"].by - 0.3, (
        "muffled as well"
    )


def test_the_command_line_speaks_louder_than_the_intent():
    assert planned(Options(intent=INTENT), "hope").shifts["band_air_db"].by > 0, "another mood"
    told = {**INTENT, "mastering": {"lufs": -20, "platform": "cd", "strength": 0.5}}
    own = planned(Options(intent=told))
    assert own.loudness_lufs == -20
    assert planned(Options(intent=told, lufs=-16.0)).loudness_lufs == -16
    full = planned(Options(intent=told, strength="1"))
    assert own.shifts["onset_db"].by == pytest.approx(full.shifts["onset_db"].by / 2)


def test_strength_nought_leaves_nothing_of_an_intent():
    told = with_word("technical_constraints", "technical_rule_to_break", "PRODUCTION_LoFiDegradation")
    told["technical_constraints"]["rule_breaking_justification"] = "it was on a cassette"
    assert planned(Options(intent=told)).added
    assert planned(Options(intent=told, strength="0")).is_neutral


def test_rules_combine_and_unknown_ones_answer_with_the_nearest():
    both = planned(Options(rules=("PRODUCTION_LoFiDegradation", "TEMPORAL_AbruptEnding")), "neutral")
    assert both.tail == "cut" and "tape" in both.added
    with pytest.raises(UnknownNameError, match="PRODUCTION_LoFiDegradation"):
        planned(Options(rules=("PRODUCTION_LoFiDegradaton",)), "neutral")


def test_a_knob_needs_its_effect():
    with pytest.raises(InputError, match="tape is not in the chain; add it with --with tape"):
        planned(Options(settings=["tape.drive_db=6"]), "neutral")
    plan = planned(Options(settings=["tape.drive_db=6"], with_effects=["tape"]), "neutral")
    assert list(chain_of(Options(), plan)) == [
        "reverb", "eq", "dynamics", "tape", "exciter", "imager", "loudness", "limiter",
    ]  # fmt: skip


def test_what_the_user_leaves_out_stays_out():
    options = Options(rules=("PRODUCTION_LoFiDegradation",), without=("tape",))
    briefs, options = briefs_of([], options)
    plan, notes = fitting(briefs[0].plan(options), options)
    assert "tape" not in chain_of(options, plan)
    assert any("tape.drive_db left alone" in note for note in notes)


def test_a_rule_changes_its_own_master_and_not_the_neutral(tiny_song, masters):
    plain = masters["neutral"]
    ruled = dm.render(tiny_song, rules=["PRODUCTION_MonoCollapse"])
    for target in ("width_mid_db", "band_bass_db"):
        row = ruled.report.row(target)
        assert row.neutral == pytest.approx(plain.report.row(target).after, abs=0.01)
    assert ruled.report.moves and {move.source for move in ruled.report.moves} == {
        "rule PRODUCTION_MonoCollapse"
    }


def test_an_abrupt_ending_ends_with_the_last_note(tiny_song, masters):
    cut = dm.render(tiny_song, rules=["TEMPORAL_AbruptEnding"])
    assert cut.audio.duration_s == pytest.approx(5.0, abs=0.02), "ten beats of half a second"
    assert cut.audio.duration_s < masters["neutral"].audio.duration_s
    last = cut.audio.samples[:, -round(0.02 * cut.audio.rate) : -round(0.003 * cut.audio.rate)]
    assert last.abs().max() > 0.01, "it is still music just before"
    assert cut.report.row("loudness_lufs").verdict == "met"


def test_a_bed_of_noise_neither_lengthens_the_song_nor_misses_the_loudness(tiny_song, masters):
    noisy = dm.render(tiny_song, with_effects=["noise"], settings=["noise.hiss_db=-50"])
    assert noisy.audio.duration_s <= masters["neutral"].audio.duration_s + 0.6
    assert noisy.report.row("loudness_lufs").verdict == "met"


def test_a_file_has_no_parts_and_says_so(tiny_song, masters, tmp_path):
    source = masters["neutral"].write(tmp_path / "song.wav", report=False)
    result = dm.master(source, rules=["ARRANGEMENT_BuriedVocals"])
    assert any("a finished file holds no single parts" in note for note in result.report.notes)
    assert read_audio(source).rate == result.audio.rate


def test_the_report_keeps_the_composers_own_words(tiny_song):
    result = dm.render(tiny_song, intent=INTENT)
    said = {line.field: line.text for line in result.report.intent}
    assert said["core_event"] == "The house was sold."
    assert {move.word for move in result.report.moves} >= {"Grief"}
    assert result.report.emotion == "grief"


def test_an_intent_and_its_dict_are_one_master_to_the_sample(tiny_song, tmp_path):
    path = tmp_path / "intent.json"
    path.write_text(json.dumps(INTENT))
    by_path, by_dict = (dm.render(tiny_song, intent=told) for told in (str(path), INTENT))
    assert torch.equal(by_path.audio.samples, by_dict.audio.samples)


def test_several_feelings_beside_rules_keep_one_neutral(tiny_song):
    results = render_many(tiny_song, ["neutral", "grief"], Options(rules=("TEXTURE_DenseWall",)))
    rows = [result.report.row("width_mid_db").neutral for result in results]
    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("section", "field", "word"),
    [
        ("song_intent", "vulnerability_scale", "High"),
        ("song_intent", "imagery_texture", "Sharp Edges"),
        ("technical_constraints", "technical_genre", "Synthwave"),
    ],
)
def test_one_word_changes_what_it_claims_and_nothing_else(section, field, word, tiny_song):
    """benchmarks/one_word.py does this with every field on whole songs."""
    sheets = [INTENT, with_word(section, field, word)]
    plans = [planned(Options(intent=sheet)) for sheet in sheets]
    one, other = (dm.render(tiny_song, intent=sheet).report for sheet in sheets)
    told = 0
    for row in one.targets:
        twin = next((r for r in other.targets if r.target == row.target), None)
        if row.target not in HEARD or twin is None:
            continue
        before, after = (plan.shifts[row.target].by if row.target in plan.shifts else 0.0 for plan in plans)
        asked, given, moved = after - before, twin.asked - row.asked, twin.after - row.after
        if abs(asked) >= 2 * row.tolerance and abs(given) >= row.tolerance:
            told += 1
            assert moved * asked > 0, f"{row.target}: asked {asked:+.1f}, moved {moved:+.1f}"
        else:
            # what the song cut of it, it cut for both
            assert abs(moved - given) <= 2 * row.tolerance, (
                f"{row.target} moved {moved:+.1f}, not {given:+.1f}"
            )
    assert told or field != "imagery_texture"


def test_an_unknown_mood_on_the_sheet_is_told_and_moves_nothing():
    told = with_word("song_intent", "mood_primary", "Xyzzyfied")
    briefs, _ = briefs_of([], Options(intent=told))
    assert any("mood_primary" in notice and "Xyzzyfied" in notice for notice in briefs[0].notices)
    assert {move.source for move in briefs[0].moves} == {"imagery_texture"}
    with pytest.raises(UnknownNameError, match="hope"):
        briefs_of(["hpoe"], Options(intent=told))


def test_extra_files_need_an_intent_and_strength_may_be_a_number():
    with pytest.raises(InputError, match="name the intent too"):
        briefs_of(["grief"], Options(extras=("processed.json",)))
    assert planned(Options(strength=0), "grief").is_neutral
    assert planned(Options(intent=INTENT, strength=0)).is_neutral
    half, full = planned(Options(strength=0.5), "grief"), planned(Options(), "grief")
    assert half.shifts["onset_db"].by == pytest.approx(full.shifts["onset_db"].by / 2)


def test_explain_is_the_plan_of_a_master():
    explanation = dm.explain(INTENT, rules=["TEMPORAL_AbruptEnding"])
    plan = planned(Options(intent=INTENT, rules=("TEMPORAL_AbruptEnding",)))
    assert {(m.what, m.value) for m in explanation.plan.moves} == {(m.what, m.value) for m in plan.moves}
