"""Limits no single knob can promise, enforced on the sound itself: stereo, and the compressor's work."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping

from daiw_master import house
from daiw_master.plan import Plan
from daiw_master.refine.bench import Bench, Take
from daiw_master.refine.guards import dynamics_guards, stereo_guards

#: Aim this much inside a stereo limit, so that the later stages cannot push past it.
MARGIN_DB = 0.4
STEREO_ROUNDS = 5


def inside_stereo_limits(
    bench: Bench,
    take: Take,
    take_at: Callable[[Mapping[str, float]], Take],
    tasteful: bool = False,
    lifted: Collection[str] = (),
) -> Take:
    """The side signal turned down where the sound lies beyond a stereo limit, and taken again.

    To the hard limits, or to the default ones when `tasteful`; a `lifted` limit is left alone. Nearly
    exact in dB; crossovers are soft, so further rounds close what the first left.
    """
    for _ in range(STEREO_ROUNDS):
        mended = _narrowed(bench, take, tasteful, lifted)
        if mended == take.settings:
            break
        take = take_at(mended)
    return take


def side_room_db(bench: Bench, take: Take) -> float:
    """How far the side may rise before it, or what is lost in mono, meets its hard limit."""
    found = stereo_guards(take.seen, take.tones)
    if not found:
        return math.inf
    limits = house.limits()
    return min(
        limits["side_to_mid_db"].hard - found["side_to_mid_db"],
        -_too_much_side_db(found["fold_down_loss_lu"], limits["fold_down_loss_lu"].hard),
    )


def _too_much_side_db(loss_lu: float, allowed_lu: float) -> float:
    """How much side is too much, from what is lost in mono: loss = 10 log10(1 + side / mid)."""
    if allowed_lu == math.inf:
        return -math.inf
    side = max(10 ** (loss_lu / 10) - 1, 1e-6)
    return 10 * math.log10(side / (10 ** (allowed_lu / 10) - 1))


def _narrowed(bench: Bench, take: Take, tasteful: bool, lifted: Collection[str]) -> dict[str, float]:
    """Settings with less side, by what the finished sound has too much of it."""
    found, settings = stereo_guards(take.seen, take.tones), dict(take.settings)
    if not found or "imager.low_width_db" not in settings:
        return settings
    allowed = {
        name: math.inf if name in lifted else house.limits()[name].value(not tasteful) for name in found
    }

    def lower(knob: str, by: float) -> None:
        param = bench.space[knob]
        settings[knob] = min(max(settings[knob] - by, param.low), param.high)

    low = found["side_low_db"] - allowed["side_low_db"]
    if low > 0:
        # Where the low band is shut already, what is left leaks in from the next one.
        shut = settings["imager.low_width_db"] <= bench.space["imager.low_width_db"].low
        lower("imager.low_mid_width_db" if shut else "imager.low_width_db", low + MARGIN_DB)
    wide = max(
        found["side_to_mid_db"] - allowed["side_to_mid_db"],
        _too_much_side_db(found["fold_down_loss_lu"], allowed["fold_down_loss_lu"]),
    )
    if wide > 0.05:
        for band in ("low_mid", "mid", "high"):
            lower(f"imager.{band}_width_db", wide + MARGIN_DB)
    return settings


def inside_compressor_limits(bench: Bench, plan: Plan, settings: dict[str, float]) -> dict[str, float]:
    """The ratio lowered where the compressor works harder than the house allows on this song.

    Above the knee the reduction is (1 - 1/ratio) times the overshoot, so one correction is nearly
    exact. A ratio the user set stays.
    """
    knob = "dynamics.ratio"
    if knob in plan.settings or settings.get(knob, 1.0) <= 1.0:
        return settings
    found = dynamics_guards(bench, settings)
    kept = {"compressor_mean_db", "compressor_p95_db"} - set(plan.lifted)
    over = max((found[name] / house.limits()[name].hard for name in kept), default=0.0)
    if over <= 1.0:
        return settings
    share = (1.0 - 1.0 / settings[knob]) / (1.05 * over)
    return {**settings, knob: 1.0 / (1.0 - share)}
