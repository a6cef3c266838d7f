"""K-weighting: how loud a sound is to the head (ITU-R BS.1770-4, Annex 1).

The recursion is run as products of small matrices, exactly and 0.04 s for three minutes of stereo.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from torch.nn.functional import pad

from daiw_master.meters.recursion import ROW, Recursion, StateSpace
from daiw_master.meters.walk import Stretches

#: Samples of all channels and items that are filtered at once: small steps paid for, and near the processor.
_AT_ONCE = 1 << 18


def k_coefficients(rate: float) -> list[tuple[list[float], list[float]]]:
    """The two biquads (b, a) of BS.1770-4 at any rate: the head's shelf, then the low cut.

    The standard prints them at 48 kHz only; the analogue corner, Q and gain that give that table
    under the bilinear transform are re-derived here, so every rate has the same response.
    """
    k = math.tan(math.pi * 1681.974450955533 / rate)
    q, high = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf_b = [
        (high + middle * k / q + k * k) / a0,
        2 * (k * k - high) / a0,
        (high - middle * k / q + k * k) / a0,
    ]
    shelf_a = [1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0]
    if abs(shelf_a[2]) > 1:
        # The corner lies above half the rate, and the poles outside the circle: mirrored at it they
        # sound as loud and stay bounded.
        shelf_b = [b / shelf_a[2] for b in shelf_b]
        shelf_a = [1.0, shelf_a[1] / shelf_a[2], 1 / shelf_a[2]]

    def low_cut(at: float) -> tuple[float, list[float]]:
        k, q = math.tan(math.pi * 38.13547087602444 / at), 0.5003270373238773
        a0 = 1 + k / q + k * k
        return a0, [1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0]

    # The table's numerator is 1, -2, 1 without the 1/a0 of the transform: 0.04 dB of gain at 48 kHz,
    # which the other rates must share to read the same loudness.
    a0, cut_a = low_cut(rate)
    scale = low_cut(48000.0)[0] / a0
    return [(shelf_b, shelf_a), ([scale, -2 * scale, scale], cut_a)]


@lru_cache(maxsize=32)
def _response(rate: int, size: int, double: bool) -> np.ndarray:
    z = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    response = np.ones_like(z)
    for b, a in k_coefficients(rate):
        response *= (b[0] + b[1] * z + b[2] * z * z) / (a[0] + a[1] * z + a[2] * z * z)
    return response.astype(np.complex128 if double else np.complex64)


def k_response(rate: int, size: int, like: torch.Tensor) -> torch.Tensor:
    """The weighting at the bins of a real FFT of `size`: (size // 2 + 1,) complex."""
    # Only the array is cached: a tensor first made in inference mode could never meet autograd.
    return torch.from_numpy(_response(rate, size, like.dtype == torch.float64)).to(like.device)


def k_power_at(hz: np.ndarray, rate: int) -> np.ndarray:
    """Power gain of the weighting at some frequencies."""
    z = np.exp(-2j * np.pi * np.asarray(hz) / rate)
    power = np.ones(z.shape)
    for b, a in k_coefficients(rate):
        power *= np.abs((b[0] + b[1] * z + b[2] * z * z) / (a[0] + a[1] * z + a[2] * z * z)) ** 2
    return power


@lru_cache(maxsize=16)
def _recursion(rate: int, double: bool) -> Recursion:
    space = StateSpace.of_biquads(k_coefficients(rate))
    return Recursion(space, np.float64 if double else np.float32)


class KWeighting:
    """A sound (..., time) that comes in blocks, and its K-weighted self: both biquads, exactly.

    Pairs of (..., n) tensors, every n a multiple of `multiple`, the last pair zero-padded to one. Where
    pairs begin does not depend on the blocks, so the cutting changes nothing. Differentiable.
    """

    def __init__(self, rate: int, multiple: int = 1):
        self.rate, self.multiple = rate, multiple
        self._stretches: Stretches | None = None
        self._state: torch.Tensor | None = None

    def add(self, x: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Whatever is complete with this block."""
        if self._stretches is None:
            least = math.lcm(self.multiple, ROW)
            self._stretches = Stretches(least * max(1, _AT_ONCE // (max(1, math.prod(x.shape[:-1])) * least)))
        for stretch in self._stretches.add(x):
            yield stretch, self._weighted(stretch)

    def done(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The end of the sound."""
        stretch, left = (None, 0) if self._stretches is None else self._stretches.rest()
        if left > 0:
            used = math.ceil(left / self.multiple) * self.multiple
            stretch = pad(stretch, (0, math.ceil(used / ROW) * ROW - left))
            yield stretch[..., :used], self._weighted(stretch)[..., :used]

    def _weighted(self, stretch: torch.Tensor) -> torch.Tensor:
        filtered, self._state = _recursion(self.rate, stretch.dtype == torch.float64).run(
            stretch, self._state
        )
        return filtered


def k_weighted_blocks(
    x: torch.Tensor, rate: int, multiple: int = 1
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The sound (..., time) and its K-weighted self, block by block, as `KWeighting` makes them."""
    walk = KWeighting(rate, multiple)
    yield from walk.add(x)
    yield from walk.done()
