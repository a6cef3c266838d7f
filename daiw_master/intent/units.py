"""A move's size as people write it: "+6.0 dB", "starts at 45 ms", "taken in"."""

from __future__ import annotations

from daiw_master.moves import Move
from daiw_master.params import UNIT_OF_SUFFIX
from daiw_master.targets import FIELDS

#: A difference between two levels is in the level's plain unit.
_DIFFERENCE = {"LUFS": "LU", "dBTP": "dB"}


def unit_of(move: Move) -> str:
    """The unit of a move's value; "" for a switch or a plain factor."""
    if move.kind == "switch":
        return ""
    unit = FIELDS[move.what].unit if move.what in FIELDS else _unit_of_knob(move.what)
    return _DIFFERENCE.get(unit, unit) if move.kind == "shift" else unit


def amount(move: Move) -> str:
    """How much, or what: the second column of an explanation."""
    if move.kind == "switch":
        return _switched(move)
    unit = unit_of(move)
    adds = move.kind == "shift" or (move.kind == "part" and move.what.endswith((".gain_db", ".send_db")))
    how = "" if adds else "from " if move.kind == "lean" else "= "
    return f"{how}{number(move.value, signed=adds)}{' ' + unit if unit else ''}"


def number(value: float, signed: bool = False) -> str:
    """As many digits as anyone hears, and always the sign of a change: "+6.0", "-0.25", "13000"."""
    digits = f"{value:.2f}".rstrip("0") if abs(value) < 100 else f"{value:.0f}"
    digits = f"{digits}0" if digits.endswith(".") and signed else digits.rstrip(".")
    return f"+{digits}" if signed and not digits.startswith("-") else digits


def _switched(move: Move) -> str:
    if isinstance(move.value, tuple):
        return f"{len(move.value)} sections"
    return str(move.value)


def _unit_of_knob(name: str) -> str:
    endings = sorted(UNIT_OF_SUFFIX, key=len, reverse=True)
    return next((UNIT_OF_SUFFIX[ending] for ending in endings if name.endswith(ending)), "")
