"""One stream out of many tracks: messages in playing order, and every note with its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from daiw_master.midi import smf, sysex
from daiw_master.midi.smf import Message, MidiFile
from daiw_master.midi.timeline import DEFAULT_TEMPO_US

#: Moves that are no channel message: reset all controllers, set the master volume.
RESET, MASTER_VOLUME = 0x01, 0x02
BANK_MSB, BANK_LSB, SUSTAIN, ALL_SOUND_OFF, ALL_NOTES_OFF = 0, 32, 64, 120, 123


class Event(NamedTuple):
    tick: int
    track: int
    port: int
    message: Message

    @property
    def channel(self) -> int:
        return 16 * self.port + self.message.channel


class Move(NamedTuple):
    """A message on its way to a part: `track` is None where the whole channel is meant."""

    tick: int
    track: int | None
    channel: int | None
    kind: int
    a: int
    b: int


def merged(midi: MidiFile) -> Iterator[Event]:
    """All tracks on one tick axis, in playing order.

    Format 2 holds independent sequences (SMF); they are played one after another. At one tick, a
    program or bank change goes before the notes of *other* tracks, which may share its channel.
    """
    keyed = []
    offset = 0
    for t, track in enumerate(midi.tracks):
        port, struck_tick = 0, -1
        if midi.format == 2 and t:
            keyed.append(((offset, 0), Event(offset, t, 0, _tempo_message(offset))))
        for message in track:
            tick = offset + message.tick
            if message.kind == smf.META and message.data[0] == smf.PORT and len(message.data) == 2:
                port = message.data[1] & 0x7F
            if message.kind == smf.NOTE_ON:
                struck_tick = tick
            early = _sets_instrument(message) and struck_tick != tick
            keyed.append(((tick, 0 if early else 1), Event(tick, t, port, message)))
        if midi.format == 2 and track:
            offset += track[-1].tick
    keyed.sort(key=lambda pair: pair[0])  # stable: order within a track is kept
    return (event for _, event in keyed)


def _tempo_message(tick: int) -> Message:
    return Message(tick, smf.META, bytes((smf.TEMPO,)) + DEFAULT_TEMPO_US.to_bytes(3, "big"))


def _sets_instrument(message: Message) -> bool:
    bank = message.kind == smf.CONTROL and message.data[0] in (BANK_MSB, BANK_LSB)
    return bank or message.kind in (smf.PROGRAM, smf.SYSEX, smf.META)


def is_meta(event: Event, kind: int) -> bool:
    return event.message.status == smf.META and event.message.data[0] == kind


def follow_notes(events: list[Event]):
    """Pair every note with its end.

    Returns moves, spans (start tick, end tick or None, track, channel, key, velocity) and the count
    of notes without end. A note-off on another track of the same channel ends the note too.
    """
    moves: list[Move] = []
    spans: list[list] = []
    ringing: dict[tuple[int, int], list[list]] = defaultdict(list)
    for event in events:
        message, tick = event.message, event.tick
        if message.kind == smf.META:
            continue
        if message.kind == smf.SYSEX:
            moves.extend(_sysex_moves(tick, message.data))
            continue
        a, b = message.data[0], message.data[1] if len(message.data) > 1 else 0
        channel = event.channel
        if message.kind == smf.NOTE_ON and b:
            span = [tick, None, event.track, channel, a, b]
            spans.append(span)
            ringing[channel, a].append(span)
            moves.append(Move(tick, event.track, channel, smf.NOTE_ON, a, b))
        elif message.kind in (smf.NOTE_ON, smf.NOTE_OFF):
            held = ringing[channel, a]
            own = [span for span in held if span[2] == event.track] or held
            if own:
                ended = own[0]
                ended[1] = tick
                held.remove(ended)
                moves.append(Move(tick, ended[2], channel, smf.NOTE_OFF, a, b))
        else:
            if message.kind == smf.CONTROL and a > ALL_NOTES_OFF:
                # Mode messages 124-127 imply all notes off (MIDI 1.0); parts stay polyphonic.
                a, b = ALL_NOTES_OFF, 0
            if message.kind == smf.CONTROL and a in (ALL_SOUND_OFF, ALL_NOTES_OFF):
                for (on_channel, _), held in ringing.items():
                    if on_channel == channel:
                        for span in held:
                            span[1] = tick
                        held.clear()
            moves.append(Move(tick, None, channel, message.kind, a, b))
    return moves, spans, sum(span[1] is None for span in spans)


def _sysex_moves(tick: int, body: bytes) -> Iterator[Move]:
    volume = sysex.master_volume(body)
    if sysex.is_reset(body):
        yield Move(tick, None, None, RESET, 0, 0)
    elif volume is not None:
        yield Move(tick, None, None, MASTER_VOLUME, volume, 0)
