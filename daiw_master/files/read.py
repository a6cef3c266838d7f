"""Any sound file, whole or block by block: exact samples, tags, and one clear line when it cannot be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import torch

from daiw_master.audio import Audio
from daiw_master.errors import InputError
from daiw_master.files.decoded import DecodedSource
from daiw_master.files.mp3 import with_header
from daiw_master.files.promises import MP3_SLACK_S, check_shape, check_whole, cut_off, file_size, wav_frames
from daiw_master.files.tags import read_tags
from daiw_master.files.wav import WavSource, read_layout
from daiw_master.formats import MIDI_ENDINGS
from daiw_master.sounds import BLOCK, Shelf, Spool, Store, whole

#: In memory at once no more than this: 4 h of 44.1 kHz stereo fill 5 GB.
LONGEST_WHOLE_S = 4 * 3600.0


class FileSound:
    """A sound file, read where and when it is asked for: a `Sound` of (1, channels, time) float32.

    Every stretch that is read is checked: NaN and infinity are named with their time, an end that
    comes too early is "cut off", and FLAC's checksum is compared once all has been read in order.
    Open until `close`, the end of a `with` block, or collected; a file that takes the same name in
    the meantime is not noticed, so a song may be mastered onto itself.
    """

    def __init__(self, path: Path, source: WavSource | DecodedSource, frames: int, tags: dict[str, str]):
        self.path, self.tags, self._source = path, tags, source
        self.rate, self.channels, self.time = source.rate, source.channels, frames

    @property
    def duration_s(self) -> float:
        return self.time / self.rate

    def read(self, start: int, stop: int) -> torch.Tensor:
        """(1, channels, stop - start); both ends must lie inside the sound."""
        if start == stop:
            return torch.zeros(1, self.channels, 0)
        block = torch.from_numpy(self._source.read(start, stop - start)).unsqueeze(0)
        if block.shape[-1] < stop - start:
            raise cut_off(self.path)
        _check_finite(self.path, block, start, self.rate)
        return block

    def blocks(self, size: int = BLOCK) -> Iterator[torch.Tensor]:
        """The whole file in order, (1, channels, n) with n <= size, any number of times."""
        for start in range(0, self.time, size):
            yield self.read(start, min(start + size, self.time))

    def whole(self) -> torch.Tensor:
        """All of it at once, (channels, time)."""
        samples = torch.empty(self.channels, self.time)
        done = 0
        for block in self.blocks():
            samples[:, done : done + block.shape[-1]] = block[0]
            done += block.shape[-1]
        return samples

    def close(self) -> None:
        self._source.close()

    def __enter__(self) -> FileSound:
        return self

    def __exit__(self, *exc_info) -> None:
        self.close()


class DecodedSound(FileSound):
    """An MP3, decoded once from its beginning and laid down: from there every stretch is exact."""

    def __init__(self, path: Path, laid: Shelf | Spool, tags: dict[str, str]):
        self.path, self.tags, self._laid = path, tags, laid
        self.rate, self.channels, self.time = laid.rate, laid.channels, laid.time

    def read(self, start: int, stop: int) -> torch.Tensor:
        return self._laid.read(start, stop)

    def whole(self) -> torch.Tensor:
        return whole(self._laid)[0]

    def close(self) -> None:
        self._laid.close()


def open_sound(path: str | os.PathLike, *, store: Store | None = None) -> FileSound:
    """Open a song of any length up to a day: WAV (RF64 too), AIFF, FLAC, MP3, OGG, mono or stereo.

    Integers become k / 2^(bits-1) exactly, so a copy is bit for bit a copy. Silence is readable.
    An MP3 is decoded at once and laid down in `store` (on disk if nothing is said): only then is its
    length known to the sample. `InputError` for: missing, folder, no permission, empty, not audio, cut
    off or damaged (where the format lets us know: lengths in WAV, AIFF and MP3 headers, FLAC's MD5,
    OGG's last page), NaN or infinity, more than two channels, more than a day.
    """
    path = Path(path)
    if path.suffix.lower() in MIDI_ENDINGS:
        raise InputError(f"{path.name} is a MIDI file; `daiw-master render` turns it into sound")
    size = file_size(path)
    file = open(path, "rb", buffering=0)  # noqa: SIM115 (the FileSound keeps it)
    sound = None
    try:
        sound = _wav(path, file, size)
    finally:
        if sound is None:
            file.close()
    return sound or _decoded(path, size, store or Store(most=0))


def read_audio(path: str | os.PathLike) -> Audio:
    """Load a whole song as `Audio` with its tags. Formats and errors as `open_sound`; at most 4 h."""
    with open_sound(path, store=Store(most=1 << 62)) as sound:
        if sound.duration_s > LONGEST_WHOLE_S:
            raise InputError(
                f"{path}: {sound.duration_s / 3600:.1f} h long; at most {LONGEST_WHOLE_S / 3600:g} h "
                f"fit in memory at once"
            )
        return Audio(sound.whole(), sound.rate, sound.tags)


def _wav(path: Path, file: BinaryIO, size: int) -> FileSound | None:
    """The WAV files that are read straight from the disk."""
    layout = read_layout(file, size)
    if layout is None:
        return None
    frames = wav_frames(path, layout, size)
    if not layout.readable:
        return None
    check_shape(path, layout.channels, frames, layout.rate)
    return FileSound(path, WavSource(file, layout, frames), frames, read_tags(path))


def _decoded(path: Path, size: int, store: Store) -> FileSound:
    from pedalboard.io import AudioFile, get_supported_read_formats  # only when a decoder is needed

    is_mp3 = path.suffix.lower() == ".mp3"
    try:
        stream = with_header(path) if is_mp3 else None
        opened = AudioFile(os.path.realpath(path)) if stream is None else AudioFile(stream, "r")
        check_whole(path, opened, size)
        source = DecodedSource(path, opened)
        check_shape(path, source.channels, source.frames, source.rate)
        if is_mp3:
            return DecodedSound(path, _laid(path, source, store), read_tags(path))
        # The first block shows whether the decoder can make anything of it.
        if source.read(0, 1).shape[-1] == 0:
            raise InputError(f"{path}: holds no sound that can be decoded")
    except (ValueError, RuntimeError) as error:
        known = " ".join(sorted(get_supported_read_formats()))
        raise InputError(f"{path}: not a sound file that can be read here (readable: {known})") from error
    return FileSound(path, source, source.frames, read_tags(path))


def _laid(path: Path, source: DecodedSource, store: Store) -> Shelf | Spool:
    """All of a sound that can only be read from its beginning."""
    place = store.place(source.channels, source.rate, source.frames)
    while place.time < source.frames:
        block = torch.from_numpy(source.read(place.time, min(BLOCK, source.frames - place.time)))
        if block.shape[-1] == 0:
            break
        _check_finite(path, block, place.time, source.rate)
        place.write(block)
    source.close()
    if place.time == 0:
        raise InputError(f"{path}: holds no sound that can be decoded")
    if place.time < source.frames - MP3_SLACK_S * source.rate:
        raise cut_off(path)
    return place


def _check_finite(path: Path, block: torch.Tensor, start: int, rate: int) -> None:
    lowest, highest = torch.aminmax(block)  # NaN comes through both
    if torch.isfinite(lowest) and torch.isfinite(highest):
        return
    first = start + int((~torch.isfinite(block)).flatten(0, -2).any(dim=0).nonzero()[0])
    raise InputError(f"{path}: holds NaN or infinity at {first / rate:.3f} s; export it again")
