"""How far a search on a finished master may turn each knob, and how loosely it is held where it stands.

Everything lies inside the house limits in force. A spread is a standard deviation of the prior, in turns
of the knob. Where tone is free, it is about 2 dB of EQ and 3 dB of width. Where it is asked for, knobs that
move a target directly are held to about its tolerance: the search is for what the targets do not say, and
a candidate that breaks five promises teaches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from daiw_master.knobs.exciter import NONE_DB as NO_HARMONICS_DB
from daiw_master.knobs.reverb import NO_WET_DB
from daiw_master.params import Param
from daiw_master.plan import Plan
from daiw_master.refine.actuators import ACTUATORS
from daiw_master.refine.bench import Bench
from daiw_master.refine.done import MOST_MIX_DB

#: (physical ends, spread) of a knob under a plan.
Reach = tuple[tuple[float, float], float]

_LOOSE, _USUAL, _TIGHT = 0.2, 0.15, 0.08
_HELD = 0.02
#: How far a threshold may move from where the plan has it: the house counts on music 6 dB above it.
_THRESHOLD_DB = 6.0
#: Nothing the windows can hear moves with these, or they are delivery's: the master's own hand keeps them.
_NOT_HEARD = ("dynamics.ride", "imager.correlation_floor", "eq.high_pass_hz")
#: Gates are no mastering: soft passages stay.
_NOT_MASTERING = ("dynamics.expand_down_ratio", "dynamics.expand_threshold_db", "dynamics.expand_depth_db",
                  "dynamics.expand_up_ratio")  # fmt: skip
_HOUSE = ("reverb", "eq", "dynamics", "exciter", "imager")
_LIMITS: Mapping[str, Callable[[Plan], tuple[float, float]]] = {a.knob: a.limits for a in ACTUATORS}


def reach_of(bench: Bench, plan: Plan, settings: Mapping[str, float], *, free_tone: bool) -> dict[str, Reach]:
    """Every knob a search may turn from these settings, its physical ends and its spread.

    A knob somebody set is not among them, nor one that is silent as the others stand. With `free_tone`
    room and drive are free too; otherwise they are asked for, and only their colour may change. Effects
    the plan took in are the plan's; any other guest in the chain (a plugin) is free throughout.
    """
    reach = {}
    for place, effect in bench.placed.items():
        if place in plan.added:
            continue
        for param in effect.params:
            name = f"{place}.{param.name}"
            if name in plan.settings or f"{effect.name}.{param.name}" in _NOT_HEARD + _NOT_MASTERING:
                continue
            found = (
                _house(bench, plan, settings, name, param, free_tone)
                if effect.name in _HOUSE
                else ((param.low, param.high), _USUAL)
            )
            if found is not None:
                (low, high), spread = found
                reach[name] = (max(low, param.low), min(high, param.high)), spread
    return {name: found for name, found in reach.items() if found[0][0] < found[0][1]}


def _house(
    bench: Bench, plan: Plan, settings: Mapping[str, float], name: str, param: Param, free_tone: bool
) -> Reach | None:
    place, _, knob = name.partition(".")
    stage = bench.placed[place].name
    if stage == "reverb":
        return _room(bench, plan, settings, place, param, free_tone)
    if stage == "exciter":
        return _harmonics(settings, place, param, free_tone)
    limits = _LIMITS.get(f"{stage}.{knob}")
    if limits is not None:
        if knob == "ratio":
            return limits(plan), _USUAL
        return limits(plan), _TIGHT if free_tone else _HELD
    if knob == "tilt_db":
        # a tilt moves each end by half of it
        most = 2 * plan.limit("eq_band_db")
        return (-most, most), _TIGHT if free_tone else _HELD
    if knob == "threshold_db":
        return (settings[name] - _THRESHOLD_DB, settings[name] + _THRESHOLD_DB), _TIGHT
    if knob == "attack_ms":
        return (plan.limit("compressor_attack_ms"), param.high), _USUAL
    return (param.low, param.high), _USUAL


def _harmonics(settings: Mapping[str, float], place: str, param: Param, free_tone: bool) -> Reach | None:
    """The exciter: what it adds is an ask of its own, unless tone is free; its colour is not."""
    if param.name == "mix_db":
        return ((NO_HARMONICS_DB, MOST_MIX_DB), _LOOSE) if free_tone else None
    sounds = free_tone or settings[f"{place}.mix_db"] > NO_HARMONICS_DB
    return ((param.low, param.high), _LOOSE) if sounds else None


def _room(
    bench: Bench, plan: Plan, settings: Mapping[str, float], place: str, param: Param, free_tone: bool
) -> Reach | None:
    """The room, where it may change at all: not under a master whose room is asked for."""
    if not free_tone:
        return None
    kind = "bus" if bench.song.send is None else "send"
    if param.name == "wet_db":
        return (NO_WET_DB, plan.limit(f"reverb_{kind}_wet_db")), _USUAL
    if param.name == "decay_s":
        return (param.low, plan.limit(f"reverb_{kind}_decay_s")), _USUAL
    if param.name == "predelay_ms" and bench.song.tempo_bpm:
        return None  # it keeps time with the song
    return (param.low, param.high), _LOOSE
