"""Sound that may be longer than memory: read block by block, from a tensor or from a spool on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from daiw_master.audio import Audio
from daiw_master.errors import WriteError

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


class Shelf(Held):
    """A sound in memory that is written from front to back, as a `Spool` is: up to `room` samples."""

    def __init__(self, channels: int, rate: int, room: int):
        super().__init__(torch.empty(1, channels, room), rate)
        self._all, self.time = self.samples, 0

    def write(self, block: torch.Tensor) -> None:
        """Append (1, channels, n) or (channels, n)."""
        stop = self.time + block.shape[-1]
        self._all[0, :, self.time : stop] = block.detach().reshape(self.channels, -1)
        self.time, self.samples = stop, self._all[..., :stop]

    def close(self) -> None:
        self.samples = self._all = self._all[..., :0]


class Spool:
    """A sound on disk between two passes: written once from front to back, read as often as wished.

    The file has no name, so nothing is left behind however the program ends. It is read and written,
    not mapped: mapped pages would count as memory. Use it in a `with` block, or let it be collected.
    `WriteError` where the disk is full or the folder cannot be written.
    """

    def __init__(self, channels: int, rate: int, folder: str | Path | None = None):
        self.rate, self.channels, self.time = rate, channels, 0
        self._folder = folder or tempfile.gettempdir()
        try:
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)
        except OSError as error:
            raise self._no_room(error) from error

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *exc_info) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def write(self, block: torch.Tensor) -> None:
        """Append (1, channels, n) or (channels, n)."""
        samples = block.detach().reshape(self.channels, -1).cpu().numpy()
        frames = np.empty(samples.shape[::-1], "<f4")
        for channel, wave in enumerate(samples):  # numpy turns planes into frames in a fifth of torch's time
            frames[:, channel] = wave
        self._file.seek(self.time * self._frame_bytes)
        left = memoryview(frames).cast("B") if frames.size else b""
        try:
            while left:  # an unbuffered file may take less than it is given
                left = left[self._file.write(left) :]
        except OSError as error:
            raise self._no_room(error) from error
        self.time += frames.shape[0]

    def read(self, start: int, stop: int) -> torch.Tensor:
        frames = np.empty((stop - start, self.channels), "<f4")
        self._file.seek(start * self._frame_bytes)
        left = memoryview(frames).cast("B") if frames.size else b""
        while left:
            count = self._file.readinto(left)
            if not count:
                raise EOFError(f"the spool holds {self.time} samples; {stop} were asked for")
            left = left[count:]
        return torch.from_numpy(np.ascontiguousarray(frames.T)).unsqueeze(0)

    def blocks(self, size: int = BLOCK) -> Iterator[torch.Tensor]:
        for start in range(0, self.time, size):
            yield self.read(start, min(start + size, self.time))

    def _no_room(self, error: OSError) -> WriteError:
        return WriteError(
            f"a long sound must wait on disk between two passes, and {self._folder} cannot take it "
            f"({error.strerror}); set TMPDIR to a folder with room"
        )

    @property
    def _frame_bytes(self) -> int:
        return 4 * self.channels


@dataclass(frozen=True)
class Store:
    """Where sounds are laid down between two passes: in memory while they are short, else on disk.

    `most`: samples of all channels together that are held. The default is a minute and a half of
    44.1 kHz stereo, 32 MiB; with 0 everything goes to disk, into `folder` or where temporary files belong.
    """

    most: int = 1 << 23
    folder: str | Path | None = None

    def place(self, channels: int, rate: int, time: int) -> Shelf | Spool:
        """An empty place for a sound of `time` samples."""
        if time * channels <= self.most:
            return Shelf(channels, rate, time)
        return Spool(channels, rate, self.folder)

    def keep(self, blocks: Iterable[torch.Tensor], channels: int, rate: int, time: int) -> Shelf | Spool:
        """Consecutive blocks, laid down."""
        place = self.place(channels, rate, time)
        for block in blocks:
            place.write(block)
        return place


class View:
    """A sound made of another while it is read: (1, channels, n) pieces of it, changed on their way."""

    def __init__(self, rate: int, channels: int, time: int, read: Callable[[int, int], torch.Tensor]):
        self.rate, self.channels, self.time, self.read = rate, channels, time, read

    def blocks(self, size: int = BLOCK) -> Iterator[torch.Tensor]:
        for start in range(0, self.time, size):
            yield self.read(start, min(start + size, self.time))


def turned(sound: Sound, gain: float) -> Sound:
    """The same sound louder or softer by an amplitude factor."""
    if gain == 1.0:
        return sound
    return View(sound.rate, sound.channels, sound.time, lambda start, stop: sound.read(start, stop) * gain)


def part(sound: Sound, start: int, stop: int) -> Sound:
    """A stretch of a sound, both ends inside it."""
    if isinstance(sound, Held):
        return Held(sound.samples[..., start:stop], sound.rate)
    return View(
        sound.rate, sound.channels, stop - start, lambda first, last: sound.read(start + first, start + last)
    )


def with_silence(sound: Sound, after: int) -> Sound:
    """The same sound with so many samples of silence behind it."""
    if not after:
        return sound

    def read(start: int, stop: int) -> torch.Tensor:
        if start >= sound.time:
            return torch.zeros(1, sound.channels, stop - start)
        piece = sound.read(start, min(stop, sound.time))
        return torch.nn.functional.pad(piece, (0, stop - start - piece.shape[-1]))

    return View(sound.rate, sound.channels, sound.time + after, read)


def faded_out(sound: Sound, samples: int) -> Sound:
    """The same sound with a straight fade over its last `samples`."""
    if samples <= 0:
        return sound
    first, ramp = sound.time - samples, torch.linspace(1, 0, samples)

    def read(start: int, stop: int) -> torch.Tensor:
        piece = sound.read(start, stop)
        if stop <= first:
            return piece
        piece, here = piece.clone(), max(start, first)
        piece[..., here - start :] *= ramp[here - first : stop - first].to(piece)
        return piece

    return View(sound.rate, sound.channels, sound.time, read)


def difference(sound: Sound, other: Sound) -> Sound:
    """What one sound has that the other has not: sample by sample, as long as both are."""

    def read(start: int, stop: int) -> torch.Tensor:
        return sound.read(start, stop) - other.read(start, stop)

    return View(sound.rate, sound.channels, sound.time, read)


def told(
    blocks: Iterable[torch.Tensor], time: int, progress: Callable[[float], None]
) -> Iterator[torch.Tensor]:
    """The same blocks; on their way through, `progress` is told what share of `time` has passed."""
    done = 0
    for block in blocks:
        yield block
        done += block.shape[-1]
        progress(done / time)


def sound_of(audio: Audio | Sound) -> Sound:
    """Audio in memory as a sound; a sound as it is."""
    return Held(audio.samples, audio.rate) if isinstance(audio, Audio) else audio


def whole(sound: Sound) -> torch.Tensor:
    """All of it at once, (1, channels, time): for sounds that fit in memory."""
    return sound.samples if isinstance(sound, Held) else sound.read(0, sound.time)
