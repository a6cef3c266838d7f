"""What a preset is, and which sections a preset file may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from daiw_master import house
from daiw_master.moves import Move
from daiw_master.targets import DELIVERY, FIELDS

#: Where presets come from; `kind:name` chooses where two share a name.
KINDS = ("emotion", "rule", "genre", "platform", "lofi")
#: The sections of a preset file in the order they are written, and what each says. These lines head
#: the sections of an authored file.
SECTIONS: Mapping[str, str] = {
    "platform": "where it will be played: loudness and ceiling of that place",
    "fixed": "loudness, ceiling and knobs that stand whatever is felt; the song's neutral has them too",
    "shifts": "against this song's own neutral, each in the unit its name ends with",
    "set": "as numbers stand: targets, then knobs; a knob set here is no longer looked for",
    "lean": "where a knob nobody measures begins",
    "effects": "taken into the house chain, each at its place, and taken out of it",
    "parts": "single parts of a MIDI song; levels in dB against what was written",
    "tail": "ring: the end dies away; cut: it stops with the last note",
    "form": "the shape loudness and brightness follow over time",
    "energies": "that shape in numbers: section, bars, energy from 0 to 1",
    "relax": "house limits that may go to their hard value",
    "lift": "house limits that are not enforced here",
    "silence": "verdicts that are not given: what they would call a fault was meant",
}


@dataclass(frozen=True)
class PresetInfo:
    """A preset one can ask for by name: what it is called, what sort it is, what it does."""

    name: str
    kind: str
    about: str


@dataclass(frozen=True)
class Preset:
    """A preset, read: the moves it asks for, each with its reason."""

    name: str
    about: str
    kind: str
    moves: tuple[Move, ...]


def shift_range(name: str) -> tuple[float, float]:
    """How far a preset may shift a target, in its unit.

    Delivery: as far as its range lies from the house's own delivery. Heard: as far as its scale
    reaches from nothing, either way. Done: twice that, since several words may each ask for drive or
    room from none at all.
    """
    field = FIELDS[name]
    if name in DELIVERY:
        home = float(house.neutral()[name])
        return field.low - home, field.high - home
    reach = max(abs(field.low), abs(field.high)) * (2 if field.kind == "done" else 1)
    return -reach, reach
