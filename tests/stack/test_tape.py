"""Tape: harmonics and losses where theory puts them."""

from __future__ import annotations

import math

import pytest
import torch

from daiw_master.stack.tape import TAPE, saturation
from tests import signals
from tests.stack.spectra import folded_db, line_db, response_db, sine_through

RATE = 44100


@pytest.mark.parametrize("rate", [44100, 96000])
@pytest.mark.parametrize("drive_db", [6.0, 18.0])
@pytest.mark.parametrize("hz", [8000.0, 7001.0, 5513.0])
def test_aliasing_stays_60_db_below_a_full_scale_sine(hz, drive_db, rate):
    assert folded_db(sine_through(TAPE, hz, rate=rate, drive_db=drive_db), hz) < -65


@pytest.mark.parametrize("level_db", [-24.0, -18.0, -12.0])
def test_the_third_harmonic_is_the_curves_own_and_no_even_one_is_made(level_db):
    """tanh(a) = a - a^3/3: a sine of height A gets a third harmonic of (g A)^2 / 12."""
    lines = sine_through(TAPE, 1000.0, level_db, drive_db=6.0)
    g, _ = saturation(torch.tensor(6.0))
    third_db = 20 * math.log10((float(g) * 10 ** (level_db / 20)) ** 2 / 12)
    assert line_db(lines, 3000) - line_db(lines, 1000) == pytest.approx(third_db, abs=0.7)
    assert line_db(lines, 2000) < line_db(lines, 1000) - 140


def test_drive_goes_from_warm_to_plainly_too_much():
    """A loud song's peaks (-6 dBFS): third harmonic 2 to 4 % at 6 dB, a third of the sound at 18."""
    third = {}
    for drive_db in (3.0, 6.0, 12.0, 18.0):
        lines = sine_through(TAPE, 400.0, -6.0, drive_db=drive_db)
        third[drive_db] = line_db(lines, 1200) - line_db(lines, 400)
    assert third[3.0] < third[6.0] - 6 < third[12.0] - 12 < third[18.0] - 12
    assert -34 < third[6.0] < -28
    assert third[18.0] > -12


@pytest.mark.parametrize("drive_db", [3.0, 6.0, 12.0, 18.0])
def test_noise_at_line_up_level_keeps_its_power(drive_db):
    x = signals.noise(2.0, level_db=-20.0, dtype=torch.float64)
    y = TAPE(x, RATE, drive_db=drive_db)
    assert 20 * math.log10(float(y.std() / x.std())) == pytest.approx(0.0, abs=0.15)


def test_peaks_give_way_and_quiet_sounds_do_not_bend():
    loud, quiet = signals.sine(300.0, 0.5), signals.sine(300.0, 0.5, level_db=-60.0)
    assert TAPE(loud, RATE, drive_db=12.0).abs().max() < 0.35
    assert line_db(sine_through(TAPE, 300.0, -60.0, drive_db=12.0), 900) < -60 - 70
    gain = TAPE(quiet, RATE, drive_db=12.0).abs().max() / quiet.abs().max()
    assert float(gain) == pytest.approx(float(saturation(torch.tensor(12.0))[1]), rel=0.01)


@pytest.mark.parametrize("rate", [44100, 96000])
@pytest.mark.parametrize("bandwidth_hz", [4000.0, 6500.0, 9000.0, 15000.0])
def test_highs_are_3_db_down_at_the_bandwidth_gently_before_steeply_after(bandwidth_hz, rate):
    hz = torch.arange(100.0, 20000.0)
    gain_db = response_db(TAPE, hz, rate, bandwidth_hz=bandwidth_hz)
    corner_hz = float(hz[gain_db < -3.01][0])
    assert corner_hz == pytest.approx(bandwidth_hz, rel=0.02)
    assert gain_db[hz < bandwidth_hz / 2].min() > -0.8
    assert (gain_db[(hz > 2 * bandwidth_hz)] < -15).all()
    assert (gain_db[(hz > 2.5 * bandwidth_hz)] < -45).all()


def test_the_loss_has_no_phase():
    click = signals.impulse(0.1, dtype=torch.float64).roll(2205, -1)
    y = TAPE(click, RATE, bandwidth_hz=7000.0)[0, 0, 2205 - 400 : 2205 + 401]
    assert torch.allclose(y, y.flip(-1), atol=1e-9)
    assert y.argmax() == 400


def test_the_loss_fades_in_from_open():
    x = signals.noise(0.5)
    nearly_open = TAPE(x, RATE, bandwidth_hz=19990.0) - x
    assert nearly_open.std() < 0.02 * x.std()


@pytest.mark.parametrize("bump_db", [1.0, 4.0])
def test_the_bump_stands_at_80_hz(bump_db):
    hz = torch.arange(20.0, 2000.0)
    gain_db = response_db(TAPE, hz, bump_db=bump_db)
    assert float(hz[gain_db.argmax()]) == pytest.approx(80, abs=2)
    assert float(gain_db.max()) == pytest.approx(bump_db, abs=0.05)
    assert gain_db[-1000:].abs().max() < 0.15


def test_long_sounds_have_no_seams():
    x = signals.noise(1.0, dtype=torch.float64)
    alone = TAPE(x[..., 20000:], RATE, drive_db=12.0)
    assert (TAPE(x, RATE, drive_db=12.0)[..., 20000:] - alone)[..., 200:].abs().max() < 1e-9


def test_a_batch_that_turns_nothing_is_still_a_batch():
    x = signals.noise(0.1)
    y = TAPE(x, RATE, drive_db=torch.zeros(3), bump_db=2.0)
    assert y.shape[0] == 3
    y.mul_(0.5)  # three sounds of their own, not one seen three times
    assert torch.equal(TAPE(x, RATE, drive_db=torch.zeros(3)), x.expand(3, -1, -1))
