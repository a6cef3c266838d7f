"""Files of any length: read and written block by block, the same to the bit as all at once."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
import torch

from daiw_master.audio import Audio
from daiw_master.errors import InputError
from daiw_master.files import (
    open_sound,
    read_audio,
    resample,
    resampled,
    write_audio,
    write_lossy_within,
    write_sound,
)
from daiw_master.files.dither import quantise
from daiw_master.files.wav import header
from daiw_master.sounds import Held, Spool, Store, View, whole
from tests.signals import music, noise

RATE = 44100
ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def song(seconds=3.0, channels=2) -> torch.Tensor:
    return music(seconds, RATE)[0, :channels] * 0.5


def spooled(samples: torch.Tensor) -> Spool:
    return Store(most=0).keep(
        samples.unsqueeze(0).split(70_001, dim=-1), len(samples), RATE, samples.shape[1]
    )


class Ragged(View):
    """A sound that hands itself out in pieces of its own choosing, some of them empty."""

    def __init__(self, samples: torch.Tensor):
        super().__init__(RATE, *samples.shape, lambda start, stop: samples[None, :, start:stop])
        self._samples = samples

    def blocks(self, size: int = 0):
        start = 0
        for count in (1, 0, 999, 65_536, 2_204, 70_000, 1 << 30):
            yield self._samples[None, :, start : start + count]
            start += count


# --- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("suffix", "bits"),
    [(".wav", 16), (".wav", 24), (".wav", "32f"), (".flac", 24), (".aiff", 16), (".mp3", 16), (".ogg", 16)],
)
def test_any_stretch_of_a_file_is_that_stretch_of_the_whole(tmp_path, suffix, bits, channels):
    path = write_audio(
        Audio(song(4.0, channels), RATE, {"title": "x"}), tmp_path / f"a{suffix}", bit_depth=bits
    )
    everything = read_audio(path)
    draw = np.random.default_rng(0)
    with open_sound(path) as sound:
        assert (sound.rate, sound.channels, sound.time) == (RATE, channels, everything.samples.shape[-1])
        assert sound.tags == everything.tags and sound.duration_s == everything.duration_s
        for _ in range(2):  # as often as wished
            assert torch.equal(torch.cat(list(sound.blocks(10_007)), dim=-1)[0], everything.samples)
        for start in (*draw.integers(0, sound.time - 5000, 12), sound.time - 5000, 0):
            stretch = sound.read(int(start), int(start) + 5000)
            assert torch.equal(stretch[0], everything.samples[:, start : start + 5000])
        assert sound.read(100, 100).shape == (1, channels, 0)
        walks = zip(sound.blocks(4096), sound.blocks(4096), strict=True)
        assert all(torch.equal(one, other) for one, other in walks)


CODECS = {
    "pcm_u8": 2**-7, "pcm_s16le": 2**-15, "pcm_s24le": 2**-23, "pcm_s32le": 2**-23,
    "pcm_f32le": 2**-24, "pcm_f64le": 2**-24,
}  # fmt: skip


@ffmpeg
@pytest.mark.parametrize("codec", [*CODECS, "pcm_alaw"])
@pytest.mark.parametrize("container", [["-f", "wav"], ["-f", "wav", "-rf64", "always"]])
def test_every_kind_of_wav_is_read_as_ffmpeg_reads_it(tmp_path, codec, container):
    wave = noise(0.3, RATE, level_db=-14)[0].clamp(-0.99, 0.99)
    path = tmp_path / "a.wav"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "f32le", "-ar", str(RATE), "-ac", "2", "-i", "-", "-c:a", codec,
         *container, path], input=wave.t().contiguous().numpy().tobytes(), check=True,
    )  # fmt: skip
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-f", "f64le", "-"], capture_output=True, check=True
    ).stdout
    theirs = np.frombuffer(raw, "<f8").reshape(-1, 2).T
    ours = read_audio(path).samples
    assert ours.dtype == torch.float32 and np.abs(ours.numpy() - theirs).max() <= 2**-24
    assert np.abs(ours.numpy() - wave.numpy()).max() <= CODECS.get(codec, 0.03)


def test_nan_is_named_with_its_time_when_it_is_reached(tmp_path):
    wave = song(3.0)
    wave[1, 2 * RATE] = float("nan")
    path = tmp_path / "a.wav"
    path.write_bytes(header(RATE, 2, "32f", wave.shape[-1]) + wave.t().contiguous().numpy().tobytes())
    with open_sound(path) as sound:
        assert torch.equal(sound.read(0, RATE)[0], wave[:, :RATE])
        with pytest.raises(InputError, match=r"a\.wav: holds NaN or infinity at 2\.000 s"):
            list(sound.blocks())


def test_a_file_cut_while_it_is_read_is_cut_off(tmp_path):
    path = write_audio(Audio(song(), RATE), tmp_path / "a.wav")
    with open_sound(path) as sound:
        with open(path, "r+b") as file:
            file.truncate(300_000)
        with pytest.raises(InputError, match="cut off"):
            list(sound.blocks())


def test_a_damaged_flac_is_found_by_the_end_of_the_first_walk(tmp_path):
    path = write_audio(Audio(song(), RATE), tmp_path / "a.flac")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    with open_sound(path) as sound:
        with pytest.raises(InputError, match="damaged"):
            for start in range(0, sound.time, 9000):  # every block twice, and one step back
                sound.read(max(start - 100, 0), min(start + 9000, sound.time))


def test_a_song_may_be_mastered_onto_itself(tmp_path):
    path = write_audio(Audio(song(), RATE), tmp_path / "a.wav")
    before = read_audio(path).samples
    with open_sound(path) as sound:
        write_sound(sound, path, gain_db=-20 * np.log10(2))
        assert torch.equal(sound.read(0, sound.time)[0], before)
    assert (read_audio(path).samples - before / 2).abs().max() < 2**-22


@ffmpeg
@pytest.mark.parametrize("order", ["loud first", "silence first"])
def test_a_variable_mp3_without_a_length_header_is_read_to_its_end(tmp_path, order):
    loud, silent = ["-f", "lavfi", "-i", "anoisesrc=d=4:r=44100:a=0.3"], ["-f", "lavfi", "-i", "anullsrc=d=4"]
    path = tmp_path / "a.mp3"
    subprocess.run(
        ["ffmpeg", "-v", "error", *(loud + silent if order == "loud first" else silent + loud),
         "-filter_complex", "[0][1]concat=n=2:v=0:a=1", "-q:a", "2", "-write_xing", "0", path], check=True,
    )  # fmt: skip
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-f", "f32le", "-ac", "1", "-"], capture_output=True, check=True
    ).stdout
    with open_sound(path) as sound:
        assert sound.time == len(raw) // 4
        half = sound.time // 2
        loud_half, quiet_half = ((0, half), (half, sound.time))[:: 1 if order == "loud first" else -1]
        assert sound.read(*loud_half).abs().mean() > 0.02
        assert sound.read(quiet_half[0] + 4000, quiet_half[1] - 4000).abs().max() < 1e-3


@ffmpeg
def test_damage_and_a_tag_behind_the_music_do_not_shorten_an_mp3(tmp_path):
    path = write_audio(Audio(song(), RATE), tmp_path / "a.flac")
    plain, spoilt = tmp_path / "plain.mp3", tmp_path / "spoilt.mp3"
    subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-write_xing", "0", plain], check=True)
    data, junk = plain.read_bytes(), np.random.default_rng(0).bytes(3000)
    spoilt.write_bytes(data[: len(data) // 2] + junk + data[len(data) // 2 :] + b"TAG" + bytes(125))
    with open_sound(plain) as whole_song, open_sound(spoilt) as sound:
        assert whole_song.time % 1152 == 0 and 0 <= whole_song.time - song().shape[-1] < 4 * 1152
        assert abs(sound.time - whole_song.time) <= 1152
        assert torch.equal(sound.read(0, 50_000), whole_song.read(0, 50_000))


# --- writing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff", ".mp3"])
@pytest.mark.parametrize("channels", [1, 2])
def test_blocks_of_any_size_are_the_same_bytes(tmp_path, suffix, channels):
    wave = song(5.0, channels)
    wave[:, 60_000:70_000] = 0  # a silence over the edge of a block
    wave[:, 2 * 65_536 - 2204 : 2 * 65_536] = 0  # one short of 50 ms, up to an edge
    expected = write_audio(Audio(wave, RATE), tmp_path / f"a{suffix}", bit_depth=16, seed=3).read_bytes()
    for name, sound in (("spool", spooled(wave)), ("ragged", Ragged(wave))):
        path = write_sound(sound, tmp_path / f"{name}{suffix}", bit_depth=16, seed=3)
        assert path.read_bytes() == expected


def test_silence_over_the_edges_of_blocks_is_exact_and_nothing_more():
    wave = noise(10.0, RATE, level_db=-80)[0]
    runs = [(0, 3000), (65_536 - 2205, 65_536), (2 * 65_536 - 1100, 2 * 65_536 + 1105), (200_000, 400_000),
            (441_000 - 2205, 441_000)]  # fmt: skip
    music_too = [(3 * 65_536 - 2204, 3 * 65_536), (150_000, 152_204)]
    for begin, end in runs + music_too:
        wave[0, begin:end] = 0
    whole_steps = torch.cat(list(quantise(Held(wave, RATE), 16)), dim=-1)[0]
    for begin, end in runs:
        assert (whole_steps[begin:end] == 0).all()
    for begin, end in music_too:
        assert (whole_steps[begin:end] != 0).float().mean() > 0.05


def test_gain_is_that_of_the_samples(tmp_path):
    wave = song()
    one = write_sound(Held(wave, RATE), tmp_path / "a.wav", gain_db=-6.0, tags={"title": "x"})
    other = write_audio(Audio(wave * 10 ** (-6.0 / 20), RATE, {"title": "x"}), tmp_path / "b.wav")
    assert one.read_bytes() == other.read_bytes()


def test_progress_rises_to_one(tmp_path):
    for name in ("a.wav", "a.flac", "a.mp3"):
        heard = []
        write_sound(Held(song(), RATE), tmp_path / name, progress=heard.append)
        assert heard == sorted(heard) and heard[-1] == 1.0 and 0 < heard[0] < 1
    heard = []
    write_lossy_within(
        Held(song(), RATE), tmp_path / "b.mp3", -1.0, lambda decoded: -2.0, progress=heard.append
    )
    assert heard == sorted(heard) and heard[-1] == 1.0 and 0 < heard[0] < 1


@pytest.mark.parametrize(("spoilt", "says"), [(float("nan"), "NaN"), (2.0, "6.02 dB above full scale")])
def test_what_cannot_be_written_is_found_on_the_way_and_leaves_nothing(tmp_path, spoilt, says):
    wave = song(6.0)
    wave[0, 200_000], wave[0, 100_000] = spoilt, max(spoilt / 2, 0.1)
    with pytest.raises(InputError, match=says):
        write_sound(spooled(wave), tmp_path / "a.wav")
    assert list(tmp_path.iterdir()) == []
    write_sound(spooled(wave.nan_to_num()), tmp_path / "a.wav", bit_depth="32f")


def test_a_lossy_file_from_a_sound_is_that_from_an_audio(tmp_path):
    wave = (music(3.0)[0] * 4).clamp(-0.891, 0.891)

    def peak_of(decoded) -> float:
        samples = decoded.samples if isinstance(decoded, Audio) else whole(decoded)
        return 20 * float(torch.log10(samples.abs().max()))

    by_audio = write_lossy_within(Audio(wave, RATE), tmp_path / "a.mp3", -1.0, peak_of, tags={"title": "x"})
    by_sound = write_lossy_within(spooled(wave), tmp_path / "b.mp3", -1.0, peak_of, tags={"title": "x"})
    assert (
        by_audio.path.read_bytes() == by_sound.path.read_bytes() and by_audio.trim_db == by_sound.trim_db < 0
    )
    assert torch.equal(by_sound.decoded.read(0, 9000)[0], by_audio.decoded.samples[:, :9000])


# --- resampling ------------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new"), [(44100, 48000), (48000, 44100), (88200, 44100), (44100, 96000)])
def test_a_resampled_sound_is_the_resampled_whole(old, new):
    wave = noise(4.0, old)[0]
    at_once = resample(Audio(wave, old), new).samples
    sound = resampled(Held(wave, old), new)
    assert sound.time == at_once.shape[-1] and resampled(sound, new) is sound
    for size in (997, 65_536, 1 << 20):
        assert (torch.cat(list(sound.blocks(size)), dim=-1)[0] - at_once).abs().max() < 1e-6
    for start in (100_000, 0, 50_001, 120_000, sound.time - 10):
        assert (sound.read(start, start + 10)[0] - at_once[:, start : start + 10]).abs().max() < 1e-6
    assert sound.read(7, 7).shape == (1, 2, 0)


def test_a_file_is_resampled_on_its_way_into_another(tmp_path):
    path = write_audio(Audio(song(), RATE), tmp_path / "a.flac")
    with open_sound(path) as sound:
        written = write_sound(resampled(sound, 48000), tmp_path / "b.wav", bit_depth="32f")
    assert (read_audio(written).samples - resample(read_audio(path), 48000).samples).abs().max() < 1e-6
