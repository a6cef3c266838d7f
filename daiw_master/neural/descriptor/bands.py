"""How each band stands and moves: tone, and what compression, gates and rooms do to it over time."""

from __future__ import annotations

import torch

from daiw_master.neural.descriptor.hearing import Hearing, db
from daiw_master.neural.descriptor.statistics import log_spaced, quantiles, spread

FLUX_BANDS, MODULATION_BANDS = 16, 8


def tone(heard: Hearing) -> torch.Tensor:
    """Mean, spread, soft and loud moments, peak and mean power of each of 64 bands: (batch, 384)."""
    bands = heard.bands_db[:, 0]
    around = quantiles(bands, (0.1, 0.9))
    power_db = db(heard.bands[:, 0].mean(-1))
    return torch.cat(
        [bands.mean(-1), spread(bands), around[..., 0], around[..., 1], bands.amax(-1), power_db], -1
    )


def side_tone(heard: Hearing) -> torch.Tensor:
    """Mean and spread of the side in each band, its mean power too: (batch, 192)."""
    bands = heard.bands_db[:, 1]
    return torch.cat([bands.mean(-1), spread(bands), db(heard.bands[:, 1].mean(-1))], -1)


def flux(heard: Hearing) -> torch.Tensor:
    """How much bands rise and fall from frame to frame, in 16 bands: (batch, 96)."""
    step = heard.bands_db[:, 0].unflatten(1, (FLUX_BANDS, -1)).mean(2).diff(dim=-1)
    edges = quantiles(step, (0.05, 0.25, 0.75, 0.95))
    rises, falls = step.clamp_min(0.0).mean(-1), step.clamp_max(0.0).mean(-1)
    return torch.cat([rises, falls, edges.flatten(1)], -1)


def modulation(heard: Hearing) -> torch.Tensor:
    """How fast 8 bands sway, from half a hertz to twenty: (batch, 72)."""
    bands = heard.bands_db[:, 0].unflatten(1, (MODULATION_BANDS, -1)).mean(2)
    bands = bands - bands.mean(-1, keepdim=True)
    sway = torch.fft.rfft(bands, 512).abs().square() / bands.shape[-1]
    # 512 frames of 21 ms: bins of 0.09 Hz, gathered in nine steps up to 20 Hz
    edges = log_spaced(4, 220, 10).tolist()
    gathered = [sway[..., low:high].mean(-1) for low, high in zip(edges[:-1], edges[1:], strict=True)]
    return torch.log10(torch.stack(gathered, -1) + 1e-3).flatten(1)


def dynamics(heard: Hearing) -> torch.Tensor:
    """How far 8 bands move around their median: (batch, 40)."""
    bands = heard.bands_db[:, 0].unflatten(1, (MODULATION_BANDS, -1)).mean(2)
    around = quantiles(bands, (0.05, 0.25, 0.5, 0.75, 0.95, 1.0))
    return (around[..., [0, 1, 3, 4, 5]] - around[..., 2:3]).flatten(1)
