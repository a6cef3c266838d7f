"""Meeting the targets: one damped joint step after another, in tolerance units, inside the limits.

Per-module loops fight (a reverb widens, drive moves crest, the limiter owns crest once it works);
one joint step over all knobs does not. The Jacobian is measured once on windows of the song, then
learns from every full pass (Broyden 1965, "good" update). The best take is kept; a step that does
not help is halved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from daiw_master import house
from daiw_master.plan import Plan
from daiw_master.refine.actuators import Actuator, free_actuators
from daiw_master.refine.asks import Ask
from daiw_master.refine.bench import Bench, Take
from daiw_master.refine.guards import eq_guards
from daiw_master.refine.jacobian import measure_jacobian
from daiw_master.targets import FIELDS

#: Full passes spent on one master. Three meet the targets on nearly every song; the rest is for
#: songs whose dynamics surprise the windows, and for a relaxed limit.
MAX_TAKES = 5
#: Pull towards the plan's own settings, against one tolerance of error: breaks ties, no more.
PRIOR = 0.25
#: Good enough to stop early: every target within this share of its tolerance.
CLOSE = 0.5
#: Weight of what was promised (two tolerances or more) against what should merely stay or lean.
PROMISE_WEIGHT = 1.5
#: Loudness that the limiter cannot give cleanly weighs like this many LU to a tolerance: peaks are
#: then softened before it, as far as the other targets can bear.
SHORTFALL_LU = 0.25
#: A take must take this share off the squared error to be worth another one.
WORTHWHILE = 0.05
#: A promise missed by more of its tolerance than this may have a limit relaxed for it.
NEARLY = 0.8
#: A knob within this of its bound is said to stand at its limit.
AT_LIMIT = 1e-3


@dataclass(frozen=True)
class LogEntry:
    """One line of the log: at which step which target stood where, and where it was wanted."""

    step: str
    target: str
    wanted: float
    old: float
    new: float


@dataclass
class Solution:
    """The best take, the asks it was held to, every step's log, and the limits that had to give."""

    take: Take
    asks: dict[str, Ask]
    plan: Plan
    log: list[LogEntry] = field(default_factory=list)
    at_limit: dict[str, str] = field(default_factory=dict)


def solve(
    bench: Bench,
    plan: Plan,
    start: Mapping[str, float],
    asks: Mapping[str, Ask],
    *,
    first: Take | None = None,
    progress: Callable[[str, float], None] = lambda what, done: None,
) -> Solution:
    """Turn the free knobs until the asks are met or nothing more can be gained.

    `first` is a take already made at `start` with this plan's delivery (saves a pass).
    """
    take_at = _taker(bench, plan)
    actuators = free_actuators(bench.space, plan.settings)
    take = first or take_at(dict(start))
    solution = Solution(take, dict(asks), plan)
    if not actuators or _close(asks, take, plan):
        return solution

    fields = list(asks)
    progress(f"{plan.name}: listening to what each knob does", 0.2)
    weights = [(PROMISE_WEIGHT if ask.claimed else 1.0) * ask.weight for ask in asks.values()]
    weights = np.array([*weights, 1.0])  # the last row is the loudness shortfall
    jacobian = measure_jacobian(
        bench, take.settings, actuators, fields,
        drive_db=take.delivered.gain_db, ceiling_dbtp=plan.ceiling_dbtp,
    )  # fmt: skip
    jacobian[-1] /= SHORTFALL_LU
    knobs = np.array([take.settings[a.knob] for a in actuators])
    origin = knobs.copy()
    solution.asks = asks = _cut_to_reach(asks, take, jacobian, actuators, plan, knobs, origin)

    share, here = 1.0, _errors(asks, take, plan)
    for count in range(1, MAX_TAKES):
        step = _step(jacobian, here, actuators, plan, knobs, origin, weights)
        step = tasteful_eq(bench, plan, actuators, take, knobs, share * step)
        if np.all(np.abs(step) < 0.02 * np.array([a.typical for a in actuators])):
            break
        progress(f"{plan.name}: take {count + 1}", 0.3 + 0.6 * count / MAX_TAKES)
        # the sum of two floats may land a rounding error beyond the range both respect
        trial = take_at(bench.space.clip({**take.settings, **_named(actuators, knobs + step)}))
        there = _errors(asks, trial, plan)
        jacobian += np.outer(there - here - jacobian @ step, step) / max(step @ step, 1e-12)
        solution.log += _log(f"step {count}", asks, take, trial)
        old, new = np.sum((weights * here) ** 2), np.sum((weights * there) ** 2)
        gained, stuck = old - new, old - new < WORTHWHILE * old
        if gained > 0:
            take, knobs, here, share = trial, knobs + step, there, 1.0
        else:
            share *= 0.5
        if _close(asks, take, plan):
            break
        leaning = _leaning(bench, actuators, plan, knobs, take)
        relaxable = _limits_in_the_way(asks, take, plan, leaning) if count >= 2 else ()
        if relaxable:
            plan = solution.plan = plan.relaxing(relaxable)
            take_at = _taker(bench, plan)
            solution.log += [_relaxed(name, f"step {count}") for name in sorted(relaxable)]
        elif stuck and count > 1:
            break
    solution.take = take
    solution.asks = dict(asks)
    solution.at_limit = _leaning(bench, actuators, plan, knobs, take)
    return solution


