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


def k_weighted_blocks(
    x: torch.Tensor, rate: int, multiple: int = 1
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The sound and its K-weighted self, block by block: pairs of (..., block) tensors.

    x (..., time); every block is a multiple of `multiple` samples long, the last one zero-padded.
    Overlap-save: each block is filtered together with the ring time before it.
    """
    length = x.shape[-1]
    ring = math.ceil((_RING_S if x.dtype == torch.float64 else _RING_S / 2) * rate)
    size = 1 << min(math.ceil(math.log2(4 * ring)), math.ceil(math.log2(length + ring + multiple)))
    hop = (size - ring) // multiple * multiple
    frames = max(1, _AT_ONCE // (x[..., 0].numel() * size))
    response = k_response(rate, size, x)
    for start in range(0, length, frames * hop):
        count = min(frames, math.ceil((length - start) / hop))
        first, last = start - ring, start + (count - 1) * hop + size - ring
        piece = pad(x[..., max(0, first) : last], (max(0, -first), max(0, last - length)))
        used = min(count * hop, math.ceil((length - start) / multiple) * multiple)
        weighted = torch.fft.irfft(torch.fft.rfft(piece.unfold(-1, size, hop)) * response, n=size)
        weighted = weighted[..., ring : ring + hop].flatten(-2)
        yield piece[..., ring : ring + used], weighted[..., :used]
