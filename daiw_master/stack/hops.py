"""Slow things beside fast ones: values once per hop, smoothed there and drawn out to samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch.nn import functional


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
    points = torch.cat([values[..., :1], values, values[..., -1:]], dim=-1).unsqueeze(-1)
    # An even hop's middle lies between two samples, an odd one's on a sample.
    ramp = (torch.arange(hop, dtype=values.dtype, device=values.device) + (0.0 if hop % 2 else 0.5)) / hop
    lines = points.diff(dim=-2) * ramp + points[..., :-1, :]
    start = hop - hop // 2  # the first line begins half a hop before the first sample
    return lines.flatten(-2)[..., start : start + values.shape[-1] * hop]


class HopTrace:
    """Means over hops of a trace that arrives in blocks (1, n) of any length; only the means are kept."""

    def __init__(self, hop: int) -> None:
        self.hop, self.kept, self.rest = hop, [], None

    def add(self, block: torch.Tensor) -> None:
        block = block.double() if self.rest is None else torch.cat([self.rest, block.double()], dim=-1)
        whole = block.shape[-1] // self.hop * self.hop
        self.kept.append(averaged(block[..., :whole], self.hop))
        self.rest = block[..., whole:].clone()

    def passing(self, blocks: Iterable[tuple[int, torch.Tensor]]) -> Iterator[tuple[int, torch.Tensor]]:
        """The same (start, block) pairs, noted on their way through."""
        for start, block in blocks:
            self.add(block)
            yield start, block

    def means(self) -> torch.Tensor:
        """(hops,) float64; the last hop may be a short one."""
        last = [] if self.rest is None else [averaged(self.rest, self.hop)]
        return torch.cat([*self.kept, *last], dim=-1)[0]


def averaged_blocks(blocks: Iterable[torch.Tensor], hop: int) -> torch.Tensor:
    """The means over hops (hops,) of consecutive blocks (1, n)."""
    trace = HopTrace(hop)
    for block in blocks:
        trace.add(block)
    return trace.means()
