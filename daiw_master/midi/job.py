"""What a render is: the song to be played, then its sound, its stems and all that is known of it.

Nothing here needs torch, so a song can sound while torch is still being imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daiw_master.errors import InputError
from daiw_master.formats import RATES
from daiw_master.midi.density import Density, density_of
from daiw_master.midi.parts import Arrangement, Part, arrange
from daiw_master.midi.play import Performance, Strand
from daiw_master.midi.roles import Role
from daiw_master.midi.smf import read_midi_file
from daiw_master.midi.soundfont import BETTER, SoundFont, find_soundfont
from daiw_master.midi.timeline import Section, sections

if TYPE_CHECKING:
    from daiw_master.audio import Audio
    from daiw_master.sounds import Sound

#: Beyond this, stems are kept one a role instead of one a part.
_MAX_STEM_BYTES = 6 * 2**30
#: What a part sends to the reverb where its role is not named.
_FULL_SEND = 1.0


@dataclass(frozen=True)
class Stem:
    """One part, or all parts of one role, exactly as it sounds in the mix.

    `audio` is a Sound where the song was laid down in places. `detected` says what gave its role away
    ("by name"; several reasons where its parts had several). `program` is General MIDI's 0-127 (None
    where parts differ), `channel` counts 0-15 per MIDI port (None where parts differ), pitches are
    MIDI keys.
    """

    name: str
    audio: Audio | Sound
    role: Role
    is_drum: bool
    program: int | None
    channel: int | None
    pitch_low: int
    pitch_high: int
    detected: str = ""


@dataclass(frozen=True)
class Rendered:
    """A song as sound: the dry mix, its stems, and what the file told about itself.

    `notes` are one-line remarks for the user; `time_signature` is (4, 4) where the file has none.
    `detected` says who plays what and what gave it away: "lead: track 'Flute' (by name)", ...
    `last_note_s` is when the last key is let go; what follows is ringing.
    `density` is how much is played when, and the sections that shows, whatever the markers say.
    `send` is the weighted sum of parts a reverb hears, where one was asked for and anybody sends.
    Laid down in places, `mix`, `send` and stems are Sounds, to be read in blocks.
    """

    mix: Audio | Sound
    stems: tuple[Stem, ...]
    sections: tuple[Section, ...]
    tempo_bpm: float
    time_signature: tuple[int, int]
    duration_s: float
    soundfont: Path
    notes: tuple[str, ...]
    detected: tuple[str, ...] = ()
    last_note_s: float | None = None
    density: Density | None = None
    send: Audio | Sound | None = None


@dataclass(frozen=True)
class Job:
    """What is to be played: checked, read and cast, before a sound is made.

    `grouping`: which parts (by index) share a stem, under its name. `send`: what each part sends.
    """

    name: str
    arrangement: Arrangement
    font: SoundFont
    rate: int
    grouping: Mapping[str, list[int]]
    send: Strand
    remarks: tuple[str, ...]
    timeout_s: float

    @classmethod
    def of(cls, path, rate, soundfont, stems, sends, max_duration_s, timeout_s) -> Job:
        if rate not in RATES:
            raise InputError(f"sample rate {rate} Hz; it must be one of {', '.join(map(str, RATES))} Hz")
        path = Path(path)
        arrangement = arrange(read_midi_file(path), max_duration_s)
        font = find_soundfont(soundfont)
        remarks = list(arrangement.notes)
        parts = arrangement.parts
        stem_bytes = 8 * rate * arrangement.release_s * len(parts)
        if stems is True and stem_bytes > _MAX_STEM_BYTES:
            stems = "roles"
            remarks.append("the song is too long for a stem per part in memory; there is one per role")
        if font.source == "bundled" or (font.source == "system" and font.small):
            remarks.append(f"played with the small soundfont {font.path.name}; {BETTER}")
        send = {} if sends is None else {i: sends.get(p.role, _FULL_SEND) for i, p in enumerate(parts)}
        send = {index: float(weight) for index, weight in send.items() if weight}
        grouping = _grouping(parts, stems)
        return cls(path.name, arrangement, font, rate, grouping, send, tuple(remarks), timeout_s)

    def performance(self, progress: Callable[[float], None] | None = None) -> Performance:
        """The mix, every stem and, where anybody sends, the send."""
        strands: list[Strand] = [dict.fromkeys(indices, 1.0) for indices in self.grouping.values()]
        if self.send:
            strands.append(self.send)
        return Performance(self.arrangement, self.font.path, self.rate, strands, self.timeout_s, progress)

    def rendered(self, frames: int, mix, *others) -> Rendered:
        """The sounds of the performance, in its order and `frames` long, with all that is known of them."""
        song = self.arrangement
        duration_s = frames / self.rate
        beats, unit = song.time_signature
        bar_s = 60.0 / song.tempo_bpm * beats * 4.0 / unit
        stems = zip(self.grouping.items(), others, strict=False)
        return Rendered(
            mix=mix,
            stems=tuple(
                _stem(name, [song.parts[i] for i in indices], sound) for (name, indices), sound in stems
            ),
            sections=sections(song.markers, duration_s),
            tempo_bpm=song.tempo_bpm,
            time_signature=song.time_signature,
            duration_s=duration_s,
            soundfont=self.font.path,
            notes=self.remarks,
            detected=song.detected,
            density=density_of(song.parts, duration_s, bar_s),
            last_note_s=song.release_s,
            send=others[-1] if self.send else None,
        )

    def silent(self) -> InputError:
        return InputError(f"{self.name} renders to silence with {self.font.path.name}")


def _grouping(parts: tuple[Part, ...], stems: bool | str) -> dict[str, list[int]]:
    """Which parts (by index) share a stem, under its name."""
    grouping: dict[str, list[int]] = {}
    if stems:
        for index, part in enumerate(parts):
            grouping.setdefault(part.role if stems == "roles" else part.name, []).append(index)
    return grouping


def _stem(name: str, parts: list[Part], sound: Audio | Sound) -> Stem:
    keys = [note.key for part in parts for note in part.notes]
    programs, channels = {part.program for part in parts}, {part.channel % 16 for part in parts}
    return Stem(
        name=name,
        audio=sound,
        role=parts[0].role,
        is_drum=all(part.is_drum for part in parts),
        program=programs.pop() if len(programs) == 1 else None,
        channel=channels.pop() if len(channels) == 1 else None,
        pitch_low=min(keys),
        pitch_high=max(keys),
        detected=", ".join(dict.fromkeys(f"by {part.found.how}" for part in parts)),
    )
