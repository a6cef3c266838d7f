"""Automation: a slow hand on level and brightness that follows the song's own form.

The hand is told where to go by an energy curve (-1 soft to +1 strong); drift is a second, slower
hand that turns the sound darker or brighter from the first bar to the last. The split into lows and
highs is exactly complementary (one linear-phase low-pass, and what it leaves), so that nothing rings
or smears where both hands rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import torch

from daiw_master.errors import InputError
from daiw_master.knobs.automation import ROW
from daiw_master.sounds import BLOCK
from daiw_master.stack.convolution import convolve
from daiw_master.stack.curves import column
from daiw_master.stack.effect import Effect, Setting, at_rest, batch_of, turned
from daiw_master.stack.envelope import apply_gains
from daiw_master.stack.fader import FaderFlow, waiting_time
from daiw_master.stack.filter_flow import Filter
from daiw_master.stack.hops import smoothed
from daiw_master.stack.linear import Fir, Linear
from daiw_master.units import gain_from_db

#: Brightness and drift turn what lies above this against what lies below.
SPLIT_HZ = 3000.0
#: Length of the split's low-pass: wide enough a crossover (about 1.3 kHz) that a moving hand is a
#: shelf, not a filter effect.
_SPLIT_S = 0.003
#: One gain every so often, straight lines between.
HOP_S = 0.01
#: Two moving averages of this length in a row (a triangle): however jagged the curve that came in,
#: full travel of level and brightness together (16 dB) stays under 16 / 35 = 0.46 dB in 10 ms.
_SMOOTH_HOPS = 35


def automation(
    x: torch.Tensor,
    rate: int,
    level_db: Setting,
    brightness_db: Setting,
    drift_db: Setting,
    energy: torch.Tensor | None = None,
    tail: int = 0,
) -> torch.Tensor:
    """Ride the form: (batch, channels, time) -> the same, every gain smooth, lows and highs in phase.

    `energy` (frames,) or (batch, frames) in [-1, 1] is stretched over the sound, each value in the
    middle of its frame; without it the song simply rises from -1 to 1. The last `tail` samples are
    silence left for a reverb: everything is held there as the music left it.
    """
    knobs = {"level_db": level_db, "brightness_db": brightness_db, "drift_db": drift_db}
    shelves = _shelves(knobs)
    if not shelves and not turned(level_db, 0.0):
        return at_rest(x, knobs)
    low_db, high_db = automation_gains_db(x, rate, **knobs, energy=energy, tail=tail)
    hop = hop_of(rate)
    if not shelves:
        return apply_gains(hop, (x, gain_from_db(low_db)))
    whole, low = _layer_gains(low_db, high_db)
    return apply_gains(hop, (x, whole), (convolve(x, *split_of(x, rate)), low))


def automation_gains_db(
    x: torch.Tensor,
    rate: int,
    level_db: Setting = 0.0,
    brightness_db: Setting = 0.0,
    drift_db: Setting = 0.0,
    energy: torch.Tensor | None = None,
    tail: int = 0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the hands do to the lows and to the highs, in dB: (batch or 1, moments) each, 10 ms apart."""
    knobs = {"level_db": level_db, "brightness_db": brightness_db, "drift_db": drift_db}
    energy = None if energy is None else _checked(energy, x)
    moments = -(-x.shape[-1] // hop_of(rate))
    return _gains_db(x, rate, x.shape[-1] - tail, (0, moments), moments, knobs, energy)


def _gains_db(
    like: torch.Tensor,
    rate: int,
    music: int,
    span: tuple[int, int],
    moments: int,
    knobs: Mapping[str, Setting],
    energy: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The hands over a `span` of all `moments` of a sound whose music ends at sample `music`."""
    first, last = span
    # Each of the two averages looks half its own length to either side; only true ends are repeated.
    near, far = max(first - _SMOOTH_HOPS, 0), min(last + _SMOOTH_HOPS, moments)
    # Sample numbers past an hour do not fit float32.
    ends = torch.arange(near + 1, far + 1, dtype=torch.float64, device=like.device) * hop_of(rate)
    place = (ends / max(1, music)).clamp_max(1.0).to(like.dtype)
    course = 2 * place[None] - 1 if energy is None else _stretched(energy, place)
    course = smoothed(course[:, None], _SMOOTH_HOPS)
    course = smoothed(course, _SMOOTH_HOPS)[:, 0]
    course, place = course[:, first - near : last - near], place[first - near : last - near]
    level = column(knobs["level_db"], course) * course
    # the highs alone drift: most of what is loud lies below them, and the level is another hand's
    turn = column(knobs["brightness_db"], course) * course + column(knobs["drift_db"], course) * (place - 0.5)
    return level, level + turn


class AutomationFlow(FaderFlow):
    """The slow hand in the middle of a song. It must know how long the song is: where nobody says so
    beforehand it hears all of it first. It keeps 10 ms of sound and what the split needs, 3 ms.

    Latency: every gain is known ahead, but they are drawn 10 ms at a time, so live a hop less one
    sample waits, and half the split's length (1.5 ms) where brightness or drift are turned.
    A file (`block` 65536) is filtered in frames and gathered, four blocks at a time.
    """

    def __init__(
        self,
        rate: int,
        knobs: Mapping[str, Setting],
        block: int,
        length: int | None,
        energy: torch.Tensor | None,
        tail: int,
    ) -> None:
        batch = max(batch_of(knobs), 1 if energy is None or energy.ndim == 1 else len(energy))
        super().__init__(hop_of(rate), block, batch)
        self.rate, self.knobs, self.block, self.length = rate, dict(knobs), block, length
        self.energy, self.tail = energy, tail
        self.hears_first = length is None
        self._moment = 0
        self._split: Filter | None = None
        self._through: torch.Tensor | None = None  # the sound itself, waiting for its lows
        self._shelves = _shelves(knobs)
        late = self._low_pass(torch.empty(0)).latency if self._shelves else 0
        self.latency = waiting_time(self.hop, block, late=late)

    def hear(self, x: torch.Tensor) -> None:
        self.length = (self.length or 0) + x.shape[-1]

    def layers(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if not self._shelves:
            return (x,)
        if self._split is None:
            self._split, self._through = self._low_pass(x), x[..., :0]
        waiting = torch.cat([self._through, x], dim=-1)
        low = self._split.push(x)
        self._through = waiting[..., low.shape[-1] :].clone()
        return waiting[..., : low.shape[-1]], low

    def last_layers(self) -> tuple[torch.Tensor, ...]:
        low = None if self._split is None else self._split.finish()
        return () if low is None else (self._through, low)

    def gains(self, sounds: tuple[torch.Tensor, ...], last: bool) -> tuple[torch.Tensor, ...]:
        x = sounds[0]
        if self.length is None:
            raise InputError("automation must hear the whole song first, or be told its length in samples")
        first, self._moment = self._moment, self._moment - (-x.shape[-1] // self.hop)
        moments = max(-(-self.length // self.hop), self._moment)
        energy = None if self.energy is None else _checked(self.energy, x)
        span = (first, self._moment)
        hands = _gains_db(x, self.rate, self.length - self.tail, span, moments, self.knobs, energy)
        return _layer_gains(*hands) if self._shelves else (gain_from_db(hands[0]),)

    def _low_pass(self, like: torch.Tensor) -> Filter:
        return Filter(Linear((Fir(*split_of(like, self.rate)),)), block=self.block, length=self.length)


def _flow(
    rate: int,
    channels: int,
    block: int = BLOCK,
    length: int | None = None,
    energy: torch.Tensor | None = None,
    tail: int = 0,
    **settings: Setting,
) -> tuple[AutomationFlow, ...]:
    engaged = _shelves(settings) or turned(settings["level_db"], 0.0)
    return (AutomationFlow(rate, settings, block, length, energy, tail),) if engaged else ()


def _shelves(knobs: Mapping[str, Setting]) -> bool:
    return turned(knobs["brightness_db"], 0.0) or turned(knobs["drift_db"], 0.0)


def _layer_gains(low_db: torch.Tensor, high_db: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Gains of the whole and of the lows on top: gains * (low, x - low), without a sound for the highs."""
    high = gain_from_db(high_db)
    return high, gain_from_db(low_db) - high


def hop_of(rate: int) -> int:
    """Samples per gain."""
    return max(1, round(HOP_S * rate))


def split_of(x: torch.Tensor, rate: int) -> tuple[torch.Tensor, int]:
    """The low half of the split as a symmetric filter (1, 1, taps), and its middle tap."""
    half = round(_SPLIT_S * rate / 2)
    return _low_pass(half, rate).to(x), half


@lru_cache(maxsize=8)
def _low_pass(half: int, rate: int) -> torch.Tensor:
    """Windowed sinc, unity at 0 Hz (Oppenheim and Schafer, Discrete-Time Signal Processing, 7.5)."""
    n = torch.arange(-half, half + 1, dtype=torch.float64)
    taps = (
        torch.sinc(2 * SPLIT_HZ / rate * n)
        * torch.hann_window(2 * half + 3, periodic=False, dtype=torch.float64)[1:-1]
    )
    return (taps / taps.sum()).reshape(1, 1, -1)


def _checked(energy: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """An energy curve as (batch or 1, frames) beside x; refused if it is none."""
    curve = torch.as_tensor(energy, dtype=x.dtype, device=x.device)
    if curve.ndim not in (1, 2) or not curve.shape[-1]:
        raise InputError(f"energy has shape {tuple(curve.shape)}; it must be (frames,) or (batch, frames)")
    if not bool((curve.detach().abs() <= 1.0).all()):
        raise InputError("energy leaves its range; it must lie between -1 and 1")
    return curve.reshape(-1, curve.shape[-1])


def _stretched(curve: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """The curve (batch, frames) at places 0..1 of the music, straight lines between frame middles."""
    frames = curve.shape[-1]
    at = (place.double() * frames - 0.5).clamp(0.0, frames - 1.0)
    before = at.floor().long().clamp_max(max(0, frames - 2))
    after = (before + 1).clamp_max(frames - 1)
    share = (at - before).to(curve.dtype)
    return curve[:, before] * (1 - share) + curve[:, after] * share


AUTOMATION = Effect(
    *ROW,
    process=automation,
    flow=_flow,
    takes=("energy", "tail"),
    engaged={"level_db": 2.0, "brightness_db": 2.0, "drift_db": 3.0},
)
