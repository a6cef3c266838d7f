"""A MIDI file as an arrangement: who plays, and everything they do, in seconds.

A part is a (track, channel) pair, or the low or high half of a drum channel. Notes belong to one
part; controllers, programs and bends belong to a channel and reach every part on it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import count
from statistics import multimode
from typing import NamedTuple

from daiw_master.errors import InputError
from daiw_master.midi import casting, gm, roles, smf, sysex
from daiw_master.midi.roles import Found, Note, Role
from daiw_master.midi.smf import Message, MidiFile
from daiw_master.midi.stream import (
    BANK_LSB,
    BANK_MSB,
    MASTER_VOLUME,
    SUSTAIN,
    Event,
    Move,
    follow_notes,
    is_meta,
    merged,
)
from daiw_master.midi.timeline import Timeline

#: fluidsynth mixes at most this many groups apart; parts beyond it are folded by channel.
MAX_PARTS = 128
#: How long a note or a pedal that nobody lifts may ring past the last written event.
HOLD_S = 2.0
#: A pedal lifted this long after the last note still counts as part of the song.
_LATE_PEDAL_S = 8.0


class Action(NamedTuple):
    """Something a part does; `kind` as in smf plus RESET and MASTER_VOLUME (which has no part: -1)."""

    time_s: float
    part: int
    kind: int
    a: int
    b: int


@dataclass
class Part:
    """One player: its name, instrument, role and notes. `channel` counts 16 per MIDI port.

    `found` is the role with what gave it away; `titled` whether the file itself names the part.
    """

    name: str
    channel: int
    is_drum: bool
    low_drums: bool
    start_program: int
    program: int
    found: Found
    titled: bool
    notes: list[Note] = field(default_factory=list)

    @property
    def role(self) -> Role:
        return self.found.role

    @property
    def called(self) -> str:
        """How a person would point at it."""
        return f"{'track' if self.titled else f'channel {self.channel % 16 + 1}'} '{self.name}'"


@dataclass(frozen=True)
class Arrangement:
    """A song ready to be played: parts, actions sorted by time, and what was read on the way.

    `detected` says who plays what, and what gave it away.
    """

    parts: tuple[Part, ...]
    actions: tuple[Action, ...]
    release_s: float
    markers: tuple[tuple[float, str], ...]
    tempo_bpm: float
    time_signature: tuple[int, int]
    xg_banks: bool
    notes: tuple[str, ...]
    detected: tuple[str, ...] = ()


def arrange(midi: MidiFile, max_duration_s: float) -> Arrangement:
    """Turn the file into parts and timed actions. InputError: no notes, absurd tempo or length."""
    events = list(merged(midi))
    tempos = [
        (e.tick, int.from_bytes(e.message.data[1:4], "big"))
        for e in events
        if is_meta(e, smf.TEMPO) and len(e.message.data) >= 4
    ]
    timeline = Timeline(midi.division, tempos)
    moves, spans, stuck = follow_notes(events)
    if not spans:
        raise InputError("the MIDI file has no notes; there is nothing to render")
    for start_tick, *_ in spans:
        timeline.check_tempo(start_tick)
    remarks = []
    if midi.damaged:
        remarks.append(f"the file is damaged ({', '.join(midi.damaged)}); what could be read is played")
    if stuck:
        remarks.append(f"{stuck} notes never end in the file; they were released at the song's end")

    last_tick = max(move.tick for move in moves)
    owned = defaultdict(list)
    for start, end, track, channel, key, velocity in spans:
        start_s = timeline.seconds(start)
        end_s = (
            timeline.seconds(end) if end is not None else max(timeline.seconds(last_tick), start_s + HOLD_S)
        )
        owned[track, channel].append(Note(key, velocity, start_s, end_s))
    last_note_s = max(note.end_s for notes in owned.values() for note in notes)
    if last_note_s > max_duration_s:
        raise InputError(
            f"the song lasts {last_note_s / 60:.1f} min; at most {max_duration_s / 60:.1f} min are rendered"
        )

    names = {t: _track_name(track) for t, track in enumerate(midi.tracks)}
    parts, index_of, no_lead = _cast(moves, owned, names, events, remarks)
    velocities = {note.velocity for notes in owned.values() for note in notes}
    if len(velocities) == 1 and len(spans) > 8:
        remarks.append(f"every note has velocity {velocities.pop()}: the file itself has no dynamics")
    metre = _time_signature(events, timeline, last_note_s)
    if metre is None:
        remarks.append("the file names no time signature; 4/4 is assumed")

    release_s = _release(moves, timeline, last_note_s)
    actions = _address(moves, parts, index_of, timeline, release_s)
    markers = sorted(
        (timeline.seconds(e.tick), smf.text(e.message))
        for e in events
        if is_meta(e, smf.MARKER) or is_meta(e, smf.CUE_POINT)
    )
    return Arrangement(
        tuple(parts),
        tuple(actions),
        release_s,
        tuple(markers),
        timeline.main_tempo_bpm(last_note_s),
        metre or (4, 4),
        any(e.message.status == smf.SYSEX and sysex.is_xg_on(e.message.data) for e in events),
        tuple(remarks),
        casting.told(parts, no_lead),
    )


def _track_name(track: tuple[Message, ...]) -> str:
    named = (smf.text(m) for m in track if m.status == smf.META and m.data[0] == smf.TRACK_NAME)
    return next((name for name in named if name), "")


def _time_signature(events: list[Event], timeline: Timeline, end_s: float) -> tuple[int, int] | None:
    """The metre that holds longest; SMF: numerator, then the denominator's power of two."""
    changes = [
        (timeline.seconds(e.tick), (e.message.data[1], 2 ** e.message.data[2]))
        for e in events
        if is_meta(e, smf.TIME_SIGNATURE)
        and len(e.message.data) >= 3
        and e.message.data[1]
        and e.message.data[2] <= 6
    ]
    held: dict[tuple[int, int], float] = defaultdict(float)
    ends = [*(time_s for time_s, _ in changes[1:]), end_s]
    for (start_s, metre), until_s in zip(changes, ends, strict=False):
        held[metre] += max(0.0, min(until_s, end_s) - start_s)
    return max(held, key=held.get, default=None)


