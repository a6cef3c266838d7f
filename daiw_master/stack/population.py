"""Many masters of one sound at once: what a search listens to, and the way uphill for each of them.

A population is n settings over the same few windows of sound. It runs in groups small enough to stay
near the processor, groups side by side on threads or, over the generations of a search, in processes;
whatever all of them share is made once.
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from daiw_master.errors import InputError
from daiw_master.stack.accelerated import full_precision
from daiw_master.stack.chain import chain_space, qualified
from daiw_master.stack.effect import Effect, Setting, check_batch
from daiw_master.stack.population_crew import Crew, Job, crew_for
from daiw_master.stack.population_task import (
    SAMPLES_AT_ONCE,
    SAMPLES_AT_ONCE_LEARNING,
    Listener,
    Made,
    Task,
    hear,
    threads_kept,
    uphill,
)

#: From so many samples of all channels, windows and candidates on, worker processes pay: half a generation
#: of 64 over 5.5 s, where a search has twenty-five.
WORTH_A_CREW = 1 << 24
#: Of a search that says how much will come, so much is worth having them from the start.
WORTH_AT_ONCE = 4 * WORTH_A_CREW


class Population:
    """One sound in front of one chain, for many settings: `for which, y in population.run(settings)`.

    `chain`: effects in order, or already placed under their names; `x` (windows, channels, time), on
    the device that is to do the work; every candidate is heard on every window. Extras (`send`) have
    one item for each window or one for all. `workers` share the work on a processor (default: its
    cores), `group` candidates run as one batch (default: as many as its cache likes).

    Settings are physical values by full name (`{"eq.tilt_db": 1.0}`): a float for everybody or a
    tensor (n,), one for each; missing knobs rest. The sounds are those of `run_chain`, one candidate
    at a time, within rounding; they are the same bits for any number of workers.

    For a search, `with Population(...) as population:` the workers beside this process become processes
    as soon as there has been enough to do for them, or `expect` says that there will be; they end with the
    block. Their listeners must be importable (a function or an object of a module, not of the script
    itself) and a matter of their sounds alone; for others, and for chains that cannot travel, threads go
    on doing the work.
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
        #: Worker processes, where there are any; how many samples still have to come before there are.
        self.crew: Crew | None = None
        self._before_a_crew: float = float("inf")

    def __enter__(self) -> Population:
        if self.workers > 1:
            self._before_a_crew = WORTH_A_CREW
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """End the worker processes, if there are any; threads do what may still come."""
        self._before_a_crew = float("inf")
        if self.crew is not None:
            self.crew.close()
            self.crew = None

    def expect(self, candidates: int) -> None:
        """So many will come in this `with` block: where that is much, processes start at once, beside what
        is still to be prepared here."""
        if candidates * self.x.numel() >= WORTH_AT_ONCE:
            self._worked(WORTH_A_CREW)

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
        found = torch.cat(self._everywhere(task, hear, listener))
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
        parts = self._everywhere(task, uphill, loss)
        names = parts[0][1] if parts else ()
        losses = torch.cat([losses for losses, _ in parts])
        found = {name: torch.cat([found[name] for _, found in parts]) for name in names}
        if back is None:
            return losses, found
        return losses[back.to(losses.device)], {name: slope[back] for name, slope in found.items()}

    def _task(self, settings: Mapping[str, Setting], at_once: Mapping[str, int]) -> Task:
        checked = self.space.check(settings)
        return Task(self.placed, self.x, self.rate, self.extras, checked, self.group, at_once)

    def _everywhere(
        self, task: Task, work: Callable[[Task, Listener, slice], Made], listener: Listener
    ) -> list[Made]:
        """`work` on every group, by whoever is free: a worker process, or a thread of this one."""
        task.share()
        crew = self._worked(task.count * self.x.numel())
        job = crew and Job(task, work, listener)

        def by_anybody(which: slice) -> Made:
            made = crew and crew.try_on(job, which)
            return work(task, listener, which) if made is None else made

        return list(self._side_by_side(by_anybody, task.groups))

    def _worked(self, samples: float) -> Crew | None:
        """The crew, hired as soon as samples enough have come (in a `with` block; elsewhere never)."""
        self._before_a_crew -= samples
        if self.crew is None and self._before_a_crew <= 0:
            self.crew = crew_for(self.workers - 1, self.placed, self.x, self.rate, self.extras)
            self._before_a_crew = float("inf")  # it comes now or never
        return self.crew

    def _side_by_side(self, work: Callable[[slice], Made], groups: list[slice]) -> Iterator[Made]:
        """`work` on every group, in order of the groups, at most one more at work or waiting than workers."""
        if self.workers == 1 or len(groups) == 1:
            for which in groups:
                with threads_kept():
                    torch.set_num_threads(1)
                    made = work(which)
                yield made
            return
        coming, waiting = iter(groups), deque[Future[Made]]()
        with (
            threads_kept(),
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


def _by_length(settings: Mapping[str, Setting]) -> tuple[Mapping[str, Setting], torch.Tensor | None]:
    """The candidates by the length of their rooms, and the way back: a group is as long as its longest.

    The longest come first, so that nobody waits long for the last group.
    """
    place = next((name[: -len("decay_s")] for name in settings if name.endswith(".decay_s")), None)
    if place is None:
        return settings, None
    # a room rings as long as the slowest of its bands
    middle, low, high = (
        torch.as_tensor(settings.get(place + name, 1.0)).detach().reshape(-1).cpu()
        for name in ("decay_s", "low_decay_ratio", "high_decay_ratio")
    )
    count = max(map(len, (middle, low, high)))
    if count < 2 or any(len(part) not in (1, count) for part in (middle, low, high)):
        return settings, None
    length = middle * torch.maximum(low, high).clamp_min(1.0)
    order = length.argsort(descending=True, stable=True)
    sorted_by = {
        name: value.reshape(-1)[order.to(value.device)]
        if isinstance(value, torch.Tensor) and value.numel() == count
        else value
        for name, value in settings.items()
    }
    return sorted_by, order.argsort()
