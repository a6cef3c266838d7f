"""Noise: beds at the level asked, of the colour promised, in the same place every time."""

from __future__ import annotations

import math

import pytest
import torch

from daiw_master.stack.noise import KINDS, NOISE
from tests import signals

RATE = 44100
SECONDS = 16.0


def rms_db(x: torch.Tensor) -> float:
    return 10 * math.log10(float(x.double().square().mean()))


def silence(seconds: float = SECONDS, channels: int = 2, rate: int = RATE) -> torch.Tensor:
    return torch.zeros(1, channels, round(seconds * rate))


@pytest.fixture(scope="module")
def beds() -> dict[str, torch.Tensor]:
    """Each bed alone at -40 dB, (2, time)."""
    return {name: NOISE(silence(), RATE, **{name: -40.0})[0] for name in KINDS}


def density(bed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(Hz, power at that frequency), averaged over 2048-sample windows (Welch 1967)."""
    windows = bed.double().unfold(-1, 2048, 1024) * torch.hann_window(2048, dtype=torch.float64)
    return torch.arange(1025) * RATE / 2048, torch.fft.rfft(windows).abs().square().mean((0, 1))


def band_db(bed: torch.Tensor, low_hz: float, high_hz: float) -> float:
    """Mean power density in a band."""
    hz, power = density(bed)
    return 10 * math.log10(float(power[(hz >= low_hz) & (hz < high_hz)].mean()))


@pytest.mark.parametrize("name", KINDS)
def test_each_bed_lies_at_its_level_on_both_sides(beds, name):
    for side in beds[name]:
        assert rms_db(side) == pytest.approx(-40.0, abs=0.5)


@pytest.mark.parametrize("rate", [22050, 96000])
@pytest.mark.parametrize("name", KINDS)
def test_the_level_is_the_same_at_other_rates_and_in_mono(name, rate):
    mono = NOISE(silence(12.0, 1, rate), rate, **{name: -30.0})
    assert rms_db(mono) == pytest.approx(-30.0, abs=0.5)


def test_hiss_rises_with_frequency_and_differs_from_side_to_side(beds):
    hiss = beds["hiss_db"]
    rise_db = band_db(hiss, 7000, 9000) - band_db(hiss, 1750, 2250)
    assert rise_db == pytest.approx(10 * math.log10(8500 / 2500), abs=0.6)
    assert band_db(hiss, 20500, 22000) < band_db(hiss, 8000, 12000) - 6
    assert abs(float(torch.corrcoef(hiss)[0, 1])) < 0.03


def test_a_room_is_low_and_a_little_wide(beds):
    room = beds["room_db"]
    hz, power = density(room)
    assert power[hz < 400].sum() > 0.95 * power.sum()
    assert band_db(room, 200, 300) > band_db(room, 1000, 2000) + 12
    assert 0.55 < float(torch.corrcoef(room)[0, 1]) < 0.85


def test_crackle_is_clicks_with_nothing_between(beds):
    """Most of its power stands in a small share of the moments, and most moments are silent."""
    frames = beds["crackle_db"][0].double().unfold(-1, 441, 441).square().sum(-1).sort(descending=True).values
    share = frames.cumsum(0) / frames.sum()
    assert float(share[len(frames) // 10]) > 0.75
    assert float(frames[len(frames) // 2]) < 1e-6 * float(frames[0])
    peak_db = 20 * math.log10(float(beds["crackle_db"].abs().max()))
    assert -10 < peak_db < 0  # 30 to 40 dB over the level


def test_the_beds_are_strangers(beds):
    assert (torch.corrcoef(torch.stack([bed[0] for bed in beds.values()])) - torch.eye(3)).abs().max() < 0.03


@pytest.mark.parametrize("name", KINDS)
def test_the_same_second_has_the_same_bed_in_every_song(beds, name):
    """In a short song and a long one, at any level, in a batch."""
    short = NOISE(silence(4.3), RATE, **{name: -40.0})
    assert torch.equal(short[0], beds[name][:, : short.shape[-1]])
    three = NOISE(silence(2.0).expand(3, -1, -1), RATE, **{name: torch.tensor([-90.0, -40.0, -60.0])})
    assert torch.equal(three[0], torch.zeros_like(three[0]))
    assert torch.equal(three[1], beds[name][:, : three.shape[-1]])
    assert torch.allclose(three[2], three[1] / 10, atol=1e-8)


def test_no_bed_repeats_itself(beds):
    for bed in beds.values():
        first, second = bed[0, :65536], bed[0, 65536 : 2 * 65536]
        assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 0.1


def test_a_bed_that_follows_lies_as_asked_under_a_song_at_minus_20():
    x = signals.noise(6.0, level_db=-20.0)
    bed = NOISE(x, RATE, hiss_db=-50.0, follow=1.0) - x
    assert rms_db(bed) == pytest.approx(-50.0, abs=0.5)


def test_a_bed_that_follows_falls_with_the_music():
    x = signals.noise(6.0, level_db=-20.0)
    x[..., 3 * RATE :] *= 10 ** (-18 / 20)
    for follow, fall_db in ((1.0, 18.0), (0.5, -20 * math.log10(0.5 + 0.5 * 10 ** (-18 / 20))), (0.0, 0.0)):
        bed = NOISE(x, RATE, hiss_db=-50.0, follow=follow) - x
        fell = rms_db(bed[..., RATE : 2 * RATE]) - rms_db(bed[..., 4 * RATE : 5 * RATE])
        assert fell == pytest.approx(fall_db, abs=0.5)


@pytest.mark.parametrize("gap_ms", [25, 60, 300, 2000])
def test_a_kept_silence_stays_silent(gap_ms):
    """Digital zero stays digital zero, and the bed goes and comes without a click."""
    x = signals.noise(5.0, level_db=-20.0)
    start, length = 2 * RATE + 123, round(gap_ms * RATE / 1000)
    x[..., start : start + length] = 0.0
    settings = {"hiss_db": -30.0, "room_db": -30.0}
    y = NOISE(x, RATE, **settings, follow=1.0)
    gap = y[..., start : start + length]
    assert torch.equal(gap, torch.zeros_like(gap))
    bed, still = y - x, NOISE(silence(5.0), RATE, **settings)
    for edge in (slice(start - 4410, start), slice(start + length, start + length + 4410)):
        gain = bed[..., edge].double().unfold(-1, 441, 441).norm(dim=-1).mean((0, 1))
        gain = gain / still[..., edge].double().unfold(-1, 441, 441).norm(dim=-1).mean((0, 1))
        assert gain.diff().abs().max() < 0.3
        assert gain.max() > 0.5


def test_without_following_the_bed_lies_in_the_silence_too():
    y = NOISE(silence(3.0), RATE, hiss_db=-30.0)
    assert rms_db(y) == pytest.approx(-30.0, abs=0.5)
