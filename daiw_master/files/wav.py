"""WAV, read and written straight from the disk: RIFF, and RF64 where four gigabytes do not suffice.

Layout: IBM and Microsoft, "Multimedia Programming Interface and Data Specifications 1.0" (1991);
64-bit lengths: EBU Tech 3306 (RF64) and ITU-R BS.2088 (BW64).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_MOST = 0xFFFFFFFF  # what a 32-bit length can say; in RF64 it means "see ds64"
#: (float?, bytes of a sample) that are read here; everything else a WAV may hold goes to the decoder.
_READ_HERE = {(False, 1), (False, 2), (False, 3), (False, 4), (True, 4), (True, 8)}


@dataclass(frozen=True)
class Layout:
    """What a WAV file says about its samples, and where they are.

    `length` is the data's length in bytes as promised, or None where a program that wrote into a pipe
    left a placeholder: then the file's size tells.
    """

    rate: int
    channels: int
    is_float: bool
    bytes_per_sample: int
    start: int
    length: int | None

    @property
    def frame_bytes(self) -> int:
        return self.channels * self.bytes_per_sample

    @property
    def readable(self) -> bool:
        return (self.is_float, self.bytes_per_sample) in _READ_HERE and self.channels > 0 and self.rate > 0


def chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(name, first byte, length) of every chunk; nothing for what is no WAV."""
    file.seek(0)
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:] != b"WAVE":
        return
    long_data = None
    while len(head := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", head)
        start = file.tell()
        if name == b"ds64":
            long_data = struct.unpack("<8xQ", file.read(16))[0] if length >= 16 else None
        elif name == b"data" and length == _MOST and long_data is not None:
            length = long_data
        yield name, start, length
        file.seek(start + length + length % 2)  # chunks are padded to even lengths


def read_layout(file: BinaryIO, size: int) -> Layout | None:
    """How an open WAV file of `size` bytes is built, or None where it holds something else."""
    form = None
    for name, start, length in chunks(file):
        if name == b"fmt " and length >= 16:
            form = _form(file.read(min(length, 40)))
        elif name == b"data":
            if form is None:
                return None
            placeholder = _MOST - 0xFF <= length <= _MOST or (length == 0 and size > start + 1024)
            return Layout(*form, start, None if placeholder else length)
    return None


def _form(data: bytes) -> tuple[int, int, bool, int]:
    """(rate, channels, float?, bytes per sample) out of a format chunk; 0 bytes for unknown codings."""
    kind, channels, rate, _, align, _ = struct.unpack("<HHIIHH", data[:16])
    if kind == _EXTENSIBLE and len(data) >= 26:
        kind = struct.unpack("<H", data[24:26])[0]  # the first two bytes of the sub-format's GUID
    known = kind in (_PCM, _FLOAT) and channels and align % channels == 0
    return rate, channels, kind == _FLOAT, align // channels if known else 0


class WavSource:
    """The samples of an open WAV file, from anywhere in it."""

    def __init__(self, file: BinaryIO, layout: Layout, frames: int):
        self._file, self._layout = file, layout
        self.rate, self.channels, self.frames = layout.rate, layout.channels, frames

    def read(self, start: int, count: int) -> np.ndarray:
        """(channels, up to count) float32; integers as k / 2^(bits-1), exactly."""
        size = self._layout.frame_bytes
        data = np.empty(1 + count * size, np.uint8)
        self._file.seek(self._layout.start + start * size)
        got, left = 0, memoryview(data)[1:]
        while left and (more := self._file.readinto(left)):
            got, left = got + more, left[more:]
        return _unpacked(data, got // size, self._layout)

    def close(self) -> None:
        self._file.close()


def _unpacked(data: np.ndarray, frames: int, layout: Layout) -> np.ndarray:
    """`data` holds one byte of no meaning in front of the interleaved samples."""
    channels, width = layout.channels, layout.bytes_per_sample

    def planes(kind: str, first: int = 1) -> np.ndarray:
        # (channels, frames) without copying, at whatever address the samples lie
        return np.ndarray((channels, frames), kind, data, first, (width, width * channels))

    if layout.is_float:
        return planes(f"<f{width}").astype(np.float32)
    if width == 1:  # the only unsigned one
        return (planes("u1").astype(np.float32) - 128) * np.float32(2**-7)
    if width == 3:
        # Four bytes that end with the sample's last one: the lowest is the neighbour's, and goes.
        return (planes("<i4", 0) & np.int32(-256)).astype(np.float32) * np.float32(2**-31)
    return planes(f"<i{width}").astype(np.float32) * np.float32(2.0 ** (1 - 8 * width))


def header(rate: int, channels: int, depth: int | str, frames: int) -> bytes:
    """Everything in front of the samples; RF64 where the file will pass 4 GiB."""
    is_float, width = depth == "32f", (4 if depth == "32f" else int(depth) // 8)
    align, data = channels * width, frames * channels * width
    kind = _FLOAT if is_float else _PCM
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * align, align, 8 * width)
    if is_float:  # everything but PCM says how long its extra is (0), and how many frames there are
        form += struct.pack("<H", 0)
    middle = struct.pack("<4sI", b"fmt ", len(form)) + form
    if is_float:
        middle += struct.pack("<4sII", b"fact", 4, min(frames, _MOST))
    size = 4 + len(middle) + 8 + data + data % 2
    if size + 36 <= _MOST:
        return b"RIFF" + struct.pack("<I", size) + b"WAVE" + middle + struct.pack("<4sI", b"data", data)
    long_sizes = struct.pack("<4sIQQQI", b"ds64", 28, size + 36, data, frames, 0)  # Tech 3306, 3.3
    return b"RF64\xff\xff\xff\xffWAVE" + long_sizes + middle + b"data\xff\xff\xff\xff"


def packed(samples: np.ndarray, depth: int | str) -> np.ndarray:
    """(channels, frames) whole steps as int32, or float32 for "32f": interleaved bytes for the disk."""
    channels, frames = samples.shape
    if depth == 24:
        laid = np.empty((frames, channels, 3), np.uint8)
        steps = np.ascontiguousarray(samples, "<i4").view(np.uint8).reshape(channels, frames, 4)
        for channel in range(channels):
            for byte in range(3):
                laid[:, channel, byte] = steps[channel, :, byte]
        return laid
    laid = np.empty((frames, channels), "<i2" if depth == 16 else "<f4")
    for channel in range(channels):
        laid[:, channel] = samples[channel]
    return laid


def append_chunk(path: str | os.PathLike, name: bytes, data: bytes) -> None:
    """One more chunk at the end of a WAV file, its lengths corrected."""
    with open(path, "r+b") as file:
        is_long = file.read(4) != b"RIFF"
        size = file.seek(0, os.SEEK_END)
        if size % 2:
            size += file.write(b"\0")
        file.write(struct.pack("<4sI", name, len(data)) + data + b"\0" * (len(data) % 2))
        size = file.tell() - 8
        if is_long:
            file.seek(20)  # behind "RF64", its size, "WAVE", "ds64" and that chunk's length
            file.write(struct.pack("<Q", size))
        else:
            file.seek(4)
            file.write(struct.pack("<I", size))


def chunk(path: str | os.PathLike, names: tuple[bytes, ...]) -> bytes | None:
    """What the first chunk of one of these names holds."""
    with open(Path(path), "rb") as file:
        for name, _, length in chunks(file):
            if name in names:
                return file.read(length)
    return None
