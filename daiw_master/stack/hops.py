"""Slow things beside fast ones: values once per hop, smoothed there and drawn out to samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch.nn import functional

from daiw_master.meters.pages import Pages


def averaged(values: torch.Tensor, hop: int) -> torch.Tensor:
    """One value per hop: (..., time) -> (..., ceil(time / hop)) means, the last of what is left."""
    count = values.shape[-1]
    whole = count // hop * hop
    means = values[..., :whole].unflatten(-1, (-1, hop)).mean(-1)
    if whole == count:  # nothing is left; also where there was nothing at all
        return means
    return torch.cat([means, values[..., whole:].mean(-1, keepdim=True)], dim=-1)


def smoothed(values: torch.Tensor, hops: int) -> torch.Tensor:
    """Moving average over an odd number of hops, the ends repeated: (batch, channels, hops) -> the same."""
    half = hops // 2
    return functional.avg_pool1d(functional.pad(values, (half, half), mode="replicate"), hops, 1)


def drawn(values: torch.Tensor, hop: int) -> torch.Tensor:
    """Straight lines between the middles of the hops: (..., hops) -> (..., hops * hop); the ends are held."""
    points = torch.cat([values[..., :1], values, values[..., -1:]], dim=-1)
    start = hop - hop // 2  # the first line begins half a hop before the first sample
    return _lines(points, hop)[..., start : start + values.shape[-1] * hop]


def drawn_between(values: torch.Tensor, hop: int, first: int, last: int) -> torch.Tensor:
    """`drawn(values, hop)[..., first:last]`, and no more of it than that."""
    # one hop more to either side, so that only true ends are held
    near = max(first // hop - 1, 0)
    far = last // hop + 2
    return drawn(values[..., near:far], hop)[..., first - near * hop : last - near * hop]


class Lines:
    """`drawn` for values that come a few at a time: (..., n) pieces, n >= 0.

    A line can be drawn when both its ends are known, so half a hop waits inside until the next value.
    """

    def __init__(self, hop: int) -> None:
        self.hop, self._before = hop, None

    def push(self, values: torch.Tensor) -> torch.Tensor:
        """The next values in, the lines up to the middle of the last of them out."""
        if values.shape[-1] == 0:
            return values
        if self._before is None:
            held = self.hop - self.hop // 2
            lines = _lines(torch.cat([values[..., :1], values], dim=-1), self.hop)[..., held:]
        else:
            lines = _lines(torch.cat([self._before, values], dim=-1), self.hop)
        self._before = values[..., -1:].clone()
        return lines

    def finish(self) -> torch.Tensor | None:
        """The end, held; None where nothing ever came."""
        if self._before is None:
            return None
        return self._before.expand(*self._before.shape[:-1], self.hop - self.hop // 2)


def _lines(points: torch.Tensor, hop: int) -> torch.Tensor:
    """A line of `hop` samples from each point to the next: (..., n) -> (..., (n - 1) * hop)."""
    # An even hop's middle lies between two samples, an odd one's on a sample.
    ramp = (torch.arange(hop, dtype=points.dtype, device=points.device) + (0.0 if hop % 2 else 0.5)) / hop
    points = points.unsqueeze(-1)
    return (points.diff(dim=-2) * ramp + points[..., :-1, :]).flatten(-2)


class HopTrace:
    """Means over hops of a trace that arrives in blocks (1, n) of any length; only the means are kept."""

    def __init__(self, hop: int) -> None:
        self.hop, self.kept, self.rest = hop, Pages(), None

    def add(self, block: torch.Tensor) -> None:
        block = block.double() if self.rest is None else torch.cat([self.rest, block.double()], dim=-1)
        whole = block.shape[-1] // self.hop * self.hop
        self.kept.add(averaged(block[..., :whole], self.hop))
        self.rest = block[..., whole:].clone()

    def passing(self, blocks: Iterable[tuple[int, torch.Tensor]]) -> Iterator[tuple[int, torch.Tensor]]:
        """The same (start, block) pairs, noted on their way through."""
        for start, block in blocks:
            self.add(block)
            yield start, block

    def means(self) -> torch.Tensor:
        """(hops,) float64; the last hop may be a short one."""
        if self.rest is not None:
            self.kept.add(averaged(self.rest, self.hop))
            self.rest = None
        return self.kept.joined()[0]


def averaged_blocks(blocks: Iterable[torch.Tensor], hop: int) -> torch.Tensor:
    """The means over hops (hops,) of consecutive blocks (1, n)."""
    trace = HopTrace(hop)
    for block in blocks:
        trace.add(block)
    return trace.means()
