"""Who plays what: presets for channels that name none, drums in disguise, and a part's role.

Generators such as DAiW write notes without program changes and drum grooves on the first channel;
a plain General MIDI render would play silence, or a piano.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import median
from typing import Literal, NamedTuple

from daiw_master.midi import gm

Role = Literal["bass", "kick", "drums", "lead", "pad", "keys", "other"]
#: What gave a part away.
How = Literal["name", "channel", "program", "range", "density"]

#: Track-name words and the preset they ask for, first match wins; specific before general.
_PRESETS_BY_WORD = tuple(
    (re.compile(rf"\b(?:{words})", re.IGNORECASE), program)
    for words, program in (
        ("(?:e|electric|rhodes)[ -]*piano|rhodes|wurli", 4),
        ("harpsi|cembalo", 6),
        ("vibe|vibraphone", 11),
        ("marimba", 12),
        ("organ", 16),
        ("accordion", 21),
        ("bassoon|fagott", 70),
        ("(?:synth|sub|808)[ -]*bass", 38),
        ("double bass|contrabass|upright", 32),
        ("bass", 33),
        ("(?:distort|heavy|lead)[a-z]*[ -]*g(?:ui)?ta?r", 30),
        ("(?:e|electric|clean)[a-z]*[ -]*g(?:ui)?ta?r", 27),
        ("g(?:ui)?ta?rs?\\b", 25),
        ("violas?\\b", 41),
        ("violin|fiddle", 40),
        ("cell[oi]", 42),
        ("harp\\b", 46),
        ("timpani|kettle", 47),
        ("string", 48),
        ("choir|chorus|aah|ooh", 52),
        ("trumpet", 56),
        ("trombone", 57),
        ("tuba", 58),
        ("(?:french )?horn", 60),
        ("brass", 61),
        ("sax", 65),
        ("oboe", 68),
        ("clarinet", 71),
        ("flute", 73),
        ("vocal|voice|vox|singer", 54),
        ("lead|synth", 81),
        ("melody|solo|theme", 73),
        ("pad|atmos|ambien|drone|texture", 89),
        ("bells?\\b|glock", 9),
        ("piano|keys|harmony|chords?|klavier", 0),
    )
)
_DRUM_NAME = re.compile(r"\b(?:drums?|drumkit|percussions?|perc|kit)\b", re.IGNORECASE)
#: Words that name a job in the song; who is called by one keeps it. First match wins.
_JOBS = tuple(
    (re.compile(rf"\b(?:{words})\b", re.IGNORECASE), role)
    for words, role in (
        ("(?:(?:synth|sub|double|upright|contra|e)[ -]?)?bass(?: guitar)?|contrabass|contrabajos?", "bass"),
        ("(?:back(?:ing|ground|up)?|harmony|bg) ?(?:vocals?|vox|voices?)|bgvs?", "other"),
        ("rhythm|riff|echo|arp(?:eggio)?|fx|seq(?:uence)?|counter(?:melody|point)?", "other"),
        (
            "lead|mel(?:od(?:y|ie|ia))?|vocal(?:s|ist)?|voice(?! ?\\d)|vox|singer|cantus|solo(?:ist)?|theme",
            "lead",
        ),
        ("pads?|drones?|ambien(?:ce|t)|atmos(?:phere)?", "pad"),
        ("keys|harmony|chords?|comp(?:ing)?|accomp(?:animent)?", "keys"),
    )
)
#: Words that name an instrument which mostly does one job, but may be given another.
_USUAL_JOBS = tuple(
    (re.compile(rf"\b(?:{words})\b", re.IGNORECASE), role)
    for words, role in (("strings|choir", "pad"), ("piano|organ|rhodes", "keys"))
)
#: Patches that carry a job's word in their name: "Lead 2 (sawtooth)" is a sound, no place in the band.
_PATCH_NAME = re.compile(
    r"\b(?:square|saw\w*|calliope|chiff\w*|charang|voice|fifths?) lead\b|\b(?:lead|pad|fx) \d+ \("
    r"|\bsynth voice|\bvoice (?:ooh|aah)s?\b",
    re.IGNORECASE,
)
#: Where words were written together: GuitarLead, Bass2, lead_synth.
_SEAM = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|_")
_BASS_DRUM_NAME = re.compile(r"\bbass[ -]?drum|\bgran cassa|\bkick", re.IGNORECASE)

#: DAiW writes its grooves between these keys.
_DISGUISED_RANGE = (35, 59)
_DISGUISED_MAX_LENGTH_S = 0.3
_DISGUISED_MAX_KEYS = 12
#: Two hits this close count as one stroke.
_TOGETHER_S = 0.03
#: E3: a part that never leaves the octaves below plays the bass, whatever its preset is called.
_BASS_TOP_KEY = 52
_BASS_MEDIAN_KEY = 43


class Note(NamedTuple):
    """One note as played: key 0-127, velocity 1-127, seconds."""

    key: int
    velocity: int
    start_s: float
    end_s: float


def is_drums_in_disguise(notes: Sequence[Note], name: str, channel: int) -> bool:
    """Whether a channel without program change outside channel 10 is really a drum part.

    By name and range; or, nameless on the first channel, by range, length, few keys and their use.
    """
    keys = {note.key for note in notes}
    if not keys or min(keys) < _DISGUISED_RANGE[0]:
        return False
    if _DRUM_NAME.search(name):
        return max(keys) <= 81
    if name and preset_by_name(name) is not None:
        return False
    if channel != 0 or max(keys) > _DISGUISED_RANGE[1] or len(keys) > _DISGUISED_MAX_KEYS:
        return False
    if median(note.end_s - note.start_s for note in notes) > _DISGUISED_MAX_LENGTH_S:
        return False
    return _is_beat(notes, keys)


def _is_beat(notes: Sequence[Note], keys: set[int]) -> bool:
    """Whether the keys behave as a kit: strokes that fall together as chords never do, or a plain
    kick, snare and hat pattern, one at a time but mostly hats, which no bass line (C, D, F sharp) is.
    """
    if not keys & gm.KICKS or sum(note.key in gm.CORE_KIT for note in notes) < 0.9 * len(notes):
        return False
    ordered = sorted(notes, key=lambda note: note.start_s)
    pairs = zip(ordered, ordered[1:], strict=False)
    together = sum(b.start_s - a.start_s < _TOGETHER_S and a.key != b.key for a, b in pairs)
    if keys & (gm.SNARES | gm.HATS) and together >= 0.05 * len(notes):
        return True
    kicks, snares, hats = (sum(n.key in group for n in notes) for group in (gm.KICKS, gm.SNARES, gm.HATS))
    return keys <= gm.CORE_KIT and kicks >= snares > 0 and hats >= len(notes) / 3


def preset_by_name(name: str) -> int | None:
    """The program a track's name asks for, or None."""
    return next((program for pattern, program in _PRESETS_BY_WORD if pattern.search(name)), None)


