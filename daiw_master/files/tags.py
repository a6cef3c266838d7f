"""Title, artist, ISRC: the words a file carries, the same in every format (mutagen)."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import mutagen
from mutagen import id3
from mutagen.aiff import AIFF
from mutagen.flac import FLAC
from mutagen.mp3 import MP3
from mutagen.oggvorbis import OggVorbis

from daiw_master.files.wav import append_chunk, chunk

#: Our names (also the Vorbis comment field names, xiph.org/vorbis/doc/v-comment) and their ID3v2.4
#: frames (id3.org). Any other name travels as a Vorbis field or a TXXX frame.
ID3_FRAMES = {
    "title": "TIT2",
    "artist": "TPE1",
    "album": "TALB",
    "albumartist": "TPE2",
    "date": "TDRC",
    "genre": "TCON",
    "isrc": "TSRC",
    "composer": "TCOM",
    "copyright": "TCOP",
    "tracknumber": "TRCK",
    "discnumber": "TPOS",
    "bpm": "TBPM",
    "language": "TLAN",
    "organization": "TPUB",
}
_NAMES = {frame: name for name, frame in ID3_FRAMES.items()}

#: Names that describe the old file's level or coding; on a new master they would be lies.
STALE_PREFIXES = ("replaygain_", "r128_", "itunnorm", "itunsmpb", "encoder", "encoded", "waveformat")

_OPENERS: dict[str, Callable] = {
    ".aiff": AIFF, ".aif": AIFF, ".mp3": MP3, ".flac": FLAC, ".ogg": OggVorbis,
}  # fmt: skip


def read_tags(path: str | os.PathLike) -> dict[str, str]:
    """The text a file says about itself, by lower-case name; {} when it says nothing readable.

    Several values of one name are joined by "; ". Pictures are not text and are not read.
    """
    try:
        tags = _wav_tags(path) if Path(path).suffix.lower() == ".wav" else None
        if tags is None:
            file = mutagen.File(path)
            tags = file.tags if file is not None else None
    except (mutagen.MutagenError, OSError):
        return {}  # damaged tags do not spoil the sound
    if not tags:
        return {}
    found = _from_id3(tags) if isinstance(tags, id3.ID3) else _from_vorbis(tags)
    return {name: text for name, text in found.items() if text and not name.startswith(STALE_PREFIXES)}


def write_tags(path: str | os.PathLike, tags: Mapping[str, str]) -> None:
    """Add `tags` to a freshly written file (WAV and AIFF as an ID3 chunk). `OSError` on a full disk."""
    tags = {name.casefold(): str(text) for name, text in tags.items() if str(text)}
    if not tags:
        return
    if Path(path).suffix.lower() == ".wav":
        append_chunk(path, b"id3 ", _id3_bytes(tags))
        return
    try:
        file = _OPENERS[Path(path).suffix.lower()](path)
        if file.tags is None:
            file.add_tags()
        if isinstance(file.tags, id3.ID3):
            for name, text in tags.items():
                file.tags.add(_id3_frame(name, text))
        else:
            # Vorbis names are printable ASCII without "=": v-comment, "Comment encoding".
            legal = {n: t for n, t in tags.items() if n and "=" not in n and n.isascii() and n.isprintable()}
            file.tags.update({name: [text] for name, text in legal.items()})
        file.save()
    except mutagen.MutagenError as error:
        cause = error.args[0] if error.args and isinstance(error.args[0], OSError) else None
        raise cause or OSError(f"tags: {error}") from error


def _wav_tags(path: str | os.PathLike) -> id3.ID3 | None:
    """The ID3 chunk of a WAV file, RF64 included."""
    data = chunk(path, (b"id3 ", b"ID3 "))
    return id3.ID3(io.BytesIO(data)) if data else None


def _id3_bytes(tags: Mapping[str, str]) -> bytes:
    frames = id3.ID3()
    for name, text in tags.items():
        frames.add(_id3_frame(name, text))
    data = io.BytesIO()
    frames.save(data, v2_version=4, padding=lambda info: 0)
    return data.getvalue()


def _id3_frame(name: str, text: str) -> id3.Frame:
    if name == "comment":
        return id3.COMM(encoding=3, lang="eng", desc="", text=[text])
    if name in ID3_FRAMES:
        return getattr(id3, ID3_FRAMES[name])(encoding=3, text=[text])
    return id3.TXXX(encoding=3, desc=name, text=[text])


def _from_id3(tags: id3.ID3) -> dict[str, str]:
    found: dict[str, str] = {}
    for frame in tags.values():
        if isinstance(frame, id3.COMM) and not frame.desc:
            name = "comment"
        elif isinstance(frame, id3.TXXX):
            name = frame.desc.casefold()
        elif frame.FrameID in _NAMES:
            name = _NAMES[frame.FrameID]
        else:
            continue
        found[name] = "; ".join(str(text) for text in frame.text)
    return found


def _from_vorbis(tags: Mapping[str, list[str]]) -> dict[str, str]:
    return {name.casefold(): "; ".join(tags[name]) for name in tags.keys()}  # noqa: SIM118 (a list of pairs)
