"""Dynamics: how far loud stands from soft, over milliseconds (shaper), beats (compressor, expanders)
and bars (rider).

All of it is one gain for both sides, so the image stands still. The order of listening: the rider
hears the song, everything else hears the ridden song; their gains in dB add up to one fader move.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping

import torch

from daiw_master.errors import InputError
from daiw_master.knobs.dynamics import PARAMS, ROW
from daiw_master.sounds import BLOCK
from daiw_master.stack.curves import (
    compressor_reduction_db,
    detected_db,
    downward_reduction_db,
    upward_gain_db,
)
from daiw_master.stack.effect import Effect, Setting, at_rest, batch_of, turned
from daiw_master.stack.envelope import apply_gains, control_hop, power_trace
from daiw_master.stack.fader import FaderFlow, waiting_time
from daiw_master.stack.hops import Lines, averaged, drawn, drawn_between
from daiw_master.stack.recursion import Memory
from daiw_master.stack.rider import ShortTerm, ride_gain_db, short_term_trace
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
    if x.shape[-1] == 0 or not _engaged(knobs):
        return None
    control_rate = rate / control_hop(rate)
    ridden, gain = _ridden(x, rate, knobs)
    gain = _with_curves(gain, ridden, control_rate, knobs, defaultdict(Memory))
    if _shapes(knobs):
        shaped = _shaped(ridden, control_rate, knobs, defaultdict(Memory))
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


class DynamicsFlow(FaderFlow):
    """Dynamics in the middle of a song. What it remembers: a few numbers for each needle, under a hop of
    sound, and for a ride, which hears first, one number for each 0.1 s (144 KB an hour).

    Latency, live: compressor and expanders wait for their hop, 8 samples at 44.1 and 48 kHz. Blocks of
    whole hops (64, 128, 512) come out at once, 0 samples late; others up to 7. The shaper draws its gain
    between the middles of hops four times as long: 16 samples (0.36 ms) late where blocks are multiples
    of 32, up to 44 for others. A file (`block` 65536) is gathered, four blocks at a time.
    """

    def __init__(self, rate: int, knobs: Mapping[str, Setting], block: int = BLOCK) -> None:
        hop = control_hop(rate)
        super().__init__(hop, block, batch_of(knobs))
        self.rate, self.knobs = rate, dict(knobs)
        self._shape = _shapes(knobs)
        step = hop * (_SHAPER_HOPS if self._shape else 1)
        self.latency = waiting_time(step, block, ahead=step // 2 if self._shape else 0)
        self.hears_first = turned(knobs["ride"], 0)
        self._heard = ShortTerm(rate, _rider_hops(rate) * hop)
        self._ride: torch.Tensor | None = None
        self._frames = 0  # control hops the rider has gone by
        self._memories: defaultdict[str, Memory] = defaultdict(Memory)
        self._gain: torch.Tensor | None = None  # all but the shaper's, waiting for it
        self._begin_shaping()

    def _begin_shaping(self) -> None:
        self._shaper_memories: defaultdict[str, Memory] = defaultdict(Memory)
        self._power: torch.Tensor | None = None  # less than a shaper's hop of it
        self._lines = Lines(_SHAPER_HOPS)

    def resume(self, before: DynamicsFlow) -> None:
        """Go on where another flow of this effect stands, with these settings: needles and waiting sound
        are taken over, so that a knob may be turned while music plays."""
        names = ("rate", "knobs", "batch", "latency", "hears_first", "_shape", "_least")
        own = {name: self.__dict__[name] for name in names}
        self.__dict__.update(copy.deepcopy(before.__dict__) | own)
        if not (self._shape and before._shape):
            self._begin_shaping()

    @torch.no_grad()
    def hear(self, x: torch.Tensor) -> None:
        self._heard.add(x)

    def gains(self, sounds: tuple[torch.Tensor, ...], last: bool) -> tuple[torch.Tensor]:
        control_rate = self.rate / self.hop
        power = power_trace(sounds[0], self.hop)
        power = power.expand(max(len(power), self.batch), -1)
        ride = self._ride_db(power) if self.hears_first else torch.zeros_like(power)
        ridden = power * power_from_db(ride) if self.hears_first else power
        gain = _with_curves(ride, ridden, control_rate, self.knobs, self._memories)
        gain = _after(self._gain, gain)
        if not self._shape:
            self._gain = None
            return (gain_from_db(gain),)
        ridden = _after(self._power, ridden)
        whole = ridden.shape[-1] if last else ridden.shape[-1] // _SHAPER_HOPS * _SHAPER_HOPS
        self._power = ridden[:, whole:].clone()
        lines = self._lines.push(_shaped(ridden[:, :whole], control_rate, self.knobs, self._shaper_memories))
        if last:
            lines = torch.cat([lines, self._lines.finish()], dim=-1)[:, : gain.shape[-1]]
        ready = lines.shape[-1]
        self._gain = gain[:, ready:].clone()
        return (gain_from_db(gain[:, :ready] + lines),)

    def _ride_db(self, power: torch.Tensor) -> torch.Tensor:
        """The rider's gain over the next control hops."""
        hops = _rider_hops(self.rate)
        if self._ride is None:
            if not self._heard.time:
                raise InputError("a ride must hear the whole sound before it may touch it; set ride to 0")
            self._ride = ride_gain_db(self._heard.trace(), self.knobs["ride"], hops * self.hop / self.rate)
        first, self._frames = self._frames, self._frames + power.shape[-1]
        return drawn_between(self._ride, hops, first, self._frames) + torch.zeros_like(power)