def default_preset(notes: Sequence[Note], name: str, others_above: bool) -> int:
    """The program for a channel that names none: by name, else bass if it plays one, else piano.

    `others_above`: whether another melodic part plays higher; a lone low voice stays a piano, the
    General MIDI default.
    """
    by_name = preset_by_name(name)
    if by_name is not None:
        return by_name
    if others_above and len(notes) >= 8 and _plays_bass(notes) and _is_one_voice(notes):
        return 33
    return 0


class Found(NamedTuple):
    """A part's role and what gave it away; `firm` where its name states the job, `why` in words."""

    role: Role
    how: How
    firm: bool = False
    why: str = ""


def part_role(
    notes: Sequence[Note],
    name: str,
    program: int,
    is_drum: bool,
    low_drums: bool,
    programmed: bool = True,
) -> Found:
    """What a part does, heard alone: by its name, else its instrument, else its range.

    `programmed`: whether the file chose the program; a default piano says nothing about the part.
    """
    if is_drum:
        return Found("kick" if low_drums else "drums", "channel", True)
    if _BASS_DRUM_NAME.search(name):
        return Found("kick", "name", True)
    words = _SEAM.sub(" ", name)
    by_program = gm.instrument_role(program)
    plays_bass = by_program != "drums" and _plays_bass(notes) and _is_one_voice(notes)
    if not _PATCH_NAME.search(words):
        job = next((role for pattern, role in _JOBS if pattern.search(words)), None)
        if job == "bass" and program in gm.SINGERS:
            return Found("pad", "program")  # a bass singer stands in the room with the choir
        if job is not None and not (job == "other" and plays_bass):
            return Found(job, "name", True)
    usual = next((role for pattern, role in _USUAL_JOBS if pattern.search(words)), None)
    if usual is not None:
        return Found(usual, "name")
    if plays_bass:
        return Found("bass", "range")
    if by_program in ("bass", "drums"):
        return Found(by_program, "program")
    called = preset_by_name(name)
    by_name = None if called is None else gm.instrument_role(called)
    if by_name not in (None, "bass", "drums"):
        return Found(by_name, "name")
    return Found(by_program, "program" if programmed else "density")


def _plays_bass(notes: Sequence[Note]) -> bool:
    keys = [note.key for note in notes]
    return max(keys) <= _BASS_TOP_KEY and median(keys) <= _BASS_MEDIAN_KEY


def _is_one_voice(notes: Sequence[Note]) -> bool:
    """Whether the notes follow one another; a fifth of them may overlap (legato, a final chord)."""
    ordered = sorted(notes, key=lambda note: note.start_s)
    chords = sum(
        b.start_s - a.start_s < _TOGETHER_S and a.key != b.key
        for a, b in zip(ordered, ordered[1:], strict=False)
    )
    return chords <= 0.2 * len(ordered)
