"""Where knobs are drawn from."""

from __future__ import annotations

import math
from typing import NamedTuple


class Range(NamedTuple):
    """Where a knob is drawn from: evenly, or evenly in its logarithm."""

    low: float
    high: float
    log: bool = False

    def at(self, u: float) -> float:
        """The value at position u in [0, 1]."""
        if self.log:
            return self.low * (self.high / self.low) ** u
        return self.low + (self.high - self.low) * u

    def position(self, value: float) -> float:
        """Where in [0, 1] a value stands."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)
