"""Standard MIDI files, read the way players read them: whatever can still be played, is.

Strict parsers refuse what every player accepts (a RIFF wrapper, an impossible key signature, unknown
chunks, running status across a meta event, wrong chunk lengths, a missing end), so the bytes are read
here. Source: Standard MIDI Files 1.0 (MIDI Association, RP-001), cited as "SMF" below.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from daiw_master.errors import InputError

#: The largest MIDI files in circulation are a few MB; beyond this it is something else.
MAX_BYTES = 64 * 2**20
#: How far into the file a header may hide behind a RIFF or MacBinary wrapper.
_WRAPPER_BYTES = 4096

META, SYSEX = 0xFF, 0xF0
NOTE_OFF, NOTE_ON, POLY_PRESSURE, CONTROL, PROGRAM, PRESSURE, BEND = range(0x80, 0xF0, 0x10)
TRACK_NAME, MARKER, CUE_POINT, PORT, END_OF_TRACK = 0x03, 0x06, 0x07, 0x21, 0x2F
TEMPO, TIME_SIGNATURE = 0x51, 0x58

#: Data bytes after each system status other than sysex; they have no place in a file and are skipped.
_SYSTEM_DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}


class Message(NamedTuple):
    """One line of a track: `status` is the channel status byte, SYSEX or META.

    `data` holds a channel message's data bytes, a sysex body, or a meta's type byte and payload.
    """

    tick: int
    status: int
    data: bytes

    @property
    def kind(self) -> int:
        return self.status if self.status >= SYSEX else self.status & 0xF0

    @property
    def channel(self) -> int:
        return self.status & 0x0F


@dataclass(frozen=True)
class MidiFile:
    """A MIDI file as written: tracks of messages in ticks; `damaged` says what had to be guessed."""

    format: int
    division: int
    tracks: tuple[tuple[Message, ...], ...]
    damaged: tuple[str, ...]


class _Truncated(Exception):
    """The bytes ran out inside an event."""


def read_midi_file(path: Path) -> MidiFile:
    """Open a song. Raises InputError in one line when there is nothing to play from."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path.name} is larger than {MAX_BYTES >> 20} MB; that is no MIDI file")
        blob = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    return parse(blob, path.name)


def parse(blob: bytes, name: str = "the file") -> MidiFile:
    """The same from bytes in memory."""
    if not blob:
        raise InputError(f"{name} is empty")
    start = blob.find(b"MThd", 0, _WRAPPER_BYTES)
    if start < 0 or len(blob) < start + 14:
        raise InputError(f"{name} is not a MIDI file (no MThd header)")
    # SMF: header length, format, number of tracks, division; the length may grow in later versions.
    header_bytes = int.from_bytes(blob[start + 4 : start + 8], "big")
    file_format = int.from_bytes(blob[start + 8 : start + 10], "big")
    division = int.from_bytes(blob[start + 12 : start + 14], "big")
    damaged: dict[str, None] = {}
    if header_bytes < 6 or header_bytes > 256:
        damaged["a wrong header length"] = None
        header_bytes = 6
    tracks = []
    position = start + 8 + header_bytes
    while 0 <= position <= len(blob) - 8:
        chunk = blob[position : position + 4]
        declared = position + 8 + int.from_bytes(blob[position + 4 : position + 8], "big")
        if chunk == b"MTrk":
            end = declared
            if not _chunk_may_end(blob, declared):
                damaged["a wrong track length"] = None
                following = blob.find(b"MTrk", position + 8)
                end = following if following >= 0 else len(blob)
            tracks.append(_track(blob, position + 8, end, damaged))
            position = end
        elif _chunk_may_end(blob, declared):
            position = declared  # SMF: chunks of unknown type are skipped
        else:
            position = blob.find(b"MTrk", position + 1)
    return MidiFile(file_format, division, tuple(tracks), tuple(damaged))


def _chunk_may_end(blob: bytes, end: int) -> bool:
    """Whether a chunk that claims to end here is believable: at the file's end or before a chunk."""
    following = blob[end : end + 4]
    if end > len(blob):
        return False
    return len(following) < 4 or following == b"MTrk" or (following.isascii() and following.isalpha())


def _track(blob: bytes, position: int, end: int, damaged: dict[str, None]) -> tuple[Message, ...]:
    messages: list[Message] = []
    tick = status = 0
    try:
        while position < end:
            delta, position = _variable_length(blob, position, end)
            tick += delta
            byte = _byte(blob, position, end)
            if byte >= 0x80:
                position += 1
            elif status:
                byte = status  # running status; kept across meta and sysex as players do
            else:
                damaged["data without a status"] = None
                position += 1
                continue
            if byte == META:
                kind = _byte(blob, position, end)
                payload, position = _block(blob, position + 1, end)
                if kind == END_OF_TRACK:
                    messages.append(Message(tick, META, bytes((kind,))))
                    return tuple(messages)
                messages.append(Message(tick, META, bytes((kind,)) + payload))
            elif byte in (0xF0, 0xF7):
                payload, position = _block(blob, position, end)
                messages.append(Message(tick, SYSEX, payload))
            elif byte > 0xF0:
                damaged["illegal status bytes"] = None
                position += _SYSTEM_DATA_BYTES.get(byte, 0)
            else:
                status = byte
                count = 1 if byte & 0xF0 in (PROGRAM, PRESSURE) else 2
                data = blob[position : position + count]
                if position + count > end:
                    raise _Truncated
                if not data.isascii():
                    damaged["data bytes above 127"] = None
                    data = bytes(min(value, 127) for value in data)
                messages.append(Message(tick, byte, data))
                position += count
        damaged["a track without an end"] = None
    except _Truncated:
        damaged["a track cut short"] = None
    return tuple(messages)


def _byte(blob: bytes, position: int, end: int) -> int:
    if position >= min(end, len(blob)):
        raise _Truncated
    return blob[position]


def _variable_length(blob: bytes, position: int, end: int) -> tuple[int, int]:
    """SMF: seven bits a byte, high bit set on all but the last, at most four bytes."""
    value = 0
    for _ in range(4):
        byte = _byte(blob, position, end)
        position += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, position
    raise _Truncated  # a fifth byte: the rest of this track cannot be trusted


def _block(blob: bytes, position: int, end: int) -> tuple[bytes, int]:
    length, position = _variable_length(blob, position, end)
    if position + length > min(end, len(blob)):
        raise _Truncated
    return blob[position : position + length], position + length


def text(message: Message) -> str:
    """The words in a meta event: UTF-8 where it is, else Latin-1, one line, no control characters."""
    payload = message.data[1:]
    try:
        words = payload.decode("utf-8")
    except UnicodeDecodeError:
        words = payload.decode("latin-1")
    return " ".join("".join(c if c.isprintable() else " " for c in words).split())
