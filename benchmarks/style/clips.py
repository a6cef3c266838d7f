"""Dry clips to put effects on: where they lie, which work each comes from, and how they sound."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

RATE = 48_000
#: What a clip holds, and what is cut off its start after the effects, which have settled by then.
CLIP, WARM_UP = 288_000, 25_856
#: What every method hears: 5.46 s.
WINDOW = CLIP - WARM_UP
#: A second of a clip that peaks at 1 must hold at least this mean square (DeepAFx-ST's rule).
QUIETEST = 3e-4


@dataclass(frozen=True)
class Clip:
    """One dry clip: its name, and the work it is taken from. Two clips of one work are the same music."""

    key: str
    work: str

    @property
    def collection(self) -> str:
        """The folder its file lies in, "" where the name tells none: drums with drums, songs with songs."""
        return self.key.partition(" ")[2].rpartition("/")[0]


@dataclass(frozen=True)
class Shelf:
    """Clips in a file of int16 samples (count, 2, time); `rows` says which row holds which clip.

    Only the path is carried to other processes; each opens the file for itself.
    """

    path: Path
    clips: tuple[Clip, ...]
    rows: tuple[int, ...] = field(default=())

    @cached_property
    def _samples(self) -> np.ndarray:
        return np.load(self.path, mmap_mode="r")

    def __getstate__(self) -> dict:
        return {name: getattr(self, name) for name in ("path", "clips", "rows")}

    @cached_property
    def _row_of(self) -> dict[str, int]:
        rows = self.rows or range(len(self.clips))
        return {clip.key: row for clip, row in zip(self.clips, rows, strict=True)}

    def __contains__(self, key: str) -> bool:
        return key in self._row_of

    def load(self, key: str) -> np.ndarray:
        """(2, CLIP) float32, as it lies there."""
        return np.asarray(self._samples[self._row_of[key]], np.float32) / 32768

    def digest(self, key: str) -> str:
        """Eight hex digits of its samples: whether a clip is the one the trials were drawn with."""
        return hashlib.sha256(np.ascontiguousarray(self._samples[self._row_of[key]]).tobytes()).hexdigest()[
            :8
        ]


def peak_normalised(x: np.ndarray) -> np.ndarray:
    """x at a peak of 1; silence stays silence."""
    peak = float(np.abs(x).max())
    return x / peak if peak > 0 else x
