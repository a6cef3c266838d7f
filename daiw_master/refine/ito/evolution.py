"""The route for any chain: CMA-ES, generation by generation (Hansen 2016, The CMA evolution strategy)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from daiw_master.refine.ito.objective import HOPELESS, Judged, Objective

#: A knob's first step is at most this share of the room between its walls.
SHARE_OF_ROOM = 1 / 3


class Evolution:
    """A population that learns where it pays to look: mean, step and spread of every knob in [0, 1]^n.

    In the few dozen generations of a search a full covariance cannot be learned and costs what could be:
    pycma's rule for when it is worth its while is followed (Ros & Hansen 2008, separable CMA-ES). Bounds
    are pycma's smooth mirror at the walls, so that no candidate is spent outside. One candidate of each
    generation is the mean itself, often better than any drawn about it. `spread` (n,) is each knob's
    first standard deviation, `seeds` are candidates of the first generation. Random numbers are its own:
    the same seed gives the same search, and numpy's global state stays as it was.
    """

    def __init__(
        self,
        objective: Objective,
        mean: np.ndarray,
        spread: np.ndarray,
        *,
        popsize: int,
        seed: int,
        seeds: Sequence[np.ndarray] = (),
    ):
        import cma  # half a second, for those who search

        positions = objective.positions
        self._objective, self._count = objective, len(positions)
        room = positions.high - positions.low
        first = np.minimum(spread, SHARE_OF_ROOM * np.maximum(room, 1e-9))
        # pycma knows no single knob: an idle second one stands beside it
        self._idle = max(0, 2 - self._count)
        generator = np.random.default_rng(seed)
        largest = float(first.max())
        walls = [self._padded(positions.low, 0.0).tolist(), self._padded(positions.high, 1.0).tolist()]
        self._es = cma.CMAEvolutionStrategy(
            self._padded(positions.within(mean)).tolist(),
            largest,
            {
                "bounds": walls,
                "CMA_stds": self._padded(first / largest, 1.0).tolist(),
                "CMA_diagonal": int(100 * self._count / popsize**0.5),
                "popsize": popsize - 1,
                "seed": np.nan,
                "randn": lambda *shape: generator.standard_normal(shape),
                "verbose": -9,
            },
        )
        self._es.inject([self._padded(positions.within(point)) for point in seeds], force=True)

    def _padded(self, point: np.ndarray, idle: float = 0.5) -> np.ndarray:
        return np.concatenate([point, np.full(self._idle, idle)])

    def generations(self) -> Iterator[tuple[np.ndarray, Judged]]:
        """Every generation's candidates (popsize, n) and how they were judged, until it has converged."""
        within = self._objective.positions.within
        while not self._es.stop():
            asked = self._es.ask()
            points = within(np.array([*asked, self._es.result.xfavorite])[:, : self._count])
            judged = self._objective.judge(points)
            # what could not be heard ranks last, but must not look like a cliff to step sizes
            heard = judged.cost[judged.cost < HOPELESS]
            worst = float(heard.max()) + 1.0 if len(heard) else HOPELESS
            self._es.tell(asked, np.minimum(judged.cost[:-1], worst).tolist())
            yield points, judged
