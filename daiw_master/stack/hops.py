"""Slow things beside fast ones: values once per hop, smoothed there and drawn out to samples."""

from __future__ import annotations

import torch
from torch.nn import functional


def average(values: torch.Tensor, hops: int) -> torch.Tensor:
    """Moving average over an odd number of hops, the ends repeated: (batch, channels, hops) -> the same."""
    half = hops // 2
    return functional.avg_pool1d(functional.pad(values, (half, half), mode="replicate"), hops, 1)


def to_samples(values: torch.Tensor, hop: int, first: int, stop: int) -> torch.Tensor:
    """Straight lines between hop centres, written out for the hops from `first` to `stop`.

    (batch, channels, hops) -> (batch, channels, (stop - first) * hop); the ends are held.
    """
    missing = (int(first == 0), int(stop == values.shape[-1]))
    around = values[..., max(first - 1, 0) : stop + 1]
    around = functional.pad(around, missing, mode="replicate") if any(missing) else around
    # Each sample is a mixture of its own hop and the one before (first half) or after (second half).
    offset = (torch.arange(hop, dtype=values.dtype, device=values.device) + 0.5) / hop - 0.5
    mixture = torch.stack([(-offset).clamp_min(0.0), 1 - offset.abs(), offset.clamp_min(0.0)])
    return (around.unfold(-1, 3, 1) @ mixture).flatten(-2)
