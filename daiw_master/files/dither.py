"""From float to 16 or 24 bits: triangular dither, once, last, and the same every time.

Dither turns rounding distortion, which follows the music, into a steady noise that does not:
TPDF of 2 LSB peak to peak makes the error's mean and variance independent of the signal
(Lipshitz, Wannamaker, Vanderkooy, "Quantization and Dither: A Theoretical Survey", JAES 40, 1992).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from daiw_master.sounds import BLOCK, Sound

#: Zeros at least this long are digital silence and stay exactly zero; shorter runs are music.
SILENCE_S = 0.05


def quantise(sound: Sound, bits: int, *, seed: int = 0) -> Iterator[torch.Tensor]:
    """Sound on the integer grid of `bits`, block by block; a fade-out stays smooth to the end.

    Full scale ±1 = 2^(bits-1) steps. Yields int32 (channels, n), never beyond full scale. Channels
    get independent noise; digital silence stays silent; a signal that already lies on the grid (a
    16-bit file copied) has no rounding error to hide and passes as it is: this is looked for first,
    in a walk that ends where the grid does. Holds three blocks, however long the sound is.
    """
    steps = 2 ** (bits - 1)
    blocks = _even(block.detach().cpu().reshape(sound.channels, -1) for block in sound.blocks())
    if _on_grid(sound, steps):
        for block in blocks:
            yield _whole(block.double() * steps, steps)
        return
    random = np.random.Generator(np.random.PCG64(seed % 2**64))
    shortest = max(1, round(SILENCE_S * sound.rate))
    for before, block, after in _between(blocks, shortest - 1):
        noise = _triangular(random, block.shape)
        for channel, begin, end in _silences(before, block, after, shortest):
            noise[channel, begin:end] = 0.0
        exact = block.double() * steps
        yield _whole(exact.add_(torch.from_numpy(noise)), steps)


def _triangular(random: np.random.Generator, shape: torch.Size) -> np.ndarray:
    """Noise over (-1, 1) LSB: two 16-bit uniforms out of one draw, their difference."""
    halves = random.integers(0, 2**32, shape.numel(), dtype=np.uint32).view(np.uint16)
    first, second = halves.reshape(2, *shape)
    noise = np.subtract(first, second, dtype=np.float32)
    noise *= np.float32(2**-16)
    return noise


def _whole(exact: torch.Tensor, steps: int) -> torch.Tensor:
    # +1.0 has no integer of its own and clamps to the last one, like any converter.
    return exact.round_().clamp_(-steps, steps - 1).to(torch.int32)


def _on_grid(sound: Sound, steps: int) -> bool:
    for block in sound.blocks():
        scaled = block.detach() * steps  # a power of two: exact
        if not torch.equal(scaled.round(), scaled):
            return False
    return True


def _even(blocks: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
    """The same sound in blocks of BLOCK: how a sound was cut must not decide about its noise."""
    kept: list[torch.Tensor] = []
    count = 0
    for block in blocks:
        kept.append(block)
        count += block.shape[-1]
        if count >= BLOCK:
            *ready, rest = (torch.cat(kept, dim=-1) if len(kept) > 1 else block).split(BLOCK, dim=-1)
            if rest.shape[-1] == BLOCK:
                ready, rest = [*ready, rest], rest[:, :0]
            yield from ready
            kept, count = [rest], rest.shape[-1]
    if count:
        yield torch.cat(kept, dim=-1)


def _between(
    blocks: Iterator[torch.Tensor], reach: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """(what came just before, block, what comes just after), up to `reach` samples of each."""
    block = next(blocks, None)
    before = None if block is None else block[:, :0]
    while block is not None:
        following = next(blocks, None)
        yield before, block, block[:, :0] if following is None else following[:, :reach]
        before, block = block[:, max(block.shape[-1] - reach, 0) :], following


def _silences(
    before: torch.Tensor, block: torch.Tensor, after: torch.Tensor, shortest: int
) -> Iterator[tuple[int, int, int]]:
    """(channel, begin, end) of what lies in the block of every run of at least `shortest` exact zeros."""
    # Such a run covers a whole multiple of its length: one of these, or one behind the block's end.
    if (block[:, ::shortest] != 0).all() and (after != 0).all():
        return
    first = before.shape[-1]
    for channel, samples in enumerate(torch.cat([before, block, after], dim=-1).numpy()):
        zero = np.zeros(samples.size + 2, dtype=np.int8)
        zero[1:-1] = samples == 0
        edges = np.flatnonzero(np.diff(zero)).reshape(-1, 2)
        for begin, end in edges[np.diff(edges)[:, 0] >= shortest]:
            yield channel, max(int(begin) - first, 0), max(int(end) - first, 0)
