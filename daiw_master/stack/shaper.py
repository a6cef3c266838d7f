"""The shaper: onsets harder or softer, tails longer or shorter, whatever their level.

A level is compared with its own recent past. Where it stands above a short memory there is an
attack, where it stands below a long one there is a tail; a steady sound equals its past and is left
alone. No threshold, so soft hits are shaped like loud ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import torch

from daiw_master.stack.curves import column, smoothing
from daiw_master.stack.effect import Setting
from daiw_master.stack.recursion import Memory, attack_release, one_pole
from daiw_master.units import db_from_power

#: Below this level (dBFS) there is nothing to shape: fades into silence are not tails.
FLOOR_DB = -70.0

# Onsets: an 8 ms level against its 20 ms memory; the boost lasts as long as the memory needs, 20-60 ms.
_ATTACK_DETECTOR_MS, _ATTACK_MEMORY_MS = 8.0, 20.0
# Tails: a 20 ms level, steady under a bass note's ripple, against a 150 ms memory that learns of a
# new note in 10 ms.
_SUSTAIN_DETECTOR_MS, _SUSTAIN_RISE_MS, _SUSTAIN_MEMORY_MS = 20.0, 10.0, 150.0
# A difference of this many dB counts for 63 %: in a full mix an onset is a rise of 3 to 6 dB, while a
# low E's ripple (41 Hz) is under 1 dB and must not be shaped.
_FULL_DB = 4.0


def shaper_gain_db(
    power: torch.Tensor,
    control_rate: float,
    attack_db: Setting,
    sustain_db: Setting,
    memories: Mapping[str, Memory] | None = None,
) -> torch.Tensor:
    """The shaper's gain over a power trace (batch, frames), in dB.

    A trace in pieces brings its `memories` along: a mapping that makes one where there is none.
    """
    attack, sustain = transients(power, control_rate, memories)
    return column(attack_db, power) * attack + column(sustain_db, power) * sustain


def transients(
    power: torch.Tensor, control_rate: float, memories: Mapping[str, Memory] | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """How much each moment is an onset, and how much a tail: two (batch, frames) in [0, 1]."""
    memories = defaultdict(Memory) if memories is None else memories

    def level(detector_ms: float, name: str) -> torch.Tensor:
        smooth = one_pole(power, smoothing(detector_ms, control_rate, power), memories[name])
        return db_from_power(smooth).clamp_min(FLOOR_DB)

    now = level(_ATTACK_DETECTOR_MS, "onset")
    before = one_pole(now, smoothing(_ATTACK_MEMORY_MS, control_rate, power), memories["before the onset"])
    jump = now - before
    now = level(_SUSTAIN_DETECTOR_MS, "tail")
    rise, memory = (smoothing(ms, control_rate, power) for ms in (_SUSTAIN_RISE_MS, _SUSTAIN_MEMORY_MS))
    drop = attack_release(now, rise, memory, memories["before the tail"]) - now
    return _fullness(jump / _FULL_DB), _fullness(drop / _FULL_DB)


def _fullness(share: torch.Tensor) -> torch.Tensor:
    """0 for nothing, 1 for a lot; the cube keeps ripple and tremolo (a dB or two) out."""
    return 1 - torch.exp(-(share.clamp_min(0) ** 3))
