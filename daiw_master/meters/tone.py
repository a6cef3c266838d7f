"""Where the energy lies: band levels, spectral centroid and tilt, from one short-time spectrum.

Frames of about 0.17 s under a sine window at 50 % overlap: the squared windows add up to one, so
every sample counts once and the energies of all frames sum to the energy of the sound (Parseval).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch.nn.functional import pad

from daiw_master.errors import InputError
from daiw_master.meters.loudness import relative_gate
from daiw_master.meters.pages import Pages
from daiw_master.meters.traces import check_sound
from daiw_master.meters.walk import Stretches
from daiw_master.meters.weighting import k_power_at
from daiw_master.targets import BAND_EDGES_HZ, WIDTH_EDGES_HZ

_FRAMES = 16  # at a time: they stay in cache
#: A band that holds less than this share of the whole is empty; it reads -55 dB: masked by the
#: rest, nobody hears whether it is there.
_EMPTY = 10**-5.5


def _fine_edges() -> np.ndarray:
    """Third-octave-like edges that include every edge of the target bands."""
    corners = sorted({hz for pair in (*BAND_EDGES_HZ.values(), *WIDTH_EDGES_HZ.values()) for hz in pair})
    edges = [corners[:1]]
    for low, high in zip(corners, corners[1:], strict=False):
        edges.append(np.geomspace(low, high, max(1, round(3 * math.log2(high / low))) + 1)[1:])
    return np.concatenate(edges)


FINE_EDGES_HZ = _fine_edges()
FINE_CENTRES_HZ = np.sqrt(FINE_EDGES_HZ[1:] * FINE_EDGES_HZ[:-1])


@dataclass(frozen=True)
class Spectrum:
    """Energy by moment and third of an octave: `mid` and `side` (batch, frames, bands), float64.

    Mid is (L + R)/2, side (L - R)/2; a mono sound has no side. Bands lie between `FINE_EDGES_HZ`.
    """

    mid: torch.Tensor
    side: torch.Tensor
    rate: int

    def gated(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mid and side energy (batch, bands) of the moments within 20 LU of the music's loudness."""
        weighting = torch.from_numpy(k_power_at(FINE_CENTRES_HZ, self.rate)).to(self.mid)
        gate = relative_gate(((self.mid + self.side) * weighting).sum(-1)).unsqueeze(-1)
        return (self.mid * gate).sum(1), (self.side * gate).sum(1)


def _frame_size(rate: int) -> int:
    return 1 << max(4, round(math.log2(0.17 * rate)))


