"""Sound in and out of files: read anything, write atomically, dither once, keep the tags."""

from __future__ import annotations

from daiw_master.files.atomic import check_place, staged, write_text_atomic
from daiw_master.files.read import read_audio
from daiw_master.files.resample import resample
from daiw_master.files.write import (
    FORMATS,
    BitDepth,
    LossyResult,
    check_target,
    is_lossy,
    write_audio,
    write_lossy_within,
)

__all__ = [
    "FORMATS",
    "BitDepth",
    "LossyResult",
    "check_place",
    "check_target",
    "is_lossy",
    "read_audio",
    "resample",
    "staged",
    "write_audio",
    "write_lossy_within",
    "write_text_atomic",
]
