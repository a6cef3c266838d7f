"""The route where gradients are true: Adam from several starts at once, in one batch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from daiw_master.refine.ito.objective import Objective

#: One candidate with its gradient takes about as long as this many without.
PRICE = 4
#: How many starts are climbed from; after this share of the steps the better half goes on alone.
STARTS, HALVED_AT = 4, 0.4
#: The first and the last step's size, in spreads of a knob; between them half a cosine. Where a search
#: already is near, a climb begins with smaller ones.
FIRST_STEP, NEAR_STEP, LAST_STEP = 0.17, 0.08, 0.015
#: Adam's memory (Kingma & Ba 2015), shorter than usual: there are a few dozen steps.
_BETA_1, _BETA_2, _EPS = 0.9, 0.99, 1e-8
#: Knobs at rest at the end of their range often have no slope there (a wet level of -60 is no reverb):
#: a climb starts so many spreads inside.
OFF_THE_WALL = 0.17


class Step(NamedTuple):
    """Where the climbers stand (starts, n), their cost (starts,), and the step's price in candidates."""

    points: np.ndarray
    cost: np.ndarray
    price: int


def steps_for(candidates: float, starts: int = STARTS) -> int:
    """How many steps a budget of candidates pays for."""
    mean_starts = starts * (HALVED_AT + 0.5 * (1 - HALVED_AT)) if starts > 1 else 1
    return max(1, int(candidates / (PRICE * mean_starts)))


def climb(
    objective: Objective,
    home: np.ndarray,
    spread: np.ndarray,
    *,
    steps: int,
    seed: int,
    starts: int = STARTS,
    first_step: float = FIRST_STEP,
) -> Iterator[Step]:
    """Step by step down the cost; only knobs a gradient reaches move, none through a wall.

    The first climber starts at `home`, the others about it as `spread` (n,) says; each knob's steps are
    in its spread.
    """
    positions, generator = objective.positions, np.random.default_rng(seed)
    learning = objective.learning()
    moving = np.array([name in learning for name in positions.names])
    wall = np.minimum(OFF_THE_WALL * spread, 0.25 * (positions.high - positions.low))
    inside = np.clip(home, positions.low + wall, positions.high - wall)
    points = np.tile(np.where(moving, inside, home), (starts, 1))
    points[1:] += 0.5 * spread * generator.standard_normal((starts - 1, len(home))) * moving
    points = positions.within(points)
    mean, square = np.zeros_like(points), np.zeros_like(points)
    for step in range(steps):
        cost, slope = objective.slope(points)
        yield Step(points.copy(), cost, PRICE * len(points))
        mean = _BETA_1 * mean + (1 - _BETA_1) * slope
        square = _BETA_2 * square + (1 - _BETA_2) * slope**2
        size = LAST_STEP + 0.5 * (first_step - LAST_STEP) * (1 + math.cos(math.pi * step / steps))
        way = (mean / (1 - _BETA_1 ** (step + 1))) / (np.sqrt(square / (1 - _BETA_2 ** (step + 1))) + _EPS)
        points = positions.within(points - size * spread * way)
        if step + 1 == round(HALVED_AT * steps) and len(points) > 1:
            kept = np.argsort(cost)[: len(points) // 2]
            points, mean, square = points[kept], mean[kept], square[kept]
