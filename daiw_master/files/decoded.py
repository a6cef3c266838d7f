"""FLAC, AIFF, MP3, OGG and rarer WAVs, as exact samples, by way of pedalboard's decoders."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from daiw_master.errors import InputError


class DecodedSource:
    """The samples of a coded file, from anywhere in it.

    For FLAC, AIFF and OGG every seek is exact to the sample; MP3 frames lean on those before them, so
    an MP3 is read once from its beginning (see `reading`).
    """

    def __init__(self, path: Path, opened):
        self._path, self._file = path, opened
        self.rate, self.channels = round(opened.samplerate), opened.num_channels
        self.frames = opened.frames
        kind, bits = opened.file_dtype[:3], opened.file_dtype[3:]
        self.bits = int(bits) if kind == "int" and int(bits) <= 24 else None
        self._wanted = _flac_digest(path, self.bits)
        self._running, self._hashed = hashlib.md5(usedforsecurity=False), 0

    def read(self, start: int, count: int) -> np.ndarray:
        """(channels, up to count) float32; integers as k / 2^(bits-1), exactly."""
        try:
            return self._read(start, count)
        except RuntimeError as error:
            raise InputError(f"{self._path}: damaged near {start / self.rate:.1f} s") from error

    def _read(self, start: int, count: int) -> np.ndarray:
        if self._file.tell() != start:
            self._file.seek(start)
        if self.bits is None:
            return self._file.read(count)
        if self.bits in (8, 16):
            whole = self._file.read_raw(count)
        else:
            # The decoder divides by 2^23 - 1, so ±full scale overshoots; undone exactly.
            whole = np.rint(self._file.read(count).astype(np.float64) * (2**23 - 1))
        if self._wanted:
            self._check(whole, start)
        return (whole / 2.0 ** (self.bits - 1)).astype(np.float32)

    def close(self) -> None:
        self._file.close()

    def _check(self, whole: np.ndarray, start: int) -> None:
        """FLAC's own checksum, once everything has been read in order, however often parts were."""
        stop = start + whole.shape[-1]
        if start <= self._hashed < stop:
            self._running.update(_interleaved(whole[:, self._hashed - start :], self.bits))
            self._hashed = stop
        if self._hashed >= self.frames:
            wanted, self._wanted = self._wanted, None
            if self._running.digest() != wanted:
                raise InputError(f"{self._path}: cut off or damaged (its FLAC checksum does not match)")


def _flac_digest(path: Path, bits: int | None) -> bytes | None:
    """The MD5 of the samples that a FLAC file may carry (RFC 9639, section 8.2)."""
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
    return info.md5_signature.to_bytes(16, "big")


def _interleaved(whole: np.ndarray, bits: int) -> bytes:
    """Integers as FLAC's MD5 sees them: interleaved, little-endian, whole bytes."""
    frames = np.ascontiguousarray(whole.T.astype("<i4"))
    return frames.view(np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes()
