"""Decibels, milliseconds and beats: the conversions every module shares, in pairs.

Each function takes a float or a tensor and returns the same kind.
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch

Number = TypeVar("Number", float, torch.Tensor)

#: Silence in power: -120 dB. `max(p, floor)`, never `p + floor`, so that levels above it are exact
#: and the gradient below it is zero instead of huge.
POWER_FLOOR = 1e-12


def gain_from_db(level_db: Number) -> Number:
    """Amplitude factor of a level in dB: 6.02 dB is 2."""
    return 10.0 ** (level_db / 20.0)


def db_from_gain(gain: Number) -> Number:
    """Level in dB of an amplitude factor (>= 0); silence reads -120 dB."""
    floor = POWER_FLOOR**0.5
    if isinstance(gain, torch.Tensor):
        return 20.0 * torch.log10(gain.clamp_min(floor))
    return 20.0 * math.log10(max(gain, floor))


def power_from_db(level_db: Number) -> Number:
    """Power factor of a level in dB: 3.01 dB is 2."""
    return 10.0 ** (level_db / 10.0)


def db_from_power(power: Number) -> Number:
    """Level in dB of a power (>= 0); silence reads -120 dB."""
    if isinstance(power, torch.Tensor):
        return 10.0 * torch.log10(power.clamp_min(POWER_FLOOR))
    return 10.0 * math.log10(max(power, POWER_FLOOR))


def samples_from_ms(duration_ms: float, rate: int) -> int:
    """Whole samples in a duration, at least one."""
    return max(1, round(duration_ms * rate / 1000.0))


def smoothing_from_ms(time_ms: Number, rate: float) -> Number:
    """One-pole coefficient that covers 63 % of a step in `time_ms`: y = c*y + (1 - c)*x."""
    if isinstance(time_ms, torch.Tensor):
        return torch.exp(-1000.0 / (time_ms * rate))
    return math.exp(-1000.0 / (time_ms * rate))
