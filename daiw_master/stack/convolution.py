"""Long filters over long files: FFT convolution in blocks, so memory does not grow with the song."""

from __future__ import annotations

from collections.abc import Iterator

import torch

#: Below this size one transform costs less than the loop around it.
SMALLEST_FFT = 1 << 16


def convolve_blocks(x: torch.Tensor, h: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
    """The sound through a matrix of impulse responses, block by block: yields (start, block).

    x (batch or 1, inputs, time), h (batch or 1, outputs, inputs, taps); blocks are (batch, outputs, n)
    and join to the causal convolution cut to x's length. Overlap-add (Oppenheim & Schafer, Discrete-Time
    Signal Processing, 8.7.3); the input's transform is shared by all batch items of h. Differentiable.
    """
    time, taps = x.shape[-1], min(h.shape[-1], x.shape[-1])
    h = h[..., :taps]
    # 4x the filter keeps three quarters of each transform; a large batch would rather keep memory.
    generous = 4 if max(len(x), len(h)) <= 4 else 2
    size = max(SMALLEST_FFT, 1 << (generous * taps - 1).bit_length())
    size = min(size, 1 << (time + taps - 1).bit_length())
    hop = size - taps + 1
    response = torch.fft.rfft(h, size)
    carry = None
    for start in range(0, time, hop):
        piece = torch.fft.rfft(x[..., start : start + hop], size)
        # (batch, 1, inputs, f) * (batch, outputs, inputs, f), summed over the inputs
        block = torch.fft.irfft((piece.unsqueeze(1) * response).sum(2), size)
        if carry is not None:
            block = block + torch.nn.functional.pad(carry, (0, size - carry.shape[-1]))
        carry = block[..., hop:]
        yield start, block[..., : min(hop, time - start)]
