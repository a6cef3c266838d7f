"""Bits: the staircase and the hold, against the textbook."""

from __future__ import annotations

import math

import pytest
import torch

from daiw_master.stack.bits import BITS
from tests import signals
from tests.stack.spectra import line_db, sine_through

RATE = 44100


@pytest.mark.parametrize("depth_bits", [6.0, 8.0, 10.0, 12.0, 16.0])
def test_signal_to_noise_is_6_db_a_bit(depth_bits):
    """6.02 n + 1.76 dB for a full-scale sine (Bennett 1948)."""
    x = signals.sine(997.0, 2.0, dtype=torch.float64)
    noise = BITS(x, RATE, depth_bits=depth_bits) - x
    snr_db = 20 * math.log10(float(x.std() / noise.std()))
    assert snr_db == pytest.approx(6.02 * depth_bits + 1.76, abs=1.0)


@pytest.mark.parametrize("depth_bits", [4.0, 12.0])
def test_the_steps_lie_on_the_grid_and_zero_is_one_of_them(depth_bits):
    x = signals.music(1.0)
    steps = BITS(x, RATE, depth_bits=depth_bits) * 2 ** (depth_bits - 1)
    assert torch.equal(steps, steps.round())
    assert (steps / 2 ** (depth_bits - 1) - x).abs().max() <= 2**-depth_bits * 1.0001
    quiet = 0.4 * 2 ** (1 - depth_bits) * signals.sine(500.0, 0.2)
    assert torch.equal(BITS(quiet, RATE, depth_bits=depth_bits), torch.zeros_like(quiet))


def test_a_quarter_of_the_rate_holds_every_sample_four_times():
    x = signals.noise(0.5)
    y = BITS(x, RATE, rate_hz=RATE / 4)
    kept = x[..., ::4].repeat_interleave(4, -1)[..., : x.shape[-1]]
    assert torch.equal(y, kept)


@pytest.mark.parametrize("rate_hz", [4000.0, 11025.5, 22050.0, 31234.5, 43000.0])
def test_holds_are_as_many_as_asked_and_never_look_ahead(rate_hz):
    clock = torch.arange(3 * RATE, dtype=torch.float64).expand(1, 2, -1).clone()
    heard = BITS(clock, RATE, rate_hz=rate_hz)
    assert heard[0, 0].unique().numel() == pytest.approx(3 * rate_hz, abs=1)
    age = clock - heard
    assert age.min() == 0
    assert age.max() < RATE / rate_hz


def test_the_highs_are_mirrored_as_a_hold_mirrors_them():
    """A held 1 kHz at 8 kHz: the image at 7 kHz is 1/7 as strong, sinc against sinc."""
    lines = sine_through(BITS, 1000.0, rate=48000, rate_hz=8000.0)
    assert line_db(lines, 7000) - line_db(lines, 1000) == pytest.approx(20 * math.log10(1 / 7), abs=0.5)


def test_a_rate_above_the_sounds_own_loses_nothing():
    x = signals.noise(0.2)
    assert torch.equal(BITS(x, RATE, rate_hz=46000.0), x)


def test_long_sounds_have_no_seams_and_rows_of_a_batch_their_own_grid():
    x = signals.noise(4.0)
    settings = {"depth_bits": torch.tensor([24.0, 9.0]), "rate_hz": torch.tensor([9000.0, 48000.0])}
    y = BITS(x, RATE, **settings)
    assert torch.equal(y[:1], BITS(x, RATE, rate_hz=9000.0))
    assert torch.equal(y[1:], BITS(x, RATE, depth_bits=9.0))
    assert torch.equal(BITS(x[..., :70000], RATE, rate_hz=9000.0), y[:1, :, :70000])