def _taker(bench: Bench, plan: Plan):
    most = house.limits()["limiter_p99_db"].hard
    asked = (plan.loudness_lufs, plan.ceiling_dbtp, most)
    return lambda settings: bench.take(settings, *asked, quick=True, still=True)


def _errors(asks: Mapping[str, Ask], take: Take, plan: Plan) -> np.ndarray:
    """What each ask is missed by, in tolerances, and last the loudness that could not be had cleanly."""
    heard = [ask.error(take.heard[name]) for name, ask in asks.items()]
    return np.array([*heard, _shortfall_lu(take, plan) / SHORTFALL_LU])


def _shortfall_lu(take: Take, plan: Plan) -> float:
    """How much quieter than asked the take is because the limiter stands at its cap; else 0."""
    capped = take.delivered.reduction_p99_db > house.limits()["limiter_p99_db"].hard - 0.1
    return max(0.0, plan.loudness_lufs - take.delivered.loudness_lufs) if capped else 0.0


def _close(asks: Mapping[str, Ask], take: Take, plan: Plan) -> bool:
    return not _shortfall_lu(take, plan) and all(
        ask.weight * abs(ask.error(take.heard[name])) <= CLOSE for name, ask in asks.items()
    )


def _named(actuators: Sequence[Actuator], knobs: np.ndarray) -> dict[str, float]:
    return {a.knob: float(value) for a, value in zip(actuators, knobs, strict=True)}


