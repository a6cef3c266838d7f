"""A short filter in small blocks: a few hundred taps are quickest as they are written."""

from __future__ import annotations

import torch

from daiw_master.stack.flow import Flow


class ShortFir(Flow):
    """One filter (taps,) over every channel, sample for sample: y[n] = sum of taps[k] x[n - k + lead].

    A quarter of a partitioned convolution's time up to some 500 taps. Latency: its lead.
    """

    def __init__(self, taps: torch.Tensor, lead: int = 0):
        self.latency = self._skip = lead
        self._taps = taps.flip(-1).contiguous()
        self._kept: torch.Tensor | None = None

    @torch.no_grad()
    def push(self, x: torch.Tensor, **beside: torch.Tensor) -> torch.Tensor:
        before = len(self._taps) - 1
        if self._kept is None:
            self._kept = x.new_zeros(*x.shape[:-1], before)
        heard = torch.cat([self._kept, x], dim=-1)
        self._kept = heard[..., heard.shape[-1] - before :]
        late = min(self._skip, x.shape[-1])
        self._skip -= late
        if late == x.shape[-1]:
            return x[..., :0]
        return heard[..., late:].unfold(-1, before + 1, 1) @ self._taps
