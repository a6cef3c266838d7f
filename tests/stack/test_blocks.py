"""A sound worked out in blocks is the sound worked out at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import signal

from daiw_master.stack import EFFECTS, exciter, imager
from daiw_master.stack.blocks import by_neighbourhood, join
from daiw_master.stack.convolution import convolve
from daiw_master.stack.frames import AT_ONCE
from daiw_master.stack.linear import Fir, Linear
from daiw_master.units import samples_from_ms
from tests import signals


@pytest.mark.parametrize("with_grad", [False, True])
def test_blocks_join_to_the_whole(with_grad):
    x = signals.noise(0.1)
    with torch.set_grad_enabled(with_grad):
        assert torch.equal(join(x.split(1000, dim=-1), x.shape[-1]), x)


@pytest.mark.parametrize("taps", [1, 2, 301, 5000, 70000])
@pytest.mark.parametrize("time", [1, 4096, 300_000])
def test_convolution_agrees_with_scipy(time, taps):
    x = signals.noise(7.0, dtype=torch.float64)[..., :time]
    fir = signals.noise(2.0, seed=3, dtype=torch.float64)[..., :taps]
    for lead in (0, taps // 2):
        expected = signal.oaconvolve(x.numpy(), fir.numpy(), axes=-1)[..., lead : lead + time]
        np.testing.assert_allclose(convolve(x, fir, lead).numpy(), expected, atol=1e-9)


def test_a_batch_of_filters_hears_one_sound():
    x, firs = signals.noise(0.5), torch.cat([signals.noise(0.01, seed=n) for n in range(3)])
    together = convolve(x, firs, lead=7)
    for n in range(3):
        torch.testing.assert_close(
            together[n : n + 1], convolve(x, firs[n : n + 1], lead=7), atol=1e-5, rtol=1e-5
        )


def test_a_whole_song_is_filtered_a_little_at_a_time():
    x, fir = signals.noise(30.0), signals.noise(0.01, seed=3)
    with torch.no_grad():
        longest = max(block.shape[-1] for _, block in Linear((Fir(fir),)).blocks(x))
    assert longest <= AT_ONCE


@pytest.mark.parametrize("time", [1, 999, 5000, 5001, 7800, 20_123])
def test_a_neighbourhood_of_the_right_size_changes_nothing(time):
    x = signals.noise(0.5, dtype=torch.float64)[..., :time]
    fir = signals.noise(0.1, seed=3, dtype=torch.float64)[..., :201]

    def stage(part):
        return convolve(part, fir, lead=100)

    torch.testing.assert_close(by_neighbourhood(stage, x, 100, 100, 5000), stage(x), atol=1e-12, rtol=0)
    if time > 7500:
        short = by_neighbourhood(stage, x, 1, 80, 5000)
        assert float((short - stage(x)).abs().max()) > 1e-3, "too small a neighbourhood must show"


@pytest.mark.parametrize("time", [4999, 5001, 7800, 20_123])
def test_no_block_is_a_short_one(time):
    parts = []

    def stage(part):
        parts.append(part.shape[-1])
        return part

    by_neighbourhood(stage, torch.zeros(1, 1, time), 16, 0, 5000)
    assert sum(parts) == time and max(parts) - min(parts) < 16 * len(parts)
    assert max(parts) <= 7500 + 16


@pytest.mark.parametrize(
    "module,settings",
    [
        (exciter, {"mix_db": -6.0, "cutoff_hz": 1500.0, "drive_db": 20.0}),
        (imager, {"low_width_db": -20.0, "high_width_db": 6.0, "correlation_floor": 0.5}),
    ],
)
@pytest.mark.parametrize("rate", [44100, 96000])
def test_seams_between_parts_cannot_be_heard(module, settings, rate, monkeypatch):
    # Loud against soft, so that envelopes and gains move at every seam.
    x = signals.music(2.0, rate, dtype=torch.float64) + 0.2 * signals.noise(2.0, rate, dtype=torch.float64)
    row = EFFECTS[module.__name__.rpartition(".")[2]]
    monkeypatch.setattr(module, "PART", 1 << 20)
    at_once = row(x, rate, **settings)
    hop = samples_from_ms(module.HOP_MS, rate)
    monkeypatch.setattr(module, "PART", 300 * hop)
    assert float((row(x, rate, **settings) - at_once).abs().max()) < 1e-9
