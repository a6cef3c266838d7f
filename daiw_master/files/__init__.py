"""Sound in and out of files: read anything, write atomically, dither once, keep the tags."""

from __future__ import annotations

from daiw_master.files.atomic import check_place, staged, write_text_atomic
from daiw_master.files.read import FileSound, open_sound, read_audio
from daiw_master.files.resample import resample, resampled
from daiw_master.files.targets import FORMATS, BitDepth, check_target, is_lossy
from daiw_master.files.write import LossyResult, write_audio, write_lossy_within, write_sound

__all__ = [
    "FORMATS",
    "BitDepth",
    "FileSound",
    "LossyResult",
    "check_place",
    "check_target",
    "is_lossy",
    "open_sound",
    "read_audio",
    "resample",
    "resampled",
    "staged",
    "write_audio",
    "write_lossy_within",
    "write_sound",
    "write_text_atomic",
]
