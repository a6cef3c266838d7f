"""An effect in the middle of a song: sound goes in block by block, and all of it comes out again.

The same effects run whole, in blocks of any length and live; a `Flow` carries what an effect has to
remember from one block to the next. What it must hear ahead of time it holds back: `latency`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch

from daiw_master.sounds import BLOCK, Shelf, Sound, Spool


class Flow(ABC):
    """One effect, running. Blocks are (batch, channels, n), any n >= 0; nothing pushed is changed.

    After N samples went in, at least N - `latency` have come out; after `finish`, exactly N.
    A flow that must know the whole song first (a loudness, a rider) says so with `hears_first`: it is
    given all of its input through `hear`, in blocks, before the first `push`.
    """

    latency: int = 0
    hears_first: bool = False

    def hear(self, x: torch.Tensor) -> None:  # noqa: B027 (most have no need to)
        """One block of the whole sound, listened to before anything is done to it."""

    @abstractmethod
    def push(self, x: torch.Tensor, **beside: torch.Tensor) -> torch.Tensor:
        """The next block in; whatever is finished by now out. `beside` runs alongside x (a `send`)."""

    def finish(self) -> torch.Tensor | None:
        """What was still waiting inside; None where nothing was."""
        return None

    def merged(self, following: Flow) -> Flow | None:
        """One flow in place of this and the next, where that is cheaper (two filters are one)."""
        return None


#: Blocks up to this long are played as they come: what can be made of them is not kept waiting.
LIVE = 512


class Nearby(Flow):
    """A stage that looks no further than `back` and `ahead` samples around each one it makes.

    `stage(part, first)` gets a stretch of the sound and the index of its first sample, and returns as
    many samples; what is nearer to an end of the stretch than its reach is thrown away, unless the
    sound itself ends there. Every stretch begins on a whole `step` (the stage's own hop).
    `size` samples are made at a time; with a `size` of `LIVE` or below, every step as soon as it can be.
    """

    def __init__(
        self,
        stage: Callable[[torch.Tensor, int], torch.Tensor],
        *,
        back: int,
        ahead: int,
        step: int = 1,
        size: int = BLOCK,
    ):
        self.stage, self.ahead, self.step = stage, ahead, step
        self.back = -(-back // step) * step
        self.size = max(size // step, 1) * step
        self.least = self.size if size > LIVE else step
        self.latency = ahead + self.least - 1
        self._first = 0  # index of the first sample kept
        self._done = 0  # samples that have come out
        self._kept: list[torch.Tensor] = []
        self._count = 0  # samples kept

    def push(self, x: torch.Tensor, **beside: torch.Tensor) -> torch.Tensor:
        self._kept.append(x)
        self._count += x.shape[-1]
        ready = (self._first + self._count - self.ahead - self._done) // self.least * self.least
        if ready <= 0:
            return x[..., :0]
        return self._made(ready)

    def finish(self) -> torch.Tensor | None:
        left = self._first + self._count - self._done
        return self._made(left) if left else None

    def _made(self, count: int) -> torch.Tensor:
        part = torch.cat(self._kept, dim=-1) if len(self._kept) > 1 else self._kept[0]
        parts = []
        while count > 0:
            stop = min(self._done + self.size, self._done + count)
            first = max(self._done - self.back, 0)
            stretch = part[..., first - self._first : stop + self.ahead - self._first]
            made = self.stage(stretch, first)
            parts.append(made[..., self._done - first : stop - first])
            count -= stop - self._done
            self._done = stop
        first = max(self._done - self.back, 0)
        part = part[..., first - self._first :].clone()  # a view would keep the whole block alive
        self._kept, self._first, self._count = [part], first, part.shape[-1]
        return torch.cat(parts, dim=-1) if len(parts) > 1 else parts[0]


class AtOnce(Flow):
    """An effect that can only be run over a whole sound: it waits for all of it, and holds it in memory."""

    latency = 1 << 62  # nothing comes out before the end

    def __init__(self, process: Callable[..., torch.Tensor]):
        self.process = process
        self._kept: list[torch.Tensor] = []
        self._beside: dict[str, list[torch.Tensor]] = {}

    def push(self, x: torch.Tensor, **beside: torch.Tensor) -> torch.Tensor:
        self._kept.append(x)
        for name, side in beside.items():
            self._beside.setdefault(name, []).append(side)
        return x[..., :0]

    def finish(self) -> torch.Tensor | None:
        kept, self._kept = self._kept, []
        beside = {name: torch.cat(sides, dim=-1) for name, sides in self._beside.items()}
        return self.process(torch.cat(kept, dim=-1), **beside) if kept else None


def merged(flows: Iterable[Flow]) -> list[Flow]:
    """The same line of flows, neighbours made one where that is cheaper."""
    line: list[Flow] = []
    for flow in flows:
        one = line[-1].merged(flow) if line else None
        if one is None:
            line.append(flow)
        else:
            line[-1] = one
    return line


def through(flows: Sequence[Flow], blocks: Iterable[torch.Tensor], **beside) -> Iterator[torch.Tensor]:
    """Blocks through one flow after another, none of which has to hear first; empty blocks are left out.

    `beside`: iterables of blocks that run alongside the sound into the first flow.
    """
    sides = {name: iter(side) for name, side in beside.items()}
    for block in blocks:
        yield from _onward(block, flows, {name: next(side) for name, side in sides.items()})
    for number, flow in enumerate(flows):
        rest = flow.finish()
        if rest is not None:
            yield from _onward(rest, flows[number + 1 :], {})


def _onward(block: torch.Tensor, flows: Sequence[Flow], beside: dict) -> Iterator[torch.Tensor]:
    for flow in flows:
        block, beside = flow.push(block, **beside), {}
    if block.shape[-1]:
        yield block


def stream(
    flows: Sequence[Flow], sound: Sound, spool: Callable[[], Spool | Shelf], **beside: Sound
) -> Iterator[torch.Tensor]:
    """A whole sound through a line of flows, block by block, in bounded memory.

    In front of every flow that hears first, the sound so far is laid down in a spool: one pass of
    the disk in place of a second pass of all that came before.
    """
    sides = {name: side.blocks() for name, side in beside.items()}
    here = sound.blocks()
    laid: Spool | Shelf | None = None
    line: list[Flow] = []
    for flow in flows:
        if flow.hears_first:
            after = spool()
            for block in through(line, here, **sides):
                after.write(block)
                flow.hear(block)
            if laid is not None:
                laid.close()
            laid, here, line, sides = after, after.blocks(), [], {}
        line.append(flow)
    yield from through(line, here, **sides)
    if laid is not None:
        laid.close()
