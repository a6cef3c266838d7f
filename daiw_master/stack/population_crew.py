"""Worker processes beside a population: Python runs one small step at a time, several Pythons several.

Between the large steps of a chain, which torch does side by side, lie thousands of small ones; two
threads spend a fifth of their time waiting for each other over these, two processes none. A process
costs an import of torch (a second on one core, some 250 MB), so a crew pays over the generations of a
search and not for one of them. It starts in the background; until it is there, threads do the work.

Nothing of a user's script is run again in a worker, guarded or not: what cannot be found by import
there (a function of the script itself, a closure, a plugin loaded here) is worked out in this process.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence

import torch

from daiw_master.heap import SEARCHING
from daiw_master.stack import accelerated
from daiw_master.stack.effect import Effect
from daiw_master.stack.plugin import PEDALBOARD
from daiw_master.stack.population_task import Listener, Made, Task
from daiw_master.stack.population_worker import receive, send

#: Ctrl-C is this process' affair from the first moment on: it ends its workers itself.
_START = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.path[:] = {path!r}
from daiw_master.stack.population_worker import main
main()
"""
#: glibc gives every block of a few megabytes back at once, and has it cleared again for the next one: a
#: worker keeps them as a search does, in pages of 2 MiB.
_HEAP = {
    "MALLOC_TRIM_THRESHOLD_": str(SEARCHING.kept_bytes),
    "MALLOC_MMAP_THRESHOLD_": str(SEARCHING.large_bytes),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


def packed(*things: object) -> bytes | None:
    """What a worker will need, as bytes; None where something cannot travel."""
    kept = io.BytesIO()
    try:
        _Packer(kept, pickle.HIGHEST_PROTOCOL).dump(things)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError, RuntimeError):
        return None
    return kept.getvalue()


class _Packer(pickle.Pickler):
    def persistent_id(self, thing: object) -> None:
        if getattr(thing, "__module__", None) == "__main__":
            raise pickle.PicklingError("the script itself is not run in a worker")

    def reducer_override(self, thing: object):
        if isinstance(thing, torch.Tensor) and thing.untyped_storage().nbytes() > thing.nbytes:
            return thing.clone().__reduce_ex__(pickle.HIGHEST_PROTOCOL)  # not all that a view was cut from
        if isinstance(thing, Effect) and PEDALBOARD.get(thing.name) is thing:
            return _row, (thing.name,)
        return NotImplemented


def _row(name: str) -> Effect:
    return PEDALBOARD[name]


class Job:
    """One call's task on its way to the workers."""

    def __init__(self, task: Task, work: Callable[[Task, Listener, slice], Made], listener: Listener):
        head = task.head if task.shared else None
        heard_by = packed(listener)
        self.message = heard_by and packed(
            "task", accelerated.use(), dict(task.settings), task.size, head, work, heard_by
        )


class Crew:
    """`count` worker processes that know a sound and its chain, as soon as they have started.

    `packed` is what `packed(placed, x, rate, extras)` made. They end with `close`, with the last reference
    to the crew, or with this process, however it ends.
    """

    def __init__(self, count: int, known: bytes):
        self._free: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self.workers = [_Worker() for _ in range(count)]
        self._end = weakref.finalize(self, _end, self.workers)
        self._starting = [
            threading.Thread(target=_begin, args=(worker, known, self._free), daemon=True)
            for worker in self.workers
        ]
        for thread in self._starting:
            thread.start()

    def wait(self) -> None:
        """Until every worker has started, or has failed to."""
        for thread in self._starting:
            thread.join()

    def try_on(self, job: Job, which: slice) -> object | None:
        """A group worked out by a worker; None where none is free, or it could not.

        A worker that is gone is told of in one warning, and never asked again.
        """
        if job.message is None:
            return None
        try:
            worker = self._free.get_nowait()
        except queue.Empty:
            return None
        try:
            made = worker.work(job, which)
        except (OSError, ValueError, EOFError):
            warnings.warn(
                f"a worker process {worker.end()}; its share is done by those that are left "
                "(fewer workers need less memory)",
                RuntimeWarning,
                stacklevel=2,
            )
            return None
        self._free.put(worker)
        return made

    def close(self) -> None:
        self._end()


class _Worker:
    def __init__(self) -> None:
        environment = {**_HEAP, **os.environ, "OMP_NUM_THREADS": "1"}
        path = [entry for entry in sys.path if isinstance(entry, str)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START.format(path=path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        self._job: Job | None = None

    def know(self, known: bytes) -> bool:
        """Tell it what it works on; whether it understood."""
        try:
            send(self.process.stdin, known)
            return receive(self.process.stdout) == b"ready"
        except (OSError, ValueError, EOFError):
            return False

    def work(self, job: Job, which: slice) -> object | None:
        if self._job is not job:
            send(self.process.stdin, job.message)
            self._job = job
        send(self.process.stdin, pickle.dumps(("group", which.start, which.stop)))
        return pickle.loads(receive(self.process.stdout))

    def end(self) -> str:
        """How it ended, in words."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self.process.wait(5)
            if code < 0:
                with contextlib.suppress(ValueError):
                    return f"was ended by {signal.Signals(-code).name}"
            return f"ended (exit {code})"
        return "fell silent"


def _begin(worker: _Worker, known: bytes, free: queue.SimpleQueue) -> None:
    if worker.know(known):
        free.put(worker)


def _end(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.process.kill()  # it has nothing that anybody will miss
    for worker in workers:
        worker.process.wait()
        for pipe in (worker.process.stdin, worker.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()


def crew_for(
    count: int, placed: Mapping, x: torch.Tensor, rate: int, extras: Mapping[str, torch.Tensor]
) -> Crew | None:
    """Workers for this sound and chain; None where it cannot travel, or no process can be had."""
    known = packed(placed, x, rate, extras) if sys.executable and not getattr(sys, "frozen", False) else None
    if known is None:
        return None
    try:
        return Crew(count, known)
    except OSError:
        return None
