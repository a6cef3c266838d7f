"""A finished master searched further: nearer to a style, its promises kept, or left as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
import torch

from daiw_master import house
from daiw_master.knobs.exciter import NONE_DB
from daiw_master.neural.encoder import STYLE_RATE
from daiw_master.neural.style import style_of, unit
from daiw_master.plan import Plan
from daiw_master.refine.actuators import free_actuators
from daiw_master.refine.asks import Ask
from daiw_master.refine.automation import RANGE, added_range_lu
from daiw_master.refine.bench import Bench, Take
from daiw_master.refine.done import (
    DONE_KNOBS,
    DoneAsk,
    measured_decay_s,
    measured_drive_db,
    measured_wet_db,
    set_drive,
)
from daiw_master.refine.enforce import inside_compressor_limits, inside_stereo_limits
from daiw_master.refine.guards import check_guards
from daiw_master.refine.ito.desk import Delivery, keeps_its_word, level_db
from daiw_master.refine.ito.listen import target_of
from daiw_master.refine.ito.positions import Free, Positions
from daiw_master.refine.ito.reach import reach_of
from daiw_master.refine.ito.search import Found, Progress, Route, sound_like
from daiw_master.refine.ito.windows import choose_windows
from daiw_master.refine.master import Master
from daiw_master.refine.solver import LogEntry, solve, tasteful_eq
from daiw_master.stack.chain import chain_space, run_chain

#: Windows a master's search listens to, and the music before each that sets rooms and compressors going.
WINDOWS, LEAD_S = 2, 1.0
#: A spread's worth of moves in every knob is worth this much similarity: what was asked is held by the
#: asks themselves, this only breaks ties.
PRIOR_WEIGHT = 0.003
#: What was found is tried on the whole song; where that breaks a promise or gains nothing, half of it, ...
SHARES = (1.0, 0.5, 0.25)
#: A song counts as nearer from this much similarity on.
NEARER = 3e-4
#: A target met by the master stays met; one it missed may get worse by this share of its tolerance.
NO_WORSE = 0.1
#: A knob is said to have moved from this much of its turn on.
MOVED = 1e-3
#: What a target is called that went where the reference led it.
LED = "towards the reference"


@dataclass(frozen=True)
class Refined:
    """What a search made of a master: how like the target the whole song was and is, and what moved.

    `moved` maps each knob that moved to (from, to), physical. `evaluations` candidates were heard;
    `stopped` says why the search ended, and why nothing was kept where it was not (`kept`).
    """

    start_similarity: float
    similarity: float
    evaluations: int
    stopped: str
    kept: bool
    moved: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    history: tuple[tuple[int, float], ...] = ()


def refine_toward(
    bench: Bench,
    plan: Plan,
    master: Master,
    neutral: Take,
    target: object,
    *,
    also: object | None = None,
    free_tone: bool = False,
    free: Free | None = None,
    route: Route | None = None,
    generations: int = 12,
    popsize: int = 32,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress = lambda generation, generations, similarity: None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[Master, Refined]:
    """The same master, nearer to a style (`target`, a style or its embedding) where the song allows it.

    Knobs that nobody set move inside the house limits, held near the master's settings; `free` narrows
    them to some, or to physical ends. What was asked stays within tolerance; with `free_tone` (a reference
    and no feeling) tone, width, room and drive go where the reference leads, and only what the user set,
    delivery and the guards hold. With `also`, another style, the search goes between both and what comes
    back is nearer to each. Without a `route`, gradients search between asks, both routes elsewhere.
    Loudness and ceiling are met on the whole song as before. The result is kept only if the whole song is
    nearer to the target (and to `also`), its asks are met as before, and no limit is newly broken; else
    the master comes back as it was.
    """
    plan = plan.relaxing(master.plan.relaxed)
    goals = np.stack([target_of(style) for style in (target, also) if style is not None])
    reach = reach_of(bench, plan, master.take.settings, free_tone=free_tone)
    if free is not None:
        reach = {name: _narrowed(found, free[name]) for name, found in reach.items() if name in free}
    before = _likeness(bench, master.take, goals)
    start = float(before[0])
    if not reach:
        return master, Refined(start, start, 0, "no knob may move", kept=False)
    if route is None:
        # between asks on every side evolution finds no way; a gradient sees the gap
        deaf = any(not effect.differentiable for effect in bench.placed.values())
        route = "both" if free_tone or deaf else "gradient"
    desk = _Desk(bench, plan, master, neutral, free_tone)
    found = desk.search(
        reach, unit(goals.sum(0)), route=route, generations=generations, popsize=popsize, seed=seed,
        workers=workers, progress=progress, stop=stop,
    )  # fmt: skip
    told = {"evaluations": found.evaluations, "history": found.history}
    for made in desk.masters(found, reach):
        after = _likeness(bench, made.take, goals)
        if (after > before + NEARER).all() and desk.holds(made):
            return desk.logged(made), Refined(
                start, float(after[0]), **told, stopped=found.stopped, kept=True,
                moved=_moved(bench, master.take.settings, made.take.settings),
            )  # fmt: skip
    why = f"{found.stopped}; on the whole song nothing found was nearer with every promise kept"
    return master, Refined(start, start, **told, stopped=why, kept=False)


@dataclass
class _Desk:
    """One master under work: the windows it is searched on, and the way back to a whole song."""

    bench: Bench
    plan: Plan
    master: Master
    neutral: Take
    free_tone: bool

    def search(self, reach: Mapping, wanted: np.ndarray, **given) -> Found:
        """The best settings on a few windows of the song, delivered as the song will be."""
        bench, settings = self.bench, self.master.take.settings
        whole = any(name.partition(".")[0] not in bench.behind_room for name in reach)
        placed = bench.placed if whole else bench.behind_room
        sound = bench.song.x if whole else bench.after_room(settings)
        windows = choose_windows(sound, WINDOWS, lead_s=LEAD_S)
        extras = {}
        if whole and bench.song.send is not None:
            extras["send"] = windows.of(bench.song.send)
        start = {name: settings[name] for name in chain_space(placed)}
        with torch.no_grad():
            shaped = run_chain(placed, windows.x, STYLE_RATE, start, **extras)[..., windows.lead :]
            count = len(windows.x)
            delivery = Delivery(
                count,
                float(level_db(shaped, STYLE_RATE, count)),
                self.master.take.delivered.gain_db,
                self.plan.ceiling_dbtp,
                windows.lead,
            )
            made = delivery(run_chain(placed, windows.x, STYLE_RATE, start, **extras), STYLE_RATE)
            penalty = keeps_its_word(made, STYLE_RATE, self.held, self.master.take.heard)
        return sound_like(
            windows.x, STYLE_RATE, {**placed, "delivery": delivery.effect()}, wanted, start=start,
            free={name: ends for name, (ends, _) in reach.items()},
            prior={name: spread for name, (_, spread) in reach.items()},
            prior_weight=PRIOR_WEIGHT, penalty=penalty, **given, **extras,
        )  # fmt: skip

    @property
    def held(self) -> dict[str, Ask]:
        """The asks that bind the search: with a free tone only those the user gave a value."""
        asks = self.master.asks
        if not self.free_tone:
            return dict(asks)
        return {name: ask for name, ask in asks.items() if name in self.plan.wanted}

    def masters(self, found: Found, reach: Mapping) -> Iterator[Master]:
        """Whole masters from what was found, all the way first, then less far."""
        settings = self.master.take.settings
        places = Positions(self.bench.space, settings, {name: ends for name, (ends, _) in reach.items()})
        way = places.of(found.settings) - places.home
        for share in SHARES if np.abs(way).max() > MOVED else ():
            tried = places.settings(places.home + share * way)
            made = self._delivered(self._tasteful(tried))
            if self._misses(made):
                made = self._solved(made)
            yield made

    def _tasteful(self, settings: Mapping[str, float]) -> dict[str, float]:
        """The EQ as a whole inside the house limits, as the solver keeps it."""
        actuators = free_actuators(self.bench.space, self.plan.settings)
        here = np.array([self.master.take.settings[a.knob] for a in actuators])
        step = np.array([settings[a.knob] for a in actuators]) - here
        base = replace(self.master.take, settings={**settings, **_named(actuators, here)})
        step = tasteful_eq(self.bench, self.plan, actuators, base, here, step)
        return self.bench.space.clip({**settings, **_named(actuators, here + step)})

    def _delivered(self, settings: Mapping[str, float]) -> Master:
        """The whole song at these settings: the drive as asked, inside the limits, at its loudness."""
        bench, plan, done = self.bench, self.plan, dict(self.master.done)
        settings = dict(settings)
        if not self.free_tone:
            settings, done = set_drive(bench, plan, settings, done)
        settings = inside_compressor_limits(bench, plan, settings)
        most = house.limits()["limiter_p99_db"].hard
        again = partial(
            bench.take,
            loudness_lufs=plan.loudness_lufs,
            ceiling_dbtp=plan.ceiling_dbtp,
            max_reduction_db=most,
        )
        take = inside_stereo_limits(bench, again(settings), again, lifted=plan.lifted)
        if self.free_tone:
            done = _led(bench, plan, take.settings, done)
        return replace(
            self.master, take=take, asks=self._asks(take), done=done, guards=check_guards(bench, take)
        )

    def _asks(self, take: Take) -> dict[str, Ask]:
        """What is asked of this take: the sections' range as it now is; a free tone where it was led."""
        asks = dict(self._standing)
        if self.free_tone:
            for name, ask in asks.items():
                if name not in self.plan.wanted:
                    heard = take.heard[name]
                    asks[name] = replace(ask, wanted=heard, by=heard - self.neutral.heard[name], why=LED)
            return asks
        return _ridden(self.plan, asks, added_range_lu(self.bench, take.settings, take.delivered))

    @cached_property
    def _standing(self) -> dict[str, Ask]:
        """The master's asks as its song stands still, before its form is ridden: as the solver takes them."""
        take = self.master.take
        return _ridden(
            self.plan, self.master.asks, -added_range_lu(self.bench, take.settings, take.delivered)
        )

    def _misses(self, made: Master) -> bool:
        return any(
            ask.weight >= 1.0
            and abs(ask.error(made.take.heard[name])) > max(1.0, self._before(name) + NO_WORSE)
            for name, ask in made.asks.items()
        )

    def _before(self, name: str) -> float:
        return abs(self.master.asks[name].error(self.master.take.heard[name]))

    def _solved(self, made: Master) -> Master:
        """The targets brought back by the solver, from where the search has led."""
        solution = solve(self.bench, self.plan, made.take.settings, self._standing)
        return self._delivered(solution.take.settings)

    def holds(self, made: Master) -> bool:
        """Whether every promise of the master before is kept, and no limit newly broken."""
        broken = {guard.name for guard in made.violations} - {guard.name for guard in self.master.violations}
        return not broken and not self._misses(made)

    def logged(self, made: Master) -> Master:
        entries = [
            LogEntry("refine", name, ask.wanted, self.master.take.heard[name], made.take.heard[name])
            for name, ask in made.asks.items()
        ]
        return replace(made, log=[*self.master.log, *entries])


