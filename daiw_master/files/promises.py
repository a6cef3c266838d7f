"""What a sound file's header promises, believed or refused before a sample is read."""

from __future__ import annotations

import os
from pathlib import Path

from daiw_master.errors import InputError
from daiw_master.files.wav import Layout

#: Longer than this is a wrong header.
LONGEST_S = 24 * 3600.0
#: MP3: what the header promises may be missed by this much.
MP3_SLACK_S = 0.1


def file_size(path: Path) -> int:
    """Bytes in a readable, regular, non-empty file."""
    try:
        with open(path, "rb") as file:
            if not path.is_file():
                raise InputError(f"{path}: not a regular file")
            size = os.fstat(file.fileno()).st_size
    except IsADirectoryError:
        raise InputError(f"{path}: a folder, not a sound file") from None
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror})") from error
    if size == 0:
        raise InputError(f"{path}: the file is empty")
    return size


def cut_off(path: Path) -> InputError:
    return InputError(f"{path}: cut off; the file ends before the sound it promises (copy it again)")


def check_shape(path: Path, channels: int, frames: int, rate: float) -> None:
    """Mono or stereo, longer than nothing and shorter than a day."""
    if channels not in (1, 2):
        raise InputError(
            f"{path}: {channels} channels; a master is mono or stereo (1 or 2), fold it down first, "
            f"for example with: ffmpeg -i IN -ac 2 OUT.wav"
        )
    if frames <= 0:
        raise InputError(f"{path}: holds no sound (0 samples)")
    if frames > LONGEST_S * rate:
        raise InputError(f"{path}: {frames / rate / 3600:.1f} h long; at most {LONGEST_S / 3600:g} h")


def wav_frames(path: Path, layout: Layout, size: int) -> int:
    """Frames of a WAV, checked against the bytes really there; a placeholder means "all of them"."""
    length = size - layout.start if layout.length is None else layout.length
    if layout.start + length > size:
        raise cut_off(path)
    return length // layout.frame_bytes if layout.frame_bytes else 0


def check_whole(path: Path, opened, size: int) -> None:
    """Refuse a coded file whose header or end shows that a part is missing."""
    suffix = path.suffix.lower()
    if suffix in (".aif", ".aiff") and opened.file_dtype.startswith("int"):
        missing = opened.frames * opened.num_channels * int(opened.file_dtype[3:]) // 8 > size
    elif suffix == ".mp3":
        missing = _mp3_is_short(path, size)
    elif suffix == ".ogg":
        missing = not _ogg_has_end(path, size)
    else:
        missing = False
    if missing:
        raise cut_off(path)


def _mp3_is_short(path: Path, size: int) -> bool:
    """Whether the bytes promised by a Xing/LAME header (bit rate x length) are missing."""
    import mutagen
    from mutagen.mp3 import MP3

    try:
        info = MP3(path).info
    except mutagen.MutagenError:
        return False
    return info.length * info.bitrate / 8 > size + info.bitrate / 8 * MP3_SLACK_S


def _ogg_has_end(path: Path, size: int) -> bool:
    """Whether the last Ogg page says "end of stream" (RFC 3533, section 6: header type 0x04)."""
    with open(path, "rb") as file:
        file.seek(max(0, size - 2 * 65307))  # the longest page is 65307 bytes
        tail = file.read()
    last = tail.rfind(b"OggS")
    return last >= 0 and len(tail) > last + 5 and bool(tail[last + 5] & 0x04)
