"""How wide the sound stands, band by band, and how steadily."""

from __future__ import annotations

import torch

from daiw_master.neural.descriptor.hearing import BLOCK, Hearing
from daiw_master.neural.descriptor.statistics import quantiles, spread

WIDTH_BANDS = 8
#: Likeness is told over blocks of 43 ms, a long swing of the deepest note.
LIKENESS_BLOCK = 8 * BLOCK


def stereo(heard: Hearing) -> torch.Tensor:
    """Side against mid in 8 bands, their likeness, balance, and how the width moves: (batch, ~57)."""
    mid, side = heard.bands_db[:, 0], heard.bands_db[:, 1]
    width = (side - mid).unflatten(1, (WIDTH_BANDS, -1)).mean(2)
    size = heard.mid.shape[-1] // LIKENESS_BLOCK * LIKENESS_BLOCK
    blocks = [x[:, :size].unflatten(-1, (-1, LIKENESS_BLOCK)) for x in (heard.mid, heard.side)]
    cross = (blocks[0] * blocks[1]).mean(-1)
    power = [x.square().mean(-1) for x in blocks]
    # silence is like nothing: 40 dB under the peak counts for little
    silence = 1e-8 / heard.peak_power.square()[:, None]
    likeness = cross / (power[0] * power[1] + silence).sqrt()
    whole = 10.0 * torch.log10(heard.side.square().mean(-1) + 1e-8)
    left, right = heard.mid + heard.side, heard.mid - heard.side
    balance = 10.0 * torch.log10((left.square().mean(-1) + 1e-3) / (right.square().mean(-1) + 1e-3))
    around = quantiles(width, (0.1, 0.5, 0.9))
    return torch.cat(
        [
            width.mean(-1),
            spread(width),
            around.flatten(1),
            quantiles(likeness, (0.05, 0.5, 0.95)),
            likeness.abs().mean(-1)[:, None],
            whole[:, None],
            balance.abs()[:, None],
        ],
        -1,
    )
