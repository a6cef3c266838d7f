"""Excerpts: the right stretches, aligned, equally loud once decoded, whatever the song is like."""

from __future__ import annotations

import base64
import io

import numpy as np
import pyloudnorm
import pytest
import torch
from pedalboard.io import AudioFile

from daiw_master.audio import Audio
from daiw_master.report.excerpts import ENCODER_PEAK, EXCERPT_S, KBITS, choose, excerpts_of
from tests.signals import music, noise

RATE = 32000


def song_of(*levels_db: float, seconds: float = 20.0, rate: int = RATE) -> Audio:
    """Noise in stretches of one level each."""
    parts = [noise(seconds, rate, level_db=level, seed=i)[0] for i, level in enumerate(levels_db)]
    return Audio(torch.cat(parts, dim=-1), rate)


def opened(data: str) -> tuple[np.ndarray, int]:
    """(time, channels) and the rate, as a listener's decoder has them."""
    with AudioFile(io.BytesIO(base64.b64decode(data))) as file:
        return file.read(file.frames).T, file.samplerate


def test_quiet_middle_and_loudest_are_found():
    starts = dict(choose(song_of(-22, -34, -14, -60, -26)))
    assert list(starts) == ["quiet", "median", "loudest"]
    assert starts["quiet"] == pytest.approx(20.0, abs=1.0)
    assert starts["loudest"] == pytest.approx(40.0, abs=1.0)


def test_silence_is_no_quiet_passage():
    starts = dict(choose(song_of(-20, -120, -14, -120, -30)))
    assert 75.0 <= starts["quiet"] <= 80.5  # a breath of silence before it is no harm


@pytest.mark.parametrize(
    ("seconds", "names"),
    [
        (5, ["whole"]),
        (20, ["whole"]),
        (25, ["loudest"]),
        (41, ["quiet", "loudest"]),
        (61, ["quiet", "median", "loudest"]),
        (200, ["quiet", "median", "loudest"]),
    ],
)
def test_a_short_song_has_fewer_and_none_overlap(seconds, names):
    x = noise(seconds, 8000, channels=1)[0]
    x = x * torch.linspace(0.5, 1.0, x.shape[-1])  # loudest at the very end, where little room is left
    found = choose(Audio(x, 8000))
    assert [name for name, _ in found] == names
    starts = sorted(start for _, start in found)
    assert all(b - a >= EXCERPT_S - 0.5 for a, b in zip(starts, starts[1:], strict=False))
    assert 0 <= starts[0] and starts[-1] + min(seconds, EXCERPT_S) <= seconds + 1e-9


@pytest.mark.parametrize("rate", [22050, 44100, 48000, 96000])
def test_decoded_sides_are_equally_loud_aligned_and_of_one_length(rate):
    before = Audio(0.2 * music(8.0, rate)[0].float(), rate)
    after = before.with_samples(2.5 * before.samples)
    (excerpt,) = excerpts_of(before, after)
    (a, rate_a), (b, rate_b) = (opened(side.data) for side in (excerpt.before, excerpt.after))
    assert rate_a == rate_b == excerpt.rate and rate_a in (44100, 48000) and a.shape == b.shape
    loud = [pyloudnorm.Meter(rate_a).integrated_loudness(x.astype(np.float64)) for x in (a, b)]
    assert loud[0] == pytest.approx(loud[1], abs=0.05)
    assert excerpt.louder == "after"
    assert excerpt.turned_down_db == pytest.approx(20 * np.log10(2.5), abs=0.01)
    # the same sound at another level: only the codec's rounding is between them
    assert np.square(a - b).mean() < 10**-2.5 * np.square(a).mean()


def test_it_is_as_good_as_it_says():
    excerpt = excerpts_of(song_of(-20, seconds=10.0, rate=44100), song_of(-14, seconds=10.0, rate=44100))[0]
    for side in (excerpt.before, excerpt.after):
        kbits = len(base64.b64decode(side.data)) * 8 / 1000 / excerpt.duration_s
        assert KBITS <= kbits < 1.05 * KBITS and KBITS >= 192


def test_a_side_over_full_scale_takes_the_other_down_with_it():
    """A mix of 32 bits may peak above 0 dBFS: it must not clip on its way into the page."""
    before = Audio(4.0 * music(6.0)[0].float(), 44100)
    after = before.with_samples(before.samples / 2)
    (excerpt,) = excerpts_of(before, after)
    assert before.samples.abs().max() > 1.5
    assert excerpt.louder == "before" and excerpt.turned_down_db == pytest.approx(6.02, abs=0.01)
    sides = [opened(side.data)[0] for side in (excerpt.before, excerpt.after)]
    for side in sides:
        assert np.abs(side).max() < 1.0
    assert excerpt.after.gain_db == pytest.approx(
        min(0.0, 20 * np.log10(ENCODER_PEAK / float(after.samples.abs().max()))), abs=0.01
    )


@pytest.mark.parametrize("channels", [1, 2])
def test_silence_is_left_alone(channels):
    silent = Audio(torch.zeros(channels, 44100), 44100)
    (excerpt,) = excerpts_of(silent, silent)
    assert excerpt.turned_down_db == 0.0
    assert np.abs(opened(excerpt.before.data)[0]).max() < 1e-4


def test_the_tail_of_the_master_is_no_excerpt_of_what_never_rang():
    """A master rings longer than its dry mix: only what both have is compared."""
    before, after = (Audio(noise(seconds, 8000)[0], 8000) for seconds in (3.0, 7.0))
    (excerpt,) = excerpts_of(before, after)
    assert excerpt.duration_s == pytest.approx(3.0)
