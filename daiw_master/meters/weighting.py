"""K-weighting: how loud a sound is to the head, as one frequency response (ITU-R BS.1770-4, Annex 1).

Both biquads are merged into one response and applied by block FFT with overlap, 0.1 s for three
minutes of stereo; the recursion itself would be serial.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from torch.nn.functional import pad

from daiw_master.meters.walk import Stretches

#: The high-pass poles (38 Hz, radius 0.995 at 48 kHz) have fallen by 260 dB after this long, by 130 after
#: half, which is all that float32 can tell.
_RING_S = 0.125
#: Samples of all channels and items that are transformed at once: short transforms side by side, in cache.
_AT_ONCE = 1 << 17


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


class KWeighting:
    """A sound (..., time) that comes in blocks, and its K-weighted self: overlap-save, the ring kept.

    Pairs of (..., n) tensors, every n a multiple of `multiple`, the last pair zero-padded to one. The
    FFT frames lie where they would in the whole, so the cutting changes nothing.
    """

    def __init__(self, rate: int, multiple: int = 1):
        self.rate, self.multiple = rate, multiple
        self._stretches: Stretches | None = None

    def add(self, x: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Whatever is complete with this block."""
        if self._stretches is None:
            ring = math.ceil((_RING_S if x.dtype == torch.float64 else _RING_S / 2) * self.rate)
            self.ring, self.size = ring, 1 << math.ceil(math.log2(4 * ring))
            hop = (self.size - ring) // self.multiple * self.multiple
            frames = max(1, _AT_ONCE // (max(1, math.prod(x.shape[:-1])) * self.size))
            self._stretches = Stretches(frames * hop, before=ring, after=self.size - ring - hop)
        for stretch in self._stretches.add(x):
            yield self._weighted(stretch, self._stretches.hop, self.size)

    def done(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The end of the sound."""
        stretch, left = (None, 0) if self._stretches is None else self._stretches.rest()
        if left > 0:
            enough = math.ceil(math.log2(left + self.ring + self.multiple))
            yield self._weighted(
                stretch, math.ceil(left / self.multiple) * self.multiple, min(self.size, 1 << enough)
            )

    def _weighted(self, stretch: torch.Tensor, used: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """`used` samples behind the ring at the beginning of a stretch, as they are and weighted."""
        hop = (size - self.ring) // self.multiple * self.multiple
        stretch = pad(stretch, (0, math.ceil(used / hop) * hop + size - hop - stretch.shape[-1]))
        frames = torch.fft.rfft(stretch.unfold(-1, size, hop)) * k_response(self.rate, size, stretch)
        weighted = torch.fft.irfft(frames, n=size)[..., self.ring : self.ring + hop].flatten(-2)
        return stretch[..., self.ring : self.ring + used], weighted[..., :used]


def k_weighted_blocks(
    x: torch.Tensor, rate: int, multiple: int = 1
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The sound (..., time) and its K-weighted self, block by block, as `KWeighting` makes them."""
    walk = KWeighting(rate, multiple)
    yield from walk.add(x)
    yield from walk.done()
