"""How loud, now and over the whole (ITU-R BS.1770-4, EBU Tech 3341), and how far it ranges (Tech 3342).

Every function takes x (batch, channels, time) or a ready `Scan`, so that one filtering pass
serves them all. Gates choose blocks and carry no gradient; the energy inside them does.
Silence reads -120 LUFS.
"""

from __future__ import annotations

import torch

from daiw_master.meters.traces import Scan, scan

#: What silence reads, so that levels stay finite.
SILENCE_LUFS = -120.0
_OFFSET_LU = -0.691  # BS.1770-4 eq. 2: makes 997 Hz at 0 dBFS in one channel read -3.01
_ABSOLUTE_GATE_LUFS = -70.0

Sound = torch.Tensor | Scan


def lufs(power: torch.Tensor) -> torch.Tensor:
    """Loudness of a K-weighted, channel-weighted mean power (BS.1770-4 eq. 2)."""
    floor = 10 ** ((SILENCE_LUFS - _OFFSET_LU) / 10)
    return _OFFSET_LU + 10 * torch.log10(power.clamp_min(floor))


def _power(loudness_lufs: float) -> float:
    return 10 ** ((loudness_lufs - _OFFSET_LU) / 10)


def _scan(sound: Sound, rate: int | None) -> Scan:
    return sound if isinstance(sound, Scan) else scan(sound, rate)


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean over the last axis of what the mask keeps (bool or weights); of everything if it keeps nothing."""
    mask = mask.to(values.dtype)
    mask = torch.where(mask.sum(-1, keepdim=True) > 0, mask, torch.ones_like(mask))
    return (values * mask).sum(-1) / mask.sum(-1)


def masked_quantile(values: torch.Tensor, mask: torch.Tensor, fraction: float) -> torch.Tensor:
    """Quantile over the last axis of what the mask keeps, interpolated; of everything if it keeps nothing."""
    mask = mask | ~mask.any(-1, keepdim=True)
    ordered = values.masked_fill(~mask, torch.inf).sort(-1).values
    place = fraction * (mask.sum(-1, keepdim=True) - 1).double()
    below = place.floor().long()
    above = place.ceil().long()
    low, high = ordered.gather(-1, below), ordered.gather(-1, above)
    return (low + (high - low) * (place - below)).squeeze(-1)


def _gate_power(power: torch.Tensor, below_lu: float, floor: torch.Tensor | float) -> torch.Tensor:
    """Both gates of BS.1770-4 eq. 5-7: the power a block must exceed, (batch, 1)."""
    kept = power > floor
    mean = masked_mean(power, kept).unsqueeze(-1)
    return torch.maximum(mean * 10 ** (-below_lu / 10), torch.as_tensor(floor, dtype=power.dtype))


def relative_gate(power: torch.Tensor, below_lu: float = 20.0, soft_lu: float = 1.0) -> torch.Tensor:
    """Which moments are music: weights 0 to 1 over (batch, moments), detached, free of the overall gain.

    Like the range's gate (Tech 3342) with its absolute floor replaced by 50 LU under the
    power-weighted mean, and with a soft edge, so that no moment enters or leaves at a stroke.
    """
    power = power.detach()
    gate = _gate_power(power, below_lu, _relative_floor(power))
    tiny = torch.finfo(power.dtype).tiny
    above_lu = 10 * torch.log10(power.clamp_min(tiny) / gate.clamp_min(tiny))
    return torch.sigmoid(4 * above_lu / soft_lu)


def _relative_floor(power: torch.Tensor) -> torch.Tensor:
    # sum p^2 / sum p: the level of the loud passages, whatever the silence around them.
    total = power.sum(-1, keepdim=True)
    return 1e-5 * power.square().sum(-1, keepdim=True) / total.clamp_min(torch.finfo(power.dtype).tiny)


def momentary(sound: Sound, rate: int | None = None, hop_ms: float = 10.0) -> torch.Tensor:
    """Loudness of the last 400 ms, in LUFS: (batch, windows).

    A hop of 10 ms finds the maximum of EBU Tech 3341 case 13, which 100 ms misses by 0.5 LU.
    """
    seen = _scan(sound, rate)
    return lufs(seen.windows(seen.loud, 0.4, hop_ms / 1000))


def short_term(sound: Sound, rate: int | None = None, hop_ms: float = 100.0) -> torch.Tensor:
    """Loudness of the last 3 s, in LUFS: (batch, windows)."""
    seen = _scan(sound, rate)
    return lufs(seen.windows(seen.loud, 3.0, hop_ms / 1000))


def gated_blocks(sound: Sound, rate: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Power of the 400 ms blocks (75 % overlap) and which of them pass both gates: two (batch, blocks)."""
    seen = _scan(sound, rate)
    power = seen.windows(seen.loud, 0.4, 0.1)
    held = power.detach()
    return power, held > _gate_power(held, 10.0, _power(_ABSOLUTE_GATE_LUFS))


def integrated_loudness(sound: Sound, rate: int | None = None) -> torch.Tensor:
    """Loudness of the whole, gated at -70 LUFS and 10 LU under the mean (BS.1770-4): (batch,) LUFS.

    Under 400 ms, or when nothing passes -70 LUFS, the ungated loudness of what is there.
    """
    power, passed = gated_blocks(sound, rate)
    return _like(lufs(masked_mean(power, passed)), sound)


def loudness_range(sound: Sound, rate: int | None = None, *, absolute_gate: bool = True) -> torch.Tensor:
    """How far soft passages lie under loud ones: P95 - P10 of the 3 s loudness (EBU Tech 3342): (batch,) LU.

    With `absolute_gate=False` the -70 LUFS gate follows the music's level, so that gain changes nothing.
    """
    seen = _scan(sound, rate)
    power = seen.windows(seen.loud, 3.0, 0.1)
    held = power.detach()
    floor = _power(_ABSOLUTE_GATE_LUFS) if absolute_gate else _relative_floor(held)
    passed = held > _gate_power(held, 20.0, floor)
    level = 10 * torch.log10(power.clamp_min(torch.finfo(power.dtype).tiny))
    spread = masked_quantile(level, passed, 0.95) - masked_quantile(level, passed, 0.10)
    return _like(spread, sound)


def _like(value: torch.Tensor, sound: Sound) -> torch.Tensor:
    """Traces are float64; a reading of a float32 sound is float32 again."""
    return value if isinstance(sound, Scan) else value.to(sound.dtype)
