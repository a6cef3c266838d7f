"""The test signals of EBU Tech 3341 and 3342, synthesised: 1 kHz sines whose peak level is given in dBFS."""

from __future__ import annotations

import math

import scipy.signal
import torch

RATE = 48000


def tone(*steps: tuple[float | None, float], channels: int = 2) -> torch.Tensor:
    """(1, channels, time): 1 kHz at each (level_db, seconds) in turn; None is silence. Phase runs on."""
    pieces = []
    for level_db, seconds in steps:
        gain = 0.0 if level_db is None else 10 ** (level_db / 20)
        pieces.append(torch.full((round(seconds * RATE),), gain, dtype=torch.float64))
    envelope = torch.cat(pieces)
    t = torch.arange(len(envelope), dtype=torch.float64) / RATE
    return (envelope * torch.sin(2 * math.pi * 1000 * t)).float().expand(1, channels, -1)


def five_channels(seconds: float = 20.0) -> torch.Tensor:
    """Case 6: L, R at -28, C at -24, Ls, Rs at -30."""
    return torch.cat([tone((db, seconds), channels=1) for db in (-28, -28, -24, -30, -30)], dim=1)


def faded_sine(
    share_of_rate: float, amplitude: float, phase_deg: float, seconds: float = 1.0
) -> torch.Tensor:
    """Cases 15-19: a sine at a fraction of the rate, faded in and out so that its edge is no peak."""
    n = torch.arange(round(seconds * RATE), dtype=torch.float64)
    wave = amplitude * torch.sin(2 * math.pi * share_of_rate * n + math.radians(phase_deg))
    fade = (torch.minimum(n, n.flip(0)) / (0.05 * RATE)).clamp(max=1.0)
    return (wave * fade).float().expand(1, 2, -1)


def one_loud_period() -> list[torch.Tensor]:
    """Cases 20-23: at 4x, an fs/6 sine of 0.5 with one period of 1.0, band-limited, every fourth kept.

    Four sounds, for the four places where the first kept sample may lie.
    """
    n = torch.arange(round(0.25 * RATE) * 4, dtype=torch.float64)
    wave = 0.5 * torch.sin(2 * math.pi * n / 6 / 4)
    middle = len(n) // 2 // 24 * 24
    wave[middle : middle + 24] *= 2
    fade = (torch.minimum(n, n.flip(0)) / (0.05 * RATE * 4)).clamp(max=1.0)
    taps = scipy.signal.firwin(2001, 0.2, window=("kaiser", 8.0))
    limited = torch.from_numpy(scipy.signal.oaconvolve((wave * fade).numpy(), taps, mode="same")).float()
    return [limited[offset::4].expand(1, 2, -1) for offset in range(4)]
