"""Where several words pull one target: the sum, and how the argument was settled, in one line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from daiw_master.data import load_yaml
from daiw_master.intent.units import number, unit_of
from daiw_master.moves import Move
from daiw_master.targets import FIELDS

_VOICES = ("feeling", "platform", "user")
#: Switches of which a song has only one; of the others (in, out, relax, ...) each stands for itself.
_SINGLE = ("tail", "form", "energies")
#: A sum under this share of its field's tolerance is nobody's victory.
_EVEN = 0.2


@dataclass(frozen=True)
class Settled:
    """One target or knob more than one word spoke of: who asked what, what it came to, and how."""

    what: str
    parts: tuple[tuple[str, str], ...]
    result: str
    how: str

    @property
    def line(self) -> str:
        asked = ", ".join(f"{source} {value}" for source, value in self.parts)
        return f"{self.what}: {asked} -> {self.result}: {self.how}"

    def as_json(self) -> dict[str, Any]:
        parts = [{"source": source, "asked": value} for source, value in self.parts]
        return {"what": self.what, "parts": parts, "result": self.result, "how": self.how}


def settle(moves: Sequence[Move]) -> Iterator[Settled]:
    """Everything more than one move speaks of, targets first; `moves` as a plan keeps them (louder last)."""
    yield from _targets(moves)
    yield from _knobs(moves)
    yield from _switches(moves)


def _targets(moves: Sequence[Move]) -> Iterator[Settled]:
    for name in FIELDS:
        shifts = [move for move in moves if move.kind == "shift" and move.what == name]
        fixed = [move for move in moves if move.kind == "set" and move.what == name]
        if fixed and len(shifts) + len(fixed) > 1:
            yield _fixed(name, shifts, fixed)
        elif len(shifts) > 1:
            yield _summed(name, shifts)


def _summed(name: str, shifts: Sequence[Move]) -> Settled:
    by_source = _by_source(shifts)
    total = math.fsum(by_source.values())
    unit = unit_of(shifts[0])
    pulls = [move.value for move in shifts]
    if min(pulls) < 0.0 < max(pulls):
        field = FIELDS[name]
        heard = field.tolerance * (abs(field.default) if field.relative_tolerance else 1.0)
        way = "even" if abs(total) <= _EVEN * heard else "up" if total > 0 else "down"
        how = load_yaml("presets/words", "settled")[name][way]
    else:
        hardest = max(shifts, key=lambda move: abs(move.value))
        how = f"of one mind; most of all, {hardest.why}"
    return Settled(name, _asked(by_source), f"{number(total, signed=True)} {unit}", how)


def _fixed(name: str, shifts: Sequence[Move], fixed: Sequence[Move]) -> Settled:
    last = fixed[-1]
    parts = _asked(_by_source(shifts)) + tuple((move.source, f"= {number(move.value)}") for move in fixed)
    how = f"{last.source} has the last word"
    if shifts:
        how = f"{last.source} names a number, and a number is not argued with; the rest is not applied"
    return Settled(name, parts, f"{number(last.value)} {unit_of(last)}", how)


def _knobs(moves: Sequence[Move]) -> Iterator[Settled]:
    knobs = dict.fromkeys(
        move.what for move in moves if move.kind in ("set", "lean") and move.what not in FIELDS
    )
    for knob in knobs:
        fixed = [move for move in moves if move.kind == "set" and move.what == knob]
        starts = [move for move in moves if move.kind == "lean" and move.what == knob]
        if len(fixed) + len(starts) < 2:
            continue
        last = (fixed or starts)[-1]
        parts = tuple((move.source, number(move.value)) for move in (*starts, *fixed))
        unit = unit_of(last)
        yield Settled(knob, parts, f"{number(last.value)} {unit}".strip(), _later(last, starts + fixed))
    for what in dict.fromkeys(move.what for move in moves if move.kind == "part"):
        own = [move for move in moves if move.kind == "part" and move.what == what]
        if len(own) > 1:
            adds = what.endswith((".gain_db", ".send_db"))
            total = math.fsum(move.value for move in own) if adds else own[-1].value
            parts = tuple((move.source, number(move.value, signed=adds)) for move in own)
            how = "levels of one part add up" if adds else _later(own[-1], own)
            yield Settled(what, parts, f"{number(total, signed=adds)} {unit_of(own[0])}".strip(), how)


def _switches(moves: Sequence[Move]) -> Iterator[Settled]:
    switches = [move for move in moves if move.kind == "switch"]
    for what in _SINGLE:
        own = [move for move in switches if move.what == what]
        if len(own) > 1:
            parts = tuple((move.source, _named(move)) for move in own)
            yield Settled(what, parts, _named(own[-1]), _later(own[-1], own))
    taken = [move for move in switches if move.what == "in"]
    for effect in dict.fromkeys(move.value for move in taken):
        out = [move for move in switches if move.what == "out" and move.value == effect]
        own = [move for move in taken if move.value == effect]
        if out:
            parts = tuple((move.source, move.what) for move in (*own, *out))
            yield Settled(str(effect), parts, "out", "leaving out goes before taking in")
        elif len(own) > 1:
            parts = tuple((move.source, "in") for move in own)
            yield Settled(str(effect), parts, "in", "once is enough, for more than one reason")


def _later(last: Move, moves: Sequence[Move]) -> str:
    """Why the last of several counts: a louder voice, a setting against a start, or simply the later word."""
    quieter = [move for move in moves if move is not last]
    if all(move.value == last.value for move in quieter):
        return "the same from each"
    if all(_VOICES.index(move.voice) < _VOICES.index(last.voice) for move in quieter):
        return f"{last.source} is the louder voice"
    if last.kind == "set" and any(move.kind == "lean" for move in quieter):
        return f"{last.source} turns the knob; the others only said where it might start"
    return f"{last.why} ({last.source} speaks last)"


def _named(move: Move) -> str:
    return f"{len(move.value)} sections" if isinstance(move.value, tuple) else str(move.value)


def _by_source(moves: Sequence[Move]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for move in moves:
        totals[move.source] = totals.get(move.source, 0.0) + move.value
    return totals


def _asked(by_source: dict[str, float]) -> tuple[tuple[str, str], ...]:
    return tuple((source, number(value, signed=True)) for source, value in by_source.items())
