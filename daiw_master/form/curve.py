"""A form as one smooth curve: where the fader stands at every moment."""

from __future__ import annotations

import math

import torch

from daiw_master.form.form import Form

#: One section becomes the next within this, whatever is asked: at full travel (8 dB) half a second
#: is 0.25 dB in 10 ms at its steepest, and four seconds is as slow as a change is still heard as one.
_FASTEST_S, _SLOWEST_S = 0.5, 4.0
#: A transition takes at most this share of the shorter section beside it.
_SHARE = 0.8
#: A step of one unit of energy is two of the curve's: 0 to 1 becomes -1 to 1.
_FULL_TRAVEL = 2.0


def energy_curve(
    form: Form, duration_samples: int, rate: int, hop: int, power: torch.Tensor | None = None
) -> torch.Tensor:
    """The form's energy at the middle of every hop: (frames,) in [-1, 1], frames = ceil(samples / hop).

    Raised cosines lead from section to section, centred on the boundary. The curve's mean is nought,
    weighted with the song's own `power` (any number of values, evenly over the song) where it is known:
    following it then moves sections against each other and leaves the song's loudness where it was. A
    form of small differences stays one: the curve is scaled down to fit, never up to fill.
    """
    frames = -(-duration_samples // hop)
    if not form.moves:
        return torch.zeros(frames)
    time_s = (torch.arange(frames, dtype=torch.float64) + 0.5) * hop / rate
    energy = torch.full_like(time_s, form.points[0].energy)
    for before, after in zip(form.points, form.points[1:], strict=False):
        shorter = min(before.end_s - before.start_s, after.end_s - after.start_s)
        length_s = max(_FASTEST_S, min(form.transition_s, _SLOWEST_S, _SHARE * shorter))
        done = ((time_s - after.start_s) / length_s + 0.5).clamp(0.0, 1.0)
        energy += (after.energy - before.energy) * 0.5 * (1 - torch.cos(math.pi * done))
    weight = torch.ones_like(energy) if power is None else _evenly(power, frames)
    middle = (weight * energy).sum() / weight.sum().clamp_min(1e-30)
    away = energy - middle
    scale = min(_FULL_TRAVEL, 1.0 / max(float(away.abs().max()), 1e-9))
    return (scale * away).clamp(-1.0, 1.0).float()


def _evenly(power: torch.Tensor, frames: int) -> torch.Tensor:
    """A power trace of any length, one value a frame."""
    nearest = ((torch.arange(frames) + 0.5) * len(power) / frames).long()
    return power.detach().cpu().double()[nearest]
