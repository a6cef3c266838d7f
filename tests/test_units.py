"""Conversions against the numbers every engineer knows by heart, and each pair against its inverse."""

from __future__ import annotations

import math

import pytest
import torch

from daiw_master.units import (
    db_from_gain,
    db_from_power,
    gain_from_db,
    power_from_db,
    samples_from_ms,
    smoothing_from_ms,
)

DOUBLE_DB = 20 * math.log10(2)  # 6.02


@pytest.mark.parametrize(
    ("convert", "came", "means"),
    [
        (gain_from_db, DOUBLE_DB, 2.0),
        (gain_from_db, -20.0, 0.1),
        (power_from_db, DOUBLE_DB, 4.0),
        (power_from_db, 3.0102999566398, 2.0),
        (db_from_gain, 0.5, -DOUBLE_DB),
        (db_from_power, 0.5, -DOUBLE_DB / 2),
        (db_from_gain, 0.0, -120.0),
        (db_from_power, 0.0, -120.0),
    ],
)
def test_known_values_as_float_and_as_tensor(convert, came, means):
    assert convert(came) == pytest.approx(means, rel=1e-9)
    assert isinstance(convert(came), float)
    for dtype in (torch.float32, torch.float64):
        out = convert(torch.tensor([came], dtype=dtype))
        assert out.dtype == dtype
        assert out.item() == pytest.approx(means, rel=1e-6)


@pytest.mark.parametrize(("there", "back"), [(gain_from_db, db_from_gain), (power_from_db, db_from_power)])
def test_pairs_undo_each_other(there, back):
    levels = torch.linspace(-119, 40, 200, dtype=torch.float64)
    assert torch.allclose(back(there(levels)), levels, atol=1e-9)


@pytest.mark.parametrize("convert", [db_from_gain, db_from_power])
def test_silence_has_a_gradient_of_zero_not_of_infinity(convert):
    """max(p, floor) and not p + floor: exact above the floor, no blow-up under it."""
    came = torch.tensor([0.0, 1e-30, 1.0], dtype=torch.float64, requires_grad=True)
    convert(came).sum().backward()
    assert came.grad[:2].tolist() == [0.0, 0.0]
    assert came.grad[2] == pytest.approx((20 if convert is db_from_gain else 10) / math.log(10))


def test_samples_in_a_duration():
    assert samples_from_ms(10, 44100) == 441
    assert samples_from_ms(0.001, 44100) == 1, "a duration of nothing still holds one sample"


@pytest.mark.parametrize("time_ms", [0.5, 30.0, 2000.0])
def test_a_one_pole_covers_63_percent_in_its_time(time_ms):
    rate = 48000
    c = smoothing_from_ms(time_ms, rate)
    n = round(time_ms * rate / 1000)
    assert 1 - c**n == pytest.approx(1 - math.exp(-1), abs=0.01)
    assert smoothing_from_ms(torch.tensor(time_ms, dtype=torch.float64), rate).item() == pytest.approx(c)
