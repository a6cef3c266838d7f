"""Known settings over a recording of any length: the chain's own samples, and never half a file."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pyloudnorm
import pytest
import torch
from click.testing import CliRunner

import daiw_master as dm
from daiw_master.audio import Audio
from daiw_master.cli import main
from daiw_master.errors import InputError, OutOfRangeError, UnknownNameError
from daiw_master.files import read_audio, write_audio
from daiw_master.refine.bench import Bench
from daiw_master.refine.song import put_on_bench
from daiw_master.sounds import Store, whole
from daiw_master.stack import EFFECTS, HOUSE_CHAIN
from daiw_master.stack.chain import qualified, run_chain
from daiw_master.stack.deliver import deliver
from tests import signals

RATE = 44100
#: All seven modules at work.
BUSY = {
    "reverb.wet_db": -20.0,
    "reverb.decay_s": 1.5,
    "eq.low_shelf_gain_db": 2.0,
    "eq.tilt_db": 1.0,
    "dynamics.ratio": 2.0,
    "dynamics.ride": 0.5,
    "exciter.mix_db": -20.0,
    "imager.high_width_db": 2.0,
    "imager.correlation_floor": 0.02,
}


@pytest.fixture
def song(tmp_path):
    path = tmp_path / "song.wav"
    audio = Audio(0.5 * signals.music(6.0)[0], RATE, {"title": "Ferry"})
    write_audio(audio, path, bit_depth="32f")
    return path


def test_it_is_the_chain_and_the_delivery(song, tmp_path):
    """In blocks and from disk what the effects make of the whole song in memory."""
    out = tmp_path / "out.wav"
    done = dm.process(song, out, BUSY, lufs=-20.0, ceiling=-2.0, bit_depth="32f")
    staged = put_on_bench(read_audio(song)).with_tail(BUSY["reverb.decay_s"])
    placed = qualified([EFFECTS[name] for name in HOUSE_CHAIN if name not in ("loudness", "limiter")])
    with torch.no_grad():
        shaped = run_chain(placed, whole(staged.x), RATE, BUSY)
        wanted = deliver(shaped, RATE, -20.0, -2.0)
    got = read_audio(out).samples
    length = got.shape[-1] - round(0.05 * RATE)  # the last moment is faded out
    assert length > 6 * RATE, "the room rings out"
    assert torch.allclose(got[:, :length], wanted.samples[0, :, :length], atol=1e-5)
    assert done.loudness_lufs == pytest.approx(-20.0, abs=0.05) and done.true_peak_dbtp <= -2.0
    assert pyloudnorm.Meter(RATE).integrated_loudness(got.T.numpy()) == pytest.approx(-20.0, abs=0.1)
    assert read_audio(out).tags["title"] == "Ferry"


def test_a_report_makes_the_same_master_again(song, tmp_path):
    first, second = tmp_path / "first.wav", tmp_path / "second.wav"
    done = dm.process(song, first, BUSY, lufs=-22.0)
    again = dm.process(song, second, like=first.with_suffix(".report.json"))
    assert first.read_bytes() == second.read_bytes()
    assert {**asdict(again), "path": ""} == {**asdict(done), "path": ""}
    louder = dm.process(song, second, like=first.with_suffix(".report.json"), lufs=-20.0)
    assert louder.loudness_lufs == pytest.approx(-20.0, abs=0.05)
    assert louder.settings["dynamics.ratio"] == 2.0


def test_a_masters_report_is_as_good(tmp_path, song):
    """What the solver found for one take of a song can be run over another."""
    result = dm.master(song, "grief")
    result.write(tmp_path / "grief.wav")
    done = dm.process(song, tmp_path / "again.wav", like=tmp_path / "grief.report.json")
    solved = {row.setting: row.value for row in result.report.settings}
    assert done.settings == pytest.approx(solved)
    a, b = read_audio(tmp_path / "grief.wav").samples, read_audio(tmp_path / "again.wav").samples
    length = min(a.shape[-1], b.shape[-1]) - round(0.05 * RATE)
    assert (a[:, :length] - b[:, :length]).abs().max() < 2e-3, "two dithers and a gain found anew"


@pytest.mark.parametrize("lufs", [-24.0, -30.0])
def test_a_chain_at_rest_only_delivers(song, tmp_path, lufs):
    """Nothing is laid down then: what is written is still being read from the file."""
    done = dm.process(song, tmp_path / "out.wav", lufs=lufs, bit_depth="32f")
    came, got = read_audio(song).samples, read_audio(tmp_path / "out.wav").samples
    assert done.loudness_lufs == pytest.approx(lufs, abs=0.05)
    gain = (got * came).sum() / came.square().sum()
    assert (got - gain * came).abs().max() < 0.01 * came.abs().max()
    onto = dm.process(song, song, lufs=lufs)
    assert onto.loudness_lufs == pytest.approx(lufs, abs=0.05), "a song may be mastered onto itself"


def test_progress_runs_from_nought_to_one(song, tmp_path):
    heard = []
    dm.process(song, tmp_path / "out.wav", BUSY, progress=lambda what, done: heard.append((what, done)))
    shares = [done for _, done in heard]
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)
    assert {what for what, _ in heard} == {"listening", "processing", "delivering", "writing"}


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"settings": {"eq.tilt": 1.0}}, UnknownNameError, "eq.tilt_db"),
        ({"settings": {"eq.tilt_db": 99.0}}, OutOfRangeError, "12"),
        ({"lufs": 3.0}, OutOfRangeError, "LUFS"),
        ({"ceiling": 3.0}, OutOfRangeError, "dBTP"),
        ({"like": "nowhere.json"}, InputError, "no such report"),
        ({"chain": ["eq", "limitr"]}, UnknownNameError, "limiter"),
    ],
)
def test_nonsense_is_refused_before_anything_is_written(song, tmp_path, given, error, said):
    with pytest.raises(error, match=said):
        dm.process(song, tmp_path / "out.wav", **given)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["song.wav"]


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"format": "daiw-master report 1"}', "not json", '{"settings": 3}']
)
def test_what_is_no_report_is_refused(song, tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(InputError, match="not a report"):
        dm.process(song, tmp_path / "out.wav", like=path)


def test_an_error_on_the_way_leaves_nothing(song, tmp_path, monkeypatch):
    def fail(self, *given, **more):
        raise RuntimeError("lightning")

    monkeypatch.setattr(Bench, "delivered", fail)
    with pytest.raises(RuntimeError):
        dm.process(song, tmp_path / "out.wav", BUSY)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["song.wav"]


def test_at_the_command_line(song, tmp_path):
    out = tmp_path / "out.flac"
    told = CliRunner().invoke(
        main, ["process", str(song), "-o", str(out), "--set", "eq.tilt_db=1", "--lufs", "-22"]
    )
    assert told.exit_code == 0, told.output
    assert "-22.0" in told.output and str(out) in told.output
    record = json.loads(out.with_suffix(".report.json").read_text())
    assert record["settings"]["eq.tilt_db"] == 1.0 and record["loudness_lufs"] == pytest.approx(-22, abs=0.05)
    wrong = CliRunner().invoke(main, ["process", str(song), "--set", "eq.tilt_db=1000"])
    assert wrong.exit_code == 2 and "eq.tilt_db" in wrong.output
    midi = tmp_path / "song.mid"
    midi.write_bytes(b"MThd")
    wrong = CliRunner().invoke(main, ["process", str(midi)])
    assert wrong.exit_code == 2 and "render" in wrong.output


LONG = """
import sys, torch
import daiw_master as dm
from daiw_master.heap import steady_heap
steady_heap()  # as on the command line
torch.set_num_threads(1)
dm.process(sys.argv[1], sys.argv[2], {settings})
# the high-water mark of this program alone: the usage a parent reads begins with the parent's own
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's own account of memory")
def test_memory_does_not_grow_with_the_song(tmp_path):
    """Five minutes and forty at 8 kHz, both longer than any block: nearly the same peak."""
    peaks = []
    for seconds in (300, 2400):
        path = tmp_path / f"{seconds}.wav"
        noise = signals.noise(30.0, rate=8000, level_db=-20)[0].repeat(1, seconds // 30)
        write_audio(Audio(noise, 8000), path, bit_depth=16)
        code = LONG.format(settings={name: value for name, value in BUSY.items() if "exciter" not in name})
        done = subprocess.run(
            [sys.executable, "-c", code, path, tmp_path / "out.wav"],
            capture_output=True,
            text=True,
            check=True,
        )
        peaks.append(int(done.stdout))
    assert peaks[1] < 1.1 * peaks[0]


def test_a_bench_on_disk_hears_what_a_bench_in_memory_hears():
    song = put_on_bench(Audio(signals.music(5.0)[0], RATE)).with_tail(1.0)
    placed = qualified([EFFECTS[name] for name in HOUSE_CHAIN])
    takes = [Bench(song, placed, Store(most)).take(BUSY, -14.0, -1.0, 6.0) for most in (0, 1 << 25)]
    assert torch.equal(whole(takes[0].sound), whole(takes[1].sound))
    assert takes[0].heard == takes[1].heard
