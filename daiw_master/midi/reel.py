"""A sound of a render in memory, recorded from front to back."""

from __future__ import annotations

import numpy as np

#: Frames moved at once where a reel is cut.
_STEP = 1 << 16


class Reel:
    """Room for (2, frames) float32. Silence is not written: where it fills pages, they take no memory."""

    def __init__(self, frames: int):
        self._samples = np.zeros((2, frames), np.float32)  # the system commits pages as they are written
        self.time = 0

    def write(self, block: np.ndarray | None, frames: int) -> None:
        """Append (2, frames), or so much silence."""
        if block is not None:
            self._samples[:, self.time : self.time + frames] = block
        self.time += frames

    def read(self, start: int, stop: int) -> np.ndarray:
        """A copy of a stretch, (2, stop - start)."""
        return self._samples[:, start:stop].copy()

    def cut(self, frames: int) -> np.ndarray:
        """The first (2, frames), contiguous, moved in place: an hour is not held twice."""
        flat, total = self._samples.reshape(-1), self._samples.shape[1]
        for start in range(0, frames, _STEP):
            stop = min(start + _STEP, frames)
            target, source = flat[frames + start : frames + stop], flat[total + start : total + stop]
            if source.any() or target.any():
                target[:] = source
        return flat[: 2 * frames].reshape(2, frames)
