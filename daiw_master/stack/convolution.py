"""Long filters over long sounds: exact FFT convolution in cache-sized frames, several at a time."""

from __future__ import annotations

import torch

from daiw_master.stack.linear import Fir, Linear


def convolve(x: torch.Tensor, fir: torch.Tensor, lead: int = 0) -> torch.Tensor:
    """The sound through a filter given by its impulse response, as long as it came in.

    `x` (batch, channels, time), `fir` (batch or 1, channels or 1, taps) in x's dtype; a batch of
    one on either side broadcasts, and its transform is taken once. `lead` is the index of the tap
    that stands at time zero (the centre of a symmetric filter), so nothing is delayed. Differentiable.
    """
    return Linear((Fir(fir, lead),))(x)
