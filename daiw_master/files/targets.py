"""Which files can be written: endings, bit depths, rates and sizes, refused before any work."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from daiw_master.errors import WriteError
from daiw_master.files.atomic import check_place

BitDepth = Literal[16, 24, "32f"]


@dataclass(frozen=True)
class Format:
    """A kind of file: the encoder's name, the bit depths it holds, the rates and quality it takes,
    and how many bytes its lengths can say (None: more than anybody has)."""

    codec: str
    bit_depths: tuple[BitDepth, ...] = ()
    rates: tuple[int, ...] = ()
    quality: str | None = None
    most_bytes: int | None = None

    @property
    def lossy(self) -> bool:
        return not self.bit_depths


FORMATS: dict[str, Format] = {
    ".wav": Format("wav", (16, 24, "32f")),
    ".flac": Format("flac", (16, 24)),
    # signed 32-bit chunk lengths (Apple, Audio Interchange File Format 1.3, "Local Chunks")
    ".aiff": Format("aiff", (16, 24), most_bytes=2**31 - 2**20),
    ".aif": Format("aiff", (16, 24), most_bytes=2**31 - 2**20),
    # MPEG-1 Layer III knows three rates (ISO 11172-3, 2.4.2.3)
    ".mp3": Format("mp3", rates=(32000, 44100, 48000), quality="320 kbps"),
    ".ogg": Format("ogg", quality="320 kbps"),
}


def is_lossy(path: str | os.PathLike) -> bool:
    """Whether this file name asks for MP3 or OGG, whose decoded peaks differ from ours."""
    return _format_of(path).lossy


def check_target(
    path: str | os.PathLike,
    bit_depth: BitDepth = 24,
    rate: int | None = None,
    frames: int = 0,
    channels: int = 2,
) -> None:
    """Refuse an impossible file name, folder, bit depth, rate or size before any work is done."""
    wanted = _format_of(path)
    if wanted.bit_depths and bit_depth not in wanted.bit_depths:
        allowed = ", ".join(str(depth) for depth in wanted.bit_depths)
        raise WriteError(f"cannot write {path}: bit depth {bit_depth}; {wanted.codec} holds {allowed}")
    if wanted.rates and rate is not None and rate not in wanted.rates:
        allowed = ", ".join(str(known) for known in wanted.rates)
        raise WriteError(f"cannot write {path}: {rate} Hz; {wanted.codec} holds {allowed} Hz")
    if wanted.most_bytes is not None and frames * channels * int(bit_depth) // 8 > wanted.most_bytes:
        size = frames * channels * int(bit_depth) / 8e9
        raise WriteError(
            f"cannot write {path}: {size:.1f} GB of sound; {wanted.codec} holds "
            f"{wanted.most_bytes / 1e9:.1f} GB; write .flac or .wav"
        )
    check_place(path)


def _format_of(path: str | os.PathLike) -> Format:
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        shown = f"unknown ending {suffix!r}" if suffix else "the name has no ending"
        raise WriteError(f"cannot write {path}: {shown}; use {', '.join(FORMATS)}")
    return FORMATS[suffix]