def _flow(
    rate: int, channels: int, block: int = BLOCK, length: int | None = None, **settings: Setting
) -> tuple[DynamicsFlow, ...]:
    knobs = {**_DEFAULTS, **settings}
    return (DynamicsFlow(rate, knobs, block),) if _engaged(knobs) else ()


def _engaged(knobs: Mapping[str, Setting]) -> bool:
    ratios = ("ratio", "expand_down_ratio", "expand_up_ratio")
    return _shapes(knobs) or turned(knobs["ride"], 0) or any(turned(knobs[name], 1) for name in ratios)


def _shapes(knobs: Mapping[str, Setting]) -> bool:
    return turned(knobs["attack_db"], 0) or turned(knobs["sustain_db"], 0)


def _with_curves(
    gain: torch.Tensor,
    power: torch.Tensor,
    control_rate: float,
    knobs: Mapping[str, Setting],
    memories: Mapping[str, Memory],
) -> torch.Tensor:
    """A gain in dB and on top of it what compressor and expanders do: (batch, frames)."""
    compress, up = turned(knobs["ratio"], 1), turned(knobs["expand_up_ratio"], 1)
    down = turned(knobs["expand_down_ratio"], 1)
    if not (compress or up or down):
        return gain
    times = (knobs["attack_ms"], knobs["release_ms"])
    level = detected_db(power, control_rate, *times, memories["level"])
    threshold_db, depth_db = knobs["threshold_db"], knobs["expand_depth_db"]
    bend = (knobs["knee_db"], *times)
    if compress:
        ratio = knobs["ratio"]
        gain = gain - compressor_reduction_db(
            level, control_rate, threshold_db, ratio, *bend, memories["compressor"]
        )
    if up:
        ratio = knobs["expand_up_ratio"]
        gain = gain + upward_gain_db(
            level, control_rate, threshold_db, ratio, depth_db, *bend, memories["upward"]
        )
    if down:
        threshold_db, ratio = knobs["expand_threshold_db"], knobs["expand_down_ratio"]
        gain = gain - downward_reduction_db(
            level, control_rate, threshold_db, ratio, depth_db, *bend, memories["downward"]
        )
    return gain


def _shaped(
    power: torch.Tensor, control_rate: float, knobs: Mapping[str, Setting], memories: Mapping[str, Memory]
) -> torch.Tensor:
    """The shaper's gain in dB, one value for each of its own hops."""
    return shaper_gain_db(
        averaged(power, _SHAPER_HOPS),
        control_rate / _SHAPER_HOPS,
        knobs["attack_db"],
        knobs["sustain_db"],
        memories,
    )


def _ridden(x: torch.Tensor, rate: int, knobs: dict[str, Setting]) -> tuple[torch.Tensor, torch.Tensor]:
    """The power trace after the rider, and the rider's gain in dB: two (batch, frames)."""
    hop = control_hop(rate)
    power = power_trace(x, hop)
    power = power.expand(max(len(power), batch_of(knobs)), -1)
    if not turned(knobs["ride"], 0):
        return power, torch.zeros_like(power)
    hops = _rider_hops(rate)
    slow = ride_gain_db(short_term_trace(x, rate, hops * hop), knobs["ride"], hops * hop / rate)
    gain = drawn(slow, hops)[..., : power.shape[-1]]
    return power * power_from_db(gain), gain + torch.zeros_like(power)


def _rider_hops(rate: int) -> int:
    """Control hops per value of the rider."""
    return max(1, round(_RIDER_S * rate / control_hop(rate)))


def _after(waiting: torch.Tensor | None, new: torch.Tensor) -> torch.Tensor:
    return new if waiting is None or not waiting.shape[-1] else torch.cat([waiting, new], dim=-1)


DYNAMICS = Effect(
    *ROW,
    process=dynamics,
    flow=_flow,
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
