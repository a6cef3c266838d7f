"""How this program's memory goes back to the system: what is large at once, what is small hardly ever."""

from __future__ import annotations

import contextlib
import ctypes
from typing import NamedTuple

#: mallopt's names for its numbers (malloc.h of glibc).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


class Heap(NamedTuple):
    """So much freed memory is kept at hand; blocks from so many bytes on are the system's at once."""

    kept_bytes: int
    large_bytes: int


#: What a block of sound needs comes and goes a thousand times a minute and is kept at hand; the traces
#: of a whole hour (8 bytes, 300 times a second) come once and must not leave holes behind.
STEADY = Heap(64 << 20, 8_000_000)
#: A search hears thousands of candidates of a few seconds, in blocks a little above that: given back and
#: cleared again for each of them they cost a fifteenth of its time.
SEARCHING = Heap(512 << 20, 32 << 20)


def steady_heap(heap: Heap = STEADY) -> None:
    """Tell the C library's allocator (glibc; others are left alone). Measured for `STEADY`: an hour's peak
    stays within a tenth of three minutes', for a fifth less CPU time."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_TRIM_THRESHOLD, heap.kept_bytes)
        mallopt(_MMAP_THRESHOLD, heap.large_bytes)
