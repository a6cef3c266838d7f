"""One effect's place in a live chain: always equally late, and changed without a click."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import torch

from daiw_master.stack.flow import Flow

#: A change of settings is a fade of this length from the old sound to the new one.
FADE_MS = 20.0
#: A flow that could not take over the memory of the one before listens for so long before it is heard.
SETTLE_MS = 100.0


class Line:
    """Flows in a row, brought to an exact delay: block in, block out, `latency` samples late.

    x (1, channels, n). No more than `latency` samples may wait in the flows together; without flows it
    is a plain delay. `silence` (1, channels, n >= 0) is a block like those to come.
    """

    def __init__(self, flows: Sequence[Flow], latency: int, silence: torch.Tensor):
        self.flows = tuple(flows)
        for flow in self.flows:
            flow.push(silence[..., :0])  # what is made for the first block is made now
        self._waiting: deque[torch.Tensor] = deque()
        if latency:
            self._waiting.append(silence.new_zeros(*silence.shape[:-1], latency))

    def take_over(self, before: Line) -> bool:
        """Go on where another line stands, if all flows of both know how: True if so."""
        same = [type(flow) for flow in self.flows] == [type(flow) for flow in before.flows]
        if not (self.flows and same and all(hasattr(flow, "resume") for flow in self.flows)):
            return False
        for flow, old in zip(self.flows, before.flows, strict=True):
            flow.resume(old)
        self._waiting = before._waiting.copy()
        return True

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        count = x.shape[-1]
        for flow in self.flows:
            x = flow.push(x)
        if not self._waiting and x.shape[-1] == count:
            return x
        self._waiting.append(x)
        parts = []
        while count:
            first = self._waiting.popleft()
            if first.shape[-1] > count:
                self._waiting.appendleft(first[..., count:])
                first = first[..., :count]
            parts.append(first)
            count -= first.shape[-1]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


class Slot:
    """A line that can be changed for another while it plays: both run for a while, then the old one goes.

    The fade is a raised cosine. A new line that could not take over the memory of the old one hears the
    sound fade in, and listens for a while, before it is heard. Each change waits until the one before
    is over.
    """

    def __init__(self, line: Line, rate: int, block: int):
        self.line = line
        blocks = math.ceil(FADE_MS * rate / 1000 / block)
        place = (torch.arange(blocks * block) + 0.5) / (blocks * block)
        self._fade = (0.5 - 0.5 * torch.cos(math.pi * place)).split(block)
        self._settle = max(math.ceil(SETTLE_MS * rate / 1000 / block), blocks)
        self._next: Line | None = None
        self._step = 0

    @property
    def changing(self) -> bool:
        return self._next is not None

    def change(self, line: Line) -> None:
        """Begin to go over to another line of the same latency."""
        self._next = line
        self._step = 0 if line.take_over(self.line) else -self._settle

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        y = self.line(x)
        if self._next is None:
            return y
        step, self._step = self._step, self._step + 1
        if step < 0:
            listening = self._settle + step
            # A sound that began at once would be a click in the memory of a room.
            self._next(x * self._fade[listening] if listening < len(self._fade) else x)
            return y
        y = torch.lerp(y, self._next(x), self._fade[step])
        if self._step == len(self._fade):
            self.line, self._next = self._next, None
        return y
