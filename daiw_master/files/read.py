"""Any sound file as `Audio`: exact samples, tags, and one clear line when it cannot be."""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path

import numpy as np
import torch

from daiw_master.audio import Audio
from daiw_master.errors import InputError
from daiw_master.files.tags import read_tags

_BLOCK = 2**18
#: Longer than this is a wrong header or not a song; 4 h of 44.1 kHz stereo already fill 5 GB.
LONGEST_S = 4 * 3600.0
#: MP3 without an exact frame count: what the header promises may be missed by this much.
_MP3_SLACK_S = 0.1


def read_audio(path: str | os.PathLike) -> Audio:
    """Load a song: WAV, AIFF, FLAC, MP3, OGG, mono or stereo, with its tags.

    Integers become k / 2^(bits-1) exactly, so a copy is bit for bit a copy. Silence is readable.
    `InputError` for: missing, folder, no permission, empty, not audio, cut off or damaged (where the
    format lets us know: lengths in WAV, AIFF and MP3 headers, FLAC's MD5, OGG's last page),
    NaN or infinity, more than two channels, more than 4 h.
    """
    from pedalboard.io import AudioFile, get_supported_read_formats  # 0.14 s, only when files are read

    path = Path(path)
    size = _size(path)
    try:
        with AudioFile(os.path.realpath(path)) as file:
            frames = _promised_frames(path, file, size)
            samples = _read_all(path, file, frames)
            rate = round(file.samplerate)
    except (ValueError, RuntimeError) as error:
        known = " ".join(sorted(get_supported_read_formats()))
        raise InputError(f"{path}: not a sound file that can be read here (readable: {known})") from error
    return Audio(samples, rate, read_tags(path))


def _size(path: Path) -> int:
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


def _promised_frames(path: Path, file, size: int) -> int:
    """How many frames to read, after everything the header says has been believed or refused."""
    channels, rate, frames = file.num_channels, file.samplerate, file.frames
    if channels not in (1, 2):
        raise InputError(
            f"{path}: {channels} channels; a master is mono or stereo (1 or 2), fold it down first, "
            f"for example with: ffmpeg -i IN -ac 2 OUT.wav"
        )
    suffix = path.suffix.lower()
    if suffix in (".wav", ".bwf"):
        frames = _wav_frames(path, frames, size)
    elif suffix in (".aif", ".aiff") and file.file_dtype.startswith("int"):
        if frames * channels * int(file.file_dtype[3:]) // 8 > size:
            raise _cut_off(path)
    elif suffix == ".mp3" and _mp3_is_short(path, size):
        raise _cut_off(path)
    elif suffix == ".ogg" and not _ogg_has_end(path, size):
        raise _cut_off(path)
    if frames <= 0:
        raise InputError(f"{path}: holds no sound (0 samples)")
    if frames > LONGEST_S * rate:
        raise InputError(f"{path}: {frames / rate / 3600:.1f} h long; at most {LONGEST_S / 3600:g} h")
    return frames


def _read_all(path: Path, file, frames: int) -> torch.Tensor:
    """(channels, frames) float32, read in blocks straight into place."""
    kind, bits = file.file_dtype[:3], file.file_dtype[3:]
    grid_bits = int(bits) if kind == "int" and int(bits) <= 24 else None
    digest = _flac_digest(path, grid_bits)
    wanted, running = digest if digest else (None, None)
    samples = torch.empty(file.num_channels, frames, dtype=torch.float32)
    done = 0
    while done < frames:
        count = min(_BLOCK, frames - done)
        block = file.read_raw(count) if grid_bits in (8, 16) else file.read(count)
        if block.shape[-1] == 0:
            break
        if grid_bits:
            # pedalboard's read() divides by 2^(b-1) - 1, so +-full scale overshoots; undo it exactly.
            whole = block if block.dtype.kind == "i" else np.rint(block.astype(np.float64) * (2**23 - 1))
            if running is not None:
                running.update(_interleaved(whole, grid_bits))
            block = whole / 2.0 ** (grid_bits - 1)
        samples[:, done : done + block.shape[-1]] = torch.from_numpy(np.ascontiguousarray(block))
        if not torch.isfinite(samples[:, done : done + block.shape[-1]]).all():
            raise InputError(
                f"{path}: holds NaN or infinity near {done / file.samplerate:.1f} s; export it again"
            )
        done += block.shape[-1]
    if running is not None and running.digest() != wanted:
        raise InputError(f"{path}: cut off or damaged (its FLAC checksum does not match)")
    if done == 0:
        raise InputError(f"{path}: holds no sound that can be decoded")
    slack = _MP3_SLACK_S * file.samplerate if path.suffix.lower() == ".mp3" else 0
    if done < frames - slack:
        raise _cut_off(path)
    return samples if done == frames else samples[:, :done].clone()


def _cut_off(path: Path) -> InputError:
    return InputError(f"{path}: cut off; the file ends before the sound it promises (copy it again)")


def _wav_frames(path: Path, frames: int, size: int) -> int:
    """Frames of a RIFF file, checked against the bytes really there.

    A WAV piped out of a program holds a placeholder for its length (0 or 0xFFFFFFFF): then the
    file's size tells.
    """
    block_align = 0
    with open(path, "rb") as file:
        if file.read(4) != b"RIFF":
            return frames  # RF64 and friends: 64-bit lengths, which pedalboard reads itself
        file.seek(12)
        while len(head := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", head)
            start = file.tell()
            if name == b"fmt ":
                block_align = struct.unpack("<H", file.read(14)[12:14])[0]
            if name == b"data":
                placeholder = length >= 0xFFFFFF00 or (length == 0 and size > start + 1024)
                if placeholder and block_align:
                    return (size - start) // block_align
                if start + length > size:
                    raise _cut_off(path)
                return frames
            file.seek(start + length + length % 2)  # chunks are padded to even lengths
    return frames


def _mp3_is_short(path: Path, size: int) -> bool:
    """Whether the bytes promised by a Xing/LAME header (bit rate x length) are missing."""
    import mutagen
    from mutagen.mp3 import MP3

    try:
        info = MP3(path).info
    except mutagen.MutagenError:
        return False
    return info.length * info.bitrate / 8 > size + info.bitrate / 8 * _MP3_SLACK_S


def _ogg_has_end(path: Path, size: int) -> bool:
    """Whether the last Ogg page says "end of stream" (RFC 3533, section 6: header type 0x04)."""
    with open(path, "rb") as file:
        file.seek(max(0, size - 2 * 65307))  # the longest page is 65307 bytes
        tail = file.read()
    last = tail.rfind(b"OggS")
    return last >= 0 and len(tail) > last + 5 and bool(tail[last + 5] & 0x04)


def _flac_digest(path: Path, bits: int | None):
    """(stored MD5, running MD5) of a FLAC file that carries one (RFC 9639, section 8.2), else None."""
    import mutagen
    from mutagen.flac import FLAC

    if path.suffix.lower() != ".flac" or not bits:
        return None
    try:
        info = FLAC(path).info
    except mutagen.MutagenError:
        return None
    if not info.md5_signature or info.bits_per_sample != bits:
        return None
    return info.md5_signature.to_bytes(16, "big"), hashlib.md5(usedforsecurity=False)


def _interleaved(whole: np.ndarray, bits: int) -> bytes:
    """Integers as FLAC's MD5 sees them: interleaved, little-endian, whole bytes."""
    frames = np.ascontiguousarray(whole.T.astype("<i4"))
    return frames.view(np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes()
