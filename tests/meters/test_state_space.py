"""A recursion as products of matrices against the loop it stands for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import signal

from daiw_master.meters.recursion import GROUP, ROW, Recursion, StateSpace
from daiw_master.meters.weighting import KWeighting, k_coefficients, k_weighted_blocks
from tests import signals


@pytest.mark.parametrize("rate", [8000, 44100, 192000])
@pytest.mark.parametrize("rows", [1, GROUP - 2, GROUP - 1, GROUP, 5000])
def test_products_are_the_loop(rate, rows):
    x = signals.noise(4.0, rate=44100, dtype=torch.float64)[..., : rows * ROW] + 0.3
    y, _ = Recursion(StateSpace.of_biquads(k_coefficients(rate)), np.float64).run(x, None)
    sos = [[*b, *a] for b, a in k_coefficients(rate)]
    np.testing.assert_allclose(y.numpy(), signal.sosfilt(sos, x.numpy()), atol=1e-10)


def test_the_state_carries_on():
    x = signals.noise(1.0, dtype=torch.float64)[..., : 40 * ROW]
    recursion = Recursion(StateSpace.of_biquads(k_coefficients(44100)), np.float64)
    whole, last = recursion.run(x, None)
    first, between = recursion.run(x[..., : 7 * ROW], None)
    second, end = recursion.run(x[..., 7 * ROW :], between)
    torch.testing.assert_close(torch.cat([first, second], dim=-1), whole, rtol=0, atol=1e-13)
    torch.testing.assert_close(end, last, rtol=0, atol=1e-13)


def test_float32_keeps_its_digits_beside_a_standing_voltage():
    x = signals.music(10.0, dtype=torch.float64) * 0.1 + 0.5
    exact, coarse = (torch.cat([w for _, w in k_weighted_blocks(s, 44100)], -1) for s in (x, x.float()))
    assert float((coarse - exact).abs().max()) < 2e-6


@pytest.mark.parametrize("rate", [1000, 2000, 44100])
def test_the_response_is_that_of_the_coefficients(rate):
    """Also where the shelf's corner lies above half the rate."""
    x = torch.zeros(1, 1, 16384, dtype=torch.float64)
    x[..., 0] = 1.0
    y = torch.cat([w for _, w in k_weighted_blocks(x, rate)], dim=-1)[0, 0, :16384]
    hz, response = signal.sosfreqz([[*b, *a] for b, a in k_coefficients(rate)], 8192, fs=rate)
    np.testing.assert_allclose(np.abs(np.fft.rfft(y.numpy()))[:8192], np.abs(response), atol=1e-9)


def test_pairs_lie_where_they_would_in_the_whole():
    x = signals.noise(13.0, dtype=torch.float64)[..., :-5]
    whole = list(k_weighted_blocks(x, 44100, 441))
    walk = KWeighting(44100, 441)
    pairs = [pair for block in x.split(1001, dim=-1) for pair in walk.add(block)] + list(walk.done())
    assert len(pairs) == len(whole) > 2
    for (plain, weighted), (plain_whole, weighted_whole) in zip(pairs, whole, strict=True):
        assert torch.equal(plain, plain_whole) and plain.shape[-1] % 441 == 0
        torch.testing.assert_close(weighted, weighted_whole, rtol=0, atol=1e-12)
