"""Long filters at the cost of short ones: exact FIR convolution in cache-sized blocks."""

from __future__ import annotations

import torch
from torch.nn import functional

#: Samples per block when the sound is long: two channels of it fit a processor's cache.
BLOCK = 2**16


def convolve(x: torch.Tensor, fir: torch.Tensor, lead: int = 0) -> torch.Tensor:
    """The sound through a filter given by its impulse response, as long as it came in.

    `x` (batch, channels, time), `fir` (batch or 1, channels or 1, taps) in x's dtype; a batch of
    one on either side broadcasts, and its transform is taken once. `lead` is the index of the tap
    that stands at time zero (the centre of a symmetric filter), so nothing is delayed.
    Overlap-save (Oppenheim and Schafer, Discrete-Time Signal Processing, 8.7.3).
    """
    taps, length = fir.shape[-1], x.shape[-1]
    size = _power_of_two(min(length + taps - 1, max(4 * taps, BLOCK)))
    hop = size - taps + 1
    response = torch.fft.rfft(fir, size)
    blocks = []
    for start in range(0, length, hop):
        first = start + lead - (taps - 1)  # the block's oldest input sample
        last = first + size
        part = x[..., max(first, 0) : min(last, length)]
        part = functional.pad(part, (max(-first, 0), max(last - length, 0)))
        product = torch.fft.rfft(part) * response
        # The first taps - 1 samples are wrapped around the circle: they belong to the block before.
        blocks.append(torch.fft.irfft(product, size)[..., taps - 1 : taps - 1 + min(hop, length - start)])
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks, dim=-1)


def _power_of_two(n: int) -> int:
    return 1 << max(n - 1, 1).bit_length()
