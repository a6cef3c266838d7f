"""Ctrl-C, `kill` and a closed terminal: the work ends at once, and tidies up behind itself."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

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
