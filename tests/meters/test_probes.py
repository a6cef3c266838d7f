"""Probes of a stage: decay, wet level and drive of systems whose answer is known."""

from __future__ import annotations

import math

import pytest
import scipy.signal
import torch

from daiw_master.errors import InputError
from daiw_master.meters.probes import decay_time_s, drive_db, energy_decay_db, wet_db
from tests.signals import impulse, music, noise, sine

RATE = 44100


def tail(t60_s: float, seconds: float | None = None, seed: int = 0, rate: int = RATE) -> torch.Tensor:
    length = round((seconds or 1.3 * t60_s) * rate)
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 2, length, generator=generator) * 10 ** (-3 * torch.arange(length) / rate / t60_s)


@pytest.mark.parametrize("t60_s", [0.2, 0.9, 2.5, 6.0])
def test_decay_time_of_known_tails(t60_s):
    assert decay_time_s(tail(t60_s), RATE).item() == pytest.approx(t60_s, rel=0.03)
    assert decay_time_s(tail(t60_s), RATE, band_hz=(500, 2000)).item() == pytest.approx(t60_s, rel=0.08)


def test_decay_time_reads_one_band():
    slow, fast = tail(3.0, 4.0), tail(0.5, 4.0, seed=1)
    low, high = (scipy.signal.butter(6, 700, kind, fs=RATE, output="sos") for kind in ("low", "high"))
    both = torch.from_numpy(
        scipy.signal.sosfilt(low, slow.numpy()) + scipy.signal.sosfilt(high, fast.numpy())
    )
    assert decay_time_s(both, RATE, (200, 400)).item() == pytest.approx(3.0, rel=0.12)
    assert decay_time_s(both, RATE, (2000, 6000)).item() == pytest.approx(0.5, rel=0.05)


def test_decay_ignores_predelay_and_gain():
    x = tail(1.2)
    late = torch.cat([torch.zeros(1, 2, 4000), 0.01 * x], dim=-1)
    assert decay_time_s(late, RATE).item() == pytest.approx(decay_time_s(x, RATE).item(), rel=1e-3)
    curve = energy_decay_db(x)
    assert curve[0, 0, 0].item() == 0 and (curve.diff(dim=-1) <= 0).all()


def test_no_tail_no_decay():
    for x in (torch.zeros(1, 2, 1000), impulse(0.5), torch.ones(1, 1, 1)):
        assert decay_time_s(x, RATE).item() == 0


@pytest.mark.parametrize("level_db", [-30.0, -12.0, 0.0])
def test_wet_level(level_db):
    dry = noise(2.0)
    assert wet_db(dry, dry * 10 ** (level_db / 20), RATE).item() == pytest.approx(level_db, abs=1e-3)
    assert wet_db(dry, 0 * dry, RATE).item() == pytest.approx(-120)


def test_drive_of_a_cubic_is_its_third_harmonic():
    """x + k x^3 of A sin: fundamental A + 3/4 k A^3, third harmonic 1/4 k A^3."""
    amplitude, k = 0.7, 0.3
    x = sine(441.0, 4.0, level_db=20 * math.log10(amplitude)) + 1e-4 * noise(4.0)
    third, first = k * amplitude**3 / 4, amplitude + 0.75 * k * amplitude**3
    expected = 20 * math.log10(third / math.hypot(first, third))
    assert drive_db(x, x + k * x**3, RATE).item() == pytest.approx(expected, abs=0.2)


def test_drive_of_gaussian_noise_is_bussgang():
    """x + k x^3 of Gaussian noise: best linear gain 1 + 3 k s^2, residual k^2 6 s^6."""
    x, k = noise(20.0, level_db=-10), 0.5
    power = 0.1
    residual, linear = 6 * k**2 * power**3, (1 + 3 * k * power) ** 2 * power
    expected = 10 * math.log10(residual / (linear + residual))
    assert drive_db(x, x + k * x**3, RATE).item() == pytest.approx(expected, abs=0.3)


def test_linear_stages_have_no_drive():
    x = torch.nn.functional.pad(music(6.0), (0, 4000))
    assert drive_db(x, x, RATE).item() < -70
    assert drive_db(x, 0.3 * x, RATE).item() < -70
    late = torch.nn.functional.pad(x, (100, 0))[..., :-100]
    assert drive_db(x, late, RATE).item() < -60
    b, a = scipy.signal.butter(2, 3000, "high", fs=RATE)
    bright = x + 0.5 * torch.from_numpy(scipy.signal.lfilter(b, a, x.numpy())).float()
    assert drive_db(x, bright, RATE).item() < -60


def test_drive_grows_with_drive():
    x = music(4.0)
    read = [drive_db(x, torch.tanh(g * x) / g, RATE).item() for g in (0.3, 0.6, 1.2, 2.4, 4.8)]
    assert all(b > a + 3 for a, b in zip(read, read[1:], strict=False))


@pytest.mark.parametrize("length", [1, 100, 5000])
def test_drive_is_finite_on_scraps(length):
    for x in (torch.zeros(1, 2, length), torch.ones(1, 2, length), noise(1.0)[..., :length]):
        assert torch.isfinite(drive_db(x, x, RATE)).all()
        assert drive_db(x, x, RATE).item() <= -60


def test_batches_and_refusals():
    x = torch.cat([music(2.0), noise(2.0)])
    y = torch.tanh(2 * x)
    torch.testing.assert_close(
        drive_db(x, y, RATE),
        torch.cat([drive_db(a[None], b[None], RATE) for a, b in zip(x, y, strict=True)]),
        atol=1e-3,
        rtol=0,
    )
    with pytest.raises(InputError, match="like with like"):
        drive_db(x, y[..., :-1], RATE)


def test_probes_have_gradients():
    rate = 2000
    x = noise(0.5, rate, dtype=torch.float64)
    drive = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda g: drive_db(x, torch.tanh(g * x), rate), drive, atol=1e-6)
    assert torch.autograd.gradcheck(lambda g: wet_db(x, g * x, rate), drive)
    t60 = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    time = torch.arange(900, dtype=torch.float64) / rate
    shape = noise(0.45, rate, channels=1, seed=2, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda t: decay_time_s(shape * 10 ** (-3 * time / t), rate), t60, atol=1e-6
    )
