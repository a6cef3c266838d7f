"""The house's numbers, read from presets/house.yaml: neutral, the envelope, the limits of taste."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from daiw_master.data import load_yaml, names_in
from daiw_master.errors import UnknownNameError
from daiw_master.targets import SPACE


@dataclass(frozen=True)
class Limit:
    """A line a master does not cross: by default, and at the furthest when relaxed by name."""

    name: str
    default: float
    hard: float
    unit: str
    about: str
    at_least: bool = False

    def value(self, relaxed: bool) -> float:
        return self.hard if relaxed else self.default

    def holds(self, measured: float, relaxed: bool, slack: float = 0.0) -> bool:
        limit = self.value(relaxed)
        return measured >= limit - slack if self.at_least else measured <= limit + slack


@cache
def limits() -> Mapping[str, Limit]:
    """Every house limit by name."""
    return {name: Limit(name=name, **row) for name, row in load_yaml("presets", "house")["limits"].items()}


@cache
def envelope() -> Mapping[str, tuple[float, float]]:
    """Where finished music lies, per heard field."""
    rows = load_yaml("presets", "house")["envelope"]
    return {SPACE[name].name: (float(low), float(high)) for name, (low, high) in rows.items()}


def neutral() -> Mapping:
    """What every song gets before any feeling: loudness, ceiling, a room for dry MIDI."""
    return load_yaml("presets", "house")["neutral"]


@cache
def platforms() -> Mapping[str, Mapping[str, float]]:
    """Delivery targets of the streaming platforms and other destinations, by name."""
    rows = {name: load_yaml("presets", name) for name in names_in("presets")}
    return {name: row["set"] for name, row in rows.items() if row.get("kind") == "platform"}


def platform(name: str) -> Mapping[str, float]:
    """Delivery targets of one destination."""
    known = platforms()
    if name.casefold() not in known:
        raise UnknownNameError("platform", name, known)
    return known[name.casefold()]
