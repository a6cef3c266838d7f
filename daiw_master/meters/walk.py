"""Walking through a sound that comes in blocks, in stretches that lie where they would in the whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch.nn.functional import pad


def walked(walk, blocks: Iterable[torch.Tensor]):
    """What a walk (`ScanWalk`, `SpectrumWalk`, `MeasureWalk`, ...) finds in consecutive blocks."""
    with torch.no_grad():
        for block in blocks:
            walk.add(block)
        return walk.done()


class Stretches:
    """A sound (..., time) that comes in blocks, cut into stretches of `hop` samples and what surrounds them.

    Stretch k holds the samples [k hop - before, (k + 1) hop + after), with silence outside of the
    sound, however the blocks were cut. Long blocks are not copied: most stretches are views.
    """

    def __init__(self, hop: int, before: int = 0, after: int = 0):
        self.hop, self.before, self.after = hop, before, after
        self.heard = 0  # samples that came
        self.cut = 0  # stretches that went
        self._kept: torch.Tensor | None = None

    def add(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        """The stretches that are complete with this block, (..., before + hop + after)."""
        if self._kept is None:
            self._kept = pad(x[..., :0], (self.before, 0))
        need = self.before + self.hop + self.after
        kept, held, start = self._kept, self._kept.shape[-1], 0
        self.heard += x.shape[-1]
        if held + x.shape[-1] >= need:
            if held:
                seam = torch.cat([kept, x[..., :need]], dim=-1)
                while start < held and start + need <= seam.shape[-1]:
                    yield seam[..., start : start + need]
                    self.cut += 1
                    start += self.hop
            while start >= held and start - held + need <= x.shape[-1]:
                yield x[..., start - held : start - held + need]
                self.cut += 1
                start += self.hop
        # Views would keep the whole block alive.
        if start >= held:
            self._kept = x[..., start - held :].clone()
        else:
            self._kept = torch.cat([kept[..., start:], x], dim=-1)

    def rest(self) -> tuple[torch.Tensor | None, int]:
        """`before` samples and those that no complete stretch held; how many. (None, 0) if nothing came."""
        return self._kept, self.heard - self.cut * self.hop
