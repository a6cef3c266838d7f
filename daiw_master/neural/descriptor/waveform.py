"""What saturation, clipping and coarse bits do to the wave itself."""

from __future__ import annotations

import torch

from daiw_master.neural.descriptor.hearing import Hearing
from daiw_master.neural.descriptor.statistics import quantiles

#: Every sixteenth sample is enough to know how often the wave stands where.
STRIDE = 16
#: The last of these are where a clipper flattens the tops.
STANDS = (0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.87, 0.92, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999)


def waveform(heard: Hearing) -> torch.Tensor:
    """How the mid is spread between silence and its peak, its moments, standstills: (batch, ~25)."""
    x = heard.mid
    squared = x.square()
    kurtosis = torch.log((squared * squared).mean(-1) + 1e-6)
    skew = (squared * x).mean(-1)
    step = x.diff(dim=-1)
    squared_step = step.square()
    motion = squared_step.mean(-1) + 1e-9
    # steps much smaller than the usual one: at rest, held by a crusher, or pressed against a ceiling
    still = [
        torch.log10((squared_step * (k / motion)[:, None]).add(1.0).reciprocal().mean(-1)) for k in (1e2, 1e8)
    ]
    crossings = torch.log10((x[:, 1:] * x[:, :-1] < 0).to(x.dtype).mean(-1) + 1e-4)
    stands = 20.0 * torch.log10(quantiles(x[:, ::STRIDE].abs(), STANDS) + 1e-4)
    top = 20.0 * torch.log10(x.abs().amax(-1) + 1e-4)
    moments = torch.stack([kurtosis, skew, torch.log10(motion), *still, crossings, top], -1)
    return torch.cat([moments, stands], -1)
