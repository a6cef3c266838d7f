"""The few ways in which the descriptor sums up a row of numbers."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch


def quantiles(x: torch.Tensor, at: tuple[float, ...]) -> torch.Tensor:
    """Quantiles over the last axis, (..., len(at)), with a gradient to the values they lie between."""
    ordered = in_order(x)
    below, above, weight = _places(at, x.shape[-1], x.device, x.dtype)
    return torch.lerp(ordered[..., below], ordered[..., above], weight)


@lru_cache(maxsize=256)
@torch.inference_mode(False)  # whoever comes later may want to learn through them
def _places(
    at: tuple[float, ...], count: int, device: torch.device, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Between which of so many ordered values each quantile lies, and how far."""
    position = torch.tensor(at, dtype=torch.float64) * (count - 1)
    below = position.floor().long()
    above = (below + 1).clamp_max(count - 1)
    return below.to(device), above.to(device), (position - below).to(device, dtype)


def in_order(x: torch.Tensor) -> torch.Tensor:
    """Sorted over the last axis. Where nobody learns from it by numpy, which is forty times as fast."""
    if x.requires_grad or not x.is_cpu:
        return x.sort(-1).values
    return torch.from_numpy(np.sort(x.detach().numpy()))


def spread(x: torch.Tensor) -> torch.Tensor:
    """Standard deviation over the last axis, with a gradient also where nothing moves."""
    return (x.var(-1, unbiased=False) + 1e-6).sqrt()


def autocorrelation(x: torch.Tensor, lags: torch.Tensor) -> torch.Tensor:
    """Normalised autocorrelation over the last axis at some lags, (..., lags) in [-1, 1]."""
    x = x - x.mean(-1, keepdim=True)
    size = 2 * x.shape[-1]
    spectrum = torch.fft.rfft(x, size)
    found = torch.fft.irfft(spectrum.real.square() + spectrum.imag.square(), size)
    return found[..., lags] / (found[..., :1] + 1e-3)


@lru_cache
@torch.inference_mode(False)
def log_spaced(low: float, high: float, count: int) -> torch.Tensor:
    """Whole numbers from low to high, evenly spaced to the ear, none twice."""
    steps = torch.logspace(0, 1, count, base=high / low, dtype=torch.float64) * low
    return steps.round().long().unique()
