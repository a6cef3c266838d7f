"""The ceiling while it plays: the limiter without its closing trim, a little lower, and a clamp behind it."""

from __future__ import annotations

import torch

from daiw_master.stack.flow import Flow
from daiw_master.stack.limiter import LimiterFlow
from daiw_master.units import gain_from_db

#: A file is read at 16x in the end and turned down by what the limiter's 4x did not see. Live nobody knows
#: the end: it aims this far under the ceiling instead.
MARGIN_DB = 0.3


class LiveLimiter(Flow):
    """The limiter aimed `MARGIN_DB` under the ceiling; no sample ever stands above the ceiling itself.

    Latency: its look-ahead and 14 samples.
    """

    def __init__(self, rate: int, block: int, ceiling_dbtp: float, release_ms: float, lookahead_ms: float):
        self._limiter = LimiterFlow(rate, ceiling_dbtp - MARGIN_DB, release_ms, lookahead_ms, block=block)
        self._ceiling = gain_from_db(ceiling_dbtp)
        self.latency = self._limiter.latency

    @torch.no_grad()
    def push(self, x: torch.Tensor, **beside: torch.Tensor) -> torch.Tensor:
        return self._limiter.push(x).clamp(-self._ceiling, self._ceiling)

    @property
    def reduction_db(self) -> torch.Tensor | None:
        """By how much the block that came out last was turned down, (1, n) dB."""
        return self._limiter.reduction_db
