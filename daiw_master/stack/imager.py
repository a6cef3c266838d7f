"""Width: how much side each band keeps, and a floor under the correlation.

Only the side signal (L - R)/2 is touched; the mid, and with it the mono sum, stays as it came.
The four bands are complementary: linear-phase low-passes and their differences, which add up to a
plain unit impulse, so at rest nothing is filtered at all and between the bands nothing is lost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch.nn import functional

from daiw_master.errors import InputError
from daiw_master.knobs.imager import PARAMS, ROW
from daiw_master.sounds import BLOCK
from daiw_master.stack.accelerated import fusible
from daiw_master.stack.blocks import by_neighbourhood
from daiw_master.stack.convolution import convolve
from daiw_master.stack.effect import Effect, Setting, at_rest, per_item, turned
from daiw_master.stack.flow import Flow, Nearby
from daiw_master.stack.hops import averaged, drawn, smoothed
from daiw_master.targets import WIDTH_EDGES_HZ
from daiw_master.units import gain_from_db, samples_from_ms

#: The inner edges of the bands in which width is heard (500 and 4000 Hz); the lowest crossover stands a
#: little over its edge of 120 Hz and is steep, so that a low end made mono is mono right up to there.
CROSSOVERS_HZ = (145.0, WIDTH_EDGES_HZ["mid"][0], WIDTH_EDGES_HZ["high"][0])
#: Width of each crossover's slope, as a fraction of its frequency, and how deep the stop bands lie.
TRANSITIONS, STOP_BAND_DB = (0.35, 0.6, 0.6), 60.0

#: The four widths, low to high, and the floor.
KNOBS = tuple(param.name for param in PARAMS)

HOP_MS = 10.0
#: Over how many hops correlation is read: 110 ms, shorter than any meter's window.
WINDOW_HOPS = 11
#: A sample depends on hops this far away: the window, the least gain nearby, its average, and the line.
HOPS_REACH = 2 * WINDOW_HOPS + 1
#: Samples worked on at a time, long beside the neighbourhood that each part needs.
PART = 2**18
#: Below this mid power (-100 dB) there is no correlation to protect.
QUIET_POWER = 1e-10
#: The floor fades in over this much above -1, so that -1 is exactly off.
FADE = 0.1


def _low_pass(hz: float, transition: float, taps: int, rate: int) -> torch.Tensor:
    """Windowed-sinc low-pass of unit gain at 0 Hz, (taps,) float64, `taps` odd.

    Kaiser window: Kaiser 1974; beta for 60 dB from Oppenheim and Schafer eq. 7.75.
    """
    n = torch.arange(taps, dtype=torch.float64) - taps // 2
    beta = 0.1102 * (STOP_BAND_DB - 8.7)
    # A higher crossover needs a shorter filter; the rest stays zero.
    own = min(_taps_for(hz, transition, rate), taps)
    window = functional.pad(
        torch.kaiser_window(own, periodic=False, beta=beta, dtype=torch.float64), [(taps - own) // 2] * 2
    )
    taps_of = torch.sinc(2 * hz / rate * n) * window
    return taps_of / taps_of.sum()


def _taps_for(hz: float, transition: float, rate: int) -> int:
    """Odd Kaiser length for a slope of transition * hz (Oppenheim and Schafer eq. 7.76)."""
    slope = 2 * math.pi * transition * hz / rate
    return 2 * math.ceil((STOP_BAND_DB - 8) / (2.285 * slope) / 2) + 1


def side_change(gains: list[torch.Tensor], rate: int, taps: int | None = None) -> torch.Tensor:
    """Taps (batch or 1, 1, taps) of everything the side gains or loses: sum of (gain - 1) * band.

    With low-passes L1, L2, L3 the bands are L1, L2 - L1, L3 - L2 and 1 - L3; collected by filter,
    each low-pass carries the difference between the gains on its two sides. Fewer `taps` (odd; live)
    make the slopes of the lower crossovers wider, by as much as the filter is shorter.
    """
    taps = taps or _taps_for(CROSSOVERS_HZ[0], TRANSITIONS[0], rate)
    unit = torch.zeros(taps, dtype=gains[0].dtype, device=gains[0].device)
    unit[taps // 2] = 1.0
    change = (gains[-1] - 1.0) * unit
    for hz, transition, below, above in zip(CROSSOVERS_HZ, TRANSITIONS, gains, gains[1:], strict=False):
        change = change + (below - above) * _low_pass(hz, transition, taps, rate).to(unit)
    return change


@fusible
def side_gain_for(
    mid: torch.Tensor, side: torch.Tensor, cross: torch.Tensor, floor: torch.Tensor
) -> torch.Tensor:
    """The most side gain (0 to 1) that keeps the correlation of left and right at `floor` or above.

    `mid`, `side` are powers, `cross` the mean of mid times side. With L = M + S and R = M - S the
    correlation at side gain g, q = g^2, is (mid - q side) / sqrt((mid + q side)^2 - 4 q cross^2).
    Setting it to c and squaring gives a quadratic in q; the root below belongs to the sign of c.
    """
    independent = (mid * side - cross**2).clamp_min(1e-30)
    b = 2 * mid * side * (1 + floor**2) - 4 * floor**2 * cross**2
    # b^2 - 4ac of the quadratic, factored so that nothing cancels
    root = 4 * floor * (independent * (mid * side - floor**2 * cross**2).clamp_min(1e-30)).sqrt()
    q = 2 * mid**2 * (1 - floor**2) / (b + root).clamp_min(1e-30)
    return q.clamp(1e-12, 1.0).sqrt()


def _protected(mid: torch.Tensor, side: torch.Tensor, floor: torch.Tensor, rate: int) -> torch.Tensor:
    """The side, turned down smoothly wherever correlation would fall below `floor` (batch or 1, 1, 1)."""
    hop = samples_from_ms(HOP_MS, rate)
    mids, sides, cross = (averaged(product, hop).double() for product in (mid * mid, side * side, mid * side))
    floor = floor.double()
    powers = (mids + QUIET_POWER, sides, cross)
    needed = side_gain_for(*(smoothed(power, WINDOW_HOPS) for power in powers), floor)
    # The least gain needed nearby, then averaged over less than "nearby": never above what is needed.
    half = WINDOW_HOPS - 1
    lowest = -functional.max_pool1d(functional.pad(-needed, (half, half), mode="replicate"), 2 * half + 1, 1)
    gain = smoothed(lowest, WINDOW_HOPS)
    gain = 1.0 + ((floor + 1.0) / FADE).clamp(0.0, 1.0) * (gain - 1.0)
    return side * drawn(gain.to(side.dtype), hop)[..., : side.shape[-1]]


class Image:
    """The imager at given settings: from a stretch of stereo to the same stretch re-weighted.

    Settings by name as in `IMAGER`; a sample depends on `reach` samples to either side. `taps` as in
    `side_change`.
    """

    def __init__(
        self,
        rate: int,
        settings: Mapping[str, Setting],
        like: torch.Tensor,
        taps: int | None = None,
    ):
        self.rate, self.hop = rate, samples_from_ms(HOP_MS, rate)
        *widths_db, floor = (settings[name] for name in KNOBS)
        self.floor = per_item(floor, like) if turned(floor, -1.0) else None
        self.change = None
        if any(turned(width_db, 0.0) for width_db in widths_db):
            self.change = side_change([gain_from_db(per_item(db, like)) for db in widths_db], rate, taps)

    @property
    def rests(self) -> bool:
        return self.change is None and self.floor is None

    @property
    def reach(self) -> int:
        filtered = 0 if self.change is None else self.change.shape[-1] // 2
        return filtered + (0 if self.floor is None else HOPS_REACH * self.hop)

    def __call__(self, part: torch.Tensor) -> torch.Tensor:
        left, right = part[:, :1], part[:, 1:]
        side = (left - right) / 2
        moved = 0.0
        if self.change is not None:
            moved = convolve(side, self.change, lead=self.change.shape[-1] // 2)
        if self.floor is not None:
            moved = _protected((left + right) / 2, side + moved, self.floor, self.rate) - side
        if torch.is_grad_enabled():
            return torch.cat([left + moved, right - moved], dim=1)
        y = part.new_empty(len(moved), *part.shape[1:])
        torch.add(left, moved, out=y[:, :1])
        torch.sub(right, moved, out=y[:, 1:])
        return y


def process(x: torch.Tensor, rate: int, **settings: Setting) -> torch.Tensor:
    """The sound with its side re-weighted by band; see `IMAGER` for the knobs. Mono stays as it is."""
    _check_channels(x.shape[1])
    image = Image(rate, settings, x)
    if x.shape[1] == 1 or image.rests:
        return at_rest(x, settings)
    return by_neighbourhood(image, x, image.hop, image.reach, PART)


def _check_channels(channels: int) -> None:
    if channels not in (1, 2):
        raise InputError(f"imager: audio has {channels} channels; width is defined for 1 or 2")


def flow(
    rate: int, channels: int, *, block: int = BLOCK, length: int | None = None, **settings: Setting
) -> tuple[Flow, ...]:
    """The imager in the middle of a song; it hears ahead by half its filter, and 230 ms for the floor."""
    _check_channels(channels)
    image = Image(rate, settings, torch.zeros(0))
    if channels == 1 or image.rests:
        return ()
    reach, size = image.reach, max(block, PART) if block >= BLOCK else block
    return (Nearby(lambda part, first: image(part), back=reach, ahead=reach, step=image.hop, size=size),)


IMAGER = Effect(
    *ROW,
    process=process,
    flow=flow,
    probe="noise",
    engaged={"correlation_floor": 0.2},
)  # fmt: skip
