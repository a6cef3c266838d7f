"""The finished master as a file: PCM with dither, lossy within its ceiling, never half a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from daiw_master.audio import Audio
from daiw_master.errors import InputError, WriteError
from daiw_master.files.atomic import check_place, staged
from daiw_master.files.dither import quantise
from daiw_master.files.read import read_audio
from daiw_master.files.tags import write_tags
from daiw_master.units import gain_from_db

BitDepth = Literal[16, 24, "32f"]

_BLOCK = 2**17
#: A re-trim aims this far below the ceiling: the codec answers a new level with slightly new peaks.
_TRIM_MARGIN_DB = 0.02


@dataclass(frozen=True)
class Format:
    """A kind of file: the encoder's name, the bit depths it holds, the rates and quality it takes."""

    codec: str
    bit_depths: tuple[BitDepth, ...] = ()
    rates: tuple[int, ...] = ()
    quality: str | None = None

    @property
    def lossy(self) -> bool:
        return not self.bit_depths


FORMATS: dict[str, Format] = {
    ".wav": Format("wav", (16, 24, "32f")),
    ".flac": Format("flac", (16, 24)),
    ".aiff": Format("aiff", (16, 24)),
    ".aif": Format("aiff", (16, 24)),
    # MPEG-1 Layer III knows three rates (ISO 11172-3, 2.4.2.3)
    ".mp3": Format("mp3", rates=(32000, 44100, 48000), quality="320 kbps"),
    ".ogg": Format("ogg", quality="320 kbps"),
}


@dataclass(frozen=True)
class LossyResult:
    """What a listener's decoder makes of the file: the sound, its true peak, what it cost."""

    path: Path
    decoded: Audio
    true_peak_dbtp: float
    trim_db: float


def is_lossy(path: str | os.PathLike) -> bool:
    """Whether this file name asks for MP3 or OGG, whose decoded peaks differ from ours."""
    return _format_of(path).lossy


def check_target(path: str | os.PathLike, bit_depth: BitDepth = 24, rate: int | None = None) -> None:
    """Refuse an impossible file name, folder, bit depth or rate before any work is done."""
    wanted = _format_of(path)
    if wanted.bit_depths and bit_depth not in wanted.bit_depths:
        allowed = ", ".join(str(depth) for depth in wanted.bit_depths)
        raise WriteError(f"cannot write {path}: bit depth {bit_depth}; {wanted.codec} holds {allowed}")
    if wanted.rates and rate is not None and rate not in wanted.rates:
        allowed = ", ".join(str(known) for known in wanted.rates)
        raise WriteError(f"cannot write {path}: {rate} Hz; {wanted.codec} holds {allowed} Hz")
    check_place(path)


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

    16 and 24 bits are dithered once (see `dither`), with noise from `seed`: same sound, same bytes
    (OGG excepted: its stream numbers are random). `tags` go over `audio.tags`. The file appears whole
    or not at all. `InputError` for NaN, no samples, or peaks above full scale where the format would
    clip them; `WriteError` for everything about the place, the name and the disk.
    """
    check_target(path, bit_depth, audio.rate)
    _check_sound(audio, clips=bit_depth != "32f" and not is_lossy(path))
    with staged(path) as part:
        _encode(audio, part, bit_depth, seed, quality)
        write_tags(part, {**audio.tags, **(tags or {})})
    return Path(path)


def write_lossy_within(
    audio: Audio,
    path: str | os.PathLike,
    ceiling_dbtp: float,
    measure_true_peak: Callable[[Audio], float],
    *,
    retrims: int = 2,
    quality: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> LossyResult:
    """Save an MP3 or OGG whose *decoded* sound stays under the ceiling.

    Coding moves every sample a little, so a -1.00 dBTP master decodes at -0.8 to -0.9. The file is
    decoded, measured with `measure_true_peak(Audio) -> dBTP` and, if over, encoded again from the
    original turned down by the excess, at most `retrims` times. The result says what the written
    file really measures. Errors as `write_audio`.
    """
    check_target(path, rate=audio.rate)
    if not is_lossy(path):
        raise WriteError(f"cannot write {path}: only .mp3 and .ogg are measured after coding")
    _check_sound(audio, clips=False)
    trim_db = 0.0
    with staged(path) as part:
        for left in range(retrims, -1, -1):
            trimmed = audio.with_samples(audio.samples * gain_from_db(trim_db)) if trim_db else audio
            _encode(trimmed, part, 16, 0, quality)
            decoded = read_audio(part)
            peak_dbtp = measure_true_peak(decoded)
            if peak_dbtp <= ceiling_dbtp or left == 0:
                break
            trim_db -= peak_dbtp - ceiling_dbtp + _TRIM_MARGIN_DB
        write_tags(part, {**audio.tags, **(tags or {})})
    return LossyResult(Path(path), decoded, peak_dbtp, trim_db)


def _format_of(path: str | os.PathLike) -> Format:
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        shown = f"unknown ending {suffix!r}" if suffix else "the name has no ending"
        raise WriteError(f"cannot write {path}: {shown}; use {', '.join(FORMATS)}")
    return FORMATS[suffix]


def _check_sound(audio: Audio, clips: bool) -> None:
    if audio.samples.numel() == 0:
        raise InputError("there is no sound to write (0 samples)")
    if audio.channels > 2:
        raise InputError(f"{audio.channels} channels to write; a master is mono or stereo (1 or 2)")
    peak = 0.0
    for block in audio.samples.detach().split(_BLOCK, dim=-1):
        if not torch.isfinite(block).all():
            raise InputError("the sound to write holds NaN or infinity")
        peak = max(peak, block.abs().max().item())
    # A tenth of a 16-bit step is float rounding at full scale, not clipping.
    if clips and peak > 1.0 + 3e-6:
        over_db = 20 * np.log10(peak)
        raise InputError(
            f"the sound peaks {over_db:.2f} dB above full scale and would clip; lower it or write 32f WAV"
        )


def _encode(audio: Audio, part: Path, bit_depth: BitDepth, seed: int, quality: str | None) -> None:
    """Write the samples into `part`; an `OSError` of the disk comes through as itself."""
    from pedalboard.io import AudioFile  # 0.14 s, only when files are written

    wanted = _format_of(part)
    if wanted.lossy:
        depth, blocks = 16, _floats(audio)
    elif bit_depth == "32f":
        depth, blocks = 32, _floats(audio)
    else:
        depth, blocks = bit_depth, _integers(audio, bit_depth, seed)
    quality = (quality or wanted.quality) if wanted.lossy else None
    # A Python file, not a path: then a full disk raises here instead of passing unnoticed.
    with open(part, "w+b") as disk:
        try:
            with AudioFile(
                disk, "w", audio.rate, audio.channels, depth, quality, format=wanted.codec
            ) as file:
                for block in blocks:
                    file.write(block)
        except (ValueError, RuntimeError) as error:
            raise WriteError(f"cannot write {wanted.codec}: {' '.join(str(error).split())}") from error


def _floats(audio: Audio) -> Iterator[np.ndarray]:
    for block in audio.samples.detach().cpu().split(_BLOCK, dim=-1):
        yield np.ascontiguousarray(block.float().numpy())


def _integers(audio: Audio, bits: int, seed: int) -> Iterator[np.ndarray]:
    for whole in quantise(audio.samples, bits, audio.rate, seed=seed):
        # Left-justified int32 is stored as it is; floats would be truncated towards -infinity by up
        # to one step (a quarter of all samples at 16 bits).
        yield np.ascontiguousarray((whole << (32 - bits)).numpy())
