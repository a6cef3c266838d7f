"""Test signals with a purpose: each function says what it is good for."""

from __future__ import annotations

import math

import torch


def sine(
    hz: float,
    seconds: float = 1.0,
    rate: int = 44100,
    level_db: float = 0.0,
    phase: float = 0.0,
    channels: int = 2,
    dtype=torch.float32,
) -> torch.Tensor:
    """(1, channels, time) sine of a given peak level."""
    t = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    wave = 10 ** (level_db / 20) * torch.sin(2 * math.pi * hz * t + phase)
    return wave.to(dtype).expand(1, channels, -1).clone()


def noise(
    seconds: float = 1.0,
    rate: int = 44100,
    level_db: float = -12.0,
    seed: int = 0,
    channels: int = 2,
    dtype=torch.float32,
) -> torch.Tensor:
    """(1, channels, time) white noise, channels independent: every band, full width."""
    generator = torch.Generator().manual_seed(seed)
    wave = torch.randn(1, channels, round(seconds * rate), generator=generator, dtype=torch.float64)
    return (wave * 10 ** (level_db / 20)).to(dtype)


def impulse(seconds: float = 1.0, rate: int = 44100, channels: int = 2, dtype=torch.float32) -> torch.Tensor:
    """(1, channels, time) a single 1.0 at time zero: read a filter or a reverb off it."""
    wave = torch.zeros(1, channels, round(seconds * rate), dtype=dtype)
    wave[..., 0] = 1.0
    return wave


def music(seconds: float = 4.0, rate: int = 44100, seed: int = 1, dtype=torch.float32) -> torch.Tensor:
    """(1, 2, time) a synthetic band: bass, chords, hi-hats, kick; soft first half, loud second half.

    Has onsets, rests, stereo width, every band and two loudness levels, so every knob can be heard.
    """
    generator = torch.Generator().manual_seed(seed)
    n = round(seconds * rate)
    t = torch.arange(n, dtype=torch.float64) / rate
    beat = 0.5
    phase_in_beat = torch.remainder(t, beat)
    envelope = torch.exp(-6 * phase_in_beat) * (1 - torch.exp(-phase_in_beat / 0.002))
    bass = 0.35 * torch.sin(2 * math.pi * 55 * t) + 0.1 * torch.sin(2 * math.pi * 110 * t)
    kick = torch.exp(-30 * phase_in_beat) * torch.sin(2 * math.pi * 48 * t)
    left = sum(torch.sin(2 * math.pi * f * t + 0.3) / (1 + i) for i, f in enumerate((220, 331, 660, 1319)))
    right = sum(torch.sin(2 * math.pi * f * t + 1.1) / (1 + i) for i, f in enumerate((221, 329, 662, 1321)))
    eighth = torch.remainder(t, beat / 2)
    hats = torch.exp(-60 * eighth) * torch.randn(2, n, generator=generator, dtype=torch.float64)
    wave = torch.stack([left, right]) * 0.12 * envelope + 0.08 * hats + 0.3 * bass + 0.4 * kick
    wave = wave + 0.0005 * torch.randn(2, n, generator=generator, dtype=torch.float64)
    dynamics = torch.where(t < seconds / 2, 0.25, 0.8)
    return (wave * dynamics).unsqueeze(0).to(dtype)
