"""Dither against its theory (Lipshitz, Wannamaker, Vanderkooy 1992), not against itself."""

from __future__ import annotations

import math

import pytest
import torch

from daiw_master.files.dither import quantise
from daiw_master.sounds import Held
from tests.signals import noise, sine

RATE = 48000


def steps_of(samples: torch.Tensor, bits: int = 16, seed: int = 0, rate: int = RATE) -> torch.Tensor:
    return torch.cat(list(quantise(Held(samples, rate), bits, seed=seed)), dim=-1)


def line_over_floor_db(wave: torch.Tensor, hz: float) -> float:
    """The spectral line at `hz` against the median bin around it."""
    spectrum = torch.fft.rfft(wave.double() * torch.hann_window(wave.numel(), dtype=torch.float64)).abs()
    k = round(hz * wave.numel() / RATE)
    around = torch.cat([spectrum[k - 2000 : k - 20], spectrum[k + 20 : k + 2000]])
    return 20 * math.log10(spectrum[k] / around.median())


def test_a_tone_below_the_last_bit_survives():
    tone = sine(1000, 10, RATE, level_db=-100, dtype=torch.float64)[0, :1]
    assert line_over_floor_db(steps_of(tone)[0], 1000) > 20
    assert (tone * 32768).round().abs().max() == 0  # without dither it is gone


@pytest.mark.parametrize("level", [0.0, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("bits", [16, 24])
def test_error_has_no_mean_and_a_quarter_lsb_squared_at_every_level(level, bits):
    # float64: at 24 bits, float32 has no fractions of a step left to test with
    steps = 2 ** (bits - 1)
    wave = torch.full((1, 400_000), (1000 + level) / steps, dtype=torch.float64)
    wave[:, -1] += 0.3 / steps  # never wholly on the grid
    error = steps_of(wave, bits).double() - wave * steps
    assert abs(error.mean()) < 0.01
    assert abs(error.var() - 0.25) < 0.01


def test_no_harmonics_of_a_quiet_sine():
    tone = sine(997, 10, RATE, level_db=-90, dtype=torch.float64)[0, :1]
    dithered = steps_of(tone)[0]
    plain = (tone[0] * 32768).round()
    for harmonic in (3, 5, 7):
        # the largest of 4 bins of a noise spectrum stays within about 12 dB of its median
        assert line_over_floor_db(dithered, 997 * harmonic) < 12
    assert line_over_floor_db(plain, 997 * 3) > 40  # what would be there without


def test_channels_get_their_own_noise():
    left, right = steps_of(torch.full((2, 100_000), 0.1234567)).double()
    error = torch.stack([left - left.mean(), right - right.mean()])
    assert abs(torch.corrcoef(error)[0, 1]) < 0.02


def test_the_noise_is_white_and_never_comes_again():
    wave = torch.full((1, 400_000), 1000.3 / 32768, dtype=torch.float64)
    error = (steps_of(wave).double() - wave * 32768)[0]
    error -= error.mean()
    for lag in (1, 2, 3, 65_536, 131_072):  # neighbours, and the same place in other blocks
        assert abs((error[lag:] * error[:-lag]).mean() / error.square().mean()) < 0.01


def test_digital_silence_stays_silent_and_music_around_it_does_not_change_that():
    wave = noise(1.0, RATE, level_db=-40)[0]
    wave[:, 10_000:30_000] = 0
    wave[0, 40_000:40_010] = 0  # too short to be silence: it is music
    whole = steps_of(wave)
    assert (whole[:, 10_000:30_000] == 0).all()
    assert (whole[:, :10_000].double() - wave[:, :10_000].double() * 32768).abs().max() > 0.6
    many = torch.stack([steps_of(wave, seed=seed)[0, 40_000:40_010] for seed in range(5)])
    assert many.abs().max() >= 1
    assert (steps_of(torch.zeros(2, 300_000)) == 0).all()


def test_one_silent_channel_stays_silent():
    wave = noise(1.0, RATE, level_db=-40)[0]
    wave[1] = 0
    whole = steps_of(wave)
    assert (whole[1] == 0).all() and (whole[0] != 0).any()


@pytest.mark.parametrize("bits", [16, 24])
def test_full_scale_is_never_passed(bits):
    square = torch.sign(sine(100, 0.5, RATE, dtype=torch.float64)[0]) * 1.0
    square[:, ::7] *= 0.999999  # off the grid: dither is on
    whole = steps_of(square, bits)
    assert whole.max() == 2 ** (bits - 1) - 1 and whole.min() == -(2 ** (bits - 1))


@pytest.mark.parametrize("bits", [16, 24])
def test_what_is_on_the_grid_already_passes_untouched(bits):
    steps = 2 ** (bits - 1)
    whole = torch.randint(-steps, steps, (2, 200_000), generator=torch.Generator().manual_seed(3))
    assert torch.equal(steps_of((whole / steps).float(), bits), whole.to(torch.int32))


def test_seed_decides_and_blocks_do_not_show():
    wave = noise(6.0, RATE, level_db=-20)[0]
    assert torch.equal(steps_of(wave, seed=4), steps_of(wave, seed=4))
    assert not torch.equal(steps_of(wave, seed=4), steps_of(wave, seed=5))
    error = steps_of(wave).double() - wave.double() * 32768
    assert error.abs().max() <= 1.5 + 1e-6  # half a step of rounding and one of dither
    assert steps_of(wave).shape == wave.shape


def test_a_single_sample():
    assert steps_of(torch.tensor([[0.3]])).shape == (1, 1)
