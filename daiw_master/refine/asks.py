"""From shifts to asks: what is wanted of this song, cut to what this song can give."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from daiw_master import house
from daiw_master.plan import Plan
from daiw_master.targets import BANDS, FIELDS, HEARD, WIDTHS

#: Below this a width field says "mono": there is no side to widen.
MONO_WIDTH_DB = -45.0
#: A band with less than this share of the sound (dB) holds nothing: piano has no air to soften.
EMPTY_SHARE_DB = -52.0
#: What its error counts for in the solver, so that it is not fought over: harmonics may lift an empty
#: band by 20 dB and still nobody hears it.
EMPTY_WEIGHT = 0.02
#: Loudness range is the spread of 3 s windows: of ten seconds it reads mostly how the last chord dies
#: away. EBU Tech 3342 warns of programmes under a minute; half of one is where songs begin to tell.
SHORTEST_RANGE_S = 30.0
#: Loudness range does not fall below what steady music already has.
RANGE_FLOOR_LU = 1.2
#: Share of the range above that floor which rider and compressor can take before music suffers.
RANGE_SHARE = 0.5


@dataclass(frozen=True)
class Ask:
    """One heard target: the wanted value, the shift behind it, what was cut of it and why."""

    field: str
    wanted: float
    by: float
    why: str = ""
    cut: str = ""
    weight: float = 1.0

    @property
    def claimed(self) -> bool:
        """Big enough to be promised: two tolerances or more."""
        return abs(self.by) >= 2 * FIELDS[self.field].tolerance

    def error(self, heard: float) -> float:
        """heard - wanted, in tolerances."""
        return FIELDS[self.field].error(self.wanted, heard)


def ask_of(
    plan: Plan,
    neutral: Mapping[str, float],
    duration_s: float = math.inf,
    side_room_db: float = math.inf,
) -> dict[str, Ask]:
    """Every heard field as an ask: the plan's shift on the song's neutral, or the user's own value.

    A field nobody shifts is asked to stay: that too is a promise. A few seconds have no range;
    `side_room_db` is how far the side may still rise before a stereo limit is met.
    """
    asks = {}
    for name in HEARD:
        if name == "loudness_range_lu" and duration_s < SHORTEST_RANGE_S:
            continue
        if name in plan.wanted:
            by = plan.wanted[name] - neutral[name]
            asks[name] = Ask(name, plan.wanted[name], by, "you set it")
            continue
        shift = plan.shifts.get(name)
        by, cut = (0.0, "") if shift is None else _possible(name, shift.by, neutral, side_room_db)
        why = shift.why if shift else ""
        weight = EMPTY_WEIGHT if is_empty(name, neutral) else 1.0
        if name in plan.silenced and not by:
            weight = 0.0  # it may go where it likes
        asks[name] = Ask(name, neutral[name] + by, by, why, cut, weight)
    return _centred(asks, plan)


def is_empty(name: str, heard: Mapping[str, float]) -> bool:
    """Whether a band holds next to nothing of the sound."""
    if name not in BANDS:
        return False
    whole = 10 * math.log10(sum(10 ** (heard[band] / 10) for band in BANDS))
    return heard[name] - whole < EMPTY_SHARE_DB


def _possible(name: str, by: float, neutral: Mapping[str, float], side_room_db: float) -> tuple[float, str]:
    """The part of a shift this song has room for, and one line on what was cut."""
    unit = FIELDS[name].unit
    here = neutral[name]
    if name in WIDTHS and here < MONO_WIDTH_DB:
        return 0.0, "the song is mono here: no side to move" if by else ""
    if is_empty(name, neutral):
        return 0.0, f"wanted {by:+.1f} {unit}: nothing sounds there" if by else ""
    if name in WIDTHS and by > max(0.0, side_room_db):
        kept = max(0.0, side_room_db)
        return kept, f"wanted {by:+.1f} {unit}: the song is as wide as a master may be, {kept:+.1f} asked"
    if name == "loudness_range_lu" and by < 0:
        most = RANGE_SHARE * max(0.0, here - RANGE_FLOOR_LU)
        if -by > most:
            return -most, f"wanted {-by:.1f} LU less range: this song has {here:.1f}, {most:.1f} can go"
        return by, ""
    share = _room(name, by, here)
    kept = by * share
    if abs(by - kept) > 0.5 * FIELDS[name].tolerance:
        side = "above" if by > 0 else "below"
        edge = house.envelope()[name][1 if by > 0 else 0]
        return kept, (
            f"wanted {by:+.1f} {unit}: the song stands at {here:.1f}, music seldom lies {side} {edge:g}; "
            f"{kept:+.1f} asked"
        )
    return kept, ""


def _room(name: str, by: float, here: float) -> float:
    """1 inside the envelope, falling smoothly to 0 at 6 dB beyond the edge the shift runs towards."""
    edges = house.envelope().get(name)
    if edges is None or by == 0:
        return 1.0
    room = (edges[1] - here) if by > 0 else (here - edges[0])
    full, none = abs(by), -6.0
    t = min(1.0, max(0.0, (room - none) / (full - none)))
    return t * t * (3 - 2 * t)


def _centred(asks: dict[str, Ask], plan: Plan) -> dict[str, Ask]:
    """Bands are read against their mean, so cut shifts must still sum to nought: share the rest."""
    free = [name for name in BANDS if name not in plan.wanted]
    rest = sum(asks[name].by for name in free) / len(free) if free else 0.0
    for name in free:
        ask = asks[name]
        asks[name] = replace(ask, wanted=ask.wanted - rest, by=ask.by - rest)
    return asks
