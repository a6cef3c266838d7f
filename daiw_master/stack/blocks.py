"""Sound made block by block: less memory than the song, and every block stays near the processor."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch


def join(blocks: Iterable[torch.Tensor], time: int) -> torch.Tensor:
    """Consecutive blocks (..., n) as one sound (..., time).

    Without autograd each block is copied into place as it comes; with it they are concatenated.
    """
    if torch.is_grad_enabled():
        kept = list(blocks)
        return kept[0] if len(kept) == 1 else torch.cat(kept, dim=-1)
    whole, start = None, 0
    for block in blocks:
        if block.shape[-1] == time:
            return block
        if whole is None:
            whole = block.new_empty(*block.shape[:-1], time)
        whole[..., start : start + block.shape[-1]] = block
        start += block.shape[-1]
    return whole


def by_neighbourhood(
    stage: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, step: int, reach: int, size: int
) -> torch.Tensor:
    """`stage(x)`, worked out in blocks of about `size` samples with their neighbourhood around them.

    For a stage that looks no further than `reach` samples to either side of each one it makes. Every
    part it is given begins on a whole `step` (its own hop), so that hops fall where they would. The
    blocks are of one length: a short last one would cost its neighbourhood for nothing.
    """
    time = x.shape[-1]
    size = max(math.ceil(time / max(1, round(time / size)) / step), 1) * step
    reach = math.ceil(reach / step) * step
    spans = ((start, min(start + size, time)) for start in range(0, time, size))

    def blocks() -> Iterable[torch.Tensor]:
        for start, stop in spans:
            first = max(start - reach, 0)
            yield stage(x[..., first : stop + reach])[..., start - first : stop - first]

    return join(blocks(), time)
