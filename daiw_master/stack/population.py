"""Many masters of one sound at once: what a search listens to, and the way uphill for each of them.

A population is n settings over the same few windows of sound. It runs in groups small enough to stay
near the processor, groups on worker threads side by side; whatever all of them share is made once.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

from daiw_master.errors import InputError
from daiw_master.stack.accelerated import full_precision
from daiw_master.stack.chain import chain_space, qualified, run_chain
from daiw_master.stack.effect import Effect, Setting, batch_of, check_batch
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


class Population:
    """One sound in front of one chain, for many settings: `for which, y in population.run(settings)`.

    `chain`: effects in order, or already placed under their names; `x` (windows, channels, time), on
    the device that is to do the work; every candidate is heard on every window. Extras (`send`) have
    one item for each window or one for all. `workers` threads share the work on a processor (default:
    its cores), `group` candidates run as one batch (default: as many as its cache likes).

    Settings are physical values by full name (`{"eq.tilt_db": 1.0}`): a float for everybody or a
    tensor (n,), one for each; missing knobs rest. The sounds are those of `run_chain`, one candidate
    at a time, within rounding; they are the same bits for any number of workers.
    """

    def __init__(
        self,
        chain: Mapping[str, Effect] | Iterable[Effect],
        x: torch.Tensor,
        rate: int,
        *,
        workers: int | None = None,
        group: int | None = None,
        **extras: torch.Tensor,
    ):
        check_batch(x, "population")
        self.placed = dict(chain) if isinstance(chain, Mapping) else qualified(list(chain))
        self.space = chain_space(self.placed)
        self.x, self.rate, self.extras = x.detach(), rate, extras
        self.workers = (workers or os.cpu_count() or 1) if x.device.type == "cpu" else 1
        self.group = group
        if self.x.is_cuda:
            full_precision()

    def run(self, settings: Mapping[str, Setting]) -> Iterator[tuple[slice, torch.Tensor]]:
        """Every candidate's sound, a few at a time and in order, without gradient.

        Yields (which candidates, their sounds (count, windows, channels, time)).
        """
        task = self._task(settings, SAMPLES_AT_ONCE)

        def play(which: slice) -> tuple[slice, torch.Tensor]:
            with torch.no_grad():
                return which, task.play(task.knobs(which))

        task.share()
        yield from self._side_by_side(play, task.groups)

    def listen(self, settings: Mapping[str, Setting], listener: Listener[torch.Tensor]) -> torch.Tensor:
        """What `listener` makes of every candidate, (n, ...), no sound kept longer than its group.

        `listener` maps sounds (count, windows, channels, time) to (count, ...); it runs in the workers.
        """
        settings, back = _by_length(settings)
        task = self._task(settings, SAMPLES_AT_ONCE)

        def hear(which: slice) -> torch.Tensor:
            with torch.no_grad():
                return _one_each(listener(task.play(task.knobs(which))), which)

        task.share()
        found = torch.cat(list(self._side_by_side(hear, task.groups)))
        return found if back is None else found[back.to(found.device)]

    def gradient(
        self, settings: Mapping[str, Setting], loss: Listener[torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """How bad every candidate is, and how that changes with each of its knobs.

        `loss` maps sounds (count, windows, channels, time) to (count,); it runs in the workers, and
        candidates must not look at each other. Returns the losses (n,) and a gradient (n,) for each
        knob given as a tensor. InputError where a stage that moves offers no gradient (a plugin).
        """
        settings, back = _by_length(settings)
        task = self._task(settings, SAMPLES_AT_ONCE_LEARNING)
        for place, effect in {**task.filters, **task.rest}.items():
            if not effect.differentiable:
                raise InputError(
                    f"{place} offers no gradient; search its chain with run or listen, "
                    "or let it stand before every stage that is to learn, its knobs as plain numbers"
                )

        if not any(isinstance(value, torch.Tensor) for value in task.settings.values()):
            raise InputError("nothing can learn: no knob is given as a tensor, one value a candidate")

        def uphill(which: slice) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
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

        task.share()
        parts = list(self._side_by_side(uphill, task.groups))
        names = parts[0][1] if parts else ()
        losses = torch.cat([losses for losses, _ in parts])
        found = {name: torch.cat([found[name] for _, found in parts]) for name in names}
        if back is None:
            return losses, found
        return losses[back.to(losses.device)], {name: slope[back] for name, slope in found.items()}

    def _task(self, settings: Mapping[str, Setting], at_once: Mapping[str, int]) -> _Task:
        return _Task(self, self.space.check(settings), self.group, at_once)

    def _side_by_side(self, work: Callable[[slice], Made], groups: list[slice]) -> Iterator[Made]:
        """`work` on every group, in order of the groups, at most one more at work or waiting than workers."""
        if self.workers == 1 or len(groups) == 1:
            for which in groups:
                with _threads_kept():
                    torch.set_num_threads(1)
                    made = work(which)
                yield made
            return
        coming, waiting = iter(groups), deque[Future[Made]]()
        with (
            _threads_kept(),
            ThreadPoolExecutor(self.workers, "candidates", torch.set_num_threads, (1,)) as pool,
        ):
            try:
                for which in itertools.islice(coming, self.workers + 1):
                    waiting.append(pool.submit(work, which))
                while waiting:
                    yield waiting.popleft().result()
                    waiting.extend(pool.submit(work, which) for which in itertools.islice(coming, 1))
            finally:
                for future in waiting:
                    future.cancel()


class _Task:
    """One call's settings over a population's sound, cut into groups."""

    def __init__(
        self,
        population: Population,
        settings: Mapping[str, Setting],
        group: int | None,
        at_once: Mapping[str, int],
    ):
        self.of = population
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
        own = {name.partition(".")[0] for name, value in flat.items() if isinstance(value, torch.Tensor)}
        stages = list(population.placed.items())
        shared = next((i for i, (place, _) in enumerate(stages) if place in own), len(stages))
        narrow = population.x.shape[1] <= 2  # more channels are the effects' own to refuse
        filters = list(itertools.takewhile(lambda stage: narrow and _is_filter(stage[1]), stages[shared:]))
        #: Stages everybody shares, then those that are filters of what these make, then all others.
        self.shared, self.filters = dict(stages[:shared]), dict(filters)
        self.rest = dict(stages[shared + len(filters) :])
        size = group or max(1, at_once[population.x.device.type] // max(1, population.x.numel()))
        self.groups = [slice(first, min(first + size, count)) for first in range(0, count, size)]
        self.head = population.x
        #: Each window's transforms, taken once for the filters of all groups.
        self.heard: list[dict] = [{} for _ in population.x]

    def share(self) -> None:
        """Make what everybody shares, once."""
        with torch.no_grad():
            of = self.of
            self.head = run_chain(self.shared, of.x, of.rate, self.settings, **of.extras)

    def knobs(self, which: slice) -> dict[str, Setting]:
        return {
            name: value[which] if isinstance(value, torch.Tensor) else value
            for name, value in self.settings.items()
        }

    def play(self, knobs: Mapping[str, Setting]) -> torch.Tensor:
        """The rest of the chain for some candidates: (candidates, windows, channels, time)."""
        windows, count, extras = len(self.head), batch_of(knobs), self.of.extras
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
        y = run_chain(stages, y, self.of.rate, knobs, **extras)
        y = y.clone() if y is self.head else y
        return y.expand(count * windows, -1, -1).unflatten(0, (count, windows))

    def _line(self, knobs: Mapping[str, Setting]) -> Linear | None:
        """The filters at these settings as one; None where there are none, or they do not go into one."""
        stages = [
            (effect.name, {p.name: knobs.get(f"{place}.{p.name}", p.default) for p in effect.params})
            for place, effect in self.filters.items()
        ]
        return linear_response(stages, self.head, self.of.rate) if stages else None


def _by_length(settings: Mapping[str, Setting]) -> tuple[Mapping[str, Setting], torch.Tensor | None]:
    """The candidates by the length of their rooms, and the way back: a group is as long as its longest."""
    decays = [value for name, value in settings.items() if name.endswith(".decay_s")]
    if not decays or not isinstance(decays[0], torch.Tensor) or decays[0].numel() < 2:
        return settings, None
    order = decays[0].detach().reshape(-1).cpu().argsort(stable=True)
    count = len(order)
    sorted_by = {
        name: value.reshape(-1)[order.to(value.device)]
        if isinstance(value, torch.Tensor) and value.numel() == count
        else value
        for name, value in settings.items()
    }
    return sorted_by, order.argsort()


def _is_filter(effect: Effect) -> bool:
    return any(effect is row for row in (REVERB, EQ))


def _window(send: torch.Tensor | None, i: int) -> torch.Tensor | None:
    return send if send is None or len(send) == 1 else send[i : i + 1]


def _one_each(heard: torch.Tensor, which: slice) -> torch.Tensor:
    """What a listener heard, if there is one of it for every candidate."""
    count = which.stop - which.start
    if heard.ndim == 0 or len(heard) != count:
        shape = tuple(heard.shape)
        raise InputError(f"the listener made shape {shape} of {count} candidates; needed: (candidates, ...)")
    return heard


@contextlib.contextmanager
def _threads_kept() -> Iterator[None]:
    """Whatever is set inside, torch goes on with as many threads as before.

    Groups share the cores: inside a group there is one thread, so that sums are the same in any company.
    """
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
