"""The multiband row: no seam at rest, Linkwitz-Riley bands, each band its own compressor."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.signal import butter, sosfreqz

from daiw_master.stack.envelope import control_hop
from daiw_master.stack.multiband import BANDS, MULTIBAND, band_reduction_db, crossover_firs
from daiw_master.units import db_from_power
from tests import signals

RATE = 44100


def rms_db(x: torch.Tensor) -> float:
    return float(db_from_power(x.double().square().mean()))


def test_at_rest_it_is_the_input():
    x = signals.music(1.0)
    assert torch.equal(MULTIBAND(x, RATE), x)
    still = {p.name: torch.tensor([float(p.default)], requires_grad=True) for p in MULTIBAND.params}
    torch.testing.assert_close(MULTIBAND(x, RATE, **still), x, atol=1e-6, rtol=0)


@pytest.mark.parametrize("rate", [44100, 96000])
@pytest.mark.parametrize("low_hz,high_hz", [(60.0, 1000.0), (120.0, 2500.0), (300.0, 8000.0)])
def test_crossovers_are_linkwitz_rileys(rate, low_hz, high_hz):
    """scipy's Butterworth, twice: its analogue magnitude where the bilinear transform does not bend it."""
    low, high, centre = crossover_firs(low_hz, high_hz, rate, torch.zeros(1, dtype=torch.float64))
    hz = torch.tensor([20.0, low_hz / 2, low_hz, 2 * low_hz, 500.0, high_hz / 2], dtype=torch.float64)
    taps = torch.arange(low.shape[-1], dtype=torch.float64) - centre
    wave = torch.exp(-2j * math.pi * hz[:, None] * taps / rate)
    for fir, corner, kind in ((low, low_hz, "low"), (low, low_hz, "high"), (high, high_hz, "high")):
        _, response = sosfreqz(butter(2, corner, kind, fs=rate, output="sos"), hz.numpy(), fs=rate)
        expected = torch.from_numpy(abs(response) ** 2)
        measured = (wave * fir[0, 0]).sum(-1)
        assert measured.imag.abs().max() < 1e-9  # zero phase
        measured = measured.real
        if fir is low and kind == "high":
            measured = 1 - measured
        if fir is high:
            expected = expected * (1 - 1 / (1 + (hz / low_hz) ** 4))
        torch.testing.assert_close(measured, expected, atol=0.02, rtol=0)


@pytest.mark.parametrize("band,hz,level_db", [("low", 40, -20), ("mid", 600, -20), ("high", 9000, -32)])
def test_each_band_has_its_own_compressor(band, hz, level_db):
    x = signals.sine(hz, 2.0, level_db=level_db + 3.0103, dtype=torch.float64)
    for name in BANDS:
        y = MULTIBAND(x, RATE, threshold_db=-30, knee_db=0, release_ms=60, **{f"{name}_ratio": 4.0})
        change = rms_db(y[..., RATE:]) - rms_db(x[..., RATE:])
        assert change == pytest.approx(-7.5 if name == band else 0.0, abs=0.5)


def test_equal_gains_hide_the_crossovers():
    """Far over every threshold with a settled needle, all bands held alike: only the level changes."""
    x = signals.sine(120, 2.0, level_db=-6, dtype=torch.float64)
    y = MULTIBAND(x, RATE, threshold_db=-60, high_offset_db=0, low_ratio=2, mid_ratio=2, high_ratio=2)
    steady = slice(RATE, 3 * RATE // 2)
    gain = (x * y)[..., steady].mean() / x[..., steady].square().mean()
    residual = y[..., steady] - gain * x[..., steady]
    assert rms_db(residual) - rms_db(y[..., steady]) < -30


def test_reductions_are_those_of_the_bands():
    x = signals.music(1.0)
    reduction = band_reduction_db(x, RATE, threshold_db=-36.0, mid_ratio=3.0)
    assert reduction.shape == (1, 3, -(-x.shape[-1] // control_hop(RATE)))
    assert not reduction[:, 0].any() and not reduction[:, 2].any()
    assert float(reduction[:, 1].max()) > 2


@pytest.mark.parametrize("count", [1, 100, 3000])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_odd_sounds_stay_finite_and_so_do_their_gradients(count, value):
    x = torch.full((1, 2, count), value, requires_grad=True)
    knobs = {**MULTIBAND.space.defaults(), **MULTIBAND.engaged, "knee_db": 0.0}
    knobs = {key: torch.tensor([float(number)], requires_grad=True) for key, number in knobs.items()}
    y = MULTIBAND(x, RATE, **knobs)
    assert y.shape == x.shape and y.isfinite().all()
    y.square().sum().backward()
    assert x.grad.isfinite().all() and all(knob.grad.isfinite().all() for knob in knobs.values())


def test_a_batch_is_its_items_one_by_one():
    x = torch.cat([signals.music(0.5, seed=i) * (0.2 + 0.4 * i) for i in range(3)])
    knobs = {p.name: p.physical(torch.tensor([0.2, 0.5, 0.9])) for p in MULTIBAND.params}
    together = MULTIBAND(x, RATE, **knobs)
    for i in range(3):
        alone = MULTIBAND(x[i : i + 1], RATE, **{name: value[i] for name, value in knobs.items()})
        torch.testing.assert_close(together[i : i + 1], alone, atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(MULTIBAND(x[:1], RATE, **knobs)[:1], together[:1], atol=2e-6, rtol=1e-5)


def test_every_gradient_is_true():
    rate = 8000
    t = torch.arange(160, dtype=torch.float64) / rate
    x = sum(torch.sin(2 * math.pi * f * t + f) for f in (110, 700, 3100)) * (
        0.1 + 0.3 * torch.exp(-t / 0.005)
    )
    x = torch.stack([x, 0.7 * x.flip(0)])[None].requires_grad_()
    names = [p.name for p in MULTIBAND.params]
    rest = {**MULTIBAND.space.defaults(), **MULTIBAND.engaged, "attack_ms": 2.0, "release_ms": 21.0}
    values = [torch.tensor([float(rest[name])], dtype=torch.float64, requires_grad=True) for name in names]

    def row(x, *values):
        return MULTIBAND(x, rate, **dict(zip(names, values, strict=True)))

    assert torch.autograd.gradcheck(row, (x, *values), eps=1e-7, atol=2e-6, rtol=1e-3, fast_mode=True)
