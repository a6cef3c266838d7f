"""An intent compiled into a preset: nothing lost on the way, whatever its mastering section says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from daiw_master.brief import briefs_of
from daiw_master.cli import main
from daiw_master.options import Options, chain_of
from daiw_master.plan import plan_of
from daiw_master.presets import read_preset_file, read_preset_text
from tests.presets.test_round_trip import sounding

DATA = Path(__file__).resolve().parents[2] / "../shared/data/daiw"
EXAMPLES = DATA / "shipped/intent/song_intent_examples.json"

SHEET = {
    "song_intent": {
        "mood_primary": "grief",
        "mood_secondary_tension": 0.8,
        "imagery_texture": "Muffled, like hearing through water",
        "vulnerability_scale": "High",
        "narrative_arc": "Slow Reveal",
    },
    "technical_constraints": {
        "technical_genre": "Lo-Fi Bedroom",
        "technical_rule_to_break": "ARRANGEMENT_BuriedVocals",
        "rule_breaking_justification": "she never said it loud",
    },
}
SECTIONS = [{"name": "intro", "bars": 4, "energy": 0.2}, {"name": "all of it", "bars": 8, "energy": 0.9}]


def authored(*arguments: object) -> str:
    done = CliRunner().invoke(main, ["preset", "author", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def same_plan(source: object, text: str) -> None:
    (brief,), options = briefs_of([], Options(intent=source))
    plan = brief.plan(options)
    again = plan_of(read_preset_text(text).moves)
    asked, got = sounding(plan), sounding(again)
    assert list(chain_of(options, plan)) == list(chain_of(Options(), again))
    for edits in (asked, got):  # a chain given as a list becomes edits of the house's
        del edits["added"], edits["removed"]
    assert got == asked, text


def samples() -> list[str]:
    if not DATA.is_dir():
        return []
    files = [str(path) for path in sorted((DATA / "generated").glob("intent_*.json"))]
    sheets = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return files + [f"{EXAMPLES}:{name}" for name, sheet in sheets.items() if "song_intent" in sheet]


@pytest.mark.skipif(not samples(), reason="DAiW's sample files are not beside this checkout")
def test_every_sample_intent_returns():
    for source in samples():
        same_plan(source, authored(source, "--force"))


@pytest.mark.parametrize(
    "mastering",
    [
        {},
        {"platform": "apple", "strength": 0.5},
        {"lufs": -9, "targets": {"band_air_db": -20}, "settings": {"eq.tilt_db": 1.25}},
        {"rules": ["PRODUCTION_LoFiDegradation"], "without": ["exciter"]},
        {"chain": ["eq", "dynamics", "limiter", "loudness"], "preset": "cassette"},
        {"preset": "worn_vinyl", "ceiling": -2},
        {"sections": SECTIONS},
    ],
    ids=lambda section: "+".join(section) or "none",
)
def test_a_mastering_section_is_in_the_preset(tmp_path, mastering):
    path = tmp_path / "song.json"
    path.write_text(json.dumps({**SHEET, "mastering": mastering}))
    if "chain" in mastering:
        done = CliRunner().invoke(main, ["preset", "author", str(path)])
        assert done.exit_code == 2 and "a preset keeps the house's order of effects" in done.stderr
        mastering["chain"].sort(key=["eq", "dynamics", "loudness", "limiter"].index)
        path.write_text(json.dumps({**SHEET, "mastering": mastering}))
    same_plan(path, authored(path))


def test_the_composers_words_stand_beside_the_values(tmp_path):
    path = tmp_path / "song.json"
    path.write_text(json.dumps(SHEET))
    mine = tmp_path / "mine.yaml"
    authored(path, "-o", mine)
    text = mine.read_text()
    assert text.startswith("## a preset for daiw-master, from song.json\n")
    line = text.splitlines().index(next(row for row in text.splitlines() if "  reverb_wet_db: " in row))
    above = "\n".join(text.splitlines()[line - 8 : line + 1])
    assert "absence, made audible as space (mood_primary: grief)" in above
    assert "(vulnerability_scale: High)" in above
    assert "(rule ARRANGEMENT_BuriedVocals" in text and "technical_genre: Lo-Fi Bedroom" in text
    assert all(move.why != "edited by hand" for move in read_preset_file(mine).moves)


def test_an_intent_out_of_many_goes_by_its_name(tmp_path):
    both = {"one": SHEET, "two": {**SHEET, "song_intent": {"mood_primary": "hope"}}}
    path = tmp_path / "songs.json"
    path.write_text(json.dumps(both))
    assert plan_of(read_preset_text(authored(f"{path}:two")).moves).shifts["band_air_db"].by > 0
    done = CliRunner().invoke(main, ["preset", "author", f"{path}:three"])
    assert done.exit_code == 2 and "one" in done.stderr and "two" in done.stderr
