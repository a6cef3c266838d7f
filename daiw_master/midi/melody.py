"""How a part plays, and how much like a melody that is.

A melody is what one would sing back: mostly one voice, on top of the others, at a pace a voice could
follow, moving in steps, seldom the same few notes round and round, and played a little louder. The
skyline (who is on top) is the oldest and strongest of these cues: Uitdenbogerd & Zobel, Melodic
matching techniques for large music databases, ACM Multimedia 1999.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median

import numpy as np

from daiw_master.midi.roles import Note

#: Listening is done this often, seconds; legato overlaps shorter than it are no second voice.
_FRAME_S = 0.05
#: Notes that start this close together are one stroke.
_STROKE_S = 0.03
#: The pace of singing, strokes a second.
_PACE_HZ = 2.2
#: Up to a major third is a step.
_STEP_KEYS = 4
#: A tune that sounds this share of the time is there as much as any tune needs to be; one that sounds
#: less than a quarter of it is a visitor.
_PRESENT, _VISITING = 0.6, 0.25


@dataclass(frozen=True)
class Line:
    """How one part plays, against the others it plays with.

    Shares lie in 0..1: `one_voice` and `on_top` of its own sounding time, `sounding` of the song's,
    `steps` of its moves, `fresh` of its four-note turns, `chords` of its notes (those that share a
    stroke). `pace_hz` strokes a second while it sounds, `hold_s` its median note, `louder` its mean
    velocity over the song's.
    """

    one_voice: float
    on_top: float
    sounding: float
    pace_hz: float
    chords: float
    steps: float
    fresh: float
    hold_s: float
    louder: float

    @property
    def is_melodic(self) -> bool:
        """Mostly one note at a time."""
        return self.one_voice >= 0.75 and self.chords <= 0.25

    @property
    def is_sustained(self) -> bool:
        """Slow and held: what a pad does, whatever plays it."""
        return self.hold_s >= 1.0 and self.pace_hz <= 1.25


def lines(parts: Sequence[Sequence[Note]]) -> list[Line]:
    """How each part plays; `parts` are the melodic parts of one song, none of them empty."""
    start_s = min(note.start_s for part in parts for note in part)
    end_s = max(note.end_s for part in parts for note in part)
    frames = int((end_s - start_s) / _FRAME_S) + 2
    played = [_frames(part, start_s, frames) for part in parts]
    skyline = np.max([top for top, _ in played], axis=0)
    loud = mean(note.velocity for part in parts for note in part)
    return [
        _line(part, top, voices, skyline, loud) for part, (top, voices) in zip(parts, played, strict=True)
    ]


def melody_score(line: Line, program: int) -> float:
    """How much a part asks to be sung back; about 3 for a tune, below 1 for chords and drones.

    The weights were set by hand, in halves and tenths. On 200 songs whose lead is known (by its name, as
    the singer of a song with piano, as first violin) the highest score is the lead's in 190; in 186
    where all that is known are the notes. What it misses are mostly lead guitars that play chords.
    """
    score = line.one_voice + line.on_top - line.chords
    score += min(line.sounding, _PRESENT) - 4.0 * max(_VISITING - line.sounding, 0.0)
    score += 0.5 * line.fresh + 0.5 * line.steps
    score -= 0.3 * abs(math.log2(min(max(line.pace_hz, 0.05), 40.0) / _PACE_HZ))
    score -= 0.3 * min(max(math.log2(max(line.hold_s, 0.02) / 0.5), 0.0), 3.0)
    score += 0.5 * min(max(line.louder / 20.0, -1.0), 1.0)
    return score + _INSTRUMENT_LEANS.get(program // 8, 0.0)


#: By General MIDI family: pianos, ensembles and pads accompany a little more often than they lead.
_INSTRUMENT_LEANS = {0: -0.3, 6: -0.4, 11: -0.4, 12: -0.4} | dict.fromkeys((7, 8, 9, 10, 13), 0.2)


def _frames(part: Sequence[Note], start_s: float, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """The highest key sounding in each frame (-1 for none) and how many keys sound."""
    top, voices = np.full(frames, -1, np.int16), np.zeros(frames, np.int16)
    for note in part:
        first = int((note.start_s - start_s) / _FRAME_S)
        last = max(first + 1, int((note.end_s - start_s) / _FRAME_S))
        np.maximum(top[first:last], note.key, out=top[first:last])
        voices[first:last] += 1
    return top, voices


def _line(
    part: Sequence[Note], top: np.ndarray, voices: np.ndarray, skyline: np.ndarray, loud: float
) -> Line:
    sounds = voices > 0
    heard = int(sounds.sum())
    ordered = sorted(part, key=lambda note: note.start_s)
    begins, keys = [ordered[0].start_s], [ordered[0].key]
    for note in ordered[1:]:
        if note.start_s - begins[-1] > _STROKE_S:
            begins.append(note.start_s)
            keys.append(note.key)
        else:
            keys[-1] = max(keys[-1], note.key)
    moves = [b - a for a, b in zip(keys, keys[1:], strict=False)]
    turns = list(zip(keys, keys[1:], keys[2:], keys[3:], strict=False))
    return Line(
        one_voice=float((voices == 1).sum()) / heard,
        on_top=float(((top == skyline) & sounds).sum()) / heard,
        sounding=heard / max(1, int((skyline >= 0).sum())),
        pace_hz=len(keys) / (heard * _FRAME_S),
        chords=1.0 - len(keys) / len(part),
        steps=sum(0 < abs(move) <= _STEP_KEYS for move in moves) / max(1, len(moves)),
        fresh=len(set(turns)) / max(1, len(turns)),
        hold_s=median(note.end_s - note.start_s for note in part),
        louder=mean(note.velocity for note in part) - loud,
    )