def _likeness(bench: Bench, take: Take, goals: np.ndarray) -> np.ndarray:
    """How like each goal a whole song sounds, as it will be written."""
    return goals @ style_of(bench.rung_out(take.sound)).embedding


def _ridden(plan: Plan, asks: Mapping[str, Ask], added_lu: float) -> dict[str, Ask]:
    """The asks with as much more loudness range as the form's hand adds; a range the user set stays."""
    asks = dict(asks)
    ask = asks.get(RANGE)
    if ask is not None and RANGE not in plan.wanted:
        asks[RANGE] = replace(ask, wanted=ask.wanted + added_lu, by=ask.by + added_lu)
    return asks


def _led(
    bench: Bench, plan: Plan, settings: Mapping[str, float], done: Mapping[str, DoneAsk]
) -> dict[str, DoneAsk]:
    """Room and drive as they were led: what was done is what is asked."""
    wet_db = measured_wet_db(bench, settings)
    measured = {
        "reverb_wet_db": wet_db,
        "reverb_decay_s": measured_decay_s(bench, settings) if wet_db > NONE_DB else None,
        "drive_db": measured_drive_db(bench, settings),
    }
    return {
        name: ask
        if name in plan.wanted or DONE_KNOBS[name] in plan.settings or measured[name] is None
        else DoneAsk(name, measured[name], LED)
        for name, ask in done.items()
    }


def _moved(
    bench: Bench, before: Mapping[str, float], after: Mapping[str, float]
) -> dict[str, tuple[float, float]]:
    moved = {}
    for name, value in after.items():
        param = bench.space[name]
        if abs(param.normalised(float(value)) - param.normalised(float(before[name]))) > MOVED:
            moved[name] = (float(before[name]), float(value))
    return moved


def _narrowed(found: tuple, ends: tuple[float, float] | None) -> tuple:
    """A knob's reach inside somebody's own ends for it."""
    if ends is None:
        return found
    (low, high), spread = found
    return (max(low, ends[0]), min(high, ends[1])), spread


def _named(actuators, values: np.ndarray) -> dict[str, float]:
    return {a.knob: float(value) for a, value in zip(actuators, values, strict=True)}
