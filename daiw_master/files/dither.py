"""From float to 16 or 24 bits: triangular dither, once, last, and the same every time.

Dither turns rounding distortion, which follows the music, into a steady noise that does not:
TPDF of 2 LSB peak to peak makes the error's mean and variance independent of the signal
(Lipshitz, Wannamaker, Vanderkooy, "Quantization and Dither: A Theoretical Survey", JAES 40, 1992).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

_BLOCK = 2**17
#: Zeros at least this long are digital silence and stay exactly zero; shorter runs are music.
SILENCE_S = 0.05


def quantise(samples: torch.Tensor, bits: int, rate: int, *, seed: int = 0) -> Iterator[torch.Tensor]:
    """Sound on the integer grid of `bits`, block by block; a fade-out stays smooth to the end.

    samples (channels, time), full scale ±1 = 2^(bits-1) steps. Yields int32 (channels, n), never
    beyond full scale. Channels get independent noise; digital silence stays silent; a signal that
    already lies on the grid (a 16-bit file copied) has no rounding error to hide and passes as it is.
    """
    steps = 2 ** (bits - 1)
    noise = None if _on_grid(samples, steps) else torch.Generator().manual_seed(seed)
    quiet = _silences(samples, max(1, round(SILENCE_S * rate))) if noise else []
    for start in range(0, samples.shape[-1], _BLOCK):
        exact = samples[:, start : start + _BLOCK].detach().cpu().double() * steps
        if noise is not None:
            first, second = torch.rand((2, *exact.shape), generator=noise, dtype=torch.float64)
            dither = first.sub_(second)  # triangular over (-1, 1) LSB
            for channel, begin, end in quiet:
                dither[channel, max(begin - start, 0) : max(end - start, 0)] = 0.0
            exact = exact + dither
        yield exact.round().clamp_(-steps, steps - 1).to(torch.int32)


def _on_grid(samples: torch.Tensor, steps: int) -> bool:
    for block in samples.detach().split(_BLOCK, dim=-1):
        scaled = block.double() * steps
        # +1.0 has no integer of its own and clamps to the last one, like any converter.
        if not torch.equal(scaled.round(), scaled):
            return False
    return True


def _silences(samples: torch.Tensor, shortest: int) -> list[tuple[int, int, int]]:
    """(channel, begin, end) of every run of exact zeros of at least `shortest` samples."""
    runs = []
    for channel, wave in enumerate(samples.detach().cpu()):
        zero = np.zeros(wave.numel() + 2, dtype=np.int8)
        zero[1:-1] = (wave == 0).numpy()
        edges = np.flatnonzero(np.diff(zero))
        for begin, end in edges.reshape(-1, 2)[np.diff(edges)[::2] >= shortest]:
            runs.append((channel, int(begin), int(end)))
    return runs
