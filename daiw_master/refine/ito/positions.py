"""The knobs of a search as points of a cube: where each may go, where it starts, how far it strays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch

from daiw_master.errors import InputError, OutOfRangeError
from daiw_master.params import Space

#: Where a knob may go in physical values, by its full name; None is as far as it turns.
Free = Mapping[str, tuple[float, float] | None]


class Positions:
    """The free knobs of a chain as vectors u in [0, 1]^n, and back to settings by name.

    Each axis is its knob's whole turn on the knob's own scale (`Param.scale`: frequencies, times, ratios
    and Q are logarithmic, levels are in dB already), so that the same step is about as audible anywhere.
    `low` and `high` (n,) are the walls. A start that stands outside them may stay and never goes further.
    """

    def __init__(
        self,
        space: Space,
        start: Mapping[str, float] | None = None,
        free: Free | Iterable[str] | None = None,
    ):
        self.space = space
        #: Every knob of the chain, physical: what is not free stays here, to the last digit.
        self.start = {**space.defaults(), **space.check(start or {})}
        names = space if free is None else free
        limits = dict(free) if isinstance(free, Mapping) else dict.fromkeys(names)
        self.params = {name: space[name] for name in limits}
        if not self.params:
            raise InputError("no knob may move: nothing to search")
        self.names = tuple(self.params)
        self.home = self.of(self.start)
        ends = [self._walls(name, limits[name]) for name in self.names]
        self.low = np.minimum([low for low, _ in ends], self.home)
        self.high = np.maximum([high for _, high in ends], self.home)

    def __len__(self) -> int:
        return len(self.names)

    def _walls(self, name: str, limits: tuple[float, float] | None) -> tuple[float, float]:
        if limits is None:
            return 0.0, 1.0
        param = self.params[name]
        low, high = (float(param.check(float(end), name)) for end in limits)
        if not low < high:
            raise OutOfRangeError(f"{name}'s upper end", f"{high:g}", low, param.high, param.unit)
        return float(param.normalised(low)), float(param.normalised(high))

    def of(self, settings: Mapping[str, float]) -> np.ndarray:
        """The point (n,) of settings; knobs that are not told stand at the start."""
        values = {**self.start, **settings}
        point = [param.normalised(float(values[name])) for name, param in self.params.items()]
        return np.clip(np.array(point, dtype=float), 0.0, 1.0)

    def within(self, u: np.ndarray) -> np.ndarray:
        """Points (..., n) brought inside the walls."""
        return np.clip(u, self.low, self.high)

    def knobs(self, u: torch.Tensor) -> dict[str, torch.Tensor]:
        """Physical values of the free knobs at points (count, n), float32, each (count,)."""
        values = {}
        for i, (name, param) in enumerate(self.params.items()):
            # rounding may carry the end of a range a hair beyond it
            values[name] = param.physical(u[:, i]).float().clamp(param.low, param.high)
        return values

    def candidates(self, u: np.ndarray) -> dict[str, torch.Tensor | float]:
        """The settings of candidates (count, n): a tensor for each free knob, numbers for the rest."""
        return {**self.start, **self.knobs(torch.from_numpy(np.ascontiguousarray(u, dtype=float)))}

    def settings(self, u: np.ndarray) -> dict[str, float]:
        """One point (n,) as complete physical settings; the start is given back unchanged."""
        if np.array_equal(u, self.home):
            return dict(self.start)
        knobs = {name: float(value[0]) for name, value in self.knobs(torch.from_numpy(u[None])).items()}
        return {**self.start, **self.space.clip(knobs)}

    def spread(self, prior: Mapping[str, float] | float) -> np.ndarray:
        """A prior's standard deviations (n,) in turns of a knob: one number for all, or by name.

        A knob the mapping does not name is as loose as its whole turn.
        """
        if isinstance(prior, Mapping):
            for name in prior:
                self.space[name]  # an unknown name is an error, not a silent drop
            values = np.array([float(prior.get(name, 1.0)) for name in self.names])
        else:
            values = np.full(len(self), float(prior))
        if not (np.isfinite(values).all() and (values > 0).all()):
            raise InputError(f"the prior is {prior!r}; each knob needs a spread above 0")
        return values
