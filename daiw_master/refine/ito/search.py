"""Sound like this: the settings of a chain searched until its sound has the target's production style."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from daiw_master.errors import DaiwMasterError, InputError, UnknownNameError
from daiw_master.refine.ito.climb import NEAR_STEP, STARTS, climb, steps_for
from daiw_master.refine.ito.evolution import Evolution
from daiw_master.refine.ito.listen import Encoder, Hear, Likeness, Penalty, target_of
from daiw_master.refine.ito.objective import PRIOR_WEIGHT, ChainLostError, Objective
from daiw_master.refine.ito.positions import Free, Positions
from daiw_master.refine.ito.record import Record
from daiw_master.stack.effect import Effect
from daiw_master.stack.population import Population

Route = Literal["evolution", "gradient", "both"]
ROUTES: tuple[Route, ...] = ("evolution", "gradient", "both")
#: What the style encoder hears; settings are physical, so they hold at any rate.
STYLE_RATE = 48_000
#: Of a search by both routes, these shares of the candidates are spent on gradients, before the evolution
#: and after it (less where a gradient reaches only some of the knobs).
LEAD_SHARE, POLISH_SHARE = 0.2, 0.3
#: The evolution's first step in turns of a knob, for up to `FEW` knobs; of more, most of a wide throw is
#: astray, and what is left of a step over all of them stays the same. Half of it where gradients have led.
SIGMA, FEW, SIGMA_AFTER = 0.3, 15, 0.5
#: What a climb takes for a knob's spread where no prior says it, in turns.
CLIMB = 0.3
STOPPED = "stopped: the best so far is kept"

#: Told the generation, how many there are at most, and the best similarity so far.
Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Found:
    """What a search found: complete physical settings by name, never worse than its start.

    `similarity` and `start_similarity` are cosines between the windows' style and the target. `history`
    holds (candidates heard, best similarity) from the start on; `stopped` says in words why it ended.
    `cost` and `start_cost` are what was compared: 1 - similarity, penalty and prior together.
    """

    settings: dict[str, float]
    similarity: float
    start_similarity: float
    history: tuple[tuple[int, float], ...]
    evaluations: int
    stopped: str
    cost: float
    start_cost: float


def sound_like(
    x: torch.Tensor,
    rate: int,
    chain: Mapping[str, Effect] | Iterable[Effect],
    target: object,
    *,
    start: Mapping[str, float] | None = None,
    free: Free | Iterable[str] | None = None,
    prior: Mapping[str, float] | float | None = None,
    prior_weight: float = PRIOR_WEIGHT,
    penalty: Penalty | None = None,
    route: Route = "both",
    popsize: int = 64,
    generations: int = 25,
    sigma: float | None = None,
    seed: int = 0,
    seeds: Iterable[Mapping[str, float]] = (),
    early_stop: bool = True,
    workers: int | None = None,
    group: int | None = None,
    hear: Hear | None = None,
    weights: Path | None = None,
    progress: Progress = lambda generation, generations, similarity: None,
    stop: Callable[[], bool] = lambda: False,
    **extras: torch.Tensor,
) -> Found:
    """Turn the chain's knobs until x sounds like the target: as bright, as dense, as wide, as roomy.

    `x` (windows, channels, time) at 48 kHz, the same windows for every candidate (`choose_windows`);
    `target` a style, or its embedding (E,). `free` names the knobs that may move (default: all), or maps
    them to physical ends; `start` gives settings to begin with (default: all at rest). `prior`: standard
    deviation around the start in turns of a knob, for all or by name; `penalty` maps sounds (count,
    windows, channels, time) to what they are charged, (count,), in similarity.

    `route`: "evolution" (CMA-ES, any chain), "gradient" (Adam; stages behind the last plugin), or "both":
    gradients lead, evolution goes on from there with every knob, gradients end it. `popsize` times
    `generations` candidates at most; `sigma` is evolution's first step in turns of a knob; `seeds` are
    settings worth a try beside the start. `hear` takes the encoder's place, `weights` are other weights
    for it. A prior of 0.15 costs no likeness and leaves a third less error in knobs that hardly sound.

    The search ends early when it hardly gains (`early_stop`), when `stop()` says so between generations,
    on Ctrl-C, or when a plugin of the chain is lost: the best so far is what comes back. InputError where
    x is not at 48 kHz or silent, nothing may move, or a gradient is asked of a chain that has none.
    """
    if route not in ROUTES:
        raise UnknownNameError("route", route, ROUTES)
    if x.ndim != 3 or x.shape[1] not in (1, 2):
        raise InputError(f"the windows have shape {tuple(x.shape)}; they must be (windows, 1 or 2, time)")
    if rate != STYLE_RATE and hear is None:
        raise InputError(f"the windows are at {rate} Hz; the style encoder hears {STYLE_RATE} Hz: resample")
    if popsize < 4 or generations < 1:
        raise InputError(f"popsize {popsize}, generations {generations}; needed: at least 4 and 1")
    if sigma is not None and not 0 < sigma <= 1:
        raise InputError(f"sigma is {sigma:g}; it must lie above 0 and not above 1, in turns of a knob")
    likeness = Likeness(target_of(target), hear or Encoder(weights), penalty)
    with Population(chain, x, rate, workers=workers, group=group, **extras) as population:
        positions = Positions(population.space, start, free)
        spread = None if prior is None else positions.spread(prior)
        objective = Objective(population, positions, likeness, spread, prior_weight)
        if route == "gradient" and not objective.learning():
            raise InputError("no knob that may move has a gradient: take route evolution")
        population.expect(popsize * generations)
        sigma = SIGMA * min(1.0, (FEW / len(positions)) ** 0.5) if sigma is None else sigma
        search = _Search(objective, popsize, generations, sigma, seed, early_stop, progress, stop)
        return search.run(route, [positions.of(one) for one in seeds])


@dataclass
class _Search:
    objective: Objective
    popsize: int
    generations: int
    sigma: float
    seed: int
    early_stop: bool
    progress: Progress
    stop: Callable[[], bool]

    def run(self, route: Route, seeds: list[np.ndarray]) -> Found:
        home = self.objective.positions.home
        first = self.objective.judge_home()
        if not np.isfinite(first.similarity[0]):
            raise InputError("the start sounds silent, or not finite: there is nothing to compare")
        record = Record(home, float(first.cost[0]), float(first.similarity[0]))
        start = (record.cost, record.similarity)
        stopped = ""
        try:
            self.progress(0, self.generations, record.similarity)
            stopped = self._searched(route, record, [home, *seeds])
        except KeyboardInterrupt:
            stopped = "interrupted: the best so far is kept"
        except ChainLostError as lost:
            stopped = f"a stage was lost, the best so far is kept: {lost}"
        return Found(
            self.objective.positions.settings(record.point),
            record.similarity,
            start[1],
            tuple(record.history),
            record.evaluations,
            stopped or "all generations heard",
            record.cost,
            start[0],
        )

    def _searched(self, route: Route, record: Record, leads: list[np.ndarray]) -> str:
        """The whole search; why it ended early, if it did."""
        if route == "gradient":
            return self._climb(record, 0, self.generations)
        reached = len(self.objective.learning()) / len(self.objective.positions)
        lead, polish = (
            round(share * reached * self.generations) if route == "both" else 0
            for share in (LEAD_SHARE, POLISH_SHARE)
        )
        stopped = self._climb(record, 0, lead) if lead else ""
        if not stopped.startswith(STOPPED):
            until = self.generations - polish
            stopped = self._evolve(record, lead, until, [*leads, record.point])
            if polish and not stopped.startswith(STOPPED):
                last = self._climb(record, until, self.generations, starts=1, first_step=NEAR_STEP)
                stopped = last or stopped
        return stopped

    def _climb(self, record: Record, done: int, until: int, **how) -> str:
        """By gradient from the best so far, then heard as any candidate is; whether it was stopped."""
        if self.objective.spread is not None:  # a prior says that home is near
            how.setdefault("first_step", NEAR_STEP)
        steps, price = steps_for((until - done) * self.popsize, how.get("starts", STARTS)), 0
        best, least, last, ended = record.point, np.inf, [], ""
        climbers = climb(
            self.objective, record.point, self._spread(CLIMB, 2.0), steps=steps, seed=self.seed, **how
        )
        try:
            for count, step in enumerate(climbers, 1):
                lowest = int(np.argmin(step.cost))
                price += step.price
                if step.cost[lowest] < least:
                    best, least = step.points[lowest], float(step.cost[lowest])
                last = list(step.points)
                likeness = 1.0 - least + float(self.objective.prior(best[None])[0])
                generation = done + round((until - done) * count / steps)
                self.progress(generation, self.generations, max(record.similarity, likeness))
                if self.stop():
                    ended = STOPPED
                    break
        except DaiwMasterError as refusal:
            ended = f"gradients were refused, the best so far is kept: {refusal}"
        finally:
            if last:
                found = np.stack([best, *last])
                record.add(found, self.objective.judge(found), price + len(found))
        return ended

    def _evolve(self, record: Record, done: int, until: int, leads: list[np.ndarray]) -> str:
        """Generation by generation; why it ended early, if it did."""
        since = record.rounds
        sigma = min(self.sigma, SIGMA * SIGMA_AFTER) if done else self.sigma
        evolution = Evolution(
            self.objective, record.point, self._spread(sigma), popsize=self.popsize, seed=self.seed,
            seeds=leads,
        )  # fmt: skip
        for points, judged in evolution.generations():
            record.add(points, judged, len(points))
            done += 1
            self.progress(done, self.generations, record.similarity)
            if self.stop():
                return STOPPED
            if done >= until:
                return ""
            if self.early_stop and record.stagnates(since):
                return f"hardly anything gained in the last generations, after {done}"
        return f"converged after {done} generations"

    def _spread(self, sigma: float, widened: float = 1.0) -> np.ndarray:
        """How far a step goes in each knob, in turns: no further than its prior (`widened` so many times)."""
        spread = self.objective.spread
        wide = np.full(len(self.objective.positions), sigma)
        return wide if spread is None else np.minimum(wide, widened * spread)
