"""Automation: the hand goes where the curve says, by as much as the knob says, and never jerks."""

from __future__ import annotations

import pytest
import torch

from daiw_master.errors import InputError
from daiw_master.stack.automation import AUTOMATION, SPLIT_HZ, automation_gains_db, hop_of, split_of
from daiw_master.stack.convolution import convolve
from tests import signals

RATE = 44100
UP_AND_DOWN = torch.cat([torch.linspace(-1, 1, 200), torch.linspace(1, -1, 200)])


def level_db(x: torch.Tensor, start_s: float, length_s: float = 0.2) -> float:
    part = x[..., round(start_s * RATE) : round((start_s + length_s) * RATE)]
    return float(10 * part.double().square().mean().log10())


def change_db(y: torch.Tensor, x: torch.Tensor, start_s: float) -> float:
    return level_db(y, start_s) - level_db(x, start_s)


@pytest.mark.parametrize("hz", [200.0, 3000.0, 12000.0])
def test_level_follows_the_curve_at_every_pitch(hz):
    x = signals.sine(hz, 8.0, level_db=-12)
    y = AUTOMATION(x, RATE, level_db=3.0, energy=UP_AND_DOWN)
    for at_s, energy in ((1.0, -0.5), (2.0, 0.0), (3.0, 0.5), (5.0, 0.5), (6.0, 0.0), (7.0, -0.5)):
        assert change_db(y, x, at_s - 0.1) == pytest.approx(3.0 * energy, abs=0.02)


def test_without_a_curve_the_song_rises():
    x = signals.sine(440.0, 8.0)
    y = AUTOMATION(x, RATE, level_db=4.0)
    assert [change_db(y, x, at_s - 0.1) for at_s in (2.0, 4.0, 6.0)] == pytest.approx([-2, 0, 2], abs=0.02)


def test_brightness_moves_the_highs_alone():
    low, high = signals.sine(500.0, 8.0), signals.sine(9000.0, 8.0)
    for x, share in ((low, 0.0), (high, 1.0)):
        y = AUTOMATION(x, RATE, brightness_db=4.0, energy=UP_AND_DOWN)
        assert change_db(y, x, 2.9) == pytest.approx(2.0 * share, abs=0.05)
        assert change_db(y, x, 0.9) == pytest.approx(-2.0 * share, abs=0.05)


@pytest.mark.parametrize("drift_db", [-6.0, 3.0])
def test_drift_turns_highs_against_lows_from_end_to_end(drift_db):
    """What is loud lies below 3 kHz, and stays: the sound gets brighter, not louder."""
    low, high = signals.sine(500.0, 20.0), signals.sine(9000.0, 20.0)
    lows, highs = (AUTOMATION(x, RATE, drift_db=drift_db) for x in (low, high))
    starts, ends = (change_db(highs, high, at) - change_db(lows, low, at) for at in (0.0, 19.8))
    assert starts == pytest.approx(-drift_db / 2, rel=0.03)
    assert ends == pytest.approx(drift_db / 2, rel=0.03)
    assert [change_db(lows, low, at) for at in (0.0, 9.9, 19.8)] == pytest.approx([0, 0, 0], abs=0.01)
    assert change_db(highs, high, 9.9) == pytest.approx(0.0, abs=0.05)


def test_the_two_halves_are_the_whole():
    """A knob that somebody holds at nought runs the split, and the split leaves no trace."""
    x = signals.noise(1.0)
    y = AUTOMATION(x, RATE, drift_db=torch.zeros(1, requires_grad=True))
    assert (y - x).abs().max() < 1e-6


def test_the_split_is_six_decibels_down_at_its_corner():
    x = signals.impulse(1.0).roll(RATE // 2, -1)
    response = torch.fft.rfft(convolve(x, *split_of(x, RATE))[0, 0]).abs()
    assert 20 * float(response[round(SPLIT_HZ)].log10()) == pytest.approx(-6.02, abs=0.3)
    assert (response[:1800] - 1).abs().max() < 0.01
    assert response[4200:].max() < 0.01


@pytest.mark.parametrize("rate", [44100, 48000, 96000])
def test_no_curve_is_jagged_enough_to_jerk_the_hand(rate):
    """Full travel of every knob on a curve of cliffs: under half a decibel in 10 ms, highs included."""
    x = torch.ones(1, 2, 12 * rate)
    cliffs = torch.ones(12)
    cliffs[1::3] = -1.0
    low_db, high_db = automation_gains_db(x, rate, 4.0, 4.0, 6.0, energy=cliffs)
    assert float(high_db.max() - high_db.min()) > 12.0, "the hand did travel"
    assert float(low_db.diff().abs().max()) <= 0.25
    assert float(high_db.diff().abs().max()) <= 0.5
    y = AUTOMATION(x, rate, level_db=4.0, energy=cliffs)[0, 0]
    step = 20 * (y[hop_of(rate) :] / y[: -hop_of(rate)]).log10()
    assert float(step.abs().max()) <= 0.25
    assert float(y.diff().abs().max()) < 1e-3


def test_behind_the_music_everything_is_held():
    x, tail = signals.sine(9000.0, 6.0), 2 * RATE
    y = AUTOMATION(x, RATE, level_db=2.0, drift_db=4.0, energy=UP_AND_DOWN[:200], tail=tail)
    whole = AUTOMATION(x[..., :-tail], RATE, level_db=2.0, drift_db=4.0, energy=UP_AND_DOWN[:200])
    assert change_db(y, x, 2.0) == pytest.approx(change_db(whole, x, 2.0), abs=0.01)
    assert [change_db(y, x, at_s) for at_s in (4.5, 5.7)] == pytest.approx([4.0, 4.0], abs=0.02)


def test_every_sound_of_a_batch_may_follow_its_own_curve():
    x = signals.noise(2.0, dtype=torch.float64)
    curves = torch.stack([UP_AND_DOWN, -UP_AND_DOWN]).double()
    together = AUTOMATION(x, RATE, level_db=3.0, brightness_db=1.0, energy=curves)
    assert together.shape == (2, *x.shape[1:])
    for sound, curve in zip(together, curves, strict=True):
        alone = AUTOMATION(x, RATE, level_db=3.0, brightness_db=1.0, energy=curve)
        assert torch.allclose(sound, alone[0], atol=1e-12)


def test_the_curve_itself_can_be_learnt():
    curve = torch.zeros(8, requires_grad=True)
    x = signals.noise(2.0)
    AUTOMATION(x, RATE, level_db=3.0, energy=curve).square().sum().backward()
    assert curve.grad.isfinite().all() and (curve.grad > 0).all(), "more energy is more power, everywhere"


@pytest.mark.parametrize(
    ("energy", "said"),
    [
        (torch.zeros(0), "shape"),
        (torch.zeros(1, 2, 3), "shape"),
        (torch.tensor([0.0, 1.5]), "between -1 and 1"),
        (torch.tensor([0.0, torch.nan]), "between -1 and 1"),
    ],
)
def test_what_is_no_curve_is_refused(energy, said):
    with pytest.raises(InputError, match=said):
        AUTOMATION(signals.noise(0.1), RATE, level_db=1.0, energy=energy)
