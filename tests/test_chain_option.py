"""`--chain FILE.yaml` and `chain="FILE.yaml"`: the chain of a file in render, master and process."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from click.testing import CliRunner

import daiw_master as dm
from daiw_master.audio import Audio
from daiw_master.cli import main
from daiw_master.errors import InputError, OutOfRangeError, UnknownNameError
from daiw_master.files import write_audio
from daiw_master.options import Options, chain_of, every_knob, pinned_knobs, split_settings
from daiw_master.plan import Plan
from daiw_master.stack import effect_named
from daiw_master.stack import isolated as isolated_module
from tests import signals

RATE = 44100
CHAIN = """
chain:
  - effect: eq
    name: clean
    pin: {high_pass_hz: 30}
  - effect: eq
    search: {tilt_db: [-3, 3]}
    pin: {low_shelf_gain_db: 1.5}
  - effect: pedalboard_chorus
    pin: {mix: 0.25}
  - effect: limiter
    pin: {ceiling_dbtp: -3}
"""


@pytest.fixture
def chain(tmp_path) -> Path:
    path = tmp_path / "chain.yaml"
    path.write_text(CHAIN)
    return path


@pytest.fixture
def song(tmp_path) -> Path:
    path = tmp_path / "song.wav"
    write_audio(Audio(0.5 * signals.music(3.0)[0], RATE), path)
    return path


def refused(*arguments) -> str:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 2, done.output
    return done.stderr


@pytest.mark.parametrize("ask", [str, lambda path: path, lambda path: [str(path)]])
def test_a_file_is_the_chain(chain, ask):
    options = Options(chain=ask(chain))
    assert list(chain_of(options)) == ["clean", "eq", "pedalboard_chorus", "limiter"]
    assert options.chain.free == {"eq.tilt_db": (-3, 3)} and options.chain.path == chain
    assert "clean.tilt_db" in every_knob(options)


def test_names_in_a_line_are_a_chain_too():
    assert list(chain_of(Options(chain="eq, imager"))) == ["eq", "imager"]
    assert pinned_knobs(Options(chain="eq")) == {}


def test_pins_are_the_users_word_and_set_goes_over_them(chain):
    options = Options(chain=chain)
    targets, settings = split_settings(["pedalboard_chorus.mix=0.5"], options)
    assert targets == {"true_peak_dbtp": -3.0}
    assert settings == {"clean.high_pass_hz": 30, "eq.low_shelf_gain_db": 1.5, "pedalboard_chorus.mix": 0.5}


def test_a_plan_edits_a_files_chain_by_effect_and_the_user_by_place(chain):
    options = Options(chain=chain, without=["clean", "pedalboard_chorus"])
    assert list(chain_of(options)) == ["eq", "limiter"]
    assert list(pinned_knobs(options)) == ["eq.low_shelf_gain_db", "limiter.ceiling_dbtp"]
    edited = chain_of(Options(chain=chain), Plan(added=("tape",), removed=frozenset({"limiter"})))
    assert list(edited) == ["clean", "eq", "pedalboard_chorus", "tape"]
    with pytest.raises(UnknownNameError, match="did you mean clean"):
        chain_of(Options(chain=chain, without=["claen"]))


def test_a_chain_file_stands_alone(chain):
    with pytest.raises(InputError, match="is a whole chain; no other effect can be named beside it"):
        Options(chain=[str(chain), "eq"])


def test_a_master_through_a_files_chain(song, chain):
    result = dm.master(song, "hope", chain=chain, lufs=-20.0, settings=["pedalboard_chorus.mix=0.1"])
    report = result.report
    assert report.chain[:3] == ["clean", "eq", "pedalboard_chorus"]
    settings = {row.setting: row.value for row in report.settings}
    assert settings["clean.high_pass_hz"] == 30 and settings["eq.low_shelf_gain_db"] == 1.5
    assert settings["pedalboard_chorus.mix"] == pytest.approx(0.1)
    assert report.row("true_peak_dbtp").asked == -3.0


def test_the_command_line_takes_it_everywhere(tiny_song, song, chain, tmp_path):
    for command, source in (("render", tiny_song), ("master", song), ("process", song)):
        out = tmp_path / f"{command}.wav"
        done = CliRunner().invoke(main, [command, str(source), "--chain", str(chain), "-o", str(out)])
        assert done.exit_code == 0, done.output
        report = json.loads(out.with_suffix(".report.json").read_text())
        settings = report["settings"]
        if isinstance(settings, list):
            settings = {row["setting"]: row["value"] for row in settings}
        assert settings["clean.high_pass_hz"] == 30 and settings["eq.low_shelf_gain_db"] == 1.5
    assert "-3.0" in done.output  # process: delivered under the file's ceiling


def test_process_takes_pins_over_an_earlier_report_and_words_over_pins(song, chain, tmp_path):
    out, like = tmp_path / "out.wav", tmp_path / "like.report.json"
    told = {"eq.low_shelf_gain_db": -6.0, "eq.tilt_db": 2.0, "clean.high_pass_hz": 80.0}
    like.write_text(json.dumps({"format": "daiw-master record 1", "chain": ["eq"], "settings": told}))
    done = dm.process(song, out, {"clean.high_pass_hz": 40.0}, like=like, chain=chain)
    assert done.settings["eq.low_shelf_gain_db"] == 1.5 and done.settings["eq.tilt_db"] == 2.0
    assert done.settings["clean.high_pass_hz"] == 40.0 and done.settings["limiter.ceiling_dbtp"] == -3.0


def test_an_intent_names_a_chain_file_beside_it(song, chain, tmp_path):
    intent = tmp_path / "sheet.yaml"
    intent.write_text("song_intent: {mood_primary: hope}\nmastering: {chain: chain.yaml}\n")
    result = dm.master(song, intent=str(intent), lufs=-20.0)
    assert result.report.chain[:3] == ["clean", "eq", "pedalboard_chorus"]


@pytest.mark.parametrize("command", ["master", "process"])
def test_refusals_are_one_line_and_nothing_is_written(command, song, chain, tmp_path):
    out = tmp_path / "out.wav"
    missing = tmp_path / "none.yaml"
    assert f"{missing}: no such chain file" in refused(command, song, "--chain", missing, "-o", out)
    chain.write_text("chain:\n  - eq\n  - effect: eq\n    pin: {tilt_db: 40}\n")
    said = refused(command, song, "--chain", chain, "-o", out)
    assert said == "daiw-master: chain.yaml, line 4: eq_2.tilt_db is 40; it must lie between -12 and 12 dB\n"
    assert not out.exists()


def test_a_set_knob_beyond_its_range_is_refused_as_ever(song, chain):
    with pytest.raises(OutOfRangeError, match="clean.tilt_db"):
        dm.master(song, chain=chain, settings=["clean.tilt_db=40"])


def test_a_vst3_of_the_system_goes_by_the_name_of_its_file():
    if not Path("/usr/lib/vst3/ZamCompX2.vst3").exists():
        pytest.skip("zam-plugins is not installed (apt install zam-plugins)")
    assert effect_named("ZamCompX2.vst3").name == "zamcompx2"
    with pytest.raises(InputError, match="No.vst3: no such plugin"):
        effect_named("No.vst3")


def test_a_plugin_started_again_is_told_on_stderr(song, tmp_path, monkeypatch):
    """The first process of a plugin is killed under its first sound; the work goes on and says so."""
    monkeypatch.setattr(isolated_module, "_EVERY", {})
    monkeypatch.setattr(logging.getLogger("daiw_master"), "handlers", [])
    path, out = tmp_path / "chain.yaml", tmp_path / "out.wav"
    path.write_text("chain:\n  - effect: pedalboard_distortion\n    apart: true\n")
    start, killed = isolated_module.Worker.__init__, []

    def start_and_kill_the_first(self, *given):
        start(self, *given)
        if not killed:
            killed.append(self)
            self.process.kill()

    monkeypatch.setattr(isolated_module.Worker, "__init__", start_and_kill_the_first)
    done = CliRunner().invoke(main, ["process", str(song), "--chain", str(path), "-o", str(out)])
    isolated_module.close_all()
    assert done.exit_code == 0 and out.exists()
    assert done.stderr == "daiw-master: Distortion crashed (signal 9, killed); it is started again\n"
