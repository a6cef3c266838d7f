"""Wow and flutter: as many cents as asked, in time on the whole, and clean between the samples."""

from __future__ import annotations

import math

import pytest
import torch

from daiw_master.stack.wow import WOW, sway
from tests import signals

RATE = 44100


def cents_over_time(y: torch.Tensor, hz: float, rate: int = RATE) -> torch.Tensor:
    """Instantaneous pitch of a wavering sine (time,) against `hz`, its first and last 50 ms left out.

    From the analytic signal's phase (Gabor 1946), over 1 ms.
    """
    spectrum = torch.fft.fft(y.double())
    spectrum[len(y) // 2 + 1 :] = 0
    phase = torch.angle(torch.fft.ifft(spectrum))
    step = rate // 1000
    moved = phase[step:] - phase[:-step] - 2 * math.pi * hz * step / rate
    moved = torch.remainder(moved + math.pi, 2 * math.pi) - math.pi
    ratio = 1 + moved / (2 * math.pi * hz * step / rate)
    return 1200 * ratio.log2()[rate // 20 : -rate // 20]


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        ({"wow_cents": 5.0, "wow_hz": 0.7}, 5.0),
        ({"wow_cents": 50.0, "wow_hz": 0.5}, 50.0),
        ({"wow_cents": 20.0, "wow_hz": 3.0}, 20.0),
        ({"flutter_cents": 3.0, "flutter_hz": 8.0}, 3.0),
        ({"flutter_cents": 20.0, "flutter_hz": 15.0}, 20.0),
    ],
)
def test_the_pitch_sways_by_what_the_knob_says(settings, asked):
    y = WOW(signals.sine(1000.0, 12.0), RATE, **settings)
    cents = cents_over_time(y[0, 0], 1000.0)
    assert float(cents.abs().max()) == pytest.approx(asked, rel=0.1)
    assert float(cents.max()) == pytest.approx(asked, rel=0.1)
    assert float(cents.min()) == pytest.approx(-asked, rel=0.2)
    assert abs(float(cents.mean())) < 0.1 * asked


@pytest.mark.parametrize(("hz", "error_db"), [(100.0, -85), (1000.0, -85), (10000.0, -80), (16000.0, -70)])
def test_the_sound_between_the_samples_is_the_sound(hz, error_db):
    """A swaying sine can be written down: the same sine, read at the swayed time."""
    settings = {"wow_cents": 30.0, "wow_hz": 1.1, "flutter_cents": 6.0, "flutter_hz": 9.0}
    y = WOW(signals.sine(hz, 2.0, dtype=torch.float64), RATE, **settings)[0, 0]
    t = torch.arange(2 * RATE, dtype=torch.float64)[None] / RATE
    pairs = [(settings[f"{kind}_cents"], settings[f"{kind}_hz"]) for kind in ("wow", "flutter")]
    moved = t + sum(sway(t, torch.tensor([[c]]).double(), torch.tensor([[f]]).double()) for c, f in pairs)
    error = (y - torch.sin(2 * math.pi * hz * moved[0]))[2000:-2000]
    assert 20 * math.log10(float(error.abs().max())) < error_db


def test_it_stays_in_time():
    """Nothing drifts: ahead as long as behind, and by no more than the deviation times the period."""
    t = torch.arange(600 * 100, dtype=torch.float64)[None] / 100
    ahead = sway(t, torch.tensor([[10.0]]), torch.tensor([[0.7]]))
    deviation = 2 ** (10 / 1200) - 1
    assert abs(float(ahead.mean())) < 0.01 * float(ahead.abs().max())
    assert float(ahead.abs().max()) < 1.2 * deviation / (2 * math.pi * 0.7)
    assert float(ahead[0, 0]) == 0.0


def test_no_two_turns_are_alike():
    t = torch.arange(0, 20, 0.01, dtype=torch.float64)[None]
    one = torch.tensor([[1.0]], dtype=torch.float64)
    ahead = sway(t, 20 * one, one)[0]
    for periods in range(1, 8):
        later = ahead[100 * periods :]
        assert (later - ahead[: len(later)]).abs().max() > 0.05 * ahead.abs().max()


def test_both_sides_sway_alike_and_the_length_stays():
    x = signals.music(1.5)
    y = WOW(x[:, :1].expand(-1, 2, -1), RATE, wow_cents=30.0, flutter_cents=10.0)
    assert torch.equal(y[:, 0], y[:, 1])
    assert y.shape == x.shape


def test_long_sounds_have_no_seams():
    """Blocks join: a cut song sways as the whole one does up to the cut."""
    x = signals.noise(2.0, dtype=torch.float64)
    whole = WOW(x, RATE, wow_cents=40.0)
    part = WOW(x[..., :60000], RATE, wow_cents=40.0)
    assert (whole[..., :59000] - part[..., :59000]).abs().max() < 1e-12
