"""The peak around every sample, in between the samples too: what a limiter has to look at.

Four points per sample (BS.1770-4, Annex 2) catch all but the last half dB near the band edge, which
the limiter's closing trim takes care of at sixteen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache, reduce

import numpy as np
import torch
from torch.nn import functional

from daiw_master.meters.true_peak import bend_share, between_samples
from daiw_master.stack.blocks import join
from daiw_master.stack.oversample import FRAME, spread
from daiw_master.units import db_from_gain, gain_from_db

#: Samples on either side that have a say in the peak around one.
REACH = 12
BLOCK = 1 << 16
_STEPS = 4
_BETA = 6.0  # 63 dB
_STRETCH = 64  # samples that are read, or passed by, together


@lru_cache(maxsize=1)
def _between() -> np.ndarray:
    """(2 REACH kernels' length and a frame, 3 FRAME): the sound 1/4, 2/4 and 3/4 of a sample after each."""
    kernels = between_samples(_STEPS, REACH, _BETA)[:, 1:]
    matrix = np.zeros((FRAME + 2 * math.ceil(REACH / FRAME) * FRAME, _STEPS - 1, FRAME))
    for sample in range(FRAME):
        matrix[sample : sample + 2 * REACH, :, sample] = kernels
    return matrix.reshape(len(matrix), -1)


def peak_envelope_db(x: torch.Tensor) -> torch.Tensor:
    """The highest point of any channel next to each sample: x (batch, channels, time) -> (batch, time) dBFS.

    Never below the sample itself; a point between two samples counts for both. Differentiable (the
    gradient goes to the highest point). Works in blocks.
    """

    def blocks_db() -> Iterator[torch.Tensor]:
        time = x.shape[-1]
        for start in range(0, time, BLOCK):
            first, last = start - REACH, min(start + BLOCK, time) + REACH
            part = x[..., max(0, first) : last]
            yield db_from_gain(_envelope(functional.pad(part, (max(0, -first), max(0, last - time)))))

    return join(blocks_db(), x.shape[-1])


def over_ceiling_db(part: torch.Tensor, ceiling_db: torch.Tensor) -> torch.Tensor:
    """By how much the peak around each sample exceeds a ceiling, 0 where it does not: (batch, n) dB.

    part (batch, channels, REACH + n + REACH); ceiling_db (batch or 1, 1). Not differentiable: frames
    that stay under the ceiling by a bound on what lies between samples are passed by.
    """
    n = part.shape[-1] - 2 * REACH
    missing = -n % _STRETCH
    if missing:
        part = functional.pad(part, (0, missing))
    largest = part[..., REACH - 1 :].abs().unfold(-1, _STRETCH + 2, _STRETCH).amax(-1)
    bends = torch.add(part[..., 2:], part[..., :-2]).sub_(part[..., 1:-1], alpha=2).abs_()
    bend = bends.unfold(-1, _STRETCH + 2 * REACH - 2, _STRETCH).amax(-1)
    share, slack = bend_share(REACH, _STEPS, _BETA)
    most = (largest * (1 + slack) + bend * share).amax(1)
    worth = most > gain_from_db(ceiling_db.to(part.dtype))
    over = part.new_zeros(*worth.shape, _STRETCH)
    items, frames = torch.nonzero(worth, as_tuple=True)
    if len(items):
        windows = part.unfold(-1, _STRETCH + 2 * REACH, _STRETCH)[items % len(part), :, frames]
        ceilings = ceiling_db.to(part.dtype).expand(len(worth), 1)[items]
        over[items, frames] = functional.relu(db_from_gain(_envelope(windows)) - ceilings)
    return over.flatten(-2)[..., :n]


def _envelope(part: torch.Tensor) -> torch.Tensor:
    """(batch, channels, REACH + n + REACH) -> (batch, n): largest of a sample and the points next to it."""
    matrix = torch.from_numpy(_between()).to(part)
    count = part.shape[-1] - 2 * REACH + 1  # before the first sample, after each
    whole = math.ceil(count / FRAME) * FRAME + len(matrix) - FRAME
    points = spread(functional.pad(part, (0, whole - part.shape[-1])), matrix).abs()
    points = reduce(torch.maximum, points.split(FRAME, dim=-1)).flatten(-2)[..., :count].amax(1)
    own = part[..., REACH:-REACH].abs().amax(1)
    return torch.maximum(own, torch.maximum(points[..., :-1], points[..., 1:]))
