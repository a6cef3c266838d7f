"""Files in and out, with ffmpeg and the format's own definitions as the other opinion."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from daiw_master.audio import Audio
from daiw_master.errors import DaiwMasterError, InputError, WriteError
from daiw_master.files import (
    FORMATS,
    check_target,
    is_lossy,
    read_audio,
    write_audio,
    write_lossy_within,
    write_text_atomic,
)
from daiw_master.files import tags as tags_module
from tests.signals import music, noise

RATE = 44100
PCM = [(".wav", 16), (".wav", 24), (".flac", 16), (".flac", 24), (".aiff", 16), (".aif", 24)]
ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def song(seconds=1.0, rate=RATE, **tags) -> Audio:
    return Audio(music(seconds, rate)[0] * 0.5, rate, tags)


def grid(bits: int, frames: int = 50_000, channels: int = 2) -> torch.Tensor:
    """Random whole steps with the corners: both full scales, zero and the smallest steps."""
    steps = 2 ** (bits - 1)
    whole = torch.randint(-steps, steps, (channels, frames), generator=torch.Generator().manual_seed(bits))
    whole[:, :5] = torch.tensor([-steps, steps - 1, 0, 1, -1])
    return whole


def decoded_by_ffmpeg(path: Path, bits: int, channels: int = 2) -> np.ndarray:
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-f", "s32le", "-"], capture_output=True, check=True
    ).stdout
    return np.frombuffer(raw, "<i4").reshape(-1, channels).T >> (32 - bits)


def only_file_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- exactness -------------------------------------------------------------------------------


@ffmpeg
@pytest.mark.parametrize(("suffix", "bits"), PCM)
def test_every_step_arrives_in_the_file(tmp_path, suffix, bits):
    whole = grid(bits)
    path = write_audio(
        Audio((whole / 2 ** (bits - 1)).float(), RATE), tmp_path / f"a{suffix}", bit_depth=bits
    )
    assert np.array_equal(decoded_by_ffmpeg(path, bits), whole.numpy())


@ffmpeg
@pytest.mark.parametrize(("suffix", "bits", "codec"), [
    (".wav", 16, "pcm_s16le"), (".wav", 24, "pcm_s24le"), (".flac", 16, "flac"), (".flac", 24, "flac"),
    (".aiff", 16, "pcm_s16be"), (".aiff", 24, "pcm_s24be"),
])  # fmt: skip
@pytest.mark.parametrize("channels", [1, 2])
def test_every_step_of_a_foreign_file_is_read(tmp_path, suffix, bits, codec, channels):
    whole = grid(bits, channels=channels).numpy()
    path = tmp_path / f"a{suffix}"
    sample = ["-sample_fmt", "s16" if bits == 16 else "s32"] if codec == "flac" else []
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "s32le", "-ar", "48000", "-ac", str(channels), "-i", "-",
         "-c:a", codec, *sample, path],
        input=np.ascontiguousarray((whole << (32 - bits)).T.astype("<i4")).tobytes(), check=True,
    )  # fmt: skip
    audio = read_audio(path)
    assert audio.rate == 48000 and audio.samples.dtype == torch.float32
    assert np.array_equal(audio.samples.double().numpy(), whole / 2.0 ** (bits - 1))


def test_float_wav_is_the_sound_itself_even_above_full_scale(tmp_path):
    audio = Audio(noise(0.5, level_db=3)[0], RATE)
    assert torch.equal(
        read_audio(write_audio(audio, tmp_path / "a.wav", bit_depth="32f")).samples, audio.samples
    )


@pytest.mark.parametrize("rate", [44100, 96000])
@pytest.mark.parametrize(("suffix", "bits"), PCM)
def test_rate_length_and_channels_are_kept(tmp_path, suffix, bits, rate):
    for channels in (1, 2):
        audio = Audio(noise(0.2, rate, channels=channels)[0] * 0.2, rate)
        back = read_audio(write_audio(audio, tmp_path / f"a{suffix}", bit_depth=bits))
        assert back.rate == rate and back.samples.shape == audio.samples.shape
        assert (back.samples - audio.samples).abs().max() < 1.6 / 2 ** (bits - 1)


@pytest.mark.parametrize(("suffix", "bits"), [*PCM, (".wav", "32f"), (".mp3", 24)])
def test_same_sound_same_bytes(tmp_path, suffix, bits):
    audio = song(title="Rain", isrc="GBAYE6800001")
    first, second = (write_audio(audio, tmp_path / f"{n}{suffix}", bit_depth=bits) for n in "ab")
    assert hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(second.read_bytes()).digest()
    if bits in (16, 24) and suffix != ".mp3":
        third = write_audio(audio, tmp_path / f"c{suffix}", bit_depth=bits, seed=1)
        assert third.read_bytes() != first.read_bytes()


def test_the_sound_given_is_not_touched(tmp_path):
    audio = song()
    before = audio.samples.clone()
    for name in ("a.wav", "a.flac", "a.mp3"):
        write_audio(audio, tmp_path / name, bit_depth=16)
    assert torch.equal(audio.samples, before)


def test_silence_and_one_sample_are_sound_too(tmp_path):
    assert (read_audio(write_audio(Audio(torch.zeros(2, 9000), RATE), tmp_path / "s.wav")).samples == 0).all()
    one = read_audio(write_audio(Audio(torch.full((1, 1), 0.5), RATE), tmp_path / "one.flac"))
    assert one.samples.shape == (1, 1)


# --- reading: what is refused ----------------------------------------------------------------


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_audio(path)
    message = str(caught.value)
    assert "\n" not in message and path.name in message
    return message


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff", ".mp3", ".ogg"])
@pytest.mark.parametrize("part", [0.0001, 0.5, 0.95])
def test_a_file_cut_off_is_not_half_a_song(tmp_path, suffix, part):
    data = write_audio(song(6.0), tmp_path / f"whole{suffix}", bit_depth=16).read_bytes()
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(data[: int(len(data) * part)])
    refused(cut)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".ogg", ".xyz", ""])
def test_what_is_not_sound_is_refused(tmp_path, suffix):
    path = tmp_path / f"noise{suffix}"
    for data in (b"", b"hello", bytes(range(256)) * 40, b"RIFF\xff\xff\xff\xffWAVE", b"fLaC" + bytes(100)):
        path.write_bytes(data)
        refused(path)


def test_a_flac_damaged_in_the_middle_is_found_by_its_checksum(tmp_path):
    path = write_audio(song(2.0), tmp_path / "a.flac", bit_depth=24)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    assert "damaged" in refused(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_nan_and_infinity_are_named(tmp_path, value):
    from pedalboard.io import AudioFile

    wave = np.zeros((2, 300_000), np.float32)
    wave[1, 270_000] = value
    with AudioFile(str(tmp_path / "a.wav"), "w", RATE, 2, bit_depth=32) as file:
        file.write(wave)
    assert "NaN" in refused(tmp_path / "a.wav")


def test_six_channels_are_counted_and_none_is_noticed(tmp_path):
    from pedalboard.io import AudioFile

    with AudioFile(str(tmp_path / "six.wav"), "w", RATE, 6) as file:
        file.write(np.zeros((6, 1000), np.float32))
    with AudioFile(str(tmp_path / "none.wav"), "w", RATE, 2):
        pass
    assert "6 channels" in refused(tmp_path / "six.wav")
    assert "no sound" in refused(tmp_path / "none.wav")


def test_missing_folder_and_forbidden(tmp_path):
    assert "no such file" in refused(tmp_path / "nothing.wav")
    assert "folder" in refused(tmp_path)
    locked = write_audio(song(), tmp_path / "locked.wav")
    locked.chmod(0)
    if os.access(locked, os.R_OK):
        return  # root reads everything; the branch is the same as any OSError
    assert "Permission" in refused(locked)


@ffmpeg
def test_a_wav_piped_out_of_ffmpeg_is_read_to_its_end(tmp_path):
    source = write_audio(song(), tmp_path / "a.flac", bit_depth=16)
    piped = tmp_path / "piped.wav"
    with open(piped, "wb") as file:
        subprocess.run(["ffmpeg", "-v", "error", "-i", source, "-f", "wav", "-"], stdout=file, check=True)
    assert torch.equal(read_audio(piped).samples, read_audio(source).samples)


def test_real_files_are_read():
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "audio"
    if not folder.is_dir():
        pytest.skip("the shared data folder is not here")
    for path in (*sorted(folder.glob("music/*.mp3"))[:2], *sorted(folder.glob("speech/*.ogg"))[:1],
                 *sorted(folder.glob("loops/*.flac"))[:2]):  # fmt: skip
        assert read_audio(path).samples.abs().max() > 0.01


# --- writing: all or nothing -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["song", "song.m4a", "song.wav.bak"])
def test_an_unknown_ending_lists_the_known_ones(tmp_path, name):
    with pytest.raises(WriteError, match=r"\.wav, \.flac, \.aiff, \.aif, \.mp3, \.ogg"):
        write_audio(song(), tmp_path / name)


@pytest.mark.parametrize(("name", "bits", "rate", "says"), [
    ("a.flac", "32f", 44100, "holds 16, 24"),
    ("a.wav", 20, 44100, "holds 16, 24, 32f"),
    ("a.mp3", 24, 96000, "32000, 44100, 48000"),
])  # fmt: skip
def test_impossible_formats_are_refused_before_work(tmp_path, name, bits, rate, says):
    with pytest.raises(WriteError, match=says):
        check_target(tmp_path / name, bits, rate)


def test_impossible_places(tmp_path):
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "file").write_text("x")
    for place in ("missing/a.wav", "folder.wav", "file/a.wav"):
        with pytest.raises(WriteError, match="cannot write"):
            write_audio(song(), tmp_path / place)
    assert only_file_in(tmp_path) == ["file", "folder.wav"]


def test_a_device_is_not_replaced_by_a_song(tmp_path):
    link = tmp_path / "full.wav"
    link.symlink_to("/dev/full")
    with pytest.raises(WriteError, match="regular file"):
        write_audio(song(), link)
    assert link.is_symlink() and not Path("/dev/full").is_file()


def test_a_link_is_followed_not_replaced(tmp_path):
    real = write_audio(song(), tmp_path / "real.wav")
    link = tmp_path / "link.wav"
    link.symlink_to(real)
    write_audio(song(0.5), link)
    assert link.is_symlink() and read_audio(real).duration_s == 0.5


def test_a_forbidden_folder(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("root may write everywhere")
    with pytest.raises(WriteError, match="permission"):
        write_audio(song(), folder / "a.wav")


@contextlib.contextmanager
def disk_with_room_for(size: int):
    """The kernel itself refuses to let any file grow beyond `size` bytes, as a full disk does."""
    resource = pytest.importorskip("resource", reason="needs POSIX limits")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("suffix", sorted(FORMATS))
@pytest.mark.parametrize("part", [0, 0.1, 0.9, 0.9999])
def test_a_full_disk_leaves_the_old_master_and_nothing_else(tmp_path, suffix, part):
    target = write_audio(song(title="old"), tmp_path / f"a{suffix}", bit_depth=16)
    before = target.read_bytes()
    with disk_with_room_for(int(len(before) * part)), pytest.raises(WriteError, match="nothing was changed"):
        write_audio(song(title="new" if part < 0.9999 else "old"), target, bit_depth=16)
    assert target.read_bytes() == before
    assert only_file_in(tmp_path) == [target.name]


def test_a_full_disk_leaves_no_lossy_file_and_no_report(tmp_path):
    with disk_with_room_for(2000):
        with pytest.raises(WriteError):
            write_lossy_within(song(), tmp_path / "a.mp3", -1.0, sample_peak_db)
        with pytest.raises(WriteError):
            write_text_atomic(tmp_path / "a.json", "x" * 5000)
    assert only_file_in(tmp_path) == []


def test_a_disk_that_fills_while_tagging(tmp_path, monkeypatch):
    target = write_audio(song(title="old"), tmp_path / "a.flac")
    before = target.read_bytes()

    def full(self, *args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tags_module.FLAC, "save", full)
    with pytest.raises(WriteError, match="No space left on device"):
        write_audio(song(title="new"), target)
    assert target.read_bytes() == before and only_file_in(tmp_path) == ["a.flac"]


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("daiw_master.files.write.write_tags", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_audio(song(), tmp_path / "a.wav")
    assert only_file_in(tmp_path) == []


@pytest.mark.parametrize(("samples", "says"), [
    (torch.zeros(2, 0), "no sound"),
    (torch.full((2, 100), float("nan")), "NaN"),
    (torch.zeros(3, 100), "3 channels"),
    (torch.full((2, 100), 1.5), "3.52 dB above full scale"),
])  # fmt: skip
def test_sound_that_cannot_be_a_file(tmp_path, samples, says):
    with pytest.raises(InputError, match=says):
        write_audio(Audio(samples, RATE), tmp_path / "a.wav")
    assert only_file_in(tmp_path) == []


def test_the_new_file_has_ordinary_permissions(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("x")
    written = write_audio(song(), tmp_path / "a.wav")
    assert written.stat().st_mode == plain.stat().st_mode
    written.chmod(0o640)
    assert write_audio(song(), written).stat().st_mode & 0o777 == 0o640


def test_text_is_whole_or_not_at_all(tmp_path):
    path = write_text_atomic(tmp_path / "a.json", "{}\n")
    assert path.read_bytes() == b"{}\n"
    with pytest.raises(UnicodeEncodeError):
        write_text_atomic(path, "\ud800")
    assert path.read_bytes() == b"{}\n" and only_file_in(tmp_path) == ["a.json"]
    with pytest.raises(DaiwMasterError):
        write_text_atomic(tmp_path / "missing" / "a.json", "{}")


# --- tags ------------------------------------------------------------------------------------

TAGS = {
    "title": "Träume; still", "artist": "Nobody", "album": "Rooms", "date": "2024",
    "comment": "emotion: grief", "genre": "Ambient",
    "isrc": "GBAYE6800001", "tracknumber": "3/9", "mood": "grief 0.7",
}  # fmt: skip


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_every_format_carries_the_words(tmp_path, suffix):
    path = write_audio(song(**TAGS), tmp_path / f"a{suffix}", tags={"genre": "Drone"})
    assert read_audio(path).tags == {**TAGS, "genre": "Drone"}


@ffmpeg
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".ogg", ".aiff"])
def test_other_programs_see_the_words(tmp_path, suffix):
    path = write_audio(song(**TAGS), tmp_path / f"a{suffix}")
    shown = subprocess.run(["ffmpeg", "-hide_banner", "-i", path], capture_output=True, text=True).stderr
    for word in (TAGS["title"], TAGS["artist"], TAGS["album"]):
        assert word in shown


def test_loudness_tags_of_the_old_file_are_not_carried_over(tmp_path):
    path = write_audio(
        song(replaygain_track_gain="-9 dB", r128_track_gain="-5", title="x"), tmp_path / "a.flac"
    )
    assert read_audio(path).tags == {"title": "x"}


def test_names_that_vorbis_cannot_hold_do_not_stop_the_master(tmp_path):
    path = write_audio(song(title="x", **{"a=b": "1", "größe": "2"}), tmp_path / "a.ogg")
    assert read_audio(path).tags == {"title": "x"}


# --- lossy -----------------------------------------------------------------------------------


def sample_peak_db(audio: Audio) -> float:
    return 20 * float(torch.log10(audio.samples.abs().max()))


@pytest.mark.parametrize("suffix", [".mp3", ".ogg"])
def test_a_decoded_file_stays_under_the_ceiling(tmp_path, suffix):
    loud = Audio((music(4.0)[0] * 4).clamp(-0.891, 0.891), RATE, {"title": "Loud"})
    measured: list[float] = []

    def measure(audio: Audio) -> float:
        measured.append(sample_peak_db(audio))
        return measured[-1]

    result = write_lossy_within(loud, tmp_path / f"a{suffix}", -1.0, measure)
    assert measured[0] > -1.0, "this signal must show the problem"
    again = read_audio(result.path)
    assert sample_peak_db(again) == pytest.approx(result.true_peak_dbtp, abs=0.02) and again.tags == loud.tags
    assert result.true_peak_dbtp <= -1.0 and -2.0 < result.trim_db < 0
    assert len(measured) <= 3


def test_a_quiet_song_is_coded_once(tmp_path):
    result = write_lossy_within(song(), tmp_path / "a.mp3", -1.0, sample_peak_db)
    assert result.trim_db == 0 and is_lossy(result.path)
    with pytest.raises(WriteError, match="only"):
        write_lossy_within(song(), tmp_path / "a.wav", -1.0, sample_peak_db)
