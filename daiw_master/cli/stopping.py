"""Ctrl-C, `kill` and a closed terminal: the work ends at once, and tidies up behind itself."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

#: A terminal that closes sends the third; Windows does not know it.
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(KeyboardInterrupt):
    """Somebody outside wants the program to end; `exit_code` is what a shell expects then (128 + signal)."""

    def __init__(self, number: int = signal.SIGINT):
        super().__init__(number)
        self.exit_code = 128 + number


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Turn the signals that would end the process on the spot into `Stopped`, so that every `finally`
    is reached. Signals that the caller ignores or handles (`nohup`, a host program) stay as they are."""

    def stop(number, frame):
        raise Stopped(number)

    changed = []
    if threading.current_thread() is threading.main_thread():
        changed = [number for number in _SIGNALS if signal.getsignal(number) == signal.SIG_DFL]
    for number in changed:
        signal.signal(number, stop)
    try:
        yield
    except Stopped:
        raise
    except KeyboardInterrupt as interrupt:
        raise Stopped from interrupt
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def finished_early() -> Iterator[Callable[[], bool]]:
    """While a search runs, Ctrl-C asks it to finish with the best so far; a second one ends the program.

    Gives what the search asks whether to stop. Any other signal that ends the program still does, even
    where the search catches what it raised.
    """
    asked, ending = threading.Event(), []
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def finish(number, frame):
        if asked.is_set():
            end(number, frame)
        asked.set()
        # the main thread may be in the middle of a line of its own: past all buffers
        os.write(2, b"\nstopping: the best so far is being finished; Ctrl-C once more ends at once\n")

    def end(number, frame):
        ending.append(number)
        raise Stopped(number)

    before = {}
    for number, handler in ((signal.SIGINT, finish), *((number, end) for number in _SIGNALS)):
        if signal.getsignal(number) not in (signal.SIG_IGN, None):  # `nohup` still means no hang-up
            before[number] = signal.signal(number, handler)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if ending:
        raise Stopped(ending[0])
