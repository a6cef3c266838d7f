"""One call on a population: its settings cut into groups, and what is worked out for each of them.

A group's sounds are the same wherever it is worked on: on a thread of this process or in another.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import torch

from daiw_master.errors import InputError
from daiw_master.stack.chain import run_chain
from daiw_master.stack.effect import Effect, Setting, batch_of
from daiw_master.stack.eq import EQ
from daiw_master.stack.linear import Linear
from daiw_master.stack.linear_response import linear_response
from daiw_master.stack.reverb import REVERB

#: Samples of all channels, windows and candidates that go through the chain together. On a processor
#: a few megabytes amortise the small steps and still lie in the last cache; a graph for the way back
#: holds some sixty times its sound. A GPU wants to be filled.
SAMPLES_AT_ONCE = {"cpu": 1 << 21, "cuda": 1 << 26}
SAMPLES_AT_ONCE_LEARNING = {"cpu": 1 << 19, "cuda": 1 << 26}

Made = TypeVar("Made")
#: From sounds (candidates, windows, channels, time) to one number a candidate, or to anything else.
Listener = Callable[[torch.Tensor], Made]


class Task:
    """One call's settings over a sound x (windows, channels, time), cut into groups of `size` candidates.

    `settings` are checked ones, floats or tensors; `size` None: as many as the machine likes, by
    `at_once`. `head`: what the stages that everybody shares make of x, if somebody knows it already.
    """

    def __init__(
        self,
        placed: Mapping[str, Effect],
        x: torch.Tensor,
        rate: int,
        extras: Mapping[str, torch.Tensor],
        settings: Mapping[str, Setting],
        size: int | None,
        at_once: Mapping[str, int],
        head: torch.Tensor | None = None,
    ):
        self.x, self.rate, self.extras = x, rate, extras
        # Knobs stay beside the processor: a question about them need not wait for a GPU.
        flat = {
            name: value.detach().reshape(-1).cpu() if isinstance(value, torch.Tensor) else value
            for name, value in settings.items()
        }
        count = batch_of(flat)
        if any(isinstance(value, torch.Tensor) and not len(value) for value in flat.values()):
            raise InputError("a population needs at least one candidate; a setting came with no values")
        for name, value in flat.items():
            if isinstance(value, torch.Tensor) and len(value) not in (1, count):
                raise InputError(f"{name} has {len(value)} values; the others have {count}: one a candidate")
        # A tensor of one is still somebody's own knob, so that it gets its gradient.
        self.settings = {
            name: value.expand(count) if isinstance(value, torch.Tensor) else value
            for name, value in flat.items()
        }
        self.count = count
        own = {name.partition(".")[0] for name, value in flat.items() if isinstance(value, torch.Tensor)}
        stages = list(placed.items())
        shared = next((i for i, (place, _) in enumerate(stages) if place in own), len(stages))
        narrow = x.shape[1] <= 2  # more channels are the effects' own to refuse
        filters = list(itertools.takewhile(lambda stage: narrow and _is_filter(stage[1]), stages[shared:]))
        #: Stages everybody shares, then those that are filters of what these make, then all others.
        self.shared, self.filters = dict(stages[:shared]), dict(filters)
        self.rest = dict(stages[shared + len(filters) :])
        self.size = size or max(1, at_once[x.device.type] // max(1, x.numel()))
        self.groups = [slice(first, min(first + self.size, count)) for first in range(0, count, self.size)]
        self.head = x if head is None else head
        #: Each window's transforms, taken once for the filters of all groups.
        self.heard: list[dict] = [{} for _ in x]

    def share(self) -> None:
        """Make what everybody shares, once."""
        with torch.no_grad():
            self.head = run_chain(self.shared, self.x, self.rate, self.settings, **self.extras)

    def knobs(self, which: slice) -> dict[str, Setting]:
        return {
            name: value[which] if isinstance(value, torch.Tensor) else value
            for name, value in self.settings.items()
        }

    def play(self, knobs: Mapping[str, Setting]) -> torch.Tensor:
        """The rest of the chain for some candidates: (candidates, windows, channels, time)."""
        windows, count, extras = len(self.head), batch_of(knobs), self.extras
        line = self._line(knobs)
        if line is not None:
            parts = [
                line(self.head[i : i + 1], _window(extras.get("send"), i), kept=heard).expand(count, -1, -1)
                for i, heard in enumerate(self.heard)
            ]
            y, stages = torch.stack(parts, dim=1).flatten(0, 1) if windows > 1 else parts[0], self.rest
        else:
            y, stages = self.head, {**self.filters, **self.rest}
            if windows > 1:  # one window broadcasts and is not copied
                y = y.repeat(count, 1, 1)
        if windows > 1:
            knobs = {
                name: value.repeat_interleave(windows) if isinstance(value, torch.Tensor) else value
                for name, value in knobs.items()
            }
            extras = {
                name: extra.repeat(count, *[1] * (extra.ndim - 1))
                if isinstance(extra, torch.Tensor) and len(extra) == windows
                else extra
                for name, extra in extras.items()
            }
        y = run_chain(stages, y, self.rate, knobs, **extras)
        y = y.clone() if y is self.head else y
        return y.expand(count * windows, -1, -1).unflatten(0, (count, windows))

    def _line(self, knobs: Mapping[str, Setting]) -> Linear | None:
        """The filters at these settings as one; None where there are none, or they do not go into one."""
        stages = [
            (effect.name, {p.name: knobs.get(f"{place}.{p.name}", p.default) for p in effect.params})
            for place, effect in self.filters.items()
        ]
        return linear_response(stages, self.head, self.rate) if stages else None


def hear(task: Task, listener: Listener[torch.Tensor], which: slice) -> torch.Tensor:
    """What a listener makes of a group: (candidates, ...)."""
    with torch.no_grad():
        return _one_each(listener(task.play(task.knobs(which))), which)


def uphill(
    task: Task, loss: Listener[torch.Tensor], which: slice
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """A group's losses, and how they change with each knob that is a tensor."""
    with torch.enable_grad():
        knobs = task.knobs(which)
        learning = {
            name: value.detach().requires_grad_()
            for name, value in knobs.items()
            if isinstance(value, torch.Tensor)
        }
        losses = _one_each(loss(task.play({**knobs, **learning})), which)
        if losses.ndim != 1:
            raise InputError(f"the loss has shape {tuple(losses.shape)}; it must be (candidates,)")
        towards = torch.autograd.grad(losses.sum(), list(learning.values()), allow_unused=True)
    found = {
        name: torch.zeros_like(value) if slope is None else slope
        for (name, value), slope in zip(learning.items(), towards, strict=True)
    }
    return losses.detach(), found


@contextlib.contextmanager
def threads_kept() -> Iterator[None]:
    """Whatever is set inside, torch goes on with as many threads as before.

    Groups share the cores: inside a group there is one thread, so that sums are the same in any company.
    """
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _is_filter(effect: Effect) -> bool:
    # by what it does: a row that came from another process is a copy
    return any((effect.name, effect.process) == (row.name, row.process) for row in (REVERB, EQ))


def _window(send: torch.Tensor | None, i: int) -> torch.Tensor | None:
    return send if send is None or len(send) == 1 else send[i : i + 1]


def _one_each(heard: torch.Tensor, which: slice) -> torch.Tensor:
    """What a listener heard, if there is one of it for every candidate."""
    count = which.stop - which.start
    if heard.ndim == 0 or len(heard) != count:
        shape = tuple(heard.shape)
        raise InputError(f"the listener made shape {shape} of {count} candidates; needed: (candidates, ...)")
    return heard
