"""The imager: bands that add up, a mono sum that never moves, a floor that holds."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.signal import welch

from daiw_master.errors import InputError
from daiw_master.stack.imager import IMAGER, side_gain_for
from tests import signals

WIDTHS = ("low_width_db", "low_mid_width_db", "mid_width_db", "high_width_db")
CENTRES_HZ = (60.0, 250.0, 1500.0, 10000.0)


def mid_and_side(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return (x[:, :1] + x[:, 1:]) / 2, (x[:, :1] - x[:, 1:]) / 2


def side_only(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x[:, :1], -x[:, :1]], dim=1)


def correlations(x: torch.Tensor, rate: int, window_s: float = 0.4) -> torch.Tensor:
    left, right = x[0].double().unfold(-1, round(window_s * rate), round(window_s * rate / 4))
    return (left * right).mean(-1) / ((left**2).mean(-1) * (right**2).mean(-1)).sqrt()


@pytest.mark.parametrize("rate", [44100, 96000])
@pytest.mark.parametrize("band", range(4))
def test_a_knob_moves_its_own_band_by_what_it_says(rate, band):
    width_db = -20.0 if band == 0 else 6.0
    for heard, hz in enumerate(CENTRES_HZ):
        x = side_only(signals.sine(hz, 1.0, rate, -6.0, dtype=torch.float64))
        y = IMAGER(x, rate, **{WIDTHS[band]: width_db})
        inner = slice(rate // 4, -rate // 4)
        moved = 20 * math.log10(y[..., inner].std() / x[..., inner].std())
        assert moved == pytest.approx(width_db if heard == band else 0.0, abs=0.1)


def test_the_low_end_becomes_mono():
    """The house limit asks for 20 dB less side than mid below 120 Hz."""
    x = signals.noise(4.0, dtype=torch.float64)
    hz, before = welch(mid_and_side(x)[1].numpy(), 44100, nperseg=16384)
    _, after = welch(mid_and_side(IMAGER(x, 44100, low_width_db=-40.0))[1].numpy(), 44100, nperseg=16384)
    fall_db = 10 * torch.from_numpy(after / before).log10().squeeze()
    assert fall_db[torch.from_numpy((hz > 10) & (hz < 118))].max() < -35
    assert fall_db[torch.from_numpy(hz > 175)].abs().max() < 0.05


def test_the_mono_sum_never_moves():
    x = signals.music(dtype=torch.float64)
    y = IMAGER(x, 44100, low_width_db=-40.0, mid_width_db=6.0, high_width_db=-12.0, correlation_floor=0.5)
    assert (mid_and_side(y)[0] - mid_and_side(x)[0]).abs().max() < 1e-15
    assert (y - x).abs().max() > 0.01


def test_no_side_is_invented():
    x = signals.sine(440.0)
    wide = dict.fromkeys(WIDTHS[1:], 6.0)
    assert torch.equal(IMAGER(x, 44100, **wide), x)
    assert torch.equal(IMAGER(x[:, :1], 44100, **wide), x[:, :1])


@pytest.mark.parametrize("floor", [-0.5, 0.0, 0.3, 0.5])
def test_the_floor_holds_where_the_sides_fight(floor):
    """Half correlated, half opposed, in bursts of both; channels of unequal level."""
    a, b = signals.noise(6.0, dtype=torch.float64)[0]
    opposed = torch.remainder(torch.arange(len(a)) / 44100, 2.0) < 0.7
    mixed = torch.where(opposed, -0.8 * a + 0.3 * b, 0.9 * a + 0.4 * b)
    x = torch.stack([a, 0.5 * mixed]).unsqueeze(0)
    assert correlations(x, 44100).min() < -0.8
    y = IMAGER(x, 44100, correlation_floor=floor)
    assert correlations(y, 44100).min() > floor - 0.03
    # and where it is kept anyway, far from the bursts, nothing is touched
    calm = slice(round(1.2 * 44100), round(1.5 * 44100))
    assert (y - x)[..., calm].abs().max() < 1e-12


@pytest.mark.parametrize("floor", [-0.9, -0.3, 0.0, 0.5])
def test_the_gain_puts_the_correlation_on_the_floor(floor):
    mid, side, cross = torch.tensor(
        [[0.1, 1.0, 0.2], [0.02, 3.0, -0.1], [0.3, 0.9, -0.5], [0.9, 0.1, 0.2], [0.01, 4.0, 0.0]],
        dtype=torch.float64,
    ).T
    gain = side_gain_for(mid, side, cross, torch.tensor(floor, dtype=torch.float64))

    def correlation(g):
        q = g**2
        return (mid - q * side) / ((mid + q * side) ** 2 - 4 * q * cross**2).sqrt()

    reached = correlation(gain)
    below = correlation(torch.ones(5)) < floor
    assert below.any()
    assert not below.all()
    assert (reached[below] - floor).abs().max() < 1e-9
    assert (gain[~below] == 1.0).all()


def test_opposed_channels_keep_nothing_but_their_mid():
    y = IMAGER(side_only(signals.noise(1.0)), 44100, correlation_floor=0.0)
    assert y.abs().max() < 1e-3


def test_the_floor_is_off_at_its_low_end_and_comes_in_smoothly():
    x = side_only(signals.noise(1.0)) + 0.01 * signals.noise(1.0, seed=3)
    assert torch.equal(IMAGER(x, 44100, correlation_floor=-1.0), x)
    assert (IMAGER(x, 44100, correlation_floor=-0.9999) - x).abs().max() < 0.01


def test_width_is_refused_beyond_two_channels():
    with pytest.raises(InputError, match="3 channels"):
        IMAGER(torch.zeros(1, 3, 100), 44100, mid_width_db=1.0)
