"""Moves: each single thing asked of a master, by whose word, and why.

A feeling, a texture, a rule-break, a genre, a preset and the user's own `--set` all become moves; a
plan is their sum (plan.py), and `intent explain` is their list. Rows in YAML become moves here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from daiw_master.errors import InputError, UnknownNameError

#: shift: a target field, relative to the song's neutral. set: a target or a knob, absolute. lean: where
#: a knob nobody measures starts. part: a knob of one part of a MIDI song ("lead.gain_db"). switch: an
#: edit that is no number.
Kind = Literal["shift", "set", "lean", "part", "switch"]
#: Who speaks; the louder voice wins. Strength turns down the feeling alone.
Voice = Literal["feeling", "platform", "user"]

#: What a switch may be called, and what its value names.
SWITCHES: Mapping[str, str] = {
    "in": "an effect taken into the chain, at its place in the house's order",
    "out": "an effect taken out of the chain",
    "tail": "how the song ends: ring (let it die away) or cut (stop with the last note)",
    "form": "the shape the song's loudness and brightness follow over time",
    "energies": "that shape in numbers: (section, bars, energy 0-1), one after another",
    "relax": "a house limit that may go to its hard value",
    "lift": "a house limit that is not enforced: breaking it is the point",
    "silence": "a verdict that is not given: what it would call a fault was asked for",
}
#: The parts of a song a rule may speak of.
PART_ROLES = ("lead", "bass", "drums", "kick", "pad", "keys", "other")


@dataclass(frozen=True)
class Shift:
    """One relative ask, summed: a target field, by how much, and the reason in an engineer's words."""

    field: str
    by: float
    why: str


@dataclass(frozen=True)
class Move:
    """One thing asked. `source` is the intent field or option that spoke, `word` the word it said."""

    kind: Kind
    what: str
    value: float | str | tuple
    why: str
    source: str = "feeling"
    word: str = ""
    voice: Voice = "feeling"


def moves_of_row(row: Mapping, source: str, word: str, weight: float = 1.0) -> list[Move]:
    """A row of presets/ (a rule, a texture, a genre) as moves.

        shifts: {band_air_db: {by: -2, why: ...}}           relative to neutral; scaled by `weight`
        set:    {dynamics.ratio: {value: 1, why: ...}}      a knob or an absolute target
        lean:   {reverb.predelay_ms: {value: 20, why: ...}} where a knob starts
        parts:  {lead: {gain_db: {value: -4, why: ...}}}    a knob of one part; levels scale
        in / out / relax / lift / silence: {name: why}
        tail / form: {value: cut, why: ...}

    `weight` 1 is the row as it stands; below one half, switches and settings stay away.
    """
    return list(_moves(row, source, word, weight))


def _moves(row: Mapping, source: str, word: str, weight: float) -> Iterator[Move]:
    known = {"shifts", "set", "lean", "parts", *SWITCHES}
    whole = weight >= 0.5
    for section, entries in row.items():
        if section == "shifts":
            for name, entry in entries.items():
                yield Move("shift", name, entry["by"] * weight, entry["why"], source, word)
        elif section in ("set", "lean") and whole:
            for name, entry in entries.items():
                yield Move(section, name, entry["value"], entry["why"], source, word)
        elif section == "parts":
            for role, knobs in entries.items():
                for knob, entry in knobs.items():
                    scale = weight if knob in ("gain_db", "send_db") else 1.0
                    value = entry["value"] * scale
                    if whole or scale != 1.0:
                        yield Move("part", f"{role}.{knob}", value, entry["why"], source, word)
        elif section in ("tail", "form") and whole:
            yield Move("switch", section, entries["value"], entries["why"], source, word)
        elif section in SWITCHES and whole:
            for name, why in entries.items():
                yield Move("switch", section, name, why, source, word)
        elif section not in known and section not in ROW_FACTS:
            raise UnknownNameError("section of a row", section, [*sorted(known), *ROW_FACTS])


#: What a row may say beside its moves.
ROW_FACTS = (
    "name", "about", "why", "means", "star", "aliases", "words", "claims", "example_emotions", "kind",
)  # fmt: skip


def check_switch(what: str, value: object) -> None:
    """Refuse a switch that does not exist, or a tail that is neither left to ring nor cut."""
    if what not in SWITCHES:
        raise UnknownNameError("switch", what, SWITCHES)
    if what == "tail" and value not in ("ring", "cut"):
        raise InputError(f"tail is {value!r}; it must be ring or cut")