def _bounds(actuators: Sequence[Actuator], plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    low, high = zip(*(a.limits(plan) for a in actuators), strict=True)
    return np.array(low), np.array(high)


def _step(jacobian, errors, actuators, plan, knobs, origin, weights) -> np.ndarray:
    """Levenberg-Marquardt in a box: least squared error in tolerances, pulled towards `origin`."""
    from scipy.optimize import lsq_linear  # 0.1 s and 20 MiB, for those who solve

    typical = np.array([a.typical for a in actuators])
    # without a shortfall peaks may go where they like
    weights = np.where(np.arange(len(weights)) == len(weights) - 1, errors[-1] > 0, 1.0) * weights
    low, high = _bounds(actuators, plan)
    # A plan may start outside a default limit (a user's preset): stay, but never go further out.
    low, high = np.minimum(low, knobs), np.maximum(high, knobs)
    matrix = np.vstack([weights[:, None] * jacobian, PRIOR * np.diag(1 / typical)])
    goal = np.concatenate([-weights * errors, PRIOR * (origin - knobs) / typical])
    # lsq_linear wants an interval, also around a knob that stands at the only place it may stand.
    room = 1e-9
    step = lsq_linear(matrix, goal, bounds=(low - knobs - room, high - knobs + room), method="bvls").x
    return np.clip(knobs + step, low, high) - knobs


def tasteful_eq(
    bench: Bench, plan: Plan, actuators: Sequence[Actuator], take: Take, knobs: np.ndarray, step: np.ndarray
) -> np.ndarray:
    """The step with its EQ held to what single knobs cannot promise: neighbouring bells add up, and
    nothing below 40 Hz is boosted (more sub is had by less of everything else).
    """
    names = [a.knob for a in actuators]
    gains = [i for i, name in enumerate(names) if name.startswith("eq.")]
    if "eq.low_shelf_gain_db" not in names:
        return step
    shelf, target = names.index("eq.low_shelf_gain_db"), knobs + step
    lowest = bench.space["eq.low_shelf_gain_db"].low
    most = max(plan.limit("eq_band_db"), eq_guards(take.settings, bench.song.rate)["eq_band_db"])
    for _ in range(6):
        wanted = {**take.settings, **dict(zip(names, map(float, target), strict=True))}
        found = eq_guards(bench.space.clip(wanted), bench.song.rate)
        boost, net = found["eq_below_40_hz_db"], found["eq_band_db"]
        if boost <= plan.limit("eq_below_40_hz_db") and net <= most + 0.01:
            break
        if net > most:
            target[gains] *= most / net
        if boost > 0:
            target[shelf] = max(target[shelf] - 1.2 * boost, lowest)
    return target - knobs


def _cut_to_reach(asks, take, jacobian, actuators, plan, knobs, origin) -> dict[str, Ask]:
    """Asks no allowed setting can reach are cut before they are asked, and say so."""
    generous = plan.relaxing(house.limits())
    errors = np.array([*_errors(asks, take, plan)[:-1], 0.0])  # reach is asked of the targets alone
    step = _step(jacobian, errors, actuators, generous, knobs, origin, np.ones(len(errors)))
    left = (errors + jacobian @ step)[:-1]
    cut = {}
    for rest, (name, ask) in zip(left, asks.items(), strict=True):
        towards = rest * ask.by < 0  # what is left lies on the far side of the ask
        if ask.claimed and towards and abs(rest) > 1.0 and name not in plan.wanted:
            by = ask.by + rest * FIELDS[name].tolerance
            by = by if by * ask.by > 0 else 0.0
            why = (
                f"wanted {ask.by:+.1f} {FIELDS[name].unit}, this song gives {by:+.1f} inside the house limits"
            )
            ask = replace(ask, wanted=ask.wanted + by - ask.by, by=by, cut=ask.cut or why)
        cut[name] = ask
    return cut


def _leaning(bench, actuators, plan, knobs, take) -> dict[str, str]:
    """Which knobs stand at a house limit, and which limit; "eq" stands for its bells together."""
    low, high = _bounds(actuators, plan)
    found = {
        a.knob: a.limit_name
        for a, u, lo, hi in zip(actuators, knobs, low, high, strict=True)
        if min(u - lo, hi - u) < AT_LIMIT and abs(u - a.rest) > AT_LIMIT
    }
    net = eq_guards(take.settings, bench.song.rate).get("eq_band_db", 0.0)
    if net > plan.limit("eq_band_db") - 0.05:
        found["eq"] = "eq_band_db"
    return found


def _limits_in_the_way(asks, take, plan, leaning) -> set[str]:
    """Default limits a knob leans on while a promise is still missed by about its tolerance."""
    missed = _shortfall_lu(take, plan) > 0 or any(
        ask.claimed and abs(ask.error(take.heard[name])) > NEARLY for name, ask in asks.items()
    )
    names = set(leaning.values()) - plan.relaxed
    return {name for name in names if missed and house.limits()[name].default != house.limits()[name].hard}


def _log(step: str, asks: Mapping[str, Ask], old: Take, new: Take) -> list[LogEntry]:
    return [
        LogEntry(step, name, ask.wanted, old.heard[name], new.heard[name])
        for name, ask in asks.items()
        if abs(ask.error(old.heard[name])) > CLOSE or abs(ask.error(new.heard[name])) > CLOSE
    ]


def _relaxed(name: str, step: str) -> LogEntry:
    limit = house.limits()[name]
    return LogEntry(f"{step}: relaxed {name}", name, limit.hard, limit.default, limit.hard)
