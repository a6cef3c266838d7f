"""Long filters over long sounds: exact FFT convolution in cache-sized frames, several at a time."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn import functional

from daiw_master.stack.blocks import join

#: Smallest transform: below this the filter is not worth the bookkeeping around it.
SMALLEST_FFT = 1 << 12
#: Samples of all channels and items together that are transformed at once: they stay in cache, and
#: many short transforms side by side cost half of one long one.
AT_ONCE = 1 << 17


def convolve(x: torch.Tensor, fir: torch.Tensor, lead: int = 0) -> torch.Tensor:
    """The sound through a filter given by its impulse response, as long as it came in.

    `x` (batch, channels, time), `fir` (batch or 1, channels or 1, taps) in x's dtype; a batch of
    one on either side broadcasts, and its transform is taken once. `lead` is the index of the tap
    that stands at time zero (the centre of a symmetric filter), so nothing is delayed. Differentiable.
    """
    return join((block for _, block in convolve_blocks(x, fir, lead)), x.shape[-1])


def convolve_blocks(x: torch.Tensor, fir: torch.Tensor, lead: int = 0) -> Iterator[tuple[int, torch.Tensor]]:
    """`convolve`, block by block: yields (start, block); the blocks join to the whole.

    With four axes, `fir` (batch or 1, outputs, inputs, taps) is a matrix of filters: every output is
    the sum of all inputs, each through its own.
    Overlap-save (Oppenheim and Schafer, Discrete-Time Signal Processing, 8.7.3).
    """
    time = x.shape[-1]
    fir = fir[..., : time + lead]  # what comes later never meets a sample
    taps, batch = fir.shape[-1], max(len(x), len(fir))
    # 4x the filter keeps three quarters of each transform; a large batch would rather keep memory.
    size = _power_of_two(max(SMALLEST_FFT, (4 if batch <= 4 else 2) * taps))
    size = min(size, _power_of_two(time + taps - 1))
    hop = size - taps + 1
    frames = max(1, AT_ONCE // (size * batch * x.shape[1]))
    response = torch.fft.rfft(fir, size).unsqueeze(-2)
    for start in range(0, time, frames * hop):
        count = min(frames, -(-(time - start) // hop))
        first = start + lead - (taps - 1)  # the oldest sample the block hears
        last = first + (count - 1) * hop + size
        part = x[..., max(first, 0) : min(last, time)]
        part = functional.pad(part, (max(-first, 0), max(last - time, 0)))
        spectrum = torch.fft.rfft(part.unfold(-1, size, hop))
        if fir.ndim == 4:
            # (batch, 1, inputs, frames, f) * (batch, outputs, inputs, 1, f), summed over the inputs
            product = (spectrum.unsqueeze(1) * response).sum(2)
        else:
            product = spectrum * response
        # The first taps - 1 samples of a frame are wrapped around the circle: they belong to the one before.
        block = torch.fft.irfft(product, size)[..., taps - 1 :].flatten(-2)
        yield start, block[..., : time - start]


def _power_of_two(n: int) -> int:
    return 1 << max(n - 1, 1).bit_length()
