"""The command line: words in, a master out; exit 0 when written, 2 when refused, nothing half done."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import stat
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import torch
from click.testing import CliRunner
from scipy.io import wavfile

from daiw_master import pipeline
from daiw_master.audio import Audio
from daiw_master.cli import main, output_paths, slug
from daiw_master.files import read_audio, write_audio
from daiw_master.targets import FIELDS
from tests import signals

RATE = 44100


def run(*arguments: object):
    """The command in this process; anything but our own one-line refusal is a test failure."""
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def refused(*arguments: object) -> str:
    """The one line a refusal prints on stderr; exit 2 and an empty stdout."""
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("daiw-master: ")
    return lines[0]


@pytest.fixture
def wave(tmp_path) -> Path:
    """A second and a half of quiet music: mastered in a blink."""
    return write_audio(Audio(0.3 * signals.music(1.5)[0], RATE), tmp_path / "take.wav")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_help_answers_at_once_and_without_torch():
    """The promise is 0.4 s; counted in processor time, because the machine may be busy."""
    code = "import sys; from daiw_master.cli import main; main(['--help'], standalone_mode=False); "
    code += "print([m for m in ('torch', 'numpy', 'pedalboard', 'pydantic') if m in sys.modules])"
    took = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        shown = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert shown.splitlines()[-1] == "[]"
    for command in ("render", "master", "measure", "list", "doctor"):
        assert command in shown
    assert min(took) < 0.4, f"{min(took):.2f} s"


@pytest.mark.parametrize("command", ["render", "master"])
def test_every_promised_option_is_explained(command):
    shown = run(command, "--help").output
    for option in (
        "--emotion", "--output", "--strength", "--platform", "--lufs", "--ceiling", "--set", "--chain",
        "--sample-rate", "--bit-depth", "--preview", "--bypass", "--refine", "--seed", "--device", "--json",
        "--no-report", "--no-html", "--relax", "--intent", "--extra", "--rule", "--preset", "--with",
        "--force",
    ):  # fmt: skip
        assert option in shown, option
    if command == "render":
        assert "--soundfont" in shown and "--stems" in shown


def test_a_midi_file_and_a_feeling_become_a_master(tiny_song, tmp_path):
    out = tmp_path / "song.wav"
    done = run("render", tiny_song, "-o", out, "--without", "dynamics")
    assert done.exit_code == 0
    assert names(tmp_path) == ["song.report.html", "song.report.json", "song.wav"]
    sound = read_audio(out)
    assert pyloudnorm.Meter(sound.rate).integrated_loudness(sound.samples.T.numpy()) == pytest.approx(
        -14, abs=0.1
    )
    lines = done.stdout.splitlines()
    assert "tiny.mid" in lines[0] and "-14.0 LUFS" in done.stdout and str(out) in lines[-1]
    assert len(lines) <= 9, "about six lines"
    assert done.stderr == "", "no progress where nobody watches"
    assert "\r" not in done.output and "\033" not in done.output


def test_the_master_lands_beside_its_source(wave):
    assert run("master", wave).exit_code == 0
    assert names(wave.parent) == [
        "take.master.report.html", "take.master.report.json", "take.master.wav", "take.wav",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "output", "emotions", "expected"),
    [
        ("a/song.mid", None, ["grief"], ["a/song.wav"]),
        ("a/take.flac", None, ["grief"], ["a/take.master.wav"]),
        ("a/song.mid", "b/out.flac", ["grief"], ["b/out.flac"]),
        (
            "a/song.mid",
            None,
            ["grief", "Triumphant Hope"],
            ["a/song.grief.wav", "a/song.triumphant-hope.wav"],
        ),
        (
            "a/song.mid",
            "b/x.mp3",
            ["grief:0.7,hope:0.3", "rage"],
            ["b/x.grief-0.7-hope-0.3.mp3", "b/x.rage.mp3"],
        ),
    ],
)
def test_where_masters_go(source, output, emotions, expected):
    source, output = Path(source), output and Path(output)
    assert output_paths(source, output, emotions, source.suffix == ".mid") == [
        Path(path) for path in expected
    ]


def test_slugs_are_safe_file_names():
    assert slug("Hurt/Offended & more") == "hurt-offended-more"
    assert "/" not in slug("../../etc") and slug("..").strip("-") in ("", "..")


def test_several_feelings_are_several_files_and_one_table(wave, tmp_path):
    out = tmp_path / "out.wav"
    done = run("master", wave, "-e", "neutral,hope", "-e", "rage", "-o", out, "--chain", "eq")
    assert done.exit_code == 0
    assert [name for name in names(tmp_path) if name.startswith("out")] == [
        f"out.{feeling}.{ending}"
        for feeling in ("hope", "neutral", "rage")
        for ending in ("report.html", "report.json", "wav")
    ]
    table = done.stdout.splitlines()[-len(FIELDS) :]
    heads = next(line for line in done.stdout.splitlines() if line.split() == ["neutral", "hope", "rage"])
    assert heads
    loudness = next(line for line in done.stdout.splitlines() if line.startswith("loudness_lufs"))
    assert loudness.split()[1::2] == ["-14.0", "-14.0", "-12.0"] or "missed" in loudness
    assert any(line.startswith("band_air_db") for line in table)


def test_a_feeling_named_twice_is_one_file(wave, tmp_path):
    assert (
        run("master", wave, "-e", "neutral,Neutral", "-o", tmp_path / "out.wav", "--no-report").exit_code == 0
    )
    assert names(tmp_path) == ["out.wav", "take.wav"]


def test_json_is_the_report_and_nothing_else(wave, tmp_path):
    done = run("master", wave, "-o", tmp_path / "x.wav", "--json", "--chain", "eq", "--lufs", "-20")
    printed = json.loads(done.stdout)
    assert printed == json.loads((tmp_path / "x.report.json").read_text(encoding="utf-8"))
    assert {row["target"] for row in printed["targets"]} >= {"loudness_lufs", "band_air_db", "crest_db"}
    both = run(
        "master",
        wave,
        "-e",
        "neutral,hope",
        "-o",
        tmp_path / "y.wav",
        "--json",
        "--chain",
        "eq",
        "--lufs",
        "-20",
    )
    assert [report["emotion"] for report in json.loads(both.stdout)] == ["neutral", "hope"]


def test_no_report_is_no_report(wave, tmp_path):
    assert run("master", wave, "-o", tmp_path / "x.flac", "--no-report", "--bit-depth", "16").exit_code == 0
    assert names(tmp_path) == ["take.wav", "x.flac"]


def test_bypass_is_the_input_to_compare_with(wave, tmp_path):
    done = run("master", wave, "-e", "rage", "--bypass", "--bit-depth", "32f", "-o", tmp_path / "same.wav")
    assert done.exit_code == 0
    assert torch.equal(read_audio(tmp_path / "same.wav").samples, read_audio(wave).samples)
    assert "bypassed" in done.stdout


def test_bypassed_several_times_needs_no_table(wave, tmp_path):
    assert run("master", wave, "-e", "hope,rage", "--bypass", "-o", tmp_path / "same.wav").exit_code == 0
    assert (tmp_path / "same.hope.wav").read_bytes() == (tmp_path / "same.rage.wav").read_bytes()


def test_numbers_of_the_user_are_kept(wave, tmp_path):
    out = tmp_path / "x.wav"
    given = ("--lufs", "-23", "--ceiling", "-3", "--set", "eq.peak_3_gain_db=1.5", "--sample-rate", "48000")
    assert run("master", wave, "-e", "hope", "--chain", "eq,imager", "-o", out, *given).exit_code == 0
    report = json.loads(out.with_suffix(".report.json").read_text(encoding="utf-8"))
    rows = {row["target"]: row for row in report["targets"]}
    assert (rows["loudness_lufs"]["asked"], rows["true_peak_dbtp"]["asked"]) == (-23, -3)
    assert {"setting": "eq.peak_3_gain_db", "value": 1.5, "unit": "dB", "set_by": "you"} in report["settings"]
    assert read_audio(out).rate == 48000


def test_stems_are_dry_numbered_and_named(tiny_song, tmp_path):
    folder = tmp_path / "deep" / "stems"
    assert run("render", tiny_song, "--bypass", "-o", tmp_path / "x.wav", "--stems", folder).exit_code == 0
    assert len(names(folder)) >= 3
    assert names(folder)[0].startswith("01-") and all(name.endswith(".wav") for name in names(folder))
    total = sum(read_audio(path).samples for path in folder.iterdir())
    mix = read_audio(tmp_path / "x.wav").samples
    assert torch.allclose(total, mix, atol=1e-4), "the mix was dithered to 24 bits, nothing more"


def test_measure_speaks_in_targets(wave):
    measured = json.loads(run("measure", wave, "--json").stdout)
    heard = {name for name, field in FIELDS.items() if field.kind != "done"}
    assert set(measured) == heard | {"shown"}
    own = pyloudnorm.Meter(RATE).integrated_loudness(read_audio(wave).samples.T.numpy())
    assert measured["loudness_lufs"] == pytest.approx(own, abs=0.1)
    told = run("measure", wave).stdout
    assert f"{measured['crest_db']:.2f}" in told and "LUFS" in told


@pytest.mark.parametrize(
    ("what", "holds"),
    [
        ("emotions", "grief"),
        ("effects", "eq.tilt_db"),
        ("targets", "loudness_range_lu"),
        ("platforms", "spotify"),
        ("limits", "eq_band_db"),
    ],
)
def test_lists(what, holds):
    done = run("list", what)
    assert done.exit_code == 0
    assert holds in done.stdout.split()
    assert len(done.stdout.splitlines()) >= (350 if what == "emotions" else 5)


def test_an_unknown_list_is_clicks_own_refusal():
    done = run("list", "emotion")
    assert done.exit_code == 2 and "emotions" in done.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("-e", "greif"), "did you mean grief"),
        (("-e", "grief,hope:0.3"), "grief:0.7,hope:0.3"),
        (("--set", "eq.low_shelf_gain=1"), "did you mean eq.low_shelf_gain_db"),
        (("--set", "band_aire_db=1"), "did you mean band_air_db"),
        (("--set", "eq.tilt_db=99"), "eq.tilt_db is 99; it must lie between -12 and 12 dB"),
        (("--set", "eq.tilt_db=loud"), "eq.tilt_db is 'loud'; it must lie between -12 and 12 dB"),
        (("--lufs", "3"), "loudness_lufs is 3; it must lie between -40 and -5 LUFS"),
        (("--lufs", "nan"), "loudness_lufs is nan"),
        (("--ceiling", "1"), "true_peak_dbtp is 1; it must lie between -12 and 0 dBTP"),
        (("--strength", "2"), "between 0 and 1"),
        (("--platform", "spotfy"), "did you mean spotify"),
        (("--chain", "eqq"), "did you mean eq"),
        (("--without", "reverbb"), "did you mean reverb"),
        (("--relax", "side_gain"), "did you mean side_gain_db"),
        (("--device", "cpuu"), "did you mean cpu"),
    ],
)
def test_what_cannot_be_asked_is_one_line_and_no_file(wave, given, said):
    assert said in refused("master", wave, *given)
    assert names(wave.parent) == ["take.wav"]


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("x.xyz", "unknown ending '.xyz'; use .wav, .flac"),
        ("x", "no ending"),
        ("nowhere/x.wav", "does not exist"),
        ("take.wav/x.wav", "is not a folder"),
        ("folder.wav", "it is a folder"),
    ],
)
def test_places_that_cannot_be_written_are_refused_before_any_work(wave, output, said, monkeypatch):
    (wave.parent / "folder.wav").mkdir()
    monkeypatch.setattr(pipeline, "master_many", lambda *_: pytest.fail("worked before it looked"))
    assert said in refused("master", wave, "-o", wave.parent / output)
    assert names(wave.parent) == ["folder.wav", "take.wav"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("-o", "x.mp3", "--sample-rate", "96000"), "96000 Hz; mp3 holds"),
        (("-o", "x.flac", "--bit-depth", "32f"), "bit depth 32f; flac holds 16, 24"),
        (
            (
                "-o",
                "held.wav",
            ),
            "held.report.json: it is a folder",
        ),
    ],
)
def test_formats_and_reports_are_checked_before_any_work(wave, given, said, monkeypatch):
    monkeypatch.chdir(wave.parent)
    (wave.parent / "held.report.json").mkdir()
    assert said in refused("master", wave, *given)
    assert names(wave.parent) == ["held.report.json", "take.wav"]


def test_stems_need_a_folder(tiny_song, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    for place in ("file", "file/deeper"):
        said = refused("render", tiny_song, "-o", tmp_path / "x.wav", "--stems", tmp_path / place)
        assert "it is not a folder" in said
    assert names(tmp_path) == ["file"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_locked_folder_is_refused(wave, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert "no permission" in refused("master", wave, "-o", locked / "x.wav")


def test_a_locked_folder_is_refused_to_root_as_well(wave, monkeypatch):
    """A stand-in for the test above where tests run as root."""
    ask = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode, **more: not mode & os.W_OK and ask(path, mode, **more)
    )
    assert "no permission to write" in refused("master", wave, "-o", wave.parent / "x.wav")


def test_a_full_disk_is_one_line_and_no_part_of_a_file(wave, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left on device" in refused("master", wave, "--chain", "eq")
    assert names(wave.parent) == ["take.wav"]


def broken_sounds(folder: Path) -> dict[str, tuple[Path, str]]:
    silence, hiss = torch.zeros(2, RATE), torch.full((2, RATE), float("nan"))
    wavfile.write(folder / "nan.wav", RATE, hiss.T.numpy().astype(np.float32))
    write_audio(Audio(silence, RATE), folder / "silent.wav", bit_depth="32f")
    wavfile.write(folder / "nothing.wav", RATE, np.zeros((0, 2), np.float32))
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("la la la")
    (folder / "dir.wav").mkdir()
    return {
        "silent.wav": "silent",
        "nan.wav": "NaN",
        "nothing.wav": "no sound|no samples|0 samples|empty",
        "empty.wav": "empty",
        "text.wav": "not a sound file",
        "dir.wav": "a folder",
        "missing.wav": "no such file",
    }


def test_sound_that_cannot_be_mastered_is_refused_by_name(tmp_path):
    for name, said in broken_sounds(tmp_path).items():
        before = names(tmp_path)
        line = refused("master", tmp_path / name, "-o", tmp_path / "out.wav")
        assert re.search(said, line), (name, line)
        assert names(tmp_path) == before


@pytest.mark.parametrize(
    "content", [b"", b"la la la", b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0", b"RIFF1234WAVE"]
)
def test_midi_that_is_none_is_refused(tmp_path, tiny_song, content):
    broken = tmp_path / "broken.mid"
    broken.write_bytes(content)
    assert re.search("broken.mid|no notes", refused("render", broken))
    assert names(tmp_path) == ["broken.mid"]


def test_a_truncated_song_is_rendered_or_refused_never_a_traceback(tmp_path, tiny_song):
    whole = tiny_song.read_bytes()
    for share in (0.2, 0.9):
        cut = tmp_path / "cut.mid"
        cut.write_bytes(whole[: int(share * len(whole))])
        done = run("render", cut, "--bypass", "-o", tmp_path / "out.wav")
        assert done.exit_code in (0, 2)
        if done.exit_code == 2:
            assert len(done.stderr.strip().splitlines()) == 1 and names(tmp_path) == ["cut.mid"]


def test_the_wrong_door_is_named(tiny_song, tmp_path):
    assert "daiw-master render" in refused("master", tiny_song, "-o", tmp_path / "x.wav")
    assert "x.mid" in refused("render", tmp_path / "x.mid")
    assert (
        "folder" in refused("render", tmp_path).lower() or "directory" in refused("render", tmp_path).lower()
    )


def test_the_version_is_the_packages():
    assert version("daiw-master") in run("--version").stdout


def test_the_time_left_is_what_the_work_so_far_tells():
    from daiw_master.cli.progress import TimeLeft

    seconds = iter([0.0, 1.0, 30.0, 60.0, 100.0, 101.0])
    clock = TimeLeft(lambda: next(seconds))
    assert clock.told(0.5) == "", "too early to tell"
    assert clock.told(0.6) == ", about 0:20 left"
    assert clock.told(1.0) == ""
    assert clock.told(0.1) == "", "the next master begins"
