"""How a limiter leans back: from how far peaks stand over the ceiling to how far the sound is turned down.

Per sample, in dB: the largest excess within the look-ahead (sliding maximum); release; a moving
average over the look-ahead, twice. Every value the average runs over already knew the peak, so the
average is never less than the peak needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch.nn import functional

from daiw_master.stack.effect import Setting
from daiw_master.stack.peaks import BLOCK

#: A reduction below this (dB) is over: what is left of a release is worth no more work.
LET_GO_DB = 1e-9
#: exp(2 * 300) is still a float64 (the gradient divides twice): the longest block in release times.
_LONGEST_RELEASES = 300


def reduction_blocks(
    peaks_db: torch.Tensor, rate: float, ceiling_dbtp: Setting, release_ms: Setting, lookahead_ms: Setting
) -> Iterator[tuple[int, torch.Tensor]]:
    """By how much to turn down, block by block: yields (start, reduction (batch, n) float64 in dB).

    peaks_db (batch or 1, time); settings float or (batch,). Differentiable to all of them.
    """
    time = peaks_db.shape[-1]
    lean = Lean(rate, release_ms, lookahead_ms, min(BLOCK, max(time, 1)), peaks_db.device)
    ceiling_db = torch.as_tensor(ceiling_dbtp, dtype=peaks_db.dtype, device=peaks_db.device).reshape(-1, 1)
    for start in range(0, time, lean.block):
        stop = min(start + lean.block, time)
        over = functional.relu(peaks_db[..., start : stop + lean.reach] - ceiling_db)
        yield start, lean(functional.pad(over, (0, stop + lean.reach - start - over.shape[-1])))


class Lean:
    """How the limiter leans back: from dB over the ceiling to dB of reduction, block after block.

    Settings float or (batch,); windows of different lengths cannot share a sliding maximum, so such a
    batch is worked item by item. Differentiable to all of them.
    """

    def __init__(
        self,
        rate: float,
        release_ms: Setting,
        lookahead_ms: Setting,
        block: int = BLOCK,
        device: torch.device | None = None,
    ):
        release, lookahead = (
            torch.as_tensor(value, dtype=torch.float64, device=device).reshape(-1, 1)
            for value in (release_ms, lookahead_ms)
        )
        window = (lookahead * rate / 1000).clamp_min(2.0)
        keep = torch.exp(-1000 / (release * rate))
        #: The longest block it may be given.
        self.block = min(block, max(1, int(_LONGEST_RELEASES / -math.log(float(keep.detach().min())))))
        #: Samples it looks ahead: two averages over half the window span at most window + 1.
        self.reach = int(window.detach().max()) + 2
        alone = len(window) == 1
        #: How many sounds the settings are for.
        self.batch = max(len(window), len(keep))
        self._items = [
            _LeanItem(keep if alone else keep[i % len(keep)][None], w, self.block)
            for i, w in enumerate(window)
        ]

    def __call__(self, over_db: torch.Tensor) -> torch.Tensor:
        """(batch or 1, n + reach) -> (batch, n) float64, n <= block; zeros (not in memory) where it rests."""
        n = over_db.shape[-1] - self.reach
        if len(self._items) == 1:
            return self._items[0](over_db)
        parts = [
            item(over_db[i % len(over_db)][None, : n + item.reach]) for i, item in enumerate(self._items)
        ]
        return torch.cat(parts)

    @property
    def rests(self) -> bool:
        """Whether the last block was left as it is."""
        return all(item.held is None for item in self._items)


class _LeanItem:
    """`Lean` for one window length, in samples and fractions of them."""

    def __init__(self, keep: torch.Tensor, window: torch.Tensor, block: int):
        self.window, self.half = window, window.reshape(()) / 2
        self.reach = int(window.detach()) + 2
        self.memory = 2 * (int(self.half.detach()) + 1)
        steps = torch.arange(1, block + self.reach + 1, dtype=keep.dtype, device=keep.device)
        self.fade = keep**steps
        #: The last released values: the release goes on from them, and the averages look back.
        self.held: torch.Tensor | None = None

    def __call__(self, over: torch.Tensor) -> torch.Tensor:
        reach, n = self.reach, over.shape[-1] - self.reach
        if not torch.is_grad_enabled() and float(over.max()) <= 0 and _let_go(self.held):
            self.held = None
            return over.new_zeros((), dtype=torch.float64).expand(max(len(over), len(self.fade)), n)
        if self.held is None:  # the gain moves before the first sample does, and so it does after a rest
            over = functional.pad(over, (reach, 0))
        # Windows of `reach` and `reach + 1`, blended: the look-ahead turns without steps.
        shorter = _sliding_max(over, reach)
        longer = torch.maximum(shorter[..., :-1], shorter[..., 1:])
        blend = (self.window - (reach - 2)).to(over.dtype)
        ahead = (shorter[..., :-1] + blend * (longer - shorter[..., :-1])).double()
        released = _release(ahead, self.fade, None if self.held is None else self.held[..., -1:])
        before = released.new_zeros(len(released), self.memory) if self.held is None else self.held
        joined = torch.cat([before, released], dim=-1)
        self.held = joined[..., -self.memory :].clone()
        smooth = _moving_average(_moving_average(joined, self.half), self.half)
        return smooth[..., -n:].clamp_min(0.0)


def _sliding_max(x: torch.Tensor, window: int) -> torch.Tensor:
    """Maximum of x[n .. n + window - 1], as many as fit, by doubling: log2(window) passes."""
    span = 1
    while span < window:
        step = min(span, window - span)
        x = torch.maximum(x[..., :-step], x[..., step:])
        span += step
    return x


def _let_go(held: torch.Tensor | None) -> bool:
    return held is None or bool((held < LET_GO_DB).all())


def _release(x: torch.Tensor, fade: torch.Tensor, before: torch.Tensor | None) -> torch.Tensor:
    """y[n] = max(x[n], keep * y[n - 1]): up at once, down exponentially, as one cumulative maximum.

    With `fade` = keep, keep^2 ...: y[n] keep^-n = max(x[n] keep^-n, y[n - 1] keep^-(n - 1)); float64
    holds keep^-n for one block.
    """
    fade = fade[..., : x.shape[-1]]
    grown = torch.cummax(x / fade, dim=-1).values
    if before is not None:
        grown = torch.maximum(grown, before)
    return grown * fade


def _moving_average(x: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
    """Mean of the last `length` samples, fractions included; the first floor(length) drop out."""
    whole = int(length.detach())
    total = functional.pad(x.cumsum(-1), (1, 0))
    share = length - whole
    oldest = x[..., : x.shape[-1] - whole]
    return (total[..., whole + 1 :] - total[..., 1:-whole] + share * oldest) / length
