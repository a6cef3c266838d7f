"""The equaliser against the cookbook's own recursions, run by scipy in double precision."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.signal import sosfilt, sosfreqz

from daiw_master.errors import OutOfRangeError, UnknownNameError
from daiw_master.stack.eq import EQ, eq_response_db
from tests import signals

RATES = (44100, 96000)
BUSY = {
    "high_pass_hz": 30.0, "low_shelf_gain_db": 4.0, "low_shelf_hz": 80.0,
    "high_shelf_gain_db": -5.0, "high_shelf_hz": 11000.0,
    "peak_1_gain_db": -6.0, "peak_1_q": 2.0, "peak_2_gain_db": 3.0, "peak_2_hz": 400.0,
    "peak_3_gain_db": 12.0, "peak_3_q": 6.0, "peak_4_gain_db": -12.0, "peak_4_q": 0.4,
    "peak_5_gain_db": 1.5, "peak_6_gain_db": 2.0, "peak_6_hz": 16000.0,
}  # fmt: skip


def cookbook(kind: str, gain_db: float, hz: float, q: float, rate: int) -> list[float]:
    """RBJ's digital coefficients, straight from the cookbook: one row of second-order sections."""
    w, a = 2 * math.pi * hz / rate, 10 ** (gain_db / 40)
    cos, alpha = math.cos(w), math.sin(w) / (2 * q)
    root = 2 * math.sqrt(a) * alpha
    b, a_ = {
        "peak": ((1 + alpha * a, -2 * cos, 1 - alpha * a), (1 + alpha / a, -2 * cos, 1 - alpha / a)),
        "low": (
            (a * (a + 1 - (a - 1) * cos + root), 2 * a * (a - 1 - (a + 1) * cos),
             a * (a + 1 - (a - 1) * cos - root)),
            (a + 1 + (a - 1) * cos + root, -2 * (a - 1 + (a + 1) * cos), a + 1 + (a - 1) * cos - root),
        ),
        "high": (
            (a * (a + 1 + (a - 1) * cos + root), -2 * a * (a - 1 + (a + 1) * cos),
             a * (a + 1 + (a - 1) * cos - root)),
            (a + 1 - (a - 1) * cos + root, 2 * (a - 1 - (a + 1) * cos), a + 1 - (a - 1) * cos - root),
        ),
        "high_pass": (((1 + cos) / 2, -(1 + cos), (1 + cos) / 2), (1 + alpha, -2 * cos, 1 - alpha)),
    }[kind]  # fmt: skip
    return [value / a_[0] for value in (*b, *a_)]


def sections(settings: dict[str, float], rate: int) -> list[list[float]]:
    values = {**EQ.space.defaults(), **settings}
    butterworth = 1 / math.sqrt(2)
    rows = [
        cookbook("low", values["low_shelf_gain_db"], values["low_shelf_hz"], butterworth, rate),
        cookbook("high", values["high_shelf_gain_db"], values["high_shelf_hz"], butterworth, rate),
    ]
    if values["high_pass_hz"] >= 20:
        rows.append(cookbook("high_pass", 0.0, values["high_pass_hz"], butterworth, rate))
    for n in range(1, 7):
        rows.append(cookbook("peak", *(values[f"peak_{n}_{knob}"] for knob in ("gain_db", "hz", "q")), rate))
    return rows


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("dtype", "budget"), [(torch.float32, 1e-5), (torch.float64, 1e-6)])
def test_the_cascade_is_the_cookbooks_recursion(rate, dtype, budget):
    """Four seconds are several blocks: their seams are inside the budget too."""
    x = signals.noise(4.0, rate, -20.0, dtype=dtype)
    wanted = torch.from_numpy(sosfilt(sections(BUSY, rate), x.double().numpy()))
    assert (EQ(x, rate, **BUSY) - wanted).abs().max() < budget


@pytest.mark.parametrize("n", range(1, 7))
def test_the_slowest_ring_is_kept_to_its_end(n):
    """The narrowest, strongest, lowest bell: nothing of its ring may come back at the start."""
    settings = {f"peak_{n}_gain_db": 12.0, f"peak_{n}_q": 6.0, f"peak_{n}_hz": EQ.space[f"peak_{n}_hz"].low}
    x = signals.impulse(0.5, dtype=torch.float64)
    wanted = torch.from_numpy(sosfilt(sections(settings, 44100), x.numpy()))
    assert (EQ(x, 44100, **settings) - wanted).abs().max() < 1e-6


