"""Clipper: the curve it is drawn with, and how little else."""

from __future__ import annotations

import math

import pytest
import torch

from daiw_master.stack.clipper import CLIPPER, OVERSHOOT_DB, clipped
from tests import signals
from tests.stack.spectra import folded_db, sine_through

RATE = 44100


def over_db(y: torch.Tensor, threshold_db: float) -> float:
    return 20 * math.log10(float(y.abs().max())) - threshold_db


def test_the_knife_is_a_clamp_and_the_softest_knee_a_tanh():
    u = torch.linspace(-4, 4, 4001, dtype=torch.float64)
    t, one, zero = (torch.tensor(value, dtype=torch.float64) for value in (0.5, 1.0, 0.0))
    assert (clipped(u, t, one) - u.clamp(-0.5, 0.5)).abs().max() < 1e-4
    assert torch.allclose(clipped(u, t, zero), 0.5 * torch.tanh(u / 0.5))


@pytest.mark.parametrize("hardness", [0.0, 0.3, 0.8, 1.0])
def test_the_curve_rises_never_passes_the_threshold_and_is_straight_below_the_knee(hardness):
    u = torch.linspace(-8, 8, 8001, dtype=torch.float64)
    t, h = (torch.tensor(value, dtype=torch.float64) for value in (0.7, hardness))
    y = clipped(u, t, h)
    assert (y.diff() >= 0).all()
    assert y.abs().max() <= 0.7 * (1 + 1e-12)
    below = u.abs() <= 0.7 * min(hardness, 0.999)
    assert torch.equal(y[below], u[below])


@pytest.mark.parametrize("hardness", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("threshold_db", [-3.0, -12.0])
def test_a_low_sound_follows_the_curve(threshold_db, hardness):
    """A bass note's harmonics all fit under the filters: sample by sample, the curve itself."""
    x = signals.sine(60.0, 0.5, dtype=torch.float64)
    t, h = torch.tensor(10 ** (threshold_db / 20)).double(), torch.tensor(hardness).double()
    y = CLIPPER(x, RATE, threshold_db=threshold_db, hardness=hardness)
    assert (y - clipped(x, t, h))[..., 500:-500].abs().max() < 2e-3 * float(t)


@pytest.mark.parametrize("hz", [8000.0, 7001.0, 5513.0])
@pytest.mark.parametrize(
    ("threshold_db", "hardness", "limit_db"),
    [(-3, 1.0, -60), (-6, 0.8, -65), (-12, 0.0, -90), (-12, 0.5, -70), (-12, 0.8, -55), (-12, 1.0, -50)],
)
def test_what_folds_back_is_faint(hz, threshold_db, hardness, limit_db):
    """A full-scale sine, cut by 3 to 12 dB: the harder the cut, the more folds, and never much."""
    lines = sine_through(CLIPPER, hz, threshold_db=threshold_db, hardness=hardness)
    assert folded_db(lines, hz) < limit_db


@pytest.mark.parametrize("hardness", [0.0, 1.0])
@pytest.mark.parametrize("threshold_db", [-24.0, -12.0, -6.0])
@pytest.mark.parametrize(
    "x",
    [signals.music(2.0) * 2, signals.noise(1.0, level_db=-6.0), signals.sine(441.0).sign(),
     signals.sine(11025.0, phase=0.8)],
    ids=["music", "noise", "square", "high sine"],
)  # fmt: skip
def test_nothing_stands_further_over_the_threshold_than_the_filters_ring(x, threshold_db, hardness):
    y = CLIPPER(x, RATE, threshold_db=threshold_db, hardness=hardness)
    assert over_db(y, threshold_db) <= OVERSHOOT_DB + 1e-3


@pytest.mark.parametrize("threshold_db", [-20.0, -10.0])
def test_what_lies_below_10_khz_overshoots_by_gibbs_at_most(threshold_db):
    """A cut wave is nearly square; without its highest harmonics that rings by 9 % (Gibbs 1899)."""
    fade = torch.hann_window(RATE // 2, dtype=torch.float64)
    for hz in (60.0, 441.0, 1234.0):
        y = CLIPPER(signals.sine(hz, 0.5, dtype=torch.float64) * fade, RATE, threshold_db=threshold_db)
        assert over_db(y, threshold_db) < 0.9


def test_what_stays_under_the_knee_comes_out_as_it_went_in():
    x = signals.music(1.0)
    x = x * (0.79 * 10 ** (-6 / 20) / x.abs().max())
    assert (CLIPPER(x, RATE, threshold_db=-6.0, hardness=0.85) - x).abs().max() < 1e-6


def test_at_rest_even_the_loudest_is_left_alone():
    x = signals.noise(0.2, level_db=10.0)
    assert torch.equal(CLIPPER(x, RATE), x)


def test_the_gradient_is_true_at_the_knife_edge():
    x = signals.music(0.5, dtype=torch.float64)

    def power(threshold_db: torch.Tensor) -> torch.Tensor:
        return CLIPPER(x, RATE, threshold_db=threshold_db, hardness=1.0).square().mean()

    threshold_db = torch.tensor([-15.0], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(power(threshold_db), threshold_db)
    with torch.no_grad():
        measured = (power(threshold_db + 1e-4) - power(threshold_db - 1e-4)) / 2e-4
    assert float(slope) == pytest.approx(float(measured), rel=1e-3)


def test_long_sounds_have_no_seams():
    x = signals.noise(1.0, dtype=torch.float64)
    alone = CLIPPER(x[..., 20000:], RATE, threshold_db=-12.0)
    assert (CLIPPER(x, RATE, threshold_db=-12.0)[..., 20000:] - alone)[..., 200:].abs().max() < 1e-9
