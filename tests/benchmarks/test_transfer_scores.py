"""The transfer scores: nothing on the ground truth, more the farther from it, and what each of them hears."""

from __future__ import annotations

import pytest
import torch

from benchmarks.style.transfer_scores import (
    JUDGED,
    SCORES,
    crest_db,
    mr_stft,
    removed,
    scores,
    sign_test,
    width_db,
)

RATE = 48_000


@pytest.fixture(scope="module")
def music() -> torch.Tensor:
    """(2, time): two seconds of pulsing noise and a chord, the sides a little apart."""
    generator = torch.Generator().manual_seed(2)
    time = torch.arange(2 * RATE) / RATE
    pulse = torch.exp(-6 * torch.remainder(time, 0.25))
    chord = sum(torch.sin(6.2832 * hz * time) for hz in (110.0, 277.0, 660.0)) / 6
    return (chord + 0.3 * torch.randn(2, 2 * RATE, generator=generator)) * pulse * 0.3


def test_nothing_on_the_ground_truth(music):
    assert scores(music, music) == dict.fromkeys(SCORES, 0.0)
    assert set(JUDGED) <= set(SCORES)


def test_only_loudness_hears_gain(music):
    told = scores(music * 0.5, music)
    assert told["loudness_lu"] == pytest.approx(6.02, abs=0.01)
    assert all(told[name] < 1e-3 for name in SCORES if name != "loudness_lu")


@pytest.mark.parametrize("name", ["mr_stft", "bark_db"])
def test_spectral_distances_grow_with_a_shelf(music, name):
    def shelved(gain: float) -> torch.Tensor:
        spectrum = torch.fft.rfft(music)
        hz = torch.fft.rfftfreq(music.shape[-1], 1 / RATE)
        return torch.fft.irfft(spectrum * torch.where(hz > 2000, gain, 1.0), music.shape[-1])

    told = [scores(shelved(gain), music)[name] for gain in (1.0, 0.8, 0.5, 0.25, 0.1)]
    assert told[0] < 1e-3 and told == sorted(told) and told[-1] > 3 * told[1]


def test_bark_hears_a_band_in_db(music):
    told = scores(music * torch.tensor([[1.0], [1.0]]), music)
    assert told["bark_db"] == 0.0
    narrower = music.mean(0, keepdim=True) + 0.5 * (music - music.mean(0, keepdim=True))
    # the side's 24 of 48 bands fall by 6 dB; the loudness correction moves all a little
    assert 2.5 < scores(narrower, music)["bark_db"] < 3.5


def test_crest_and_width_read_what_they_say():
    time = torch.arange(RATE) / RATE
    sine = torch.sin(6.2832 * 440 * time)
    assert crest_db(torch.stack([sine, sine])) == pytest.approx(3.01, abs=0.01)
    assert width_db(torch.stack([sine, sine])) == -50.0, "mono is at the floor"
    assert width_db(torch.stack([sine, 0 * sine])) == pytest.approx(0.0, abs=1e-4)
    assert width_db(torch.stack([sine, -sine])) > 100.0


def test_range_hears_a_fade():
    generator = torch.Generator().manual_seed(3)
    x = 0.1 * torch.randn(2, 6 * RATE, generator=generator)
    fading = x * torch.linspace(1.0, 0.1, 6 * RATE)
    assert scores(fading, x)["range_lu"] > 3.0


def test_silence_is_far_but_finite(music):
    told = scores(torch.zeros_like(music), music)
    assert all(torch.isfinite(torch.tensor(value)) for value in told.values())
    assert told["mr_stft"] > mr_stft(music * 0.5, music)


def test_sign_test_by_hand():
    assert sign_test([1, 1, 1, 1], [2, 2, 2, 2]) == (4, 0, pytest.approx(0.0625))
    assert sign_test([1, 1, 3, 2], [2, 2, 2, 2]) == (2, 1, pytest.approx(0.5)), "a tie is left out"
    assert sign_test([1.0], [1.0]) == (0, 0, 1.0)


def test_share_removed():
    assert removed(0.0, 2.0) == 1.0 and removed(2.0, 2.0) == 0.0 and removed(3.0, 2.0) == -0.5
