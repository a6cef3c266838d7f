"""What libfluidsynth says: kept from the user's terminal while a synth of ours plays, errors remembered.

The library has one log function for the whole process, and songs may play in several threads: so ours
is put there once and stays. While none of our synths is open, it hands on to the library's own.
"""

from __future__ import annotations

import ctypes
import threading

_LEVELS = 5
_ERROR_LEVELS = (0, 1)
_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)

_lock = threading.Lock()
_open = 0
_handlers: list[object] = []  # the library calls them for as long as the process lives
_heard = threading.local()


def redirect(lib: ctypes.CDLL) -> None:
    """Put our log function in the place of the library's."""

    def said(level: int, message: bytes, data) -> None:
        if not _open:
            lib.fluid_default_log_function(level, message, data)
        elif level in _ERROR_LEVELS:  # on the thread of the call that went wrong
            _heard.errors = [*getattr(_heard, "errors", [])[-1:], message.decode(errors="replace")]

    handler = _HANDLER(said)
    _handlers.append(handler)
    for level in range(_LEVELS):
        lib.fluid_set_log_function(level, ctypes.cast(handler, ctypes.c_void_p), None)


class Quiet:
    """Silence on the terminal until `end()`."""

    def __init__(self) -> None:
        self._ended = False
        _heard.errors = []
        self._count(1)

    def end(self) -> None:
        if not self._ended:
            self._ended = True
            self._count(-1)

    @staticmethod
    def _count(change: int) -> None:
        global _open
        with _lock:
            _open += change


def last_errors() -> str:
    """The last two errors since this thread's newest synth was begun."""
    return "; ".join(getattr(_heard, "errors", []))
