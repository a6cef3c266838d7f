"""Crest and attack strength: what a sine must read, and what tools made for them must move."""

from __future__ import annotations

import math

import pytest
import torch

from daiw_master.meters.dynamics import crest_db, onset_db
from daiw_master.meters.traces import scan
from tests.signals import music, noise, sine


def read(meter, x, rate=44100) -> float:
    return meter(scan(x, rate)).item()


def test_crest_of_known_waves():
    assert read(crest_db, sine(997, 3)) == pytest.approx(3.01, abs=0.01)
    assert read(crest_db, torch.sign(sine(441, 3, phase=0.1))) == pytest.approx(0.0, abs=0.01)
    pulses = torch.zeros(1, 1, 3 * 44100)
    pulses[..., ::4410] = 1.0
    assert read(crest_db, pulses) == pytest.approx(10 * math.log10(4410), abs=0.05)


def test_rests_do_not_count():
    x = music(4.0)
    with_rest = torch.cat([x, torch.zeros(1, 2, 10 * 44100)], dim=-1)
    for meter in (crest_db, onset_db):
        assert read(meter, with_rest) == pytest.approx(read(meter, x), abs=0.5)


def test_clipping_lowers_crest_steadily():
    x = music(4.0) / music(4.0).abs().max()
    levels = [read(crest_db, x.clamp(-c, c)) for c in (1.0, 0.7, 0.5, 0.35, 0.25)]
    assert all(a > b for a, b in zip(levels, levels[1:], strict=False))
    assert levels[0] - levels[-1] > 2


def struck(attack_db: float, rate: int = 44100, hold_s: float = 0.02) -> torch.Tensor:
    """Ten notes over a bed; the first moments of each stand `attack_db` above the rest of it."""
    n = round(0.5 * rate)
    t = torch.arange(n) / rate
    gain = torch.where(t < hold_s, 10 ** (attack_db / 20), 1.0)
    note = 0.1 * torch.sin(2 * math.pi * 997 * t) * gain
    return note.repeat(10).expand(1, 2, -1)


@pytest.mark.parametrize("attack_db", [3.0, 6.0, 12.0])
def test_onset_reads_the_rise(attack_db):
    assert read(onset_db, struck(attack_db)) == pytest.approx(attack_db, abs=0.3)


def test_no_attack_no_onset():
    assert read(onset_db, sine(997, 5)) < 0.1
    assert read(onset_db, noise(5.0)) < 1.5


def shaped(x: torch.Tensor, by_db: float) -> torch.Tensor:
    """A transient shaper of the simplest kind: `by_db` on the first 15 ms of each of the beats of `music`."""
    t = torch.arange(x.shape[-1]) / 44100
    since = torch.remainder(t, 0.5)
    window = torch.where(since < 0.015, 1.0, torch.exp(-(since - 0.015) / 0.01))
    return x * 10 ** (by_db * window / 20)


def test_onset_follows_a_shaper_evenly():
    x = music(8.0)
    base = read(onset_db, x)
    moves = {by: read(onset_db, shaped(x, by)) - base for by in (-4.0, -2.0, -1.0, 1.0, 2.0, 4.0)}
    for by, move in moves.items():
        assert 0.5 <= move / by <= 1.2, (by, move)
    assert moves[4.0] == pytest.approx(2 * moves[2.0], rel=0.3)


def test_a_tail_softens_attacks():
    generator = torch.Generator().manual_seed(3)
    tail = torch.randn(44100, generator=generator) * 10 ** (-3 * torch.arange(44100) / 44100)
    tail = tail / tail.square().sum().sqrt()
    x = music(6.0)
    size = 2 * x.shape[-1]
    wet = torch.fft.irfft(torch.fft.rfft(x, n=size) * torch.fft.rfft(tail, n=size), n=size)[
        ..., : x.shape[-1]
    ]
    readings = [read(onset_db, x + gain * wet) for gain in (0.0, 0.2, 0.5)]
    assert readings[0] > readings[1] > readings[2]


@pytest.mark.parametrize("meter", [crest_db, onset_db])
def test_small_changes_read_small(meter):
    """The solver differentiates by small steps: nothing may jump."""
    x = music(6.0)
    base = read(meter, x)
    for step in (1e-4, 1e-3, 1e-2):
        nudged = x + step * noise(6.0, seed=8) * x.abs()
        assert abs(read(meter, nudged) - base) < 0.02 + 20 * step
