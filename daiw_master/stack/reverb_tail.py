"""The sound of a room as numbers: early reflections and a noise tail that dies at its own pace per band.

After Moorer (1979, "About this reverberation business"): a diffuse tail is noise under an exponential
decay. Eight bands (the same as the targets') each have their own decay time; a dozen early taps stand
before them. The noise is drawn once from a fixed seed, so the same settings give the same room.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch

from daiw_master.targets import BAND_EDGES_HZ

#: How strongly `low_decay_ratio` and `high_decay_ratio` act on each band (exponents): the middle
#: (500-2000 Hz) is never touched, because that is where `decay_s` is read.
LOW_WEIGHT = (1.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0)
HIGH_WEIGHT = (0.0, 0.0, 0.0, 0.0, 1 / 3, 2 / 3, 1.0, 1.0)

#: Early reflections as (milliseconds, gain, which of the two decorrelated paths): delays and 1/distance
#: gains of the nearest image sources (Allen & Berkley 1979) of a 9.1 x 6.7 x 3.9 m room, source and
#: listener off centre, wall reflection 0.8; neighbours alternate between the paths.
EARLY_TAPS = (
    (7.3, 0.80, 0),
    (9.1, -0.74, 1),
    (13.4, 0.63, 1),
    (16.7, 0.55, 0),
    (19.9, -0.50, 0),
    (23.6, 0.45, 1),
    (28.3, -0.39, 1),
    (31.1, 0.36, 0),
    (36.8, 0.31, 1),
    (41.2, -0.28, 0),
    (47.9, 0.24, 0),
    (53.5, 0.21, 1),
)

#: The diffuse field needs a few milliseconds to build up; without it the tail starts with a click.
BUILD_UP_MS = 8.0
#: After so many times that, what is missing of it (e^-40) is less than float64 can tell from nothing.
BUILT_UP = 40
#: The last part of the tail, below -54 dB, in which it fades to nothing.
FADE_OUT = 0.1
#: Crossovers between the tail's bands reach this far (octaves) to either side of an edge.
CROSSOVER_OCTAVES = 0.5
NOISE_SEED = 1979
#: The noise is drawn in fixed pieces so that a longer tail begins with the same samples.
PIECE = 1 << 15
#: Envelopes are exact exponentials, computed as (start of block) x (shape within a block).
ENVELOPE_BLOCK = 256


def band_decays_s(decay_s: torch.Tensor, low_ratio: torch.Tensor, high_ratio: torch.Tensor) -> torch.Tensor:
    """How long each of the eight bands takes to fall by 60 dB: (..., 8) seconds from three (...)."""
    low = torch.tensor(LOW_WEIGHT, dtype=decay_s.dtype, device=decay_s.device)
    high = torch.tensor(HIGH_WEIGHT, dtype=decay_s.dtype, device=decay_s.device)
    decay_s, low_ratio, high_ratio = (setting.unsqueeze(-1) for setting in (decay_s, low_ratio, high_ratio))
    return decay_s * low_ratio**low * high_ratio**high


def early(decay_s: torch.Tensor, samples: int, rate: int) -> torch.Tensor:
    """The first echoes off walls and ceiling: (..., 2, samples), unit energy, fading with the room (...)."""
    taps = [tap for tap in EARLY_TAPS if round(tap[0] * rate / 1000) < samples] or [(0.0, 1.0, 0)]
    when_s = torch.tensor([tap[0] / 1000 for tap in taps], dtype=decay_s.dtype, device=decay_s.device)
    gain = torch.tensor([tap[1] for tap in taps], dtype=decay_s.dtype, device=decay_s.device)
    gain = gain * torch.exp(-math.log(1000) * when_s / decay_s.unsqueeze(-1))
    gain = gain / gain.square().sum(-1, keepdim=True).sqrt()
    at = torch.tensor([tap[2] * samples + round(tap[0] * rate / 1000) for tap in taps], device=gain.device)
    return gain.new_zeros(*decay_s.shape, 2 * samples).index_add(-1, at, gain).unflatten(-1, (2, samples))


def tail(decays_s: torch.Tensor, rate: int) -> torch.Tensor:
    """The room's diffuse tail: (..., 2, samples) of decorrelated noise, unit energy.

    decays_s: (..., 8) time to -60 dB per band; a tail ends with the slowest of its bands, and is
    silent from there to the end of the longest tail beside it. Differentiable.
    """
    samples = max(1, math.ceil(float(decays_s.detach().max()) * rate))
    blocks = -(-samples // ENVELOPE_BLOCK)
    noise = _band_noise(rate, 1 << (blocks * ENVELOPE_BLOCK - 1).bit_length())
    noise = torch.from_numpy(noise[..., : blocks * ENVELOPE_BLOCK]).to(decays_s)
    noise = noise.unflatten(-1, (blocks, ENVELOPE_BLOCK))
    # 60 dB of amplitude is a factor 1000 = exp(ln 1000): h(t) = n(t) exp(-ln(1000) t / T60)
    slope = (-math.log(1000) / (decays_s * rate)).unsqueeze(-1)
    steps = torch.arange(max(blocks, ENVELOPE_BLOCK), dtype=slope.dtype, device=slope.device)
    starts = torch.exp(slope * ENVELOPE_BLOCK * steps[:blocks]).unsqueeze(-1)
    shape = torch.exp(slope * steps[:ENVELOPE_BLOCK]).unsqueeze(-2)
    sound = noise.new_zeros(*decays_s.shape[:-1], *noise.shape[1:])
    for band in range(decays_s.shape[-1]):
        envelope = starts[..., band, :, :] * shape[..., band, :, :]
        sound.addcmul_(noise[band], envelope.unsqueeze(-3))
    sound = sound.flatten(-2)[..., :samples] * _outline(decays_s.amax(-1), samples, rate).unsqueeze(-2)
    return sound / sound.square().sum((-2, -1), keepdim=True).sqrt()


def _outline(longest_s: torch.Tensor, samples: int, rate: int) -> torch.Tensor:
    """How the field builds up and its end fades out: (..., samples), one everywhere between."""
    # the build-up is one, to the last bit, after some time; no exponential is taken from there on
    built = min(samples, math.ceil(BUILT_UP * BUILD_UP_MS / 1000 * rate))
    time = torch.arange(samples, dtype=longest_s.dtype, device=longest_s.device) / rate
    begun = 1 - torch.exp(-(time[:built] + 0.5 / rate) * (1000 / BUILD_UP_MS))
    # The end fades out: a step there, 60 dB down, would still be a step when a decay turns a little.
    first = min(samples, max(0, math.floor((1 - FADE_OUT) * float(longest_s.detach().min()) * rate) - 1))
    left = ((1 - time[first:] / longest_s.unsqueeze(-1)) / FADE_OUT).clamp(0, 1)
    fade = left.square() * (3 - 2 * left)
    ahead = fade.new_ones(*fade.shape[:-1], first)
    return torch.cat([ahead, fade], -1) * torch.cat([begun, begun.new_ones(samples - built)])


@lru_cache(maxsize=6)
def _band_noise(rate: int, samples: int) -> np.ndarray:
    """White noise split into the eight bands, (8, 2, samples) float32; the bands sum to the noise."""
    half = 1 << max(10, math.ceil(math.log2(0.1 * rate)))  # kernels fade out within 0.1 s either side
    pieces = -(-(samples + 2 * half) // PIECE)
    white = torch.cat([_white(piece) for piece in range(pieces)], dim=-1)[:, : samples + 2 * half]
    size = white.shape[-1]
    spectrum = torch.fft.rfft(white.double())
    bands = []
    for kernel in _band_kernels(rate, half):
        padded = torch.zeros(size, dtype=torch.float64)
        padded[: half + 1] = kernel[half:]
        padded[-half:] = kernel[:half]
        band = torch.fft.irfft(spectrum * torch.fft.rfft(padded), size)
        bands.append(band[:, half : half + samples].float())
    # Only the array is cached: a tensor first made in inference mode could never meet autograd.
    return torch.stack(bands).numpy()


def _white(piece: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(NOISE_SEED + piece)
    return torch.randn(2, PIECE, generator=generator)


def _band_kernels(rate: int, half: int) -> torch.Tensor:
    """Zero-phase band filters (8, 2 * half + 1) of finite length, so that noise has one beginning."""
    size = 4 * half
    hz = torch.fft.rfftfreq(size, 1 / rate, dtype=torch.float64).clamp_min(1e-3)
    edges = [low for low, _ in BAND_EDGES_HZ.values()][1:]
    octaves = torch.stack([torch.log2(hz / edge) for edge in edges])
    above = 0.5 + 0.5 * torch.sin(math.pi / 2 * (octaves / CROSSOVER_OCTAVES).clamp(-1, 1))
    above = torch.cat([torch.ones(1, len(hz)), above, torch.zeros(1, len(hz))])
    kernels = torch.fft.irfft((above[:-1] - above[1:]).to(torch.float64), size)
    window = torch.hann_window(2 * half + 1, periodic=False, dtype=torch.float64)
    return torch.cat([kernels[:, -half:], kernels[:, : half + 1]], dim=-1) * window
