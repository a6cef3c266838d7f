"""A worker process of a population: it gets a sound and a chain once, then settings, then group after group.

It is started by `population_crew`. Messages are pickles with their length in front, over stdin and
stdout; whatever else prints here goes to stderr. The process ends when its stdin does: nobody is left
who could want anything.
"""

from __future__ import annotations

import os
import pickle
import queue
import struct
import threading
from typing import BinaryIO

LENGTH = struct.Struct("<Q")
#: How a task that does not travel, an effect or a listener may refuse; the parent meets the same and tells
#: it. Whatever else happens ends this process, and the parent does its share.
REFUSALS = (
    ArithmeticError, AttributeError, ImportError, LookupError, OSError, RuntimeError, TypeError, ValueError,
    pickle.UnpicklingError,
)  # fmt: skip


def send(pipe: BinaryIO, message: bytes) -> None:
    pipe.write(LENGTH.pack(len(message)))
    pipe.write(message)
    pipe.flush()


def receive(pipe: BinaryIO) -> bytes:
    """The next message; EOFError where the other side is gone."""
    (length,) = LENGTH.unpack(_exactly(pipe, LENGTH.size))
    return _exactly(pipe, length)


def _exactly(pipe: BinaryIO, size: int) -> bytes:
    found = pipe.read(size)
    if len(found) < size:
        raise EOFError
    return found


def main() -> None:
    asked, told = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        try:
            while True:
                messages.put(receive(asked))
        except (EOFError, OSError):
            os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    import torch

    from daiw_master.errors import DaiwMasterError
    from daiw_master.stack import accelerated
    from daiw_master.stack.population_task import Task

    refusals = (DaiwMasterError, *REFUSALS)
    torch.set_num_threads(1)
    placed, x, rate, extras = pickle.loads(messages.get())
    send(told, b"ready")
    task = work = listener = None
    while True:
        kind, *given = pickle.loads(messages.get())
        if kind == "task":
            try:
                options, settings, size, head, work, packed = given
                accelerated.use(**options)
                task = Task(placed, x, rate, extras, settings, size, {}, head)
                (listener,) = pickle.loads(packed)
            except refusals:
                task = None  # what cannot be read here is worked out there
            continue
        made = None
        if task is not None:
            try:
                made = _slim(work(task, listener, slice(*given)))
            except refusals:
                made = None
        send(told, pickle.dumps(made))


def _slim(made):
    """The same without the memory around a view."""
    if isinstance(made, tuple):
        losses, slopes = made
        return losses.clone(), {name: slope.clone() for name, slope in slopes.items()}
    return made.detach().clone()
