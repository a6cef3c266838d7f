"""ST-ITO's MIR baseline as its code computes it, slips included, so that the column means what theirs means.

Before loudness and crest, every sample is divided by the larger of its two channels (the peak is taken over
channels, not over time); loudness alone is one number, whose cosine is its sign; the Bark spectrum runs at
a frame of 48000 samples as though the rate were 44.1 kHz, without a window. Each of the five groups is
compared by its own cosine, and the five are averaged.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from benchmarks.style.clips import RATE
from benchmarks.style.features.spectra import Heard, triangles
from daiw_master.meters.loudness import integrated_loudness

_FRAME, _ASSUMED_RATE, _BANDS = 48_000, 44_100, 24


def mir_published(heard: Heard) -> np.ndarray:
    """(49,): the five groups, each of length 1 / sqrt(5), so that a dot product is their mean cosine.

    A group of zeros stays zeros: its cosine with anything counts as 0, there as here.
    """
    x = torch.from_numpy(heard.x)
    signs = x / x.abs().amax(0).clamp_min(1e-8)
    groups = (
        integrated_loudness(signs[None], RATE).double(),
        _rms(x),
        20 * torch.log10((signs.abs().amax(-1) / _rms(signs)).clamp_min(1e-8)),
        _bark(x.mean(0)),
        _centroid(x),
    )
    unit = [torch.nn.functional.normalize(group.double().flatten(), dim=0) for group in groups]
    return (torch.cat(unit) / len(groups) ** 0.5).numpy()


def _rms(x: torch.Tensor) -> torch.Tensor:
    return x.square().mean(-1).clamp_min(1e-8).sqrt()


def _bark(x: torch.Tensor) -> torch.Tensor:
    spectrum = torch.stft(x, _FRAME, _FRAME // 4, window=torch.ones(_FRAME), return_complex=True).abs()
    return torch.log(_bark_bands() @ spectrum.mean(-1) + 1e-8)


@cache
def _bark_bands() -> torch.Tensor:
    bark = np.linspace(*(_hz_to_bark(hz) for hz in (20.0, 20_000.0)), _BANDS + 2)
    bark = np.where(bark < 2, (bark - 0.3) / 0.85, bark)  # no band above 20.1 is corrected as well
    edges = 1960 * (bark + 0.53) / (26.28 - bark)
    return torch.from_numpy(triangles(edges, _FRAME // 2 + 1, _ASSUMED_RATE))


def _hz_to_bark(hz: float) -> float:
    """Traunmueller's scale, corrected at both ends."""
    bark = 26.81 * hz / (1960 + hz) - 0.53
    if bark < 2:
        return bark + 0.15 * (2 - bark)
    return bark + 0.22 * (bark - 20.1) if bark > 20.1 else bark


def _centroid(x: torch.Tensor) -> torch.Tensor:
    """(2, 10): the centroid over time, a tenth of the sound at a time, as a share of half the rate."""
    magnitude = torch.stft(x, 2048, 1024, window=torch.hann_window(2048), return_complex=True).abs()
    frequency = torch.linspace(0, 1, magnitude.shape[1])[:, None]
    centroid = torch.nan_to_num((frequency * magnitude).sum(1) / magnitude.sum(1))
    return torch.nn.functional.adaptive_avg_pool1d(centroid, 10)