@pytest.mark.parametrize("rate", RATES)
def test_the_drawn_curve_is_the_cookbooks(rate):
    freqs = torch.logspace(1, math.log10(0.499 * rate), 400, dtype=torch.float64)
    _, response = sosfreqz(sections(BUSY, rate), freqs.numpy(), fs=rate)
    wanted = 20 * torch.from_numpy(abs(response)).log10()
    assert (eq_response_db(BUSY, freqs, rate)[0] - wanted).abs().max() < 1e-6


def test_each_section_does_what_its_name_says():
    def at(hz: float, **settings: float) -> float:
        return float(eq_response_db(settings, torch.tensor([hz]), 44100))

    assert at(40.0, high_pass_hz=40.0) == pytest.approx(-3.01, abs=0.01)
    assert at(20.0, high_pass_hz=80.0) - at(10.0, high_pass_hz=80.0) == pytest.approx(12.04, abs=0.1)
    assert at(60.0, low_shelf_gain_db=6.0) == pytest.approx(3.0, abs=0.01)
    assert at(5.0, low_shelf_gain_db=6.0) == pytest.approx(6.0, abs=0.01)
    assert at(12000.0, high_shelf_gain_db=-6.0) == pytest.approx(-3.0, abs=0.01)
    assert at(22049.0, high_shelf_gain_db=-6.0) == pytest.approx(-6.0, abs=0.01)
    assert at(2800.0, peak_4_gain_db=7.0, peak_4_q=3.0) == pytest.approx(7.0, abs=1e-6)


@pytest.mark.parametrize("rate", RATES)
def test_the_tilt_is_nearly_a_straight_line_through_its_pivot(rate):
    freqs = torch.tensor([62.5, 125, 250, 500, 1000, 2000, 4000, 8000, 16000])
    curve = eq_response_db({"tilt_db": 6.0}, freqs, rate)[0]
    assert curve[4].abs() < 1e-9
    line = torch.arange(-4, 5) * (curve[7] - curve[1]) / 6
    assert (curve - line)[1:8].abs().max() < 0.3
    assert curve.diff().min() > 0
    ends = eq_response_db({"tilt_db": 6.0}, torch.tensor([1.0, rate / 2 - 1]), rate)[0]
    assert ends.tolist() == pytest.approx([-3.0, 3.0], abs=0.01)


def test_the_high_pass_fades_in_from_exactly_nothing():
    x = signals.noise(0.5)
    assert torch.equal(EQ(x, 44100, high_pass_hz=10.0), x)
    barely = EQ(x, 44100, high_pass_hz=10.01)
    assert (barely - x).abs().max() < 0.01 * x.abs().max()


def test_a_population_shares_its_input():
    x = signals.noise(3.0, dtype=torch.float64)
    gains = torch.tensor([-6.0, 0.0, 6.0], dtype=torch.float64)
    together = EQ(x, 44100, peak_2_gain_db=gains, tilt_db=1.0)
    for got, gain in zip(together, gains, strict=True):
        assert (got - EQ(x, 44100, peak_2_gain_db=gain.item(), tilt_db=1.0)[0]).abs().max() < 1e-6
    # a batch that turns a knob of a section at rest still is that many sounds
    assert EQ(x, 44100, peak_2_q=gains.abs() / 6 + 1).shape[0] == 3
    assert EQ(x, 44100, peak_2_q=gains.abs() / 6 + 1, tilt_db=1.0).shape[0] == 3


def test_a_centre_beyond_nyquist_stays_finite():
    x = signals.noise(0.5, 16000)
    assert EQ(x, 16000, high_shelf_gain_db=6.0, peak_6_gain_db=3.0, peak_6_hz=16000.0).isfinite().all()


def test_the_curve_refuses_what_the_knobs_refuse():
    with pytest.raises(OutOfRangeError, match="peak_1_gain_db is 13; .* -12 and 12 dB"):
        eq_response_db({"peak_1_gain_db": 13.0}, torch.tensor([100.0]), 44100)
    with pytest.raises(UnknownNameError, match="peak_1_gain_db"):
        eq_response_db({"peak_1_gain": 3.0}, torch.tensor([100.0]), 44100)


def test_an_equaliser_at_rest_is_a_flat_line():
    assert torch.equal(
        eq_response_db({}, torch.tensor([20.0, 1000.0, 20000.0]), 44100), torch.zeros(1, 3).double()
    )
