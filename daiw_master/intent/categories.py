"""Fourteen feelings with a sound of their own, and the small linear map between them.

Each category is a file in intents/: where it lies in valence, arousal and dominance, what it moves
(field by field, each with its reason) and, where nobody can measure it, which character it prefers.
Directions follow Juslin & Laukka 2003, Mo, Wu & Horner 2015, Korsmit 2024 and Wilkie & Harrison 2025;
sizes are design choices, kept to a third of what a mix would do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from daiw_master.data import load_yaml, names_in
from daiw_master.targets import SPACE

#: The three axes of a feeling, each from -1 to 1 (Russell & Mehrabian 1977).
AXES = ("valence", "arousal", "dominance")


@dataclass(frozen=True)
class Row:
    """One number with its reason: what a category does to a field, or where it likes a knob."""

    value: float
    why: str


@dataclass(frozen=True)
class Slope:
    """What one unit along an axis does to a field, with a reason for each direction of the axis."""

    value: float
    more: str
    less: str


@dataclass(frozen=True)
class Category:
    """A feeling with a sound of its own: `shifts` per target field, `settings` per knob.

    `vad` is (valence, arousal, dominance); `marked` says where the evidence ends and our own
    design begins.
    """

    name: str
    about: str
    vad: tuple[float, float, float]
    shifts: Mapping[str, Row]
    settings: Mapping[str, Row]
    marked: str = ""


@cache
def categories() -> Mapping[str, Category]:
    """Every category by name, read from intents/."""
    loaded = {}
    for name in names_in("intents"):
        data = load_yaml("intents", name)
        loaded[name] = Category(
            name=name,
            about=data["about"],
            vad=tuple(float(data["affect"][axis]) for axis in AXES),
            shifts={
                SPACE[field].name: Row(float(row["by"]), row["why"]) for field, row in data["shifts"].items()
            },
            settings={
                knob: Row(float(row["value"]), row["why"]) for knob, row in data.get("settings", {}).items()
            },
            marked=data.get("marked", ""),
        )
    return loaded


@cache
def linear_map() -> tuple[Mapping[str, Slope], ...]:
    """What one unit of valence, of arousal, of dominance does per field (presets/affect.yaml)."""
    axes = load_yaml("presets", "affect")["linear"]
    return tuple(
        {
            SPACE[field].name: Slope(float(row["by"]), row["more"], row["less"])
            for field, row in axes[axis].items()
        }
        for axis in AXES
    )
