"""Tone and width against energies that can be worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from daiw_master.meters.stereo import correlation_p5, fold_down_loss_lu, side_db, widths_db
from daiw_master.meters.tone import band_levels, centroid_hz, spectrum, tilt_db_per_oct
from daiw_master.meters.traces import scan
from daiw_master.targets import BAND_EDGES_HZ, WIDTH_EDGES_HZ
from tests.signals import music, noise, sine

RATES = (44100, 48000, 88200, 96000)


def one_per_band(rate: int, levels_db: list[float], seconds: float = 4.0) -> torch.Tensor:
    """A sine in the middle of each band at a known level."""
    centres = [math.sqrt(low * high) for low, high in BAND_EDGES_HZ.values()]
    return sum(sine(hz, seconds, rate, db - 20) for hz, db in zip(centres, levels_db, strict=True))


@pytest.mark.parametrize("rate", RATES)
def test_bands_read_what_was_put_in(rate):
    asked = torch.tensor([3.0, 0.0, -6.0, 1.0, -12.0, -20.0, 2.0, -30.0])
    read = band_levels(spectrum(one_per_band(rate, asked.tolist()), rate))[0]
    torch.testing.assert_close(read, (asked - asked.mean()).double(), atol=0.02, rtol=0)


@pytest.mark.parametrize("rate", RATES)
def test_white_noise_fills_bands_by_their_width(rate):
    read = band_levels(spectrum(noise(20.0, rate, seed=2), rate))[0]
    wide = torch.tensor([10 * math.log10(high - low) for low, high in BAND_EDGES_HZ.values()])
    torch.testing.assert_close(read, (wide - wide.mean()).double(), atol=0.35, rtol=0)


def test_a_boosted_band_moves_by_its_boost_less_the_mean():
    plain, up = ([0.0] * 8, [0.0, 0.0, 1.5] + [0.0] * 5)
    moved = band_levels(spectrum(one_per_band(44100, up), 44100)) - band_levels(
        spectrum(one_per_band(44100, plain), 44100)
    )
    expected = torch.full((8,), -1.5 / 8)
    expected[2] += 1.5
    torch.testing.assert_close(moved[0], expected.double(), atol=0.01, rtol=0)


def test_every_sample_counts_once():
    """Parseval: band energies add up to the energy of the sound, wherever it stands in the frames."""
    for start in (0, 1000, 4096, 7777):
        x = torch.zeros(1, 2, 44100, dtype=torch.float64)
        x[..., start : start + 500] = noise(1.0, dtype=torch.float64)[..., :500]
        seen = spectrum(x, 44100)
        total = 2 * (seen.mid.sum() + seen.side.sum()).item()
        # 20 Hz to 20 kHz of 22.05 kHz of white noise
        assert total == pytest.approx(x.square().sum().item() * 19980 / 22050, rel=0.08)
    sound = one_per_band(44100, [0.0] * 8).double()
    seen = spectrum(sound, 44100)
    total = 2 * (seen.mid.sum() + seen.side.sum()).item()
    assert total == pytest.approx(sound.square().sum().item(), rel=1e-3)


def test_quiet_passages_do_not_decide_the_tone():
    """Sixteen seconds of a low hum 24 dB under four of white noise: ungated, the bass would read +6 dB."""
    loud, hum = noise(4.0, level_db=-12), sine(120, 16, level_db=-33)
    alone, with_hum = (band_levels(spectrum(x, 44100)) for x in (loud, torch.cat([hum, loud], dim=-1)))
    assert (alone - with_hum).abs().max() < 0.3


@pytest.mark.parametrize("rate", RATES)
def test_centroid_and_tilt(rate):
    white = spectrum(noise(20.0, rate, seed=4), rate)
    assert tilt_db_per_oct(white).item() == pytest.approx(3.01, abs=0.1)
    assert centroid_hz(white).item() == pytest.approx(10010, rel=0.01)


@pytest.mark.parametrize("rate", RATES)
def test_width_is_side_against_mid(rate):
    asked = (-30.0, -12.0, -3.0, 6.0)
    x = 0
    for (low, high), db in zip(WIDTH_EDGES_HZ.values(), asked, strict=True):
        mid, side = (sine(math.sqrt(low * high), 4, rate, -20, phase) for phase in (0, math.pi / 2))
        gain = 10 ** (db / 20)
        x = x + mid + gain * side * torch.tensor([1.0, -1.0])[:, None]
    torch.testing.assert_close(
        widths_db(spectrum(x, rate))[0], torch.tensor(asked).double(), atol=0.02, rtol=0
    )


def test_the_ends_of_width():
    mono = music(3.0).mean(1, keepdim=True)
    assert (widths_db(spectrum(mono, 44100)) == -80).all()
    assert (widths_db(spectrum(mono.expand(1, 2, -1), 44100)) == -80).all()
    against = torch.cat([mono, -mono], dim=1)
    assert (widths_db(spectrum(against, 44100)) == 20).all()
    left_only = torch.cat([mono, 0 * mono], dim=1)
    torch.testing.assert_close(
        widths_db(spectrum(left_only, 44100)), torch.zeros(1, 4).double(), atol=1e-6, rtol=0
    )
    assert side_db(spectrum(torch.zeros(1, 2, 999), 44100)).item() == -80


def test_correlation_and_fold_down():
    common, other = noise(10.0, channels=1, seed=1), noise(10.0, channels=1, seed=2)
    pairs = {
        "mono": (torch.cat([common, common], 1), 1.0, 0.0),
        "apart": (torch.cat([common, other], 1), 0.0, 3.01),
        "half": (
            torch.cat([common, 0.5**0.5 * (common + other)], 1),
            0.5**0.5,
            10 * math.log10(2 / (1 + 0.5**0.5)),
        ),
        "left only": (torch.cat([common, 0 * common], 1), 0.0, 3.01),
    }
    for name, (x, correlation, loss) in pairs.items():
        seen = scan(x, 44100)
        assert correlation_p5(seen).item() == pytest.approx(correlation, abs=0.02), name
        assert fold_down_loss_lu(seen).item() == pytest.approx(loss, abs=0.05), name
    fighting = scan(torch.cat([common, -common], 1), 44100)
    assert correlation_p5(fighting).item() == pytest.approx(-1.0, abs=1e-6)
    assert fold_down_loss_lu(fighting).item() > 60
    assert correlation_p5(scan(common, 44100)).item() == pytest.approx(1.0)
