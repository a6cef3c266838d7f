"""What "The Last Ferry" says: its sections, harmony and melodies, as a composer would note them.

Someone stands on a quay after the last ferry has gone; shouts at the sea; the engine stops; a light
comes on across the water. D minor turning to D major, with one borrowed minor chord near the end
because not everything is mended. The same four-note call (A-D-F-E: up a fourth, up a third, and a
sigh down) opens verse, chorus and ending.
"""

from __future__ import annotations

from typing import NamedTuple

BEATS_PER_BAR = 4


class Section(NamedTuple):
    """One scene: marker, tempo at its start and end (BPM), loudness arc (velocities), harmony by bar.

    A bar holds one chord or two ("Asus4 A": two beats each); "-" is a bar in which nobody plays.
    `rest` counts the beats at the end that nobody holds on through.
    """

    name: str
    marker: str
    bpm: tuple[float, float]
    velocity: tuple[int, int]
    chords: tuple[str, ...]
    rest: float = 0.0


SECTIONS = (
    Section("intro", "Intro: The Empty Quay", (72, 72), (80, 84), ("Dm9", "Bbmaj7", "Gm9", "Asus4 A")),
    Section(
        "verse",
        "Verse: What Was Left Unsaid",
        (76, 76),
        (82, 92),
        ("Dm", "Dm/C", "Bbmaj7", "F/A", "Gm9", "Dm/F", "Em7b5", "Asus4 A7"),
    ),
    Section("rise", "Rise: The Water Comes Up", (76, 92), (90, 114), ("Bb", "C/Bb", "Gm/A", "A7")),
    Section(
        "chorus",
        "Chorus: Shouting at the Sea",
        (92, 92),
        (112, 122),
        ("Dm", "Bb", "F", "C", "Dm", "Bb", "Gm", "A7"),
        rest=1,
    ),
    Section("silence", "Silence: The Engine Stops", (92, 92), (0, 0), ("-",)),
    Section(
        "bridge",
        "Bridge: The Memory",
        (66, 66),
        (68, 76),
        ("Bbmaj7", "F/A", "Gm7", "Dm/F", "Em7", "Asus4 A"),
    ),
    Section(
        "ending",
        "Ending: A Light on the Other Side",
        (84, 84),
        (90, 116),
        ("D", "A/C#", "Bm7", "G", "D/F#", "Gm6", "Asus4 A7", "D"),
        rest=2,
    ),
)
#: The last two bars slow down to this, beat by beat, before the stop.
RITARDANDO_BPM = 58.0
RITARDANDO_BARS = 2

#: Note:beats, bars between bar lines; "r" is a rest.
MELODIES = {
    "verse": (
        "A3:1.5 D4:.5 F4:1.5 E4:.5 | E4:1 D4:3 | D4:1.5 F4:.5 A4:1.5 G4:.5 | G4:1 F4:2 r:1 |"
        "Bb3:1.5 D4:.5 A4:1.5 G4:.5 | F4:1 E4:.5 F4:.5 D4:2 | E4:1 G4:1 Bb4:1.5 A4:.5 | A4:1 D4:1 E4:1 r:1"
    ),
    "rise": "F4:1 D4:1 Bb4:2 | G4:1 E4:1 C5:2 | D5:1 Bb4:1 G4:1 D5:1 | E5:1.5 C#5:.5 E5:.5 G5:.5 A4:1",
    "chorus": (
        "A4:1.5 D5:.5 F5:1.5 E5:.5 | D5:2 C5:.5 Bb4:.5 D5:1 | C5:1.5 A4:.5 C5:1 F5:1 | E5:2 D5:1 C5:1 |"
        "A4:1.5 D5:.5 F5:1.5 G5:.5 | F5:1 D5:1 Bb4:1 D5:1 | D5:1.5 C5:.5 Bb4:1 G4:1 | A4:1 C#5:1 E5:1 r:1"
    ),
    "bridge": (
        "r:1 D5:1.5 C5:.5 A4:1 | C5:2 A4:2 | r:1 Bb4:1.5 A4:.5 F4:1 | A4:3 r:1 |"
        "r:1 G4:1 B4:1 D5:1 | D5:2 C#5:2"
    ),
    "ending": (
        "A4:1.5 D5:.5 F#5:1.5 E5:.5 | E5:1 C#5:1 A4:2 | D5:1.5 E5:.5 F#5:1 A5:1 | G5:1.5 F#5:.5 D5:2 |"
        "F#5:1.5 E5:.5 D5:1 A4:1 | Bb4:1.5 D5:.5 E5:1 D5:1 | D5:2 C#5:1 E5:1 | D5:2 r:2"
    ),
}

#: Semitones above the root.
QUALITIES = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m9": (0, 3, 7, 14),
    "m6": (0, 3, 7, 9),
    "m7b5": (0, 3, 6, 10),
    "sus4": (0, 5, 7),
}
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"#": 1, "b": -1}


class Chord(NamedTuple):
    """A harmony as pitch classes (0 is C), its lowest voice first asked for by name."""

    bass: int
    tones: tuple[int, ...]


def pitch_class(name: str) -> tuple[int, str]:
    """The pitch class a chord or note name starts with, and the rest of the name."""
    value, rest = _LETTERS[name[0]], name[1:]
    if rest and rest[0] in _ACCIDENTALS:
        return value + _ACCIDENTALS[rest[0]], rest[1:]
    return value, rest


def chord(symbol: str) -> Chord:
    """ "F/A" as Chord(bass A, tones F A C)."""
    upper, _, bass = symbol.partition("/")
    root, quality = pitch_class(upper)
    tones = tuple((root + interval) % 12 for interval in QUALITIES[quality])
    return Chord(pitch_class(bass)[0] % 12 if bass else root % 12, tones)


def pitch(name: str) -> int:
    """MIDI number of "C#5"; middle C is C4 = 60."""
    value, octave = pitch_class(name)
    return value + 12 * (int(octave) + 1)


def melody(name: str) -> list[tuple[float, float, int]]:
    """A section's tune as (beat, beats, MIDI number), rests left out; each bar must add up."""
    notes = []
    for bar, text in enumerate(MELODIES[name].split("|")):
        beat = float(bar * BEATS_PER_BAR)
        for word in text.split():
            note, _, beats = word.partition(":")
            if note != "r":
                notes.append((beat, float(beats), pitch(note)))
            beat += float(beats)
        if beat != (bar + 1) * BEATS_PER_BAR:
            raise ValueError(f"{name}, bar {bar + 1}: {beat - bar * BEATS_PER_BAR:g} beats instead of 4")
    return notes
