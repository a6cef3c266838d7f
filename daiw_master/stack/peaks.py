"""The peak around every sample, in between the samples too: what a limiter has to look at.

Four points per sample (BS.1770-4, Annex 2) catch all but the last half dB near the band edge, which
the limiter's closing trim takes care of at sixteen.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from torch.nn import functional

from daiw_master.meters.true_peak import between_samples
from daiw_master.stack.blocks import join
from daiw_master.units import db_from_gain

#: Samples of interpolation kernel on either side of the point read.
_HALF = 12
_STEPS = 4
BLOCK = 1 << 16


@lru_cache(maxsize=1)
def _between() -> np.ndarray:
    """Kernels (3, 1, 2 * _HALF) reading the sound 1/4, 2/4 and 3/4 of a sample after sample _HALF - 1."""
    kernels = between_samples(_STEPS, _HALF, beta=6.0)  # 63 dB
    return np.ascontiguousarray(kernels[:, 1:].T[:, None])


def peak_envelope_db(x: torch.Tensor) -> torch.Tensor:
    """The highest point of any channel next to each sample: x (batch, channels, time) -> (batch, time) dBFS.

    Never below the sample itself; a point between two samples counts for both. Differentiable (the
    gradient goes to the highest point). Works in blocks.
    """
    return join(_blocks_db(x), x.shape[-1])


def _blocks_db(x: torch.Tensor) -> Iterator[torch.Tensor]:
    time = x.shape[-1]
    kernels = torch.from_numpy(_between()).to(x)
    for start in range(0, time, BLOCK):
        # One sample more in front: the point before the first sample counts for it too.
        first, last = start - _HALF, min(start + BLOCK, time) + _HALF
        part = x[..., max(0, first) : last]
        part = functional.pad(part, (max(0, -first), max(0, last - time)))
        points = functional.conv1d(part.flatten(0, 1).unsqueeze(1), kernels).abs().amax(1)
        points = points.unflatten(0, x.shape[:2]).amax(1)
        own = part[..., _HALF:-_HALF].abs().amax(1)
        yield db_from_gain(torch.maximum(own, torch.maximum(points[..., :-1], points[..., 1:])))
