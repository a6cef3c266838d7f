"""Six seconds out of a recording, at 48 kHz stereo, at the place asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from daiw_master.audio import Audio
from daiw_master.errors import InputError, MissingDependencyError
from daiw_master.files.resample import resample
from daiw_master.training.style.clips import CLIP, RATE, stereo
from daiw_master.training.style.works import Work

#: Read beyond the clip on either side, so that resampling has no edges inside it.
_MARGIN_S = 0.1


def duration_s(path: Path) -> float:
    with _opened(path) as file:
        return file.frames / file.samplerate


def with_lengths(works: Iterable[Work]) -> list[Work]:
    """The same works, each with its length in seconds."""
    return [replace(work, seconds=duration_s(work.path)) for work in works]


def cut_clip(path: Path, start_s: float, length: int = CLIP) -> np.ndarray:
    """(2, length) float32. A file shorter than that goes round and round, as a loop does."""
    with _opened(path) as file:
        rate, frames = file.samplerate, file.frames
        wanted_s = length / RATE
        if frames / rate <= wanted_s:
            first, count = 0, frames
        else:
            first = max(0, round((start_s - _MARGIN_S) * rate))
            count = min(frames - first, round((wanted_s + 2 * _MARGIN_S) * rate))
        file.seek(first)
        sound = stereo(_read(file, count))
    sound = at_48k(sound, rate)
    if frames / rate <= wanted_s:
        return np.ascontiguousarray(np.tile(sound, -(-length // sound.shape[1]))[:, :length])
    skip = round(start_s * RATE - first / rate * RATE)
    skip = max(0, min(skip, sound.shape[1] - length))
    return np.ascontiguousarray(sound[:, skip : skip + length])


def at_48k(sound: np.ndarray, rate: int) -> np.ndarray:
    return resample(Audio(torch.from_numpy(np.ascontiguousarray(sound)), rate), RATE).samples.numpy()


def _opened(path: Path):
    """pedalboard reads most files; Opus, which it does not, goes through soundfile where that is there."""
    if path.suffix.casefold() == ".opus":
        try:
            import soundfile
        except ImportError:
            raise MissingDependencyError(f"{path.name} is Opus; `pip install soundfile` to read it") from None
        return soundfile.SoundFile(path)
    from pedalboard.io import AudioFile

    try:
        return AudioFile(str(path))
    except (ValueError, OSError) as error:
        raise InputError(f"cannot read {path}: {error}") from None


def _read(file, count: int) -> np.ndarray:
    sound = file.read(count, dtype="float32").T if hasattr(file, "subtype") else file.read(count)
    return np.ascontiguousarray(sound, dtype=np.float32)
