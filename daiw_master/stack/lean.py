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
from daiw_master.stack.sliding import earlier, sliding_max

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
    dtype = torch.promote_types(peaks_db.dtype, torch.float32)
    ceiling_db = torch.as_tensor(ceiling_dbtp, dtype=dtype, device=peaks_db.device).reshape(-1, 1)
    for start in range(0, time, lean.block):
        stop = min(start + lean.block, time)
        over = functional.relu(peaks_db[..., start : stop + lean.reach] - ceiling_db)
        yield start, lean(functional.pad(over, (0, stop + lean.reach - start - over.shape[-1])))


class Lean:
    """How the limiter leans back: from dB over the ceiling to dB of reduction, block after block.

    Settings float or (batch,), best kept beside the processor; `device` is where the sound is.
    Differentiable to all of them.
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
            torch.as_tensor(value, dtype=torch.float64).reshape(-1, 1) for value in (release_ms, lookahead_ms)
        )
        window = (lookahead * rate / 1000).clamp_min(2.0)
        keep = torch.exp(-1000 / (release * rate))
        #: The longest block it may be given.
        self.block = min(block, max(1, int(_LONGEST_RELEASES / -math.log(float(keep.detach().min())))))
        #: Samples it looks ahead: two averages over half the window span at most window + 1.
        self.reach = int(window.detach().max()) + 2
        #: How many sounds the settings are for.
        self.batch = max(len(window), len(keep))
        # Beside the processor windows of different lengths are quickest one by one, on a GPU all at once.
        if len(window) == 1 or (device is not None and torch.device(device).type != "cpu"):
            self._parts = [_LeanPart(keep, window, self.block, device)]
        else:
            self._parts = [
                _LeanPart(keep[i % len(keep)][None], own[None], self.block, device)
                for i, own in enumerate(window)
            ]

    def __call__(self, over_db: torch.Tensor) -> torch.Tensor:
        """(batch or 1, n + reach) -> (batch, n) float64, n <= block; zeros (not in memory) where it rests."""
        n = over_db.shape[-1] - self.reach
        if len(self._parts) == 1:
            return self._parts[0](over_db)
        parts = [
            part(over_db[i % len(over_db)][None, : n + part.reach]) for i, part in enumerate(self._parts)
        ]
        return torch.cat(parts)

    @property
    def rests(self) -> bool:
        """Whether the last block was left as it is."""
        return all(part.held is None for part in self._parts)


class _LeanPart:
    """`Lean` for one window (1, 1) or one for each sound (batch, 1), in samples and fractions of them."""

    def __init__(
        self, keep: torch.Tensor, window: torch.Tensor, block: int, device: torch.device | None = None
    ):
        held = window.detach().flatten()
        #: Whole samples of every window, and of its halves.
        self.whole, self.halves = held.int().tolist(), (held / 2).int().tolist()
        self.blend = (window - held.floor().unsqueeze(1)).to(device)
        self.half = window.to(device) / 2
        self.reach = max(self.whole) + 2
        self.memory = 2 * (max(self.halves) + 1)
        keep = keep.to(device)
        steps = torch.arange(1, block + self.reach + 1, dtype=keep.dtype, device=keep.device)
        self.fade = keep**steps
        #: The last released values: the release goes on from them, and the averages look back.
        self.held: torch.Tensor | None = None

    def __call__(self, over: torch.Tensor) -> torch.Tensor:
        reach, n = self.reach, over.shape[-1] - self.reach
        if not torch.is_grad_enabled() and float(over.max()) <= 0 and _let_go(self.held):
            self.held = None
            batch = max(len(over), len(self.fade), len(self.whole))
            return over.new_zeros((), dtype=torch.float64).expand(batch, n)
        if self.held is None:  # the gain moves before the first sample does, and so it does after a rest
            over = functional.pad(over, (reach, 0))
        # Windows of two lengths a sample apart, blended: the look-ahead turns without steps.
        shorter = sliding_max(over, [whole + 2 for whole in self.whole])
        longer = torch.maximum(shorter[..., :-1], shorter[..., 1:])
        ahead = (shorter[..., :-1] + self.blend.to(over.dtype) * (longer - shorter[..., :-1])).double()
        released = _release(ahead, self.fade, None if self.held is None else self.held[..., -1:])
        before = released.new_zeros(len(released), self.memory) if self.held is None else self.held
        smooth = torch.cat([before, released], dim=-1)
        self.held = smooth[..., -self.memory :].clone()
        for _ in range(2):
            smooth = _moving_average(smooth, self.half, self.halves)
        return smooth[..., -n:].clamp_min(0.0)


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


def _moving_average(x: torch.Tensor, length: torch.Tensor, whole: list[int]) -> torch.Tensor:
    """Mean of the last `length` samples, fractions included: one length for all of x, or one a row.

    `whole` are their whole samples; as many values as the longest allows.
    """
    total, count = functional.pad(x.cumsum(-1), (1, 0)), x.shape[-1] - max(whole)
    share = length - length.detach().floor()
    sums = total[..., -count:] - earlier(total, whole, count)
    return torch.addcmul(sums, share, earlier(x, whole, count)) / length
