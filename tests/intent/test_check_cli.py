"""`daiw-master intent new`, `check` and `explain`: exit 0 where a master can be made, 2 where not."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from daiw_master.cli import main
from daiw_master.intent.shapes import read_intent
from tests.intent import written as sheets


def run(*arguments: object, answers: str | None = None):
    done = CliRunner().invoke(main, ["intent", *map(str, arguments)], input=answers)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture
def sheet(tmp_path):
    path = tmp_path / "song.json"
    path.write_text(json.dumps(sheets.SAVED))
    return path


def test_new_prints_or_writes_and_never_overwrites(tmp_path):
    assert "core_event" in run("new").stdout
    path = tmp_path / "mine.yaml"
    assert run("new", path).stdout == f"written    {path}\n"
    before = path.read_bytes()
    again = run("new", path, "--example")
    assert again.exit_code == 2 and "is there already" in again.stderr
    assert path.read_bytes() == before
    for odd, told in ((tmp_path / "mine.wav", "not .wav"), (tmp_path / "no/where.yaml", "cannot write")):
        refused = run("new", odd)
        assert refused.exit_code == 2 and told in refused.stderr and not refused.stdout
        assert len(refused.stderr.strip().splitlines()) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.yaml"]


def test_new_example_is_ready_to_master(tmp_path):
    for name in ("a.yaml", "a.json"):
        run("new", tmp_path / name, "--example")
        checked = run("check", tmp_path / name)
        assert (checked.exit_code, checked.stdout) == (
            0,
            "ok         The Last Ferry: read as an intent, nothing to warn of\n",
        )


def test_new_asks_one_question_after_another(tmp_path):
    typed = [
        "Night Bus",
        "it drove past",
        "",
        "to be seen",
        "",
        "",
        "Loneliness",
        "rather much",
        "0.8",
        "",
        "High",
    ]
    answers = "\n".join([*typed, "", "", "fast", "66-72", *[""] * 20]) + "\n"
    path = tmp_path / "asked.json"
    done = run("new", path, "--ask", answers=answers)
    assert done.exit_code == 0
    assert "What happened?" in done.stderr
    assert "that is not a number" in done.stderr and "that is not a tempo range" in done.stderr
    intent = read_intent(path)
    assert (intent.title, intent.song_root.core_longing) == ("Night Bus", "to be seen")
    assert intent.song_intent.mood_secondary_tension == 0.8
    assert json.loads(path.read_text())["technical_constraints"]["technical_tempo_range"] == [66, 72]
    assert run("new", tmp_path / "x.yaml", "--ask", "--example").exit_code == 2


def test_check_tells_and_exits_by_what_it_finds(sheet, tmp_path):
    fine = run("check", sheet)
    assert fine.exit_code == 0 and "nothing to warn of" in fine.stdout
    worse = tmp_path / "worse.yaml"
    worse.write_text("title: x\nsong_intent: {mood_primary: Greif, mood_secondary_tension: 7}\n")
    stopped = run("check", worse)
    assert stopped.exit_code == 2
    assert stopped.stdout.startswith("error    song_intent.mood_secondary_tension: is 7;")
    assert stopped.stdout.strip().splitlines()[-1] == "stopped    x: 1 error, 3 warnings"
    rule = tmp_path / "rule.yaml"
    rule.write_text("mood: grief\nrule_to_break: PRODUCTION_MonoCollapse\n")
    assert run("check", rule).exit_code == 2
    assert run("check", rule, "--force").exit_code == 0


def test_check_as_json_holds_everything(sheet):
    told = json.loads(run("check", sheet, "--json").stdout)
    assert told["ok"] is True and told["shape"] == "intent" and told["notices"] == []
    assert told["intent"]["song_intent"]["mood_primary"] == "Tenderness"
    sheet.write_text(json.dumps({**sheets.SAVED, "colour": float("inf"), "tension": float("nan")}))
    done = run("check", sheet, "--json")
    assert done.exit_code == 0

    def no_such_number(name):
        raise AssertionError(f"{name} is not JSON")

    told = json.loads(done.stdout, parse_constant=no_such_number)
    assert told["intent"]["unknown"] == {"colour": "Infinity", "tension": "NaN"}


def test_check_takes_one_of_a_set_and_extras(tmp_path):
    path, extra = tmp_path / "set.json", tmp_path / "out.json"
    path.write_text(json.dumps(sheets.example_set()))
    extra.write_text(json.dumps(sheets.PROCESSED))
    assert "Street Lamp" in run("check", f"{path}:street_lamp").stdout
    refused = run("check", path)
    assert refused.exit_code == 2 and "choose one" in refused.stderr and not refused.stdout
    told = json.loads(run("check", f"{path}:kitchen_light", "--extra", extra, "--json").stdout)
    assert [section["name"] for section in told["intent"]["extras"]["sections"]] == ["Hall", "Kitchen"]


def test_explain_prints_the_moves_and_stops_where_check_does(sheet):
    shown = run("explain", sheet)
    assert shown.exit_code == 0
    assert "The light was still on when I came home" in shown.stdout
    assert "mood_primary" in shown.stdout and "PRODUCTION_RoomNoise" in shown.stdout
    assert re.search(r"loudness_lufs\s+[-+][\d.]+ LU", shown.stdout)
    assert json.loads(run("explain", sheet, "--json").stdout)
    sheet.write_text(
        json.dumps({**sheets.SAVED, "technical_constraints": {"technical_rule_to_break": "RoomNoise"}})
    )
    assert run("explain", sheet).exit_code == 2
    assert run("explain", sheet, "--force").exit_code == 0


def test_help_names_the_three_commands():
    shown = run("--help").stdout
    assert all(f"  {name} " in shown for name in ("new", "check", "explain"))
