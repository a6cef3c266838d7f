"""The fine shape of the spectrum: combs, ripples, noise and where its weight lies."""

from __future__ import annotations

import torch

from daiw_master.neural.descriptor.hearing import FRAME, RATE, Hearing, power_spectrum
from daiw_master.neural.descriptor.statistics import log_spaced, quantiles, spread

LONG_FRAME = 16_384
CEPSTRUM_LOW = 24


def combs(heard: Hearing) -> torch.Tensor:
    """How regularly the spectrum ripples, as after a short delay or a flanger: (batch, ~85)."""
    power = heard.power[:, 0].mean(1)
    short = _cepstrum(power)
    edges = log_spaced(CEPSTRUM_LOW, FRAME // 2, 22).tolist()
    peaks = _peaks(short, edges)
    long = _cepstrum(power_spectrum(heard.mid, LONG_FRAME, LONG_FRAME // 2).mean(1))
    # delays from 10 to 170 ms
    long_peaks = _peaks(long, log_spaced(480, LONG_FRAME // 2, 40).tolist())
    return torch.cat([short[:, 1 : CEPSTRUM_LOW + 1], peaks, long_peaks], -1)


def _cepstrum(power: torch.Tensor) -> torch.Tensor:
    return torch.fft.irfft(torch.log10(power + 1e-12))


def _peaks(cepstrum: torch.Tensor, edges: list[int]) -> torch.Tensor:
    """The strongest ripple between neighbouring edges, in dB."""
    pairs = zip(edges[:-1], edges[1:], strict=True)
    return 10.0 * torch.stack([cepstrum[:, low:high].amax(-1) for low, high in pairs], -1)


def noisiness(heard: Hearing) -> torch.Tensor:
    """Flatness in 12 bands, mean and spread over time: a tone or a noise: (batch, 24)."""
    power = heard.power[:, 0]
    edges = log_spaced(8, power.shape[-1] - 1, 13).tolist()
    log_power = torch.log(power + 1e-12)
    flat = []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        flat.append(log_power[..., low:high].mean(-1) - torch.log(power[..., low:high].mean(-1) + 1e-12))
    flatness = torch.stack(flat, 1)
    return torch.cat([flatness.mean(-1), spread(flatness)], -1)


def weight(heard: Hearing) -> torch.Tensor:
    """Where the spectrum's weight and its upper edge lie, in octaves, over time: (batch, 16)."""
    power = heard.power[:, 0] + 1e-10
    hz = torch.arange(power.shape[-1], device=power.device, dtype=power.dtype) * RATE / FRAME
    octaves = torch.log2(hz.clamp_min(20.0) / 1000.0)
    total = power.sum(-1)
    centre = (power * octaves).sum(-1) / total
    width = ((power * octaves.square()).sum(-1) / total - centre.square()).clamp_min(0.0).add(1e-4).sqrt()
    found = []
    for row in (centre, width):
        found += [row.mean(-1)[:, None], spread(row)[:, None], quantiles(row, (0.05, 0.25, 0.75, 0.95))]
    share = power.mean(1).cumsum(-1)
    share = share / share[:, -1:]
    # the frequency under which 50, 85, 95 and 99 % lie
    edges = [
        torch.log2((share < part).to(power.dtype).sum(-1).clamp_min(1.0) * RATE / FRAME / 1000.0)[:, None]
        for part in (0.5, 0.85, 0.95, 0.99)
    ]
    return torch.cat([*found, *edges], -1)
