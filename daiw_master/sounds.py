"""Sound that may be longer than memory: read block by block, from a tensor or from a spool on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

#: Samples of each channel handed on at a time: a stereo block stays in a second-level cache.
BLOCK = 1 << 16


class Sound(Protocol):
    """A sound of known length: (1, channels, time) float32, in pieces of anybody's choosing."""

    rate: int
    channels: int
    time: int

    def read(self, start: int, stop: int) -> torch.Tensor:
        """(1, channels, stop - start); both ends must lie inside the sound."""

    def blocks(self, size: int = BLOCK) -> Iterator[torch.Tensor]:
        """The whole sound in order, (1, channels, n) with n <= size. May be walked any number of times."""


class Held:
    """A sound in memory: (1, channels, time) or (channels, time). Blocks are views, not copies."""

    def __init__(self, samples: torch.Tensor, rate: int):
        self.samples = samples.unsqueeze(0) if samples.ndim == 2 else samples
        self.rate, (_, self.channels, self.time) = rate, self.samples.shape

    def read(self, start: int, stop: int) -> torch.Tensor:
        return self.samples[..., start:stop]

    def blocks(self, size: int = BLOCK) -> Iterator[torch.Tensor]:
        yield from self.samples.split(size, dim=-1)


class Spool:
    """A sound on disk between two passes: written once from front to back, read as often as wished.

    The file has no name, so nothing is left behind however the program ends. It is read and written,
    not mapped: mapped pages would count as memory. Use it in a `with` block, or let it be collected.
    """

    def __init__(self, channels: int, rate: int, folder: str | Path | None = None):
        self.rate, self.channels, self.time = rate, channels, 0
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *exc_info) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def write(self, block: torch.Tensor) -> None:
        """Append (1, channels, n) or (channels, n)."""
        frames = block.detach().reshape(self.channels, -1).t().contiguous().cpu().numpy()
        self._file.seek(self.time * self._frame_bytes)
        left = memoryview(frames.astype("<f4", copy=False)).cast("B")
        while left:  # an unbuffered file may take less than it is given
            left = left[self._file.write(left) :]
        self.time += frames.shape[0]

    def read(self, start: int, stop: int) -> torch.Tensor:
        frames = np.empty((stop - start, self.channels), "<f4")
        self._file.seek(start * self._frame_bytes)
        left = memoryview(frames).cast("B")
        while left:
            count = self._file.readinto(left)
            if not count:
                raise EOFError(f"the spool holds {self.time} samples; {stop} were asked for")
            left = left[count:]
        return torch.from_numpy(frames).t().contiguous().unsqueeze(0)

    def blocks(self, size: int = BLOCK) -> Iterator[torch.Tensor]:
        for start in range(0, self.time, size):
            yield self.read(start, min(start + size, self.time))

    @property
    def _frame_bytes(self) -> int:
        return 4 * self.channels