def _drum_channels(events: list[Event]) -> dict[int, bool]:
    """Channels the file itself declares drums (True) or melodic (False), over channel 10's custom."""
    declared: dict[int, bool] = {}
    xg = False
    for event in events:
        message = event.message
        if message.status == smf.SYSEX:
            xg = xg or sysex.is_xg_on(message.data)
            declaration = sysex.drum_part(message.data)
            if declaration is not None:
                channel, is_drum = declaration
                declared[16 * event.port + channel] = is_drum
        elif xg and message.kind == smf.CONTROL and message.data[0] == BANK_MSB:
            if message.data[1] in sysex.XG_DRUM_BANKS:
                declared[event.channel] = True
    return declared


def _cast(moves, owned, names, events, remarks) -> tuple[list[Part], dict, str]:
    """Decide who plays: parts, where each (track, channel, low drum) goes, and why nobody leads ("")."""
    declared = _drum_channels(events)
    programmed = {move.channel for move in moves if move.kind == smf.PROGRAM}
    by_channel: dict[int, list[Note]] = defaultdict(list)
    titles: dict[int, str] = {}
    for (track, channel), notes in owned.items():
        by_channel[channel].extend(notes)
        titles[channel] = titles.get(channel) or names[track]

    disguised: set[int] = set()
    drums = {c for c in by_channel if declared.get(c, c % 16 == gm.DRUM_CHANNEL)}
    if not drums:
        for channel, notes in by_channel.items():
            groove = roles.is_drums_in_disguise(notes, titles[channel], channel)
            if channel not in programmed and channel not in declared and groove:
                disguised.add(channel)
                where = f"channel {channel % 16 + 1}"
                remarks.append(f"the notes on {where} are a drum groove; they are played by a drum kit")
    drums |= disguised
    top_key = max((n.key for c, ns in by_channel.items() if c not in drums for n in ns), default=0)

    programs = _programs_under_notes(moves)
    fold = len(owned) + len(drums) > MAX_PARTS
    players = Counter(track for track, _ in owned)
    parts: list[Part] = []
    chosen: list[bool] = []
    index_of: dict[tuple[int | None, int, bool], int] = {}
    for (track, channel), notes in sorted(owned.items()):
        is_drum = channel in drums
        start = 0
        if channel not in programmed and not is_drum:
            others_above = top_key > max(note.key for note in notes)
            start = roles.default_preset(notes, titles[channel], others_above)
        for low in (False, True) if is_drum else (False,):
            # A drum channel is one kit whatever tracks it is written on: a closed hat chokes an open one.
            played = [n for n in notes if (n.key in gm.LOW_DRUMS) == low] if is_drum else notes
            if not played:
                continue
            program = programs.get((track, channel), start)
            shared = next((i for k, i in index_of.items() if k[1:] == (channel, low)), None)
            if (is_drum or fold) and shared is not None:
                index_of[track, channel, low] = shared
                parts[shared].notes.extend(played)
                continue
            index_of[track, channel, low] = len(parts)
            # A name that three channels share is the song's title.
            title = names[track] if players[track] < 3 else ""
            name = title or (gm.INSTRUMENTS[program] if not is_drum else "Drums")
            chosen.append((track, channel) in programs)
            found = roles.part_role(played, title, program, is_drum, low, chosen[-1])
            if channel in disguised:
                found = found._replace(how="density", why="a drum groove")
            full_name = f"{name} (kick and low toms)" if low else name
            titled = bool(title)
            parts.append(Part(full_name, channel, is_drum, low, start, program, found, titled, list(played)))
    if len(parts) > MAX_PARTS:
        raise InputError(f"the file plays on {len(parts)} channels at once; at most {MAX_PARTS} are rendered")
    _make_names_unique(parts)
    settled, no_lead = casting.settle(parts, [part.found for part in parts], chosen)
    for part, found in zip(parts, settled, strict=True):
        part.found = found
    return parts, index_of, no_lead


