"""Files too large for memory, and for 32 bits: RF64, refusals in time, and a peak that does not grow."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from daiw_master.errors import InputError, WriteError
from daiw_master.files import check_target, open_sound, read_audio
from daiw_master.files.tags import read_tags, write_tags
from daiw_master.files.wav import append_chunk, header

RATE = 44100
ROOT = Path(__file__).resolve().parents[1]
ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


# --- beyond four gigabytes -------------------------------------------------------------------


def sparse(path: Path, frames: int, last: bytes) -> Path:
    """A 24-bit stereo WAV of so many frames that takes up no room: silence, and `last` at its end."""
    with open(path, "wb") as file:
        file.write(header(RATE, 2, 24, frames))
        file.seek(frames * 6 - len(last), 1)
        file.write(last)
    return path


def test_a_wav_beyond_four_gigabytes_is_read_to_its_last_sample(tmp_path):
    frames = 800_000_000  # 5 h, 4.8 GB
    path = sparse(tmp_path / "a.wav", frames, struct.pack("<i", 1 << 20)[:3] + struct.pack("<i", -2)[:3])
    append_chunk(path, b"note", b"odd")
    with open_sound(path) as sound:
        assert sound.time == frames and sound.duration_s > 5 * 3600
        assert sound.read(frames - 2, frames)[0].mul(2**23).tolist() == [[0, 1 << 20], [0, -2]]
    with pytest.raises(InputError, match="5.0 h long; at most 4 h"):
        read_audio(path)
    with open(path, "r+b") as file:
        file.truncate(frames * 6 - 1000)
    with pytest.raises(InputError, match="cut off"):
        open_sound(path)


@ffmpeg
@pytest.mark.parametrize("frames", [715_827_870, 715_827_890])  # 4 GiB lies between
def test_ffmpeg_agrees_about_lengths_around_four_gigabytes(tmp_path, frames):
    path = sparse(tmp_path / "a.wav", frames, b"\0")
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "stream=duration_ts", "-of", "csv=p=0", path],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert int(shown) == frames
    with open(path, "rb") as file:
        assert file.read(4) == (b"RIFF" if frames < 715_827_880 else b"RF64")


@ffmpeg
def test_an_rf64_file_carries_its_words(tmp_path):
    path = sparse(tmp_path / "a.wav", 720_000_000, b"\0")
    write_tags(path, {"title": "Long", "isrc": "GBAYE6800001"})
    assert read_tags(path) == {"title": "Long", "isrc": "GBAYE6800001"}
    assert open_sound(path).time == 720_000_000
    shown = subprocess.run(["ffmpeg", "-hide_banner", "-i", path], capture_output=True, text=True).stderr
    assert "Long" in shown


def test_what_a_format_cannot_hold_is_refused_before_any_work(tmp_path):
    check_target(tmp_path / "a.wav", 24, 96000, 3 * 3600 * 96000)
    check_target(tmp_path / "a.flac", 24, 96000, 3 * 3600 * 96000)
    with pytest.raises(WriteError, match=r"6\.2 GB of sound; aiff holds 2\.1 GB; write \.flac or \.wav"):
        check_target(tmp_path / "a.aiff", 24, 96000, 3 * 3600 * 96000)


# --- memory ----------------------------------------------------------------------------------

MEMORY = """
import resource, sys
from daiw_master.files import open_sound, resampled, write_sound
from daiw_master.sounds import View
import torch
torch.set_num_threads(1)
def peak_mib():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
def run(time):
    wave = 0.3 * torch.sin(torch.arange(1 << 16) * 0.05)[None, None]
    sound = View(8000, 1, time, lambda start, stop: wave[..., : stop - start])
    for suffix in ("wav", "flac"):
        path = write_sound(sound, f"{sys.argv[1]}/a.{suffix}")
        with open_sound(path) as back:
            write_sound(resampled(back, 16000), f"{sys.argv[1]}/b.wav", bit_depth=16)
run(8000 * 20)
before = peak_mib()
run(8000 * 60 * 20)
print(peak_mib() - before)
"""


def test_twenty_minutes_take_no_more_memory_than_twenty_seconds(tmp_path):
    pytest.importorskip("resource", reason="needs POSIX limits")
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, tmp_path], capture_output=True, text=True, cwd=ROOT, check=True
    )
    # the sound is 37 MiB of float32 samples, twice that at 16 kHz
    assert float(done.stdout) < 20
