"""The knobs the solver may turn, how far taste lets it, and what a small turn is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from daiw_master.params import Space
from daiw_master.plan import Plan
from daiw_master.stack.rider import REACH_DB


@dataclass(frozen=True)
class Actuator:
    """A knob in the search. `limits` gives its bounds from the plan's house limits; `probe` is the
    step by which its effect is measured, `typical` the size of move that counts as one in damping,
    `rest` where it does nothing (a ratio of 1 stands at its lowest without leaning on a limit).
    """

    knob: str
    limits: Callable[[Plan], tuple[float, float]]
    probe: float
    typical: float
    limit_name: str
    rest: float = 0.0


def _symmetric(limit_name: str) -> Callable[[Plan], tuple[float, float]]:
    return lambda plan: (-plan.limit(limit_name), plan.limit(limit_name))


def _eq_gain(knob: str) -> Actuator:
    return Actuator(knob, _symmetric("eq_band_db"), 1.0, 2.0, "eq_band_db")


def _width(knob: str) -> Actuator:
    # Narrowing has no taste limit of its own: mono is a choice, and wide pianos start far out. Widening has.
    return Actuator(knob, lambda plan: (-24.0, plan.limit("side_gain_db")), 1.0, 2.0, "side_gain_db")


def _highest_ratio(plan: Plan) -> float:
    # At our threshold music sits about 6 dB above it, so the mean reduction is 6 * (1 - 1/ratio).
    return 1.0 / (1.0 - min(plan.limit("compressor_mean_db"), 5.0) / 6.0)


ACTUATORS: tuple[Actuator, ...] = (
    _eq_gain("eq.low_shelf_gain_db"),
    *(_eq_gain(f"eq.peak_{i}_gain_db") for i in range(1, 7)),
    _eq_gain("eq.high_shelf_gain_db"),
    # Bass is mono by custom: it may only be narrowed.
    Actuator("imager.low_width_db", lambda plan: (-40.0, 0.0), 2.0, 4.0, "side_low_db"),
    _width("imager.low_mid_width_db"),
    _width("imager.mid_width_db"),
    _width("imager.high_width_db"),
    Actuator(
        "dynamics.ratio", lambda plan: (1.0, _highest_ratio(plan)), 0.25, 0.25, "compressor_mean_db", 1.0
    ),
    Actuator("dynamics.attack_db", _symmetric("shaper_db"), 1.0, 2.0, "shaper_db"),
    Actuator("dynamics.sustain_db", _symmetric("shaper_db"), 1.0, 2.0, "shaper_db"),
    # The knob is a share of the rider's reach, the limit is in dB.
    Actuator(
        "dynamics.ride",
        lambda plan: (
            -min(1.0, plan.limit("ride_db") / REACH_DB),
            min(1.0, plan.limit("ride_db") / REACH_DB),
        ),
        0.25,
        0.3,
        "ride_db",
    ),
)


def free_actuators(space: Space, pinned: Mapping[str, float]) -> list[Actuator]:
    """The actuators this chain has and the user has not set: a pinned knob leaves the search."""
    return [a for a in ACTUATORS if a.knob in space and a.knob not in pinned]
