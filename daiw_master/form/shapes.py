"""Shapes of energy over time, and the energy of a section's name: rows of presets/form.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from daiw_master.data import load_yaml
from daiw_master.errors import UnknownNameError

#: How long one section takes to become the next, unless its shape says otherwise.
TRANSITION_S = 3.0
#: What a step left out costs against what a section at the wrong time does, both measured as shares
#: (of full energy, of the song).
_LEFT_OUT = 2.0
#: A step counts fully from two thirds of the usual length of its shape's steps.
_MOMENT = 1.5


@dataclass(frozen=True)
class Shape:
    """One way energy can move: steps of (share of the song, energy 0-1); none where the song decides."""

    name: str
    about: str
    steps: tuple[tuple[float, float], ...]
    transition_s: float

    @property
    def edges(self) -> tuple[float, ...]:
        """Where the steps begin and end, 0 to 1."""
        edges, whole = [0.0], sum(share for share, _ in self.steps)
        for share, _ in self.steps:
            edges.append(edges[-1] + share / whole)
        return tuple(edges)

    def laid_over(self, spans: Sequence[tuple[float, float]]) -> list[float]:
        """An energy for each marked section (start, end in seconds, one after another).

        Steps keep their order. Each section takes the step nearest to it in time, but so that the
        outline survives: a high point is not left out because the song has fewer sections than the
        shape. The choice that costs least over the whole song, by dynamic programming.
        """
        energies = [energy for _, energy in self.steps]
        edges = self.edges
        middles = [(a + b) / 2 for a, b in zip(edges, edges[1:], strict=False)]
        first, whole = spans[0][0], spans[-1][1] - spans[0][0]
        places = [((start + end) / 2 - first) / whole for start, end in spans]
        count = len(energies)
        # a moment (a held breath of two bars) is worth less than a section, or it would be given one
        worth = [min(1.0, _MOMENT * count * (b - a)) for a, b in zip(edges, edges[1:], strict=False)]

        def late(section: int, step: int) -> float:
            return abs(places[section] - middles[step]) / len(spans)

        def left_out(before: int, after: int) -> float:
            """Steps between two chosen ones, by how far they stand off the line from one to the other."""
            rise = (energies[after] - energies[before]) / max(1, after - before)
            skipped = range(before + 1, after)
            off = (worth[j] * abs(energies[j] - energies[before] - rise * (j - before)) for j in skipped)
            return _LEFT_OUT * sum(off) / count

        def at_the_ends(steps: range, held: int) -> float:
            return _LEFT_OUT * sum(worth[j] * abs(energies[j] - energies[held]) for j in steps) / count

        cost = [late(0, step) + at_the_ends(range(step), step) for step in range(count)]
        history = []
        for section in range(1, len(spans)):
            paths = [
                min((cost[before] + left_out(before, step), before) for before in range(step + 1))
                for step in range(count)
            ]
            history.append([before for _, before in paths])
            cost = [paths[step][0] + late(section, step) for step in range(count)]
        step = min(range(count), key=lambda s: cost[s] + at_the_ends(range(s + 1, count), s))
        chosen = [step]
        for before in reversed(history):
            chosen.append(before[chosen[-1]])
        return [energies[step] for step in reversed(chosen)]


@cache
def shapes() -> Mapping[str, Shape]:
    """Every shape by name."""
    return {
        name: Shape(
            name,
            row["about"],
            tuple((float(share), float(energy)) for share, energy in row.get("steps", ())),
            float(row.get("transition_s", TRANSITION_S)),
        )
        for name, row in load_yaml("presets", "form")["shapes"].items()
    }


def shape_named(name: str) -> Shape:
    """A shape by its name, however its words are joined: `Slow Reveal` is `slow_reveal`."""
    key = re.sub(r"[\s-]+", "_", name.strip().casefold())
    if key not in shapes():
        raise UnknownNameError("form", name, shapes())
    return shapes()[key]


@cache
def energy_of_name(name: str) -> float | None:
    """What a section's name says about its energy; None where it says nothing.

    What stands before a colon or dash counts first ("Verse: the long bridge home" is a verse).
    """
    words = load_yaml("presets", "form")["words"]
    for part in (re.split(r":|\s[-–—]\s", name, maxsplit=1)[0], name):
        plain = " ".join(["", *re.findall(r"[^\W\d_]+|[0-9]+", part.casefold()), ""])
        found = [word for word in words if f" {word} " in plain]
        if found:
            return float(words[max(found, key=len)])
    return None
