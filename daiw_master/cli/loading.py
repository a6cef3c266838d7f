"""Loading torch and what stands on it, in two thirds of the time."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Put the heavy imports of a command in this `with` block.

    They make half a million objects that stay to the end. Python's collector would walk through all of
    them several times on the way and once more at the end, 0.5 CPU s for nothing; so it waits, and is
    then told that they are there to stay. Only for a program of our own: a library that freezes would
    freeze its host's objects too.
    """
    if "torch" in sys.modules:  # somebody has loaded it already, and may be more than a command
        yield
        return
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
