"""The loudness stage and the delivery loop against meters we did not write."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import torch
from scipy import signal
from scipy.io import wavfile

from daiw_master.errors import InputError, OutOfRangeError
from daiw_master.meters.true_peak import true_peak
from daiw_master.stack.deliver import deliver
from daiw_master.stack.limiter import limiter_gain_db
from daiw_master.stack.loudness import LOUDNESS
from tests import signals

RATE = 44100
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def dense_song(seconds):
    """The synthetic band through a soft saturator: the crest of a real mix."""
    return torch.tanh(3 * signals.music(seconds)) * 0.2


def pyloudnorm_lufs(samples, rate=RATE):
    return pyloudnorm.Meter(rate).integrated_loudness(samples.reshape(samples.shape[-2:]).double().numpy().T)


def ffmpeg_lufs(samples, path, rate=RATE):
    """ffmpeg's ebur128, at full precision from its metadata."""
    wavfile.write(path, rate, samples.reshape(samples.shape[-2:]).numpy().T)
    graph = "ebur128=metadata=1,ametadata=mode=print:key=lavfi.r128.I:file=-"
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-af", graph, "-f", "null", "-"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(re.findall(r"lavfi\.r128\.I=(\S+)", out)[-1])


@pytest.mark.parametrize("wanted", [-30.0, -23.0, -14.0])
def test_the_song_ends_at_its_loudness(wanted):
    y = LOUDNESS(signals.music(6.0), RATE, loudness_lufs=wanted)
    assert pyloudnorm_lufs(y) == pytest.approx(wanted, abs=0.06)


def test_silence_is_left_alone_and_each_item_gets_its_own_gain():
    x = torch.cat([signals.music(2.0), torch.zeros(1, 2, 2 * RATE), signals.music(2.0) * 0.01])
    y = LOUDNESS(x, RATE, loudness_lufs=torch.tensor([-20.0, -10.0, -25.0]))
    assert torch.equal(y[1], x[1])
    assert pyloudnorm_lufs(y[0]) == pytest.approx(-20, abs=0.06)
    assert pyloudnorm_lufs(y[2]) == pytest.approx(-25, abs=0.06)


def test_gradient_knows_that_a_gain_before_changes_nothing():
    x = signals.music(1.0, dtype=torch.float64)
    gain = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    wanted = torch.tensor([-20.0], dtype=torch.float64, requires_grad=True)
    y = LOUDNESS(x * gain, RATE, loudness_lufs=wanted)
    y.square().mean().backward()
    assert abs(float(gain.grad)) < 1e-9
    # d(power)/d(dB) = power * ln(10) / 10
    power = float(y.detach().square().mean())
    assert float(wanted.grad) == pytest.approx(power * math.log(10) / 10, rel=1e-6)


@pytest.mark.parametrize("wanted", [-30.0, -18.0, -14.0])
@pytest.mark.parametrize("ceiling", [-1.0, -3.0])
def test_both_numbers_at_once(wanted, ceiling):
    done = deliver(dense_song(8.0), RATE, wanted, ceiling)
    assert done.reached and done.rounds <= 8
    assert pyloudnorm_lufs(done.samples) == pytest.approx(wanted, abs=0.1)
    assert done.true_peak_dbtp <= ceiling and float(true_peak(done.samples, RATE)) <= ceiling
    assert float(done.samples.abs().max()) < 1.0


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_ffmpeg_agrees(tmp_path):
    done = deliver(dense_song(10.0), RATE, -12.0, -1.0)
    assert done.reduction_p99_db > 0.5  # the limiter is at work
    assert ffmpeg_lufs(done.samples, tmp_path / "song.wav") == pytest.approx(-12.0, abs=0.1)


def test_headroom_needs_only_gain():
    x = signals.music(4.0) * 0.05
    done = deliver(x, RATE, -24.0, -1.0)
    assert done.reached and done.rounds == 1 and done.reduction_p99_db == 0 and done.trim_db == 0
    assert torch.allclose(done.samples, x * 10 ** (done.gain_db / 20), atol=1e-7)


def sparse_beats(seconds=12.0):
    """Short loud hits far apart over next to nothing: the song whose loudness a limiter eats."""
    x = signals.noise(seconds, level_db=-55.0)
    t = torch.arange(x.shape[-1]) / RATE
    return x + 0.5 * torch.exp(-60 * torch.remainder(t, 1.0)) * signals.noise(seconds, seed=5, level_db=0.0)


def test_loudness_gives_way_at_the_cap_and_says_so():
    done = deliver(sparse_beats(), RATE, -6.0, -1.0, max_reduction_db=3.0)
    assert not done.reached
    assert 2.9 <= done.reduction_p99_db <= 3.0
    assert done.loudness_lufs < -6.1 and done.true_peak_dbtp <= -1.0
    # the cap is on what the limiter really did
    gain = limiter_gain_db(sparse_beats() * 10 ** (done.gain_db / 20), RATE, -1.0)
    assert float(torch.quantile(-gain, 0.99)) == pytest.approx(3.0, abs=0.15)
    more = deliver(sparse_beats(), RATE, -6.0, -1.0, max_reduction_db=6.0)
    assert more.loudness_lufs > done.loudness_lufs


def test_quick_is_near_and_never_over():
    done = deliver(dense_song(8.0), RATE, -12.0, -1.0, quick=True)
    assert done.rounds <= 3 and done.true_peak_dbtp <= -1.0
    assert done.loudness_lufs == pytest.approx(-12.0, abs=0.5)


def test_silence_shape_and_input_come_back():
    silence = torch.zeros(2, RATE)
    done = deliver(silence, RATE)
    assert torch.equal(done.samples, silence) and not done.reached
    x = signals.music(3.0)[0]
    before = x.clone()
    assert deliver(x, RATE).samples.shape == x.shape and torch.equal(x, before)
    assert torch.equal(deliver(x, RATE).samples, deliver(x, RATE).samples)


def test_one_song_at_a_time_and_honest_ranges():
    with pytest.raises(InputError, match="one song"):
        deliver(torch.zeros(2, 2, 100), RATE)
    with pytest.raises(OutOfRangeError, match="loudness_lufs"):
        deliver(signals.music(1.0), RATE, -3.0)


RECORDINGS = [
    "music/macleod_arcadia.ogg",
    "music/usarmystrings_brahms-hungarian-dance-5.ogg",
    "music/shaw_thought-bot.ogg",
]


@pytest.mark.parametrize("name", RECORDINGS)
def test_recordings_reach_both_numbers_by_every_meter(name, tmp_path):
    path = DATA / "audio" / name
    if not path.exists() or shutil.which("ffmpeg") is None:
        pytest.skip("needs ../shared/data and ffmpeg")
    from pedalboard.io import AudioFile

    with AudioFile(str(path)) as file:
        rate = int(file.samplerate)
        x = torch.from_numpy(file.read(10 * rate))
    done = deliver(x, rate, -14.0, -1.0)
    assert done.reduction_p99_db <= 6.0
    if done.reached:
        assert pyloudnorm_lufs(done.samples, rate) == pytest.approx(-14.0, abs=0.1)
        assert ffmpeg_lufs(done.samples, tmp_path / "song.wav", rate) == pytest.approx(-14.0, abs=0.1)
    taps = 16 * signal.firwin(16 * 64 + 1, 1 / 16, window=("kaiser", 9.0))
    up = signal.upfirdn(taps, done.samples.double().numpy(), up=16, axis=-1)
    assert 20 * np.log10(np.abs(up).max()) <= -1.0