@lru_cache(maxsize=16)
def _band_matrix(rate: int) -> np.ndarray:
    """(bins, bands): the share of each FFT bin's energy that falls into each band."""
    size = _frame_size(rate)
    width = rate / size
    centre = np.arange(size // 2 + 1)[:, None] * width
    low, high = FINE_EDGES_HZ[None, :-1], FINE_EDGES_HZ[None, 1:]
    share = (
        np.clip(np.minimum(centre + width / 2, high) - np.maximum(centre - width / 2, low), 0, None) / width
    )
    share[1:-1] *= 2  # a real FFT shows half of each pair
    return share / size


class SpectrumWalk:
    """Band energies of a sound that comes in blocks (batch, 1 or 2 channels, n): `add` all, then `done`.

    The cutting changes nothing. It keeps every frame, for gates are known at the end: 12 MB an hour
    (stereo, 44.1 kHz). Differentiable.
    """

    def __init__(self, rate: int):
        self.rate, self.size = rate, _frame_size(rate)
        hop = self.size // 2
        # half a frame of silence before and after: all samples count once
        self._stretches = Stretches(_FRAMES * hop, before=hop)
        self._energy = Pages()  # (batch, channels, bands, frames)

    def add(self, x: torch.Tensor) -> None:
        """The next block."""
        if x.shape[-1]:
            check_sound(x, most_channels=2)
            for stretch in self._stretches.add(x):
                self._note(stretch)

    def done(self) -> Spectrum:
        """What the walk found."""
        hop, (last, left) = self.size // 2, self._stretches.rest()
        if not self._stretches.heard:
            raise InputError("a meter reads at least one sample; none came")
        self._note(pad(last, (0, (math.ceil(left / hop) + 2) * hop - last.shape[-1])))
        energy = self._energy.joined().transpose(2, 3).double()
        side = energy[:, 1] if energy.shape[1] == 2 else torch.zeros_like(energy[:, 0])
        return Spectrum(energy[:, 0], side, self.rate)

    def _note(self, stretch: torch.Tensor) -> None:
        window = torch.sin(torch.pi * (torch.arange(self.size, dtype=torch.float64) + 0.5) / self.size)
        if stretch.shape[1] == 2:
            left, right = stretch.unbind(1)
            stretch = torch.stack([left + right, left - right], dim=1) / 2
        bins = torch.fft.rfft(stretch.unfold(-1, self.size, self.size // 2) * window.to(stretch))
        bands = torch.from_numpy(_band_matrix(self.rate)).to(stretch)
        self._energy.add((torch.view_as_real(bins).square().sum(-1) @ bands).transpose(2, 3))


def spectrum(x: torch.Tensor, rate: int) -> Spectrum:
    """Band energies over time of x (batch, 1 or 2 channels, time); differentiable."""
    check_sound(x, most_channels=2)
    walk = SpectrumWalk(rate)
    walk.add(x)
    return walk.done()


def band_energies(energy: torch.Tensor, edges: dict[str, tuple[float, float]]) -> torch.Tensor:
    """Sum fine bands (..., fine) into named bands (..., names)."""
    low, high = FINE_EDGES_HZ[:-1], FINE_EDGES_HZ[1:]
    inside = [(low >= a * 0.999) & (high <= b * 1.001) for a, b in edges.values()]
    return energy @ torch.from_numpy(np.stack(inside, axis=1)).to(energy)


def _relative_db(energy: torch.Tensor) -> torch.Tensor:
    """dB against the total over the last axis; empty entries read -55, silence reads evenly so."""
    total = energy.sum(-1, keepdim=True).clamp_min(torch.finfo(energy.dtype).tiny)
    return 10 * torch.log10((energy / total).clamp_min(_EMPTY))


#: What an empty band counts for in the mean of the bands.
_LEAST_IN_MEAN_DB = -45.0


def band_levels(seen: Spectrum) -> torch.Tensor:
    """How the eight bands stand against each other: (batch, 8) dB, each minus the mean of the eight.

    Gated power, in the order of `BAND_EDGES_HZ`. Gain changes nothing; a flat +1.5 dB in one band
    reads +1.31 there and -0.19 elsewhere.
    """
    level = _shares_db(seen)
    return level - _mean_db(level)


def band_mean_db(seen: Spectrum) -> torch.Tensor:
    """The mean that `band_levels` are read against, relative to the whole sound: (batch,) dB."""
    return _mean_db(_shares_db(seen)).squeeze(-1)


def _shares_db(seen: Spectrum) -> torch.Tensor:
    mid, side = seen.gated()
    return _relative_db(band_energies(mid + side, BAND_EDGES_HZ))


def _mean_db(level: torch.Tensor) -> torch.Tensor:
    """The mean of the bands. None counts for less than -45 dB of the total: whether an empty band is
    filled must hardly move the other seven.
    """
    least = level.detach().amax(-1, keepdim=True).clamp_max(_LEAST_IN_MEAN_DB)  # silence: all alike
    return torch.maximum(level, least).mean(-1, keepdim=True)


def centroid_hz(seen: Spectrum) -> torch.Tensor:
    """Where the energy balances: power-weighted mean frequency of the third-octave bands, (batch,) Hz."""
    energy = sum(seen.gated())
    centres = torch.from_numpy((FINE_EDGES_HZ[1:] + FINE_EDGES_HZ[:-1]) / 2).to(energy)
    return (energy * centres).sum(-1) / energy.sum(-1).clamp_min(torch.finfo(energy.dtype).tiny)


def tilt_db_per_oct(seen: Spectrum) -> torch.Tensor:
    """How the spectrum leans from 60 Hz to 12 kHz: slope of dB per third octave, (batch,) dB/oct.

    Pink noise reads 0, white noise +3.
    """
    used = (FINE_CENTRES_HZ > 60) & (FINE_CENTRES_HZ < 12000)
    octaves = np.log2(FINE_CENTRES_HZ[used])
    widths = torch.from_numpy(np.log2(FINE_EDGES_HZ[1:] / FINE_EDGES_HZ[:-1])).to(seen.mid)
    level = _relative_db(sum(seen.gated()) / widths)[:, torch.from_numpy(used)]
    centred = torch.from_numpy(octaves - octaves.mean()).to(level)
    return (level * centred).sum(-1) / centred.square().sum()
