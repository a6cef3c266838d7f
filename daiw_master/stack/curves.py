"""Level in, gain out: the static curves and needles of compressor and expanders, on a control trace.

Design after Giannoulis, Massberg & Reiss, "Digital Dynamic Range Compressor Design", JAES 60(6),
2012: feed-forward, in dB, gain computer first and smoothing after it, so that thresholds do not lag.
The detector in front is a mean square (RMS), short against the asked times. Settings are floats or
(batch,) tensors; traces are (batch, frames); gains come back in dB, reductions as numbers >= 0. Each
takes the `Memory` of its needle where a trace comes in pieces.
"""

from __future__ import annotations

import torch

from daiw_master.stack.accelerated import fusible
from daiw_master.stack.effect import Setting
from daiw_master.stack.recursion import Memory, attack_release, one_pole
from daiw_master.units import db_from_power, smoothing_from_ms

#: A hard knee is drawn as one this narrow (dB): off by 0.0001 dB at the corner, gradient everywhere.
_HARD_KNEE_DB = 1e-3
#: Longest averaging of the detector; 5 ms holds 100 Hz ripple within about a decibel.
_DETECTOR_MS = 5.0


def column(setting: Setting, like: torch.Tensor) -> torch.Tensor:
    """A setting as (batch or 1, 1), ready to broadcast against a trace."""
    return torch.as_tensor(setting, dtype=like.dtype, device=like.device).reshape(-1, 1)


def smoothing(time_ms: Setting, control_rate: float, like: torch.Tensor) -> torch.Tensor:
    """A time as one-pole coefficients (batch or 1,) in float64: 2 s at 5.5 kHz is 0.99991."""
    if not isinstance(time_ms, torch.Tensor):  # worked out in plain numbers: live, every microsecond counts
        coefficient = smoothing_from_ms(float(time_ms), control_rate)
        return torch.tensor([coefficient], dtype=torch.float64, device=like.device)
    time_ms = time_ms.to(like.device, torch.float64).reshape(-1)
    return smoothing_from_ms(time_ms, control_rate)


def soft_knee(over_db: torch.Tensor, knee_db: Setting) -> torch.Tensor:
    """How far a level is over its threshold, rounded over the knee's width: 0 below, itself above."""
    return _rounded(over_db, column(knee_db, over_db).clamp_min(_HARD_KNEE_DB))


@fusible
def _rounded(over_db: torch.Tensor, knee_db: torch.Tensor) -> torch.Tensor:
    # Eq. 4 of the paper without its slope; the clamps keep both branches finite at a knee of zero.
    into = (over_db + knee_db / 2).clamp_min(0)
    bend = torch.minimum(into, knee_db)
    return bend * bend / (2 * knee_db) + (into - bend)


def detected_db(
    power: torch.Tensor,
    control_rate: float,
    attack_ms: Setting,
    release_ms: Setting,
    memory: Memory | None = None,
) -> torch.Tensor:
    """The level a needle with these times should watch, dBFS (full-scale square 0 dB).

    Mean square over a twentieth of the attack, a fortieth of the release or 5 ms, whichever is
    shortest: the detector's own lag (a fall of 4.3 dB per time constant) stays under a tenth of both.
    """
    if isinstance(attack_ms, torch.Tensor) or isinstance(release_ms, torch.Tensor):
        attack, release = (torch.as_tensor(t, dtype=torch.float64) for t in (attack_ms, release_ms))
        window_ms = torch.minimum(attack / 20, release / 40).clamp_max(_DETECTOR_MS)
    else:
        window_ms = min(attack_ms / 20, release_ms / 40, _DETECTOR_MS)
    return db_from_power(one_pole(power, smoothing(window_ms, control_rate, power), memory))


def compressor_reduction_db(
    level_db: torch.Tensor,
    control_rate: float,
    threshold_db: Setting,
    ratio: Setting,
    knee_db: Setting,
    attack_ms: Setting,
    release_ms: Setting,
    memory: Memory | None = None,
) -> torch.Tensor:
    """By how much a compressor holds each moment down, dB >= 0."""
    over = soft_knee(level_db - column(threshold_db, level_db), knee_db)
    # Smoothing scales with its input, so the ratio may come after it: no scan in its gradient.
    attack, release = (smoothing(ms, control_rate, over) for ms in (attack_ms, release_ms))
    needle = attack_release(over, attack, release, memory)
    return (1 - 1 / column(ratio, over)) * needle


def upward_gain_db(
    level_db: torch.Tensor,
    control_rate: float,
    threshold_db: Setting,
    ratio: Setting,
    depth_db: Setting,
    knee_db: Setting,
    attack_ms: Setting,
    release_ms: Setting,
    memory: Memory | None = None,
) -> torch.Tensor:
    """By how much an upward expander lifts what is above its threshold, 0 to depth dB."""
    over = soft_knee(level_db - column(threshold_db, level_db), knee_db)
    wanted = torch.minimum((column(ratio, over) - 1) * over, column(depth_db, over))
    attack, release = (smoothing(ms, control_rate, wanted) for ms in (attack_ms, release_ms))
    return attack_release(wanted, attack, release, memory)


def downward_reduction_db(
    level_db: torch.Tensor,
    control_rate: float,
    threshold_db: Setting,
    ratio: Setting,
    depth_db: Setting,
    knee_db: Setting,
    attack_ms: Setting,
    release_ms: Setting,
    memory: Memory | None = None,
) -> torch.Tensor:
    """By how much a downward expander lowers what is below its threshold, 0 to depth dB."""
    under = soft_knee(column(threshold_db, level_db) - level_db, knee_db)
    # The depth limits before the needle: out of a long rest it must open within the attack.
    wanted = torch.minimum((column(ratio, under) - 1) * under, column(depth_db, under))
    # A rising level makes this reduction fall: opening is the attack, closing the release.
    opening, closing = (smoothing(ms, control_rate, wanted) for ms in (attack_ms, release_ms))
    return attack_release(wanted, closing, opening, memory)
