"""Coarse clocks beside fine ones, against numpy's plain definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from daiw_master.stack.hops import Lines, averaged, drawn, drawn_between, smoothed
from tests import signals


@pytest.mark.parametrize("count", [1, 9, 10, 11, 1003])
def test_the_last_hop_is_the_mean_of_what_is_left(count):
    x = signals.noise(0.1, dtype=torch.float64)[..., :count]
    expected = [x[0, :, i : i + 10].mean(-1).numpy() for i in range(0, count, 10)]
    np.testing.assert_allclose(averaged(x, 10)[0].numpy().T, expected, rtol=1e-12)


@pytest.mark.parametrize("hops,hop", [(1, 7), (2, 4), (31, 10), (5, 1)])
def test_lines_run_from_middle_to_middle_and_the_ends_are_held(hops, hop):
    values = signals.noise(0.1, dtype=torch.float64)[..., :hops]
    middles = (np.arange(hops) + 0.5) * hop - 0.5
    expected = [np.interp(np.arange(hops * hop), middles, row) for row in values[0].numpy()]
    np.testing.assert_allclose(drawn(values, hop)[0].numpy(), expected, atol=1e-14)


@pytest.mark.parametrize("hop", [1, 4, 7])
def test_lines_of_values_that_come_a_few_at_a_time(hop):
    values = signals.noise(0.1, dtype=torch.float64)[..., :31]
    for pieces in ([31], [1] * 31, [0, 5, 0, 1, 25], [30, 1]):
        lines = Lines(hop)
        drawn_so_far = torch.cat([*map(lines.push, values.split(pieces, dim=-1)), lines.finish()], dim=-1)
        torch.testing.assert_close(drawn_so_far, drawn(values, hop), atol=1e-14, rtol=0)
    assert Lines(hop).finish() is None


@pytest.mark.parametrize("hop", [1, 4, 7])
def test_a_stretch_of_the_lines(hop):
    values = signals.noise(0.1, dtype=torch.float64)[..., :9]
    whole = drawn(values, hop)
    for first in range(0, 9 * hop, 3):
        for last in range(first, 9 * hop + 1, 2):
            part = drawn_between(values, hop, first, last)
            torch.testing.assert_close(part, whole[..., first:last], atol=1e-14, rtol=0)


def test_a_ramp_comes_back_from_a_coarse_clock():
    ramp = torch.arange(1000, dtype=torch.float64)[None]
    torch.testing.assert_close(drawn(averaged(ramp, 10), 10)[:, 5:990], ramp[:, 5:990])


def test_smoothing_is_a_moving_mean_with_its_ends_repeated():
    values = signals.noise(0.1, dtype=torch.float64)[..., :40]
    padded = np.pad(values[0].numpy(), ((0, 0), (3, 3)), mode="edge")
    expected = [np.convolve(row, np.ones(7) / 7, mode="valid") for row in padded]
    np.testing.assert_allclose(smoothed(values, 7)[0].numpy(), expected, atol=1e-14)


def test_gradients_are_true():
    values = torch.rand(
        2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    ).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: drawn(averaged(v, 4), 4), (values,))
