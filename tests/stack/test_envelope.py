"""Levels read off the sound and gains laid onto it, against numpy's plain definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from daiw_master.stack.envelope import Fader, apply_gains, control_hop, power_trace
from tests import signals


@pytest.mark.parametrize(
    "rate,hop", [(22050, 4), (44100, 8), (48000, 8), (88200, 16), (96000, 16), (192000, 32)]
)
def test_the_control_clock_follows_the_rate(rate, hop):
    assert control_hop(rate) == hop


@pytest.mark.parametrize("count", [1, 7, 8, 9, 1000, (1 << 16) + 3, 3 * (1 << 16)])
def test_power_is_the_mean_square_of_each_hop(count):
    x = signals.noise(4.5, dtype=torch.float64)[..., :count]
    squares = x[0].square().mean(0).numpy()
    expected = [squares[i : i + 8].mean() for i in range(0, count, 8)]
    np.testing.assert_allclose(power_trace(x, 8)[0].numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("count", [1, 8, 1001, (1 << 16) + 3])
def test_gains_are_straight_lines_reached_at_the_end_of_each_hop(count):
    x = signals.noise(1.6, dtype=torch.float64)[..., :count]
    frames = -(-count // 8)
    gain = torch.rand(1, frames, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    at = np.concatenate([[-1], 8 * np.arange(frames) + 7])
    expected = np.interp(np.arange(count), at, np.concatenate([gain[0, :1], gain[0]]))
    np.testing.assert_allclose(apply_gains(8, (x, gain))[0].numpy(), x[0].numpy() * expected, atol=1e-14)


def test_layers_add_up_and_one_sound_serves_many_gains():
    x, other = signals.noise(0.1), signals.noise(0.1, seed=5)
    gains = torch.rand(3, -(-x.shape[-1] // 8), generator=torch.Generator().manual_seed(1))
    together = apply_gains(8, (x, gains), (other, 1 - gains))
    assert together.shape == (3, *x.shape[1:])
    for i in range(3):
        row = gains[i : i + 1]
        alone = apply_gains(8, (x, row)) + apply_gains(8, (other, 1 - row))
        torch.testing.assert_close(together[i : i + 1], alone)


@pytest.mark.parametrize("cut", [8, 40, 1 << 17])
def test_a_fader_goes_on_from_its_last_gain(cut):
    x, other = signals.noise(2.0)[..., :80003], signals.noise(2.0, seed=5)[..., :80003]
    gains = torch.rand(2, -(-x.shape[-1] // 8), generator=torch.Generator().manual_seed(1))
    fader, parts = Fader(8), []
    for start in range(0, 4000 if cut < 1000 else x.shape[-1], cut):
        here, frames = slice(start, start + cut), slice(start // 8, (start + cut) // 8)
        parts.append(fader((x[..., here], gains[:, frames]), (other[..., here], gains[:1, frames])))
    made = torch.cat(parts, dim=-1)
    whole = apply_gains(8, (x, gains), (other, gains[:1]))
    assert torch.equal(made, whole[..., : made.shape[-1]])


def test_a_gain_of_one_is_no_change_at_all():
    x = signals.noise(2.0)
    assert torch.equal(apply_gains(8, (x, torch.ones(1, -(-x.shape[-1] // 8)))), x)


def test_gradients_are_true():
    x = signals.noise(0.01, rate=4100, dtype=torch.float64).requires_grad_()
    gains = torch.rand(2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: power_trace(x, 8), (x,))
    assert torch.autograd.gradcheck(lambda x, g: apply_gains(8, (x, g), (x * 0.5, g[:1])), (x, gains))
