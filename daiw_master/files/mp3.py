"""How long an MP3 is: counted frame by frame where no header says it.

Without a Xing, Info or VBRI header a decoder guesses the length from the first frame's bit rate; for
a variable one the song then ends anywhere. Such a file is given the header it lacks before decoding.
Frame headers: ISO 11172-3, 2.4.1.3 and 13818-3, 2.4.2.3 (half rates).
"""

from __future__ import annotations

import io
import os
from pathlib import Path

_FULL_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_HALF_KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44100, 48000, 32000)
#: Bits 19-20 of a header: MPEG version, as the divisor of the sample rate.
_DIVISORS = {3: 1, 2: 2, 0: 4}
_WINDOW = 1 << 20


def with_header(path: Path) -> io.RawIOBase | None:
    """The file as a stream that begins with an exact length header; None where it has its own.

    None too for what is no plain Layer III stream: the decoder then decides.
    """
    with open(path, "rb") as file:
        start = _behind_tag(file)
        head = _frame(_at(file, start, 4))
        if head is None:
            return None
        first = _at(file, start, min(head[0], 200))
        if any(mark in first for mark in (b"Xing", b"Info", b"VBRI")):
            return None
        count = _count(file, start)
    return _Prefixed(path, _header_frame(first, count), start) if count > 1 else None


def _count(file: io.BufferedReader, start: int) -> int:
    """Frames from `start` to the file's end, read a megabyte at a time; what is no frame is stepped over."""
    count = 0
    while len(window := _at(file, start, _WINDOW)) >= 4:
        here = 0
        while (head := _frame(window[here : here + 4])) is not None:
            here += head[0]
            count += 1
        start += here or _next_frame(window)
    return count


def _next_frame(window: bytes) -> int:
    """Where music goes on behind damage or in front of a tag: at two headers in a row of one kind."""
    here = window.find(b"\xff", 1)
    while here >= 0:
        head = _frame(window[here : here + 4])
        if head is not None:
            after = here + head[0]
            if window[after : after + 2] == window[here : here + 2] and _frame(window[after : after + 4]):
                return here
        here = window.find(b"\xff", here + 1)
    # The longest frame has 2881 bytes, and the header behind it counts: look at the window's end again.
    return len(window) - 4000 if len(window) == _WINDOW else len(window)


def _frame(head: bytes) -> tuple[int, int] | None:
    """(bytes, sample rate) of a Layer III frame, or None where no header stands."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    divisor = _DIVISORS.get(head[1] >> 3 & 3)
    rate_index, kbps_index = head[2] >> 2 & 3, head[2] >> 4
    if divisor is None or rate_index == 3 or kbps_index in (0, 15):
        return None
    kbps = (_FULL_KBPS if divisor == 1 else _HALF_KBPS)[kbps_index]
    rate = _RATES[rate_index] // divisor
    return (144000 if divisor == 1 else 72000) * kbps // rate + (head[2] >> 1 & 1), rate


def _header_frame(first: bytes, count: int) -> bytes:
    """A silent frame like the first that says "Xing" and how many follow (the LAME project's info tag)."""
    full, mono = first[1] >> 3 & 3 == 3, first[3] >> 6 == 3
    # no checksum; 64 kbps or more has room for the words at every rate
    head = bytes([0xFF, first[1] | 1, 0x90 | first[2] & 0x0C, first[3]])
    beside = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}[full, mono]
    words = head + bytes(beside) + b"Xing" + (1).to_bytes(4, "big") + count.to_bytes(4, "big")
    return words.ljust(_frame(head)[0], b"\0")


def _behind_tag(file: io.BufferedReader) -> int:
    """Where the music begins: behind an ID3v2 tag, whose length has 7 bits a byte (id3.org)."""
    head = _at(file, 0, 10)
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = sum(byte << 7 * place for place, byte in enumerate(reversed(head[6:10])))
    return 10 + size + (10 if head[5] & 0x10 else 0)


def _at(file: io.BufferedReader, start: int, count: int) -> bytes:
    file.seek(start)
    return file.read(count)


class _Prefixed(io.RawIOBase):
    """`prefix`, and behind it the file from `start` on."""

    def __init__(self, path: Path, prefix: bytes, start: int):
        self._prefix, self._start, self._here = prefix, start, 0
        self._file = open(path, "rb")  # noqa: SIM115 (closed with this stream)
        self._size = len(prefix) + os.fstat(self._file.fileno()).st_size - start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._here

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._here = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._here, os.SEEK_END: self._size}[whence]
        return self._here

    def read(self, size: int = -1) -> bytes:
        size = max(self._size - self._here, 0) if size < 0 else size
        data = self._prefix[self._here : self._here + size]
        if len(data) < size:
            data += _at(self._file, max(self._here - len(self._prefix), 0) + self._start, size - len(data))
        self._here += len(data)
        return data

    def close(self) -> None:
        self._file.close()
        super().close()
