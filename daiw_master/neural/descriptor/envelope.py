"""How the level moves within milliseconds: attack, release, limiting, rooms and echoes."""

from __future__ import annotations

import torch

from daiw_master.neural.descriptor.hearing import BLOCK, Hearing, db
from daiw_master.neural.descriptor.statistics import autocorrelation, log_spaced, quantiles, spread

#: Echoes are looked for from 5 to 640 ms, in blocks of 5.3 ms.
LAGS = log_spaced(1, 120, 40)
BAND_LAGS = log_spaced(1, 100, 16)
SHORT_BLOCK = 64
#: Attacks that count, at least so many blocks apart, and where they are looked at: from 16 ms before
#: to 420 ms after.
ONSETS, APART = 20, 8
AFTER = torch.tensor([-3, -1, 1, 2, 3, 4, 6, 8, 11, 15, 20, 28, 40, 56, 80])
PEAK_AT = 3


def envelope(heard: Hearing) -> torch.Tensor:
    """Level, crest and slopes of the whole sound in blocks of 5.3 ms, and of 1.3 ms: (batch, 63)."""
    level = heard.block_db
    mean_db = heard.peak_power.log10() * 10.0
    peaks = heard.blocks.abs().amax(-1)
    peak_db = 20.0 * torch.log10(peaks * heard.peak_power.sqrt()[:, None] + 1e-4)
    crest = peak_db - mean_db[:, None] - level
    short = heard.blocks.unflatten(-1, (-1, SHORT_BLOCK)).square().mean(-1).flatten(1)
    short = db(short)
    return torch.cat(
        [
            mean_db[:, None],  # after peak normalisation this is the crest factor of the whole
            spread(level)[:, None],
            quantiles(level, (0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)),
            quantiles(peak_db, (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)),
            quantiles(crest, (0.05, 0.25, 0.5, 0.75, 0.95)),
            *(quantiles(slope(level, by), STEEPNESS) for by in (1, 2, 4, 8, 16)),
            *(quantiles(slope(short, by), (0.01, 0.1, 0.9, 0.99)) for by in (1, 2)),
        ],
        -1,
    )


STEEPNESS = (0.02, 0.1, 0.5, 0.9, 0.98, 1.0)


def slope(level_db: torch.Tensor, by: int) -> torch.Tensor:
    """How much the level changes over some blocks."""
    return level_db[..., by:] - level_db[..., :-by]


def band_envelopes(heard: Hearing) -> torch.Tensor:
    """The same in four bands, where a compressor that hears them all moves them together: (batch, ~130)."""
    level = heard.band_block_db
    around = quantiles(level, (0.05, 0.25, 0.5, 0.75, 0.95, 1.0))
    steep = [quantiles(slope(level, by), (0.02, 0.1, 0.9, 0.98)) for by in (1, 4, 16)]
    centred = level - level.mean(-1, keepdim=True)
    norm = centred.square().mean(-1).add(1e-3).sqrt()
    pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    together = torch.stack(
        [(centred[:, a] * centred[:, b]).mean(-1) / (norm[:, a] * norm[:, b]) for a, b in pairs], -1
    )
    onsets = slope(level, 1).clamp_min(0.0)
    repeats = autocorrelation(onsets, BAND_LAGS.to(level.device))
    rest = [(around - level.mean(-1, keepdim=True)), spread(level)[..., None], *steep, repeats]
    return torch.cat([torch.cat(rest, -1).flatten(1), together], -1)


def echoes(heard: Hearing) -> torch.Tensor:
    """Whether level and attacks come again after a while, and how the level sways: (batch, ~92)."""
    level, lags = heard.block_db, LAGS.to(heard.block_db.device)
    onsets = slope(level, 1).clamp_min(0.0)
    centred = level - level.mean(-1, keepdim=True)
    sway = torch.fft.rfft(centred, 2048).abs().square() / level.shape[-1]
    # 2048 blocks: bins of 0.09 Hz, gathered in sixteen steps up to 90 Hz
    edges = log_spaced(4, 1000, 17).tolist()
    gathered = [sway[:, low:high].mean(-1) for low, high in zip(edges[:-1], edges[1:], strict=True)]
    return torch.cat(
        [
            autocorrelation(level, lags),
            autocorrelation(onsets, lags),
            torch.log10(torch.stack(gathered, -1) + 1e-3),
        ],
        -1,
    )


def after_onsets(heard: Hearing) -> torch.Tensor:
    """How the sound goes on after its strongest attacks, whole and in four bands: (batch, 75).

    A compressor lets an attack through, pulls down what follows and lets go again; a limiter flattens
    it, a room holds it up, and in every band at the same moments.
    """
    level = heard.block_db
    rise = slope(level, 2).detach()
    highest = torch.nn.functional.max_pool1d(rise[:, None], 2 * APART + 1, 1, APART)[:, 0]
    usable = level.shape[-1] - int(AFTER[-1]) - 2
    first = torch.where(rise == highest, rise, -1.0)[:, 4:usable].topk(ONSETS, -1).indices + 4
    at = first[..., None] + AFTER.to(first.device)
    rows = torch.cat([level[:, None, : heard.band_block_db.shape[-1]], heard.band_block_db], 1)
    index = at.flatten(1)[:, None].expand(-1, rows.shape[1], -1)
    heights = rows.gather(-1, index).unflatten(-1, (ONSETS, -1)).mean(2)
    # told against the second block after the rise, where a peak still stands
    return (heights - heights[..., PEAK_AT : PEAK_AT + 1]).flatten(1)


def loudness_spread(heard: Hearing) -> torch.Tensor:
    """How far the level strays over 400 ms and over a second: (batch, 8)."""
    found = []
    for seconds in (0.4, 1.0):
        size = round(seconds * 48_000 / BLOCK)
        slow = db(heard.block_power.unfold(-1, size, size // 2).mean(-1))
        around = quantiles(slow, (0.1, 0.5, 0.95))
        found += [spread(slow)[:, None], around]
    return torch.cat(found, -1)
