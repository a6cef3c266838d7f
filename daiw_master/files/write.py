"""The finished master as a file: PCM with dither, lossy within its ceiling, never half a file."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from daiw_master.audio import Audio
from daiw_master.errors import InputError, WriteError
from daiw_master.files.atomic import staged
from daiw_master.files.dither import quantise
from daiw_master.files.read import FileSound, open_sound
from daiw_master.files.tags import write_tags
from daiw_master.files.targets import FORMATS, BitDepth, check_target, is_lossy
from daiw_master.files.wav import header, packed
from daiw_master.sounds import BLOCK, Held, Sound, Store, turned
from daiw_master.units import gain_from_db

Progress = Callable[[float], None]

#: A re-trim aims this far below the ceiling: the codec answers a new level with slightly new peaks.
_TRIM_MARGIN_DB = 0.02
#: A tenth of a 16-bit step above full scale is float rounding, not clipping.
_FULL_SCALE = 1.0 + 3e-6


@dataclass(frozen=True)
class LossyResult:
    """What a listener's decoder makes of the file: the sound, its true peak, what it cost."""

    path: Path
    decoded: Audio | FileSound
    true_peak_dbtp: float
    trim_db: float


def write_audio(
    audio: Audio,
    path: str | os.PathLike,
    *,
    bit_depth: BitDepth = 24,
    seed: int = 0,
    quality: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Path:
    """Save a master: WAV (16, 24, 32f), FLAC or AIFF (16, 24), MP3, OGG, by the file's ending.

    The samples of `audio` as `write_sound` writes them; `tags` go over `audio.tags`.
    """
    return write_sound(
        Held(audio.samples, audio.rate),
        path,
        bit_depth=bit_depth,
        seed=seed,
        quality=quality,
        tags={**audio.tags, **(tags or {})},
    )


def write_sound(
    sound: Sound,
    path: str | os.PathLike,
    *,
    bit_depth: BitDepth = 24,
    seed: int = 0,
    quality: str | None = None,
    tags: Mapping[str, str] | None = None,
    gain_db: float = 0.0,
    progress: Progress | None = None,
) -> Path:
    """Save a sound of any length, block by block: WAV (16, 24, 32f), FLAC or AIFF (16, 24), MP3, OGG.

    16 and 24 bits are dithered once (see `dither`), with noise from `seed`: same sound, same bytes
    (OGG excepted: its stream numbers are random). `gain_db` turns it up or down on the way.
    `progress` hears how much is done, 0 to 1. The file appears whole or not at all; a WAV beyond 4 GB
    becomes RF64. `InputError` for NaN, no samples, or peaks above full scale where the format would
    clip them; `WriteError` for everything about the place, the name, the size and the disk.
    """
    check_target(path, bit_depth, sound.rate, sound.time, sound.channels)
    _check_shape(sound)
    sound = _Checked(turned(sound, gain_from_db(gain_db)), bit_depth != "32f" and not is_lossy(path))
    with staged(path) as part:
        _encode(sound, part, bit_depth, seed, quality, progress)
        write_tags(part, tags or {})
    return Path(path)


def write_lossy_within(
    sound: Audio | Sound,
    path: str | os.PathLike,
    ceiling_dbtp: float,
    measure_true_peak: Callable,
    *,
    retrims: int = 2,
    quality: str | None = None,
    tags: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> LossyResult:
    """Save an MP3 or OGG whose *decoded* sound stays under the ceiling.

    Coding moves every sample a little, so a -1.00 dBTP master decodes at -0.8 to -0.9. The file is
    decoded, measured with `measure_true_peak(decoded) -> dBTP` and, if over, encoded again from the
    original turned down by the excess, at most `retrims` times. The result says what the written
    file really measures. What is measured is of the kind that was given: an `Audio`, or a sound of
    any length. Errors as `write_sound`.
    """
    if not is_lossy(path):
        raise WriteError(f"cannot write {path}: only .mp3 and .ogg are measured after coding")
    given = Held(sound.samples, sound.rate) if isinstance(sound, Audio) else sound
    own_tags = sound.tags if isinstance(sound, Audio) else {}
    check_target(path, rate=given.rate)
    _check_shape(given)
    trim_db = 0.0
    with staged(path) as part:
        for attempt in range(retrims + 1):
            share = _share(progress, attempt, retrims + 1)
            _encode(_Checked(turned(given, gain_from_db(trim_db)), False), part, 16, 0, quality, share)
            decoded = _decoded(part, isinstance(sound, Audio))
            peak_dbtp = measure_true_peak(decoded)
            if peak_dbtp <= ceiling_dbtp or attempt == retrims:
                break
            trim_db -= peak_dbtp - ceiling_dbtp + _TRIM_MARGIN_DB
        write_tags(part, {**own_tags, **(tags or {})})
    if progress:
        progress(1.0)
    return LossyResult(Path(path), decoded, peak_dbtp, trim_db)


class _Checked:
    """A sound that is looked at while it is walked: NaN and peaks that would clip end the walk."""

    def __init__(self, sound: Sound, clips: bool):
        self._sound, self._clips = sound, clips
        self.rate, self.channels, self.time = sound.rate, sound.channels, sound.time

    def read(self, start: int, stop: int) -> torch.Tensor:
        return self._sound.read(start, stop)

    def blocks(self, size: int = BLOCK) -> Iterator[torch.Tensor]:
        for block in self._sound.blocks(size):
            block = block.detach()
            if not block.shape[-1]:
                continue
            peak = _peak(block)
            if not math.isfinite(peak):
                raise InputError("the sound to write holds NaN or infinity")
            if self._clips and peak > _FULL_SCALE:
                peak = max(_peak(other.detach()) for other in self._sound.blocks(size) if other.shape[-1])
                raise InputError(
                    f"the sound peaks {20 * math.log10(peak):.2f} dB above full scale and would clip; "
                    f"lower it or write 32f WAV"
                )
            yield block


def _peak(block: torch.Tensor) -> float:
    lowest, highest = torch.aminmax(block)  # NaN comes through both
    return max(-lowest.item(), highest.item()) if lowest == lowest else math.nan


def _check_shape(sound: Sound) -> None:
    if sound.time == 0 or sound.channels == 0:
        raise InputError("there is no sound to write (0 samples)")
    if sound.channels > 2:
        raise InputError(f"{sound.channels} channels to write; a master is mono or stereo (1 or 2)")


def _share(progress: Progress | None, attempt: int, attempts: int) -> Progress | None:
    return None if progress is None else lambda done: progress((attempt + done) / attempts)


def _decoded(part: Path, at_once: bool) -> Audio | FileSound:
    if not at_once:
        return open_sound(part)
    with open_sound(part, store=Store(most=1 << 62)) as sound:
        return Audio(sound.whole(), sound.rate, sound.tags)


def _encode(
    sound: Sound, part: Path, bit_depth: BitDepth, seed: int, quality: str | None, progress: Progress | None
) -> None:
    """Write the samples into `part`; an `OSError` of the disk comes through as itself."""
    wanted = FORMATS[part.suffix.lower()]
    depth = 16 if wanted.lossy else bit_depth
    if wanted.lossy or depth == "32f":
        blocks = (block.cpu().float().reshape(sound.channels, -1) for block in sound.blocks())
    else:
        blocks = quantise(sound, depth, seed=seed)
    samples = _told((np.ascontiguousarray(block.numpy()) for block in blocks), sound.time, progress)
    # A Python file, not a path: then a full disk raises here instead of passing unnoticed.
    with open(part, "w+b") as disk:
        if wanted.codec != "wav":
            quality = (quality or wanted.quality) if wanted.lossy else None
            _encode_by_pedalboard(disk, wanted.codec, sound, depth, quality, samples)
            return
        disk.write(header(sound.rate, sound.channels, depth, sound.time))
        for block in samples:
            disk.write(packed(block, depth))
        if disk.tell() % 2:
            disk.write(b"\0")  # chunks are padded to even lengths


def _encode_by_pedalboard(
    disk, codec: str, sound: Sound, depth: int, quality: str | None, samples: Iterator[np.ndarray]
) -> None:
    from pedalboard.io import AudioFile  # only when an encoder is needed

    with _refusals(codec):
        file = AudioFile(disk, "w", sound.rate, sound.channels, depth, quality, format=codec)
    with file:
        for block in samples:
            # Left-justified int32 is stored as it is; floats would be truncated towards -infinity by
            # up to one step (a quarter of all samples at 16 bits).
            with _refusals(codec):
                file.write(block << (32 - depth) if block.dtype == np.int32 else block)


@contextlib.contextmanager
def _refusals(codec: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, RuntimeError) as error:
        raise WriteError(f"cannot write {codec}: {' '.join(str(error).split())}") from error


def _told(blocks: Iterator[np.ndarray], time: int, progress: Progress | None) -> Iterator[np.ndarray]:
    done = 0
    for block in blocks:
        yield block
        done += block.shape[-1]
        if progress:
            progress(done / time)