def _programs_under_notes(moves: list[Move]) -> dict[tuple[int, int], int]:
    """The program most of a track's notes on a channel are played with."""
    current: dict[int, int] = {}
    used: dict[tuple[int, int], list[int]] = defaultdict(list)
    for move in moves:
        if move.kind == smf.PROGRAM:
            current[move.channel] = move.a
        elif move.kind == smf.NOTE_ON and move.channel in current:
            used[move.track, move.channel].append(current[move.channel])
    return {key: multimode(programs)[0] for key, programs in used.items()}


def _make_names_unique(parts: list[Part]) -> None:
    taken: set[str] = set()
    for part in parts:
        names = (part.name if n == 1 else f"{part.name} {n}" for n in count(1))
        part.name = next(name for name in names if name.casefold() not in taken)
        taken.add(part.name.casefold())


def _release(moves: list[Move], timeline: Timeline, last_note_s: float) -> float:
    """When everything is let go: the last note's end, or when the last pedal is lifted."""
    pedal_down: dict[int, bool] = {}
    lifted_s = last_note_s
    for move in moves:
        if move.kind == smf.CONTROL and move.a == SUSTAIN:
            if pedal_down.get(move.channel) and move.b < 64:
                lifted_s = timeline.seconds(move.tick)
            pedal_down[move.channel] = move.b >= 64
    if any(pedal_down.values()):
        return last_note_s + HOLD_S
    return max(last_note_s, min(lifted_s, last_note_s + _LATE_PEDAL_S))


def _address(moves, parts, index_of, timeline, release_s) -> list[Action]:
    """Moves as actions of parts: notes to their player, controllers to all on the channel."""
    on_channel: dict[int | None, list[int]] = defaultdict(list)
    for index, part in enumerate(parts):
        on_channel[part.channel].append(index)
        on_channel[None].append(index)
    actions = []
    for move in moves:
        time_s = timeline.seconds(move.tick)
        if time_s > release_s:
            break
        if move.kind == MASTER_VOLUME:
            actions.append(Action(time_s, -1, MASTER_VOLUME, move.a, 0))
            continue
        if move.kind in (smf.NOTE_ON, smf.NOTE_OFF):
            low = (move.track, move.channel, move.a in gm.LOW_DRUMS)
            player = index_of[low] if low in index_of else index_of[move.track, move.channel, False]
            actions.append(Action(time_s, player, move.kind, move.a, move.b))
            continue
        for index in on_channel[move.channel]:
            if parts[index].is_drum and move.kind == smf.CONTROL and move.a in (BANK_MSB, BANK_LSB):
                continue  # drum kits have no banks; XG's drum bank is how the part was recognised
            actions.append(Action(time_s, index, move.kind, move.a, move.b))
    return actions
