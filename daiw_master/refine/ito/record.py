"""A search's memory: the best so far, how it came to be, and when it is enough."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from daiw_master.refine.ito.objective import Judged

#: Enough when the last rounds together gained less than this share of all that was gained so far, in their
#: best candidate and in their middle one: a lucky first throw does not end a search that still learns.
WORTHWHILE = 0.02
PATIENCE = 6


@dataclass
class Record:
    """The best candidate so far on one fixed set of windows; it begins with the start itself."""

    point: np.ndarray
    cost: float
    similarity: float
    evaluations: int = 1
    #: (candidates heard so far, similarity of the best of them) after the start and after every round.
    history: list[tuple[int, float]] = field(default_factory=list)
    _costs: list[float] = field(default_factory=list)
    _middles: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._close_round(self.cost)

    def add(self, points: np.ndarray, judged: Judged, heard: int) -> None:
        """A round of candidates (count, n); `heard` is what they cost in candidates played."""
        self.evaluations += heard
        best = int(np.argmin(judged.cost))
        if judged.cost[best] < self.cost:
            self.point = np.array(points[best])
            self.cost, self.similarity = float(judged.cost[best]), float(judged.similarity[best])
        self._close_round(float(np.median(judged.cost)))

    def _close_round(self, middle: float) -> None:
        self.history.append((self.evaluations, self.similarity))
        self._costs.append(self.cost)
        self._middles.append(middle)

    def stagnates(self, since: int = 0) -> bool:
        """Whether the last rounds from `since` on were hardly worth it, beside all that was gained."""
        costs, middles = self._costs[since:], self._middles[since + 1 :]
        if len(middles) <= PATIENCE:
            return False
        gained, lately = self._costs[0] - self.cost, costs[-1 - PATIENCE] - self.cost
        learned, newly = max(middles) - min(middles), min(middles[:-PATIENCE]) - min(middles[-PATIENCE:])
        return lately <= WORTHWHILE * gained and newly <= WORTHWHILE * learned

    @property
    def rounds(self) -> int:
        return len(self._costs) - 1
