"""What a search makes smaller: unlikeness, what the candidate is charged for, and distance from home."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from daiw_master.errors import DaiwMasterError
from daiw_master.refine.ito.listen import Cost, Likeness
from daiw_master.refine.ito.positions import Positions
from daiw_master.stack.population import Population

#: What a prior of one spread in every knob costs, in similarity: it breaks ties between settings that
#: sound alike, which is where a search without it wanders.
PRIOR_WEIGHT = 0.02
#: The cost of what cannot be judged: worse than anything heard (a cosine costs 2 at most), and finite.
HOPELESS = 1e3
#: After so many refusals in a row the chain is asked whether it works at all: a dead plugin may take
#: its time to say no.
MANY = 4


class Judged(NamedTuple):
    """Candidates judged: cost and similarity (count,) each; NaN similarity where nothing was heard."""

    cost: np.ndarray
    similarity: np.ndarray


class ChainLostError(DaiwMasterError):
    """A stage of the chain works no longer, not even at the start's settings."""


@dataclass(frozen=True)
class Objective:
    """cost(u) = 1 - cos(embedding, target) + penalty + weight * mean(((u - home) / spread)^2).

    The last part is a Gaussian prior around the start (the map estimate of Yu et al. 2025), u in turns of
    the knobs. Every candidate is heard on the population's windows: no lucky ones.
    """

    population: Population
    positions: Positions
    likeness: Likeness
    spread: np.ndarray | None = None
    prior_weight: float = PRIOR_WEIGHT

    def judge_home(self) -> Judged:
        """The start alone; what the chain or the encoder refuses is raised as it is."""
        home = self.positions.home[None]
        return self._judged(home, self._heard(home))

    def judge(self, u: np.ndarray) -> Judged:
        """Candidates (count, n). Those the chain refuses, or that are silent or NaN, are hopeless.

        `ChainLostError` where the chain refuses its own start as well: then a stage of it is gone.
        """
        try:
            heard = self._heard(u)
        except DaiwMasterError as refusal:
            heard = self._one_by_one(u, refusal)
        return self._judged(u, heard)

    def _judged(self, u: np.ndarray, heard: np.ndarray) -> Judged:
        similarity = heard[:, 0]
        cost = 1.0 - similarity + heard[:, 1] + self.prior(u)
        return Judged(np.where(np.isfinite(cost), cost, HOPELESS), similarity)

    def prior(self, u: np.ndarray) -> np.ndarray:
        """What the way from home costs, (count,)."""
        if self.spread is None:
            return np.zeros(len(u))
        return self.prior_weight * np.square((u - self.positions.home) / self.spread).mean(-1)

    def slope(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cost (count,) and its gradient (count, n) in u; nought for knobs that stand before a plugin."""
        with torch.enable_grad():
            point = torch.from_numpy(np.ascontiguousarray(u, dtype=float)).requires_grad_()
            knobs = self.positions.knobs(point)
            learning = self.learning()
            settings = {
                **self.positions.start,
                **{name: value.detach() for name, value in knobs.items() if name in learning},
            }
            cost, slopes = self.population.gradient(settings, Cost(self.likeness))
            ahead = sum((knobs[name] * slope.to(knobs[name])).sum() for name, slope in slopes.items())
            found = torch.autograd.grad(ahead, point)[0].numpy()
        cost = cost.double().cpu().numpy() + self.prior(u)
        if self.spread is not None:
            way = (u - self.positions.home) / self.spread**2
            found = found + 2 * self.prior_weight / len(self.positions) * way
        moving = np.array([name in learning for name in self.positions.names])
        found = np.where(np.isfinite(found) & moving, found, 0.0)
        return np.where(np.isfinite(cost), cost, HOPELESS), found

    def learning(self) -> frozenset[str]:
        """The free knobs a gradient reaches: of stages that have one, behind the last that has none."""
        deaf = [i for i, effect in enumerate(self.population.placed.values()) if not effect.differentiable]
        places = list(self.population.placed)[1 + max(deaf, default=-1) :]
        return frozenset(name for name in self.positions.names if name.partition(".")[0] in places)

    def _heard(self, u: np.ndarray) -> np.ndarray:
        found = self.population.listen(self.positions.candidates(u), self.likeness)
        return found.double().cpu().numpy()

    def _one_by_one(self, u: np.ndarray, refusal: DaiwMasterError) -> np.ndarray:
        """Each candidate on its own, so that one bad one does not cost the others."""
        self._still_works(refusal)
        heard, refused = np.full((len(u), 2), np.nan), 0
        for i in range(len(u)):
            try:
                heard[i], refused = self._heard(u[i : i + 1])[0], 0
            except DaiwMasterError as again:  # stays NaN: hopeless, and its generation goes on
                refused += 1
                if refused == MANY:
                    self._still_works(again)
                    refused = 0
        return heard

    def _still_works(self, refusal: DaiwMasterError) -> None:
        try:
            self._heard(self.positions.home[None])
        except DaiwMasterError as still:
            raise ChainLostError(str(still)) from refusal
