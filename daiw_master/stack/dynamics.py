"""Dynamics: how far loud stands from soft, over milliseconds (shaper), beats (compressor, expanders)
and bars (rider).

All of it is one gain for both sides, so the image stands still. The order of listening: the rider
hears the song, everything else hears the ridden song; their gains in dB add up to one fader move.
"""

from __future__ import annotations

import torch

from daiw_master.knobs.dynamics import PARAMS, ROW
from daiw_master.stack.curves import (
    compressor_reduction_db,
    detected_db,
    downward_reduction_db,
    upward_gain_db,
)
from daiw_master.stack.effect import Effect, Setting, at_rest, batch_of, turned
from daiw_master.stack.envelope import apply_gains, control_hop, power_trace
from daiw_master.stack.hops import averaged, drawn
from daiw_master.stack.rider import ride_gain_db, short_term_trace
from daiw_master.stack.shaper import shaper_gain_db
from daiw_master.units import gain_from_db, power_from_db

__all__ = ["DYNAMICS", "dynamics", "gain_db", "gain_reduction_db", "ride_gain_db"]

#: The shaper's clock: four control hops, 0.7 ms; its shortest memory is 5 ms.
_SHAPER_HOPS = 4
#: The rider's clock, seconds.
_RIDER_S = 0.1

_DEFAULTS = {param.name: param.default for param in PARAMS}


def dynamics(x: torch.Tensor, rate: int, **settings: Setting) -> torch.Tensor:
    """The dynamics row: (batch, channels, time) -> same; settings as in `PARAMS`, the rest at rest."""
    gain = gain_db(x, rate, **settings)
    if gain is None:
        return at_rest(x, settings)
    return apply_gains(control_hop(rate), (x, gain_from_db(gain)))


def gain_db(x: torch.Tensor, rate: int, **settings: Setting) -> torch.Tensor | None:
    """The whole fader move in dB, one value per `control_hop(rate)` samples: (batch, frames).

    None when nothing is engaged.
    """
    knobs = {**_DEFAULTS, **settings}
    compress = turned(knobs["ratio"], 1)
    down, up = turned(knobs["expand_down_ratio"], 1), turned(knobs["expand_up_ratio"], 1)
    shape = turned(knobs["attack_db"], 0) or turned(knobs["sustain_db"], 0)
    if x.shape[-1] == 0 or not (compress or down or up or shape or turned(knobs["ride"], 0)):
        return None
    control_rate = rate / control_hop(rate)
    ridden, gain = _ridden(x, rate, knobs)
    if compress or down or up:
        times = (knobs["attack_ms"], knobs["release_ms"])
        level = detected_db(ridden, control_rate, *times)
        bend = (knobs["knee_db"], *times)
        if compress:
            gain = gain - compressor_reduction_db(
                level, control_rate, knobs["threshold_db"], knobs["ratio"], *bend
            )
        if up:
            gain = gain + upward_gain_db(
                level,
                control_rate,
                knobs["threshold_db"],
                knobs["expand_up_ratio"],
                knobs["expand_depth_db"],
                *bend,
            )
        if down:
            gain = gain - downward_reduction_db(
                level,
                control_rate,
                knobs["expand_threshold_db"],
                knobs["expand_down_ratio"],
                knobs["expand_depth_db"],
                *bend,
            )
    if shape:
        shaped = shaper_gain_db(
            averaged(ridden, _SHAPER_HOPS),
            control_rate / _SHAPER_HOPS,
            knobs["attack_db"],
            knobs["sustain_db"],
        )
        gain = gain + drawn(shaped, _SHAPER_HOPS)[..., : gain.shape[-1]]
    return gain


def gain_reduction_db(x: torch.Tensor, rate: int, **settings: Setting) -> torch.Tensor:
    """How hard the compressor works, dB >= 0, one value per `control_hop(rate)` samples: (batch, frames).

    The compressor alone, after the rider: expanders and shaper are left out. Zeros at a ratio of 1.
    """
    knobs = {**_DEFAULTS, **settings}
    ridden, at_zero = _ridden(x, rate, knobs)
    if not turned(knobs["ratio"], 1):
        return torch.zeros_like(at_zero)
    control_rate = rate / control_hop(rate)
    times = (knobs["attack_ms"], knobs["release_ms"])
    level = detected_db(ridden, control_rate, *times)
    return compressor_reduction_db(
        level, control_rate, knobs["threshold_db"], knobs["ratio"], knobs["knee_db"], *times
    )


def _ridden(x: torch.Tensor, rate: int, knobs: dict[str, Setting]) -> tuple[torch.Tensor, torch.Tensor]:
    """The power trace after the rider, and the rider's gain in dB: two (batch, frames)."""
    hop = control_hop(rate)
    power = power_trace(x, hop)
    power = power.expand(max(len(power), batch_of(knobs)), -1)
    if not turned(knobs["ride"], 0):
        return power, torch.zeros_like(power)
    hops = max(1, round(_RIDER_S * rate / hop))
    slow = ride_gain_db(short_term_trace(x, rate, hops * hop), knobs["ride"], hops * hop / rate)
    gain = drawn(slow, hops)[..., : power.shape[-1]]
    return power * power_from_db(gain), gain + torch.zeros_like(power)


DYNAMICS = Effect(
    *ROW,
    process=dynamics,
    engaged={
        "threshold_db": -30,
        "ratio": 2.5,
        "expand_down_ratio": 1.5,
        "expand_threshold_db": -30,
        "expand_up_ratio": 1.2,
        "expand_depth_db": 3,
        "attack_db": 3,
        "sustain_db": 3,
        "ride": 0.5,
    },
)
