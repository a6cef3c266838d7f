"""Resampling against analytic sines and scipy's polyphase filter."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import signal

from daiw_master.audio import Audio
from daiw_master.errors import InputError
from daiw_master.files import resample
from tests.signals import noise, sine

PAIRS = [
    (44100, 48000),
    (48000, 44100),
    (96000, 44100),
    (44100, 96000),
    (96000, 48000),
    (44100, 88200),
    (16000, 44100),
]


def convert(wave: torch.Tensor, old: int, new: int) -> torch.Tensor:
    return resample(Audio(wave, old), new).samples


@pytest.mark.parametrize(("old", "new"), PAIRS)
@pytest.mark.parametrize("part", [0.005, 0.3, 0.7, 0.9])
def test_a_tone_stays_the_same_tone_at_the_same_time(old, new, part):
    hz = part * min(old, new) / 2
    wave = convert(sine(hz, 0.5, old, dtype=torch.float64)[0, :1], old, new)
    expected = sine(hz, 0.5, new, dtype=torch.float64)[0, :1]
    error = (wave - expected)[:, 2000:-2000]
    # 0.001 dB of gain error would be -79 dB here; a tenth of a sample of delay -10 dB
    assert 20 * math.log10(error.abs().max()) < -85


@pytest.mark.parametrize(("old", "new"), [(48000, 44100), (96000, 44100), (96000, 48000)])
def test_what_does_not_fit_does_not_fold_back(old, new):
    for hz in (new / 2 + 50, new / 2 + 1000, old / 2 - 500):
        wave = convert(sine(hz, 0.5, old, dtype=torch.float64)[0, :1], old, new)[:, 2000:-2000]
        assert 20 * math.log10(wave.abs().max()) < -90


@pytest.mark.parametrize(("old", "new"), [(44100, 88200), (44100, 48000)])
def test_no_images_above_the_old_band(old, new):
    wave = convert(sine(19000, 1.0, old, dtype=torch.float64)[0, :1], old, new)[0, 2000:-2000]
    spectrum = np.abs(np.fft.rfft(wave.numpy() * np.blackman(wave.numel())))
    hz = np.fft.rfftfreq(wave.numel(), 1 / new)
    assert 20 * np.log10(spectrum[hz > old / 2].max() / spectrum.max()) < -90


def test_agrees_with_scipy_below_the_transition():
    wave = noise(1.0, 48000, dtype=torch.float64)[0]
    low = torch.from_numpy(
        signal.sosfiltfilt(signal.butter(12, 12000, fs=48000, output="sos"), wave.numpy()).copy()
    )
    theirs = signal.resample_poly(low.numpy(), 147, 160, axis=-1, window=("kaiser", 14.0))
    ours = convert(low, 48000, 44100).numpy()
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs)[:, 500:-500].max() < 3e-4 * np.abs(theirs).max()


@pytest.mark.parametrize("length", [1, 2, 99, 44100, 200_001])
def test_length_blocks_and_edges(length):
    wave = noise(length / 44100, 44100)[0]
    assert wave.shape[-1] == length
    out = convert(wave, 44100, 48000)
    assert out.shape == (2, math.ceil(length * 160 / 147)) and torch.isfinite(out).all()


def test_same_rate_is_the_same_object_and_dc_stays_dc():
    audio = Audio(torch.full((1, 60_000), 0.5), 44100, {"title": "x"})
    assert resample(audio, 44100) is audio
    out = resample(audio, 48000)
    assert (out.samples[:, 1000:-1000] - 0.5).abs().max() < 1e-6 and out.tags == audio.tags


@pytest.mark.parametrize("rate", [0, -1, 7999, 400_000, 44_101])
def test_impossible_rates(rate):
    with pytest.raises(InputError):
        resample(Audio(torch.zeros(1, 100), 44100), rate)
