"""`daiw-master preset`: author, list, show, check; nothing is written over, every refusal is one line."""

from __future__ import annotations

import stat
import subprocess
import sys

import pytest
from click.testing import CliRunner

from daiw_master.cli import main
from daiw_master.plan import plan_of
from daiw_master.presets import KINDS, known_presets, read_preset, read_preset_file, read_preset_text


def run(*arguments: object):
    done = CliRunner().invoke(main, ["preset", *map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def printed(*arguments: object) -> str:
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(*arguments: object) -> str:
    done = run(*arguments)
    assert done.exit_code == 2 and done.stdout == "", done.output
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("daiw-master: ")
    return line.removeprefix("daiw-master: ")


def test_author_writes_what_was_asked_and_check_reads_it(tmp_path):
    path = tmp_path / "mine.yaml"
    asked = ("-e", "grief", "--rule", "PRODUCTION_LoFiDegradation", "--platform", "apple")
    assert printed("author", *asked, "-o", path).split() == ["written", str(path)]
    preset = read_preset_file(path)
    assert preset.name == "mine" and preset.about.startswith("a door closing slowly")
    plan = plan_of(preset.moves)
    assert (plan.loudness_lufs, plan.ceiling_dbtp) == (-16, -1) and "tape" in plan.added
    assert plan.settings["wow.wow_cents"] == 8 and plan.shifts["reverb_decay_s"].by == 2.4
    assert path.read_text().startswith("## a preset for daiw-master, from grief + PRODUCTION_LoFiDegradation")
    said = printed("check", path).splitlines()
    assert said[0].split() == ["ok", f"{path}:", "mine"]
    assert said[1].strip() == "delivered at -16 LUFS under -1 dBTP"
    assert any(line.strip().startswith("in: ") and "tape" in line for line in said)


def test_author_without_a_place_prints(tmp_path):
    text = printed("author", "-e", "grief", "--strength", "0.5", "--set", "eq.tilt_db=1", "--name", "half")
    preset = read_preset_text(text)
    plan = plan_of(preset.moves)
    assert preset.name == "half" and plan.loudness_lufs == -15.25 and plan.settings == {"eq.tilt_db": 1}


def test_author_builds_on_presets_and_rules_alone():
    built = plan_of(read_preset_text(printed("author", "--preset", "cassette", "--set", "crest_db=9")).moves)
    own = plan_of(read_preset("cassette").moves)
    assert built.settings == own.settings and built.added == own.added and built.wanted == {"crest_db": 9}
    alone = plan_of(read_preset_text(printed("author", "--rule", "MonoCollapse")).moves)
    assert alone.settings["reverb.width"] == 0


def test_nothing_is_written_over_unless_forced(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("my own words\n")
    path.chmod(0o640)
    assert refused("author", "-e", "hope", "-o", path).endswith("it is there already; --force writes over it")
    assert path.read_text() == "my own words\n"
    printed("author", "-e", "hope", "-o", path, "--force")
    assert read_preset_file(path).name == "mine" and stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.yaml"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing to write a preset from: give an intent file, --emotion or --rule"),
        (("-e", "greif"), "did you mean grief"),
        (("--rule", "PRODUCTION_MonoColapse"), "PRODUCTION_MonoCollapse"),
        (("-e", "hope", "-o", "{}/mine.json"), "a preset's name ends in .yaml"),
        (("-e", "hope", "-o", "{}/nowhere/mine.yaml"), "does not exist"),
        (("-e", "hope", "--platform", "spotifi"), "did you mean spotify"),
        (("-e", "hope", "--set", "tape.drive_db=3"), "tape is not in the chain"),
        (("{}/missing.json",), "missing.json"),
    ],
)
def test_author_refuses_in_one_line_and_writes_nothing(tmp_path, arguments, said):
    assert said in refused("author", *(argument.format(tmp_path) for argument in arguments))
    assert list(tmp_path.iterdir()) == []


def test_list_knows_every_preset_and_every_kind():
    lines = printed("list").splitlines()
    assert len(lines) == len(known_presets())
    by_kind = {kind: printed("list", kind).splitlines() for kind in KINDS}
    assert sum(map(len, by_kind.values())) == len(lines) and all(by_kind[kind] for kind in ("lofi", "rule"))
    assert refused("list", "moods").startswith("unknown kind of preset 'moods'")


@pytest.mark.parametrize("name", ["grief", "PRODUCTION_ClippingPeaks", "apple", "vhs", "emotion:very tender"])
def test_show_prints_a_file_that_asks_for_the_same(name, tmp_path):
    path = tmp_path / "shown.yaml"
    path.write_text(printed("show", name))
    printed("check", path)
    shown, asked = plan_of(read_preset_file(path).moves), plan_of(read_preset(name).moves)
    assert {k: shift.by for k, shift in shown.shifts.items()} == {k: s.by for k, s in asked.shifts.items()}
    assert (shown.settings, shown.delivery, shown.added) == (asked.settings, asked.delivery, asked.added)
    assert shown.shifts or shown.settings or shown.delivery == {"loudness_lufs": -16, "true_peak_dbtp": -1}


def test_check_names_file_line_name_and_range(tmp_path):
    path = tmp_path / "mine.yaml"
    lines = printed("author", "-e", "grief").splitlines()
    number = next(i for i, line in enumerate(lines) if "reverb_wet_db" in line)
    lines[number] = "  reverb_wet_db: 6000"
    path.write_text("\n".join(lines))
    said = refused("check", path)
    assert said == (
        f"mine.yaml, line {number + 1}: reverb_wet_db is 6000; it must lie between -120 and 120 dB as a shift"
    )
    assert "No such file" in refused("check", tmp_path / "none.yaml")
    assert "did you mean cassette" in refused("show", "casette")


def test_list_and_help_are_quick():
    """No torch for what only reads rows."""
    probe = (
        "import sys; from click.testing import CliRunner; from daiw_master.cli import main;"
        "CliRunner().invoke(main, ['preset', 'list']); CliRunner().invoke(main, ['preset', '--help']);"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
