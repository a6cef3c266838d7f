"""What every part of the descriptor listens to: mid, side, their spectra and their envelope, made once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch

RATE = 48_000
FRAME, HOP = 2048, 1024
BANDS = 64
LOW_HZ, HIGH_HZ = 20.0, 20_000.0
#: Blocks of the envelope: 5.3 ms, short enough for the attack of a compressor.
BLOCK = 256
#: Frames of the fine grid whose band powers follow attack and release band by band.
SHORT_FRAME = 512
#: Edges of the four bands of that grid: bass, body, presence, air.
ENVELOPE_EDGES_HZ = (0.0, 200.0, 1000.0, 5000.0, 24_000.0)
#: Levels end 80 dB under the mid's mean power, smoothly, so that a gradient has somewhere to go.
FLOOR = 1e-8


@dataclass(frozen=True)
class Hearing:
    """A batch of sounds as the parts of the descriptor hear them, each at a mid of mean power 1.

    `mid`, `side` (batch, time); `peak_power` (batch,) what the mid's mean power is of its peak's, squared;
    `power` (batch, 2, frames, bins) of mid and side; `bands` (batch, 2, 64, frames) the same on a mel scale
    and `bands_db` its levels; `blocks` (batch, blocks, 256) the mid cut into the envelope's blocks;
    `block_power`, `block_db` (batch, blocks) theirs; `band_block_db` (batch, 4, blocks) in four bands.
    """

    mid: torch.Tensor
    side: torch.Tensor
    peak_power: torch.Tensor
    power: torch.Tensor
    bands: torch.Tensor
    bands_db: torch.Tensor
    blocks: torch.Tensor
    block_power: torch.Tensor
    block_db: torch.Tensor
    band_block_db: torch.Tensor


def hear(x: torch.Tensor) -> Hearing:
    """Mid and side of sounds (batch, 2, time) at 48 kHz, their spectra and envelopes."""
    mid, side = 0.5 * (x[:, 0] + x[:, 1]), 0.5 * (x[:, 0] - x[:, 1])
    # anti-phase sounds have no mid to speak of: its peak and its power are then told against the side's
    peak = torch.maximum(mid.abs().amax(-1), 0.03 * side.abs().amax(-1)).clamp_min(1e-9)
    reference = torch.maximum(mid.square().mean(-1), 1e-3 * side.square().mean(-1))
    peak_power = (reference / peak.square()).clamp_min(1e-9)
    both = torch.stack([mid, side], 1) / (peak * peak_power.sqrt())[:, None, None]
    mid, side = both[:, 0], both[:, 1]
    power = power_spectrum(both, FRAME, HOP)
    # frames stand last, so that statistics over time read memory in order
    mel = mel_matrix(x.device, x.dtype)
    bands = (power[..., : len(mel)] @ mel).transpose(-1, -2).contiguous()
    blocks = mid[:, : mid.shape[-1] // BLOCK * BLOCK].unflatten(-1, (-1, BLOCK))
    block_power = blocks.square().mean(-1)
    short = power_spectrum(mid, SHORT_FRAME, BLOCK)
    band_blocks = (short @ envelope_matrix(x.device, x.dtype)).transpose(-1, -2).contiguous()
    return Hearing(
        mid, side, peak_power, power, bands, db(bands), blocks, block_power, db(block_power),
        db(band_blocks),
    )  # fmt: skip


def db(power: torch.Tensor) -> torch.Tensor:
    """10 log10 of a power relative to the reference, with its floor 80 dB down."""
    return 10.0 * torch.log10(power + FLOOR)


def power_spectrum(x: torch.Tensor, frame: int, hop: int) -> torch.Tensor:
    """Mean-square power in each bin of Hann frames: (..., frames, bins); the bins sum to the power."""
    window = hann(frame, x.device, x.dtype)
    spectrum = torch.fft.rfft(x.unfold(-1, frame, hop) * window)
    # one-sided: every bin stands for two, but for the first and the last (Heinzel et al. 2002, eq. 24)
    return spectrum.real.square() + spectrum.imag.square()


@lru_cache
def hann(frame: int, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """A Hann window scaled so that squared bins add up to mean power."""
    window = torch.hann_window(frame, device=device, dtype=torch.float64)
    return (window * math.sqrt(2.0 / (frame * window.square().sum()))).to(dtype)


@lru_cache
def mel_matrix(device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Triangles on HTK's mel scale, (bins, bands); each gathers the power around its centre.

    Bins end where the highest triangle does.
    """

    def mel(hz: float) -> float:
        return 2595.0 * math.log10(1.0 + hz / 700.0)

    marks = torch.linspace(mel(LOW_HZ), mel(HIGH_HZ), BANDS + 2, dtype=torch.float64)
    hz = 700.0 * (10.0 ** (marks / 2595.0) - 1.0)
    bins = torch.arange(FRAME // 2 + 1, dtype=torch.float64)[:, None] * RATE / FRAME
    rise = (bins - hz[:-2]) / (hz[1:-1] - hz[:-2])
    fall = (hz[2:] - bins) / (hz[2:] - hz[1:-1])
    triangles = torch.minimum(rise, fall).clamp_min(0.0)
    return triangles[: int(HIGH_HZ * FRAME / RATE) + 1].to(device, dtype)


@lru_cache
def envelope_matrix(device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Which bins of the fine grid belong to which of the four bands, (bins, 4)."""
    hz = torch.arange(SHORT_FRAME // 2 + 1) * RATE / SHORT_FRAME
    edges = torch.tensor(ENVELOPE_EDGES_HZ)
    inside = (hz[:, None] >= edges[:-1]) & (hz[:, None] < edges[1:])
    return inside.to(device, dtype)
