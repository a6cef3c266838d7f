"""Automation: a slow hand on level and brightness that follows the song's own form.

The hand is told where to go by an energy curve (-1 soft to +1 strong); drift is a second, slower
hand that turns the sound darker or brighter from the first bar to the last. The split into lows and
highs is exactly complementary (one linear-phase low-pass, and what it leaves), so that nothing rings
or smears where both hands rest.
"""

from __future__ import annotations

from functools import lru_cache

import torch

from daiw_master.errors import InputError
from daiw_master.knobs.automation import ROW
from daiw_master.stack.convolution import convolve
from daiw_master.stack.curves import column
from daiw_master.stack.effect import Effect, Setting, at_rest, turned
from daiw_master.stack.envelope import apply_gains
from daiw_master.stack.hops import smoothed
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
    shelves = turned(brightness_db, 0.0) or turned(drift_db, 0.0)
    if not shelves and not turned(level_db, 0.0):
        return at_rest(x, knobs)
    low_db, high_db = automation_gains_db(x, rate, **knobs, energy=energy, tail=tail)
    hop = hop_of(rate)
    if not shelves:
        return apply_gains(hop, (x, gain_from_db(low_db)))
    # gains * (low, x - low), written so that the highs need no sound of their own
    high = gain_from_db(high_db)
    return apply_gains(hop, (x, high), (convolve(x, *split_of(x, rate)), gain_from_db(low_db) - high))


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
    moments = -(-x.shape[-1] // hop_of(rate))
    ends = torch.arange(1, moments + 1, dtype=x.dtype, device=x.device) * hop_of(rate)
    place = (ends / max(1, x.shape[-1] - tail)).clamp_max(1.0)
    if energy is None:
        course = 2 * place[None] - 1
    else:
        course = _stretched(_checked(energy, x), place)
    course = smoothed(course[:, None], _SMOOTH_HOPS)
    course = smoothed(course, _SMOOTH_HOPS)[:, 0]
    level = column(level_db, course) * course
    # the highs alone drift: most of what is loud lies below them, and the level is another hand's
    return level, level + column(brightness_db, course) * course + column(drift_db, course) * (place - 0.5)


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
    takes=("energy", "tail"),
    engaged={"level_db": 2.0, "brightness_db": 2.0, "drift_db": 3.0},
)
