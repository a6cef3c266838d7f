"""The form of one song: its sections, how strong each is meant to be, and who said so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from statistics import mean, median
from typing import NamedTuple, Protocol

from daiw_master.data import load_yaml
from daiw_master.errors import OutOfRangeError
from daiw_master.form.shapes import TRANSITION_S, Shape, energy_of_name, shape_named

#: A song shorter than this has no time to have a form.
SHORTEST_S = 12.0
#: Music before the first marker, if it lasts this long, is a section of its own.
_OPENING_S = 4.0
#: The shape that asks the song itself.
OWN = "sections"


class Span(Protocol):
    """A named stretch of the song in seconds."""

    name: str
    start_s: float
    end_s: float


class Density(Protocol):
    """How much is played when (one value every `hop_s`), and the sections that shows."""

    values: Sequence[float]
    hop_s: float
    sections: Sequence[Span]


class Point(NamedTuple):
    """One section and its energy, 0 (gone) to 1 (everything)."""

    start_s: float
    end_s: float
    name: str
    energy: float


@dataclass(frozen=True)
class Form:
    """A song's sections with their energies; no points where it has no form.

    `origin` says in a few words whose energies these are, `notes` whatever else the user should know;
    `transition_s` is how long one section takes to become the next.
    """

    points: tuple[Point, ...] = ()
    origin: str = ""
    notes: tuple[str, ...] = ()
    transition_s: float = TRANSITION_S

    @property
    def moves(self) -> bool:
        """Whether there is anything to follow."""
        return len({point.energy for point in self.points}) > 1


def form_of(
    name: str | None,
    energies: Sequence[tuple[str, float | None, float]] = (),
    sections: Sequence[Span] = (),
    duration_s: float = 0.0,
    density: Density | None = None,
) -> Form:
    """The form a master should follow.

    `energies` are (section, bars, energy) as somebody wrote them down; `sections` are the song's
    markers, `density` what its notes show. Who is believed, in this order: written energies, then the
    shape called `name` (laid over the markers if there are any), then, for the shape `sections`, the
    markers' own names, and where they say nothing the density. Neither name nor energies: no form.
    Raises `UnknownNameError` for a shape nobody knows, `OutOfRangeError` for an energy beyond 0..1.
    """
    shape = shape_named(name) if name else None
    for section, _, energy in energies:
        if not 0.0 <= energy <= 1.0:
            raise OutOfRangeError(f"energy of section {section!r}", energy, 0.0, 1.0, "")
    if not energies and shape is None:
        return Form()
    if duration_s < SHORTEST_S:
        return Form(notes=(f"{duration_s:.0f} s are too short for a form ({SHORTEST_S:g} s): nothing moves",))
    transition_s = shape.transition_s if shape else TRANSITION_S
    marked = _covering(sections, duration_s)
    if energies:
        points, origin = _written(energies, marked, duration_s)
    elif shape.steps:
        points, origin = _shaped(shape, marked, duration_s)
    else:
        points, origin = _own(marked, duration_s, density)
    return _checked(Form(tuple(points), origin, transition_s=transition_s))


def _checked(form: Form) -> Form:
    """The form, or none with the reason where it would move nothing."""
    if len(form.points) < 2:
        why = "one section is all there is: nothing moves"
        return Form(origin=form.origin, notes=(f"form: {form.origin}; {why}",))
    if not form.moves:
        why = "every section is as strong as the next: nothing moves"
        return Form(form.points, form.origin, (f"form: {form.origin}; {why}",), form.transition_s)
    return Form(form.points, form.origin, (f"form: {form.origin}",), form.transition_s)


def _covering(sections: Sequence[Span], duration_s: float) -> list[Point]:
    """The marked sections from the first sample to the last, energies still open; [] if not two."""
    marked = [
        Point(max(0.0, s.start_s), min(s.end_s, duration_s), s.name, 0.0)
        for s in sections
        if s.start_s < duration_s and s.end_s > 0.0
    ]
    if not marked:
        return []
    opening = marked[0].start_s
    if opening >= _OPENING_S:
        marked.insert(0, Point(0.0, opening, "", 0.0))
    else:
        marked[0] = marked[0]._replace(start_s=0.0)
    marked[-1] = marked[-1]._replace(end_s=duration_s)
    return marked if len(marked) > 1 else []


def _written(energies, marked: list[Point], duration_s: float) -> tuple[list[Point], str]:
    """Written energies on the song's markers where they fit, else stretched over its length."""
    count = len(energies)
    told = [point for point in marked if point.name]
    by_name = _by_name(energies, told)
    if by_name is None and len(told) == count:
        by_name = [energy for _, _, energy in energies]
        origin = f"the {count} section energies written for it, on the song's {count} markers in order"
    else:
        origin = f"the {count} section energies written for it, on the song's markers by name"
    if by_name is not None:
        values = [by_name[0]] * (len(marked) - len(told)) + by_name
        return [p._replace(energy=float(e)) for p, e in zip(marked, values, strict=True)], origin
    written = [bars for _, bars, _ in energies if bars and bars > 0]
    usual = mean(written) if written else 1.0
    steps = [(name, bars if bars and bars > 0 else usual, energy) for name, bars, energy in energies]
    points = _stretched([(name, bars, float(energy)) for name, bars, energy in steps], duration_s)
    origin = f"the {count} section energies written for it, stretched over the song's length"
    if told:
        origin += f" (its {len(told)} markers name other sections)"
    return points, origin


def _by_name(energies, told: list[Point]) -> list[float] | None:
    """An energy for each marker by its name, the nth of a name to the nth; None unless all are named."""
    by_name: dict[str, list[float]] = {}
    for name, _, energy in energies:
        by_name.setdefault(_folded(name), []).append(float(energy))
    if not told or any(_folded(point.name) not in by_name for point in told):
        return None
    values = []
    for point in told:
        own = by_name[_folded(point.name)]
        values.append(own.pop(0) if len(own) > 1 else own[0])
    return values


def _folded(name: str) -> str:
    return " ".join(name.casefold().replace("-", " ").replace("_", " ").split())


def _shaped(shape: Shape, marked: list[Point], duration_s: float) -> tuple[list[Point], str]:
    """A named shape, on the markers if the song has them."""
    called = shape.name.replace("_", " ")
    if marked:
        values = shape.laid_over([(point.start_s, point.end_s) for point in marked])
        origin = f"{called}, laid over the song's {len(marked)} marked sections"
        return [p._replace(energy=e) for p, e in zip(marked, values, strict=True)], origin
    steps = [(f"{i}", share, energy) for i, (share, energy) in enumerate(shape.steps, 1)]
    return _stretched(steps, duration_s), f"{called}, over the song's length"


def _stretched(steps: Sequence[tuple[str, float, float]], duration_s: float) -> list[Point]:
    """(name, share, energy) steps over the whole song."""
    whole, start, points = sum(share for _, share, _ in steps), 0.0, []
    for name, share, energy in steps:
        end = start + duration_s * share / whole
        points.append(Point(start, end, name, energy))
        start = end
    points[-1] = points[-1]._replace(end_s=duration_s)
    return points


def _own(marked: list[Point], duration_s: float, density: Density | None) -> tuple[list[Point], str]:
    """The song's own sections: what their names say, else what is played there."""
    said = [energy_of_name(point.name) for point in marked]
    if marked and None not in said:
        origin = f"what the song's {len(marked)} markers are called"
        return [p._replace(energy=e) for p, e in zip(marked, said, strict=True)], origin
    if density is None:
        return [], "the song's markers do not say how strong they are, and nobody counted its notes"
    if marked:
        told = sum(energy is not None for energy in said)
        origin = (
            f"the names of {told} of the song's {len(marked)} markers, and how much is played in the others"
            if told
            else f"how much is played in the song's {len(marked)} marked sections"
        )
    else:
        marked = _covering(density.sections, duration_s)
        said = [None] * len(marked)
        origin = f"{len(marked) or 1} sections found by how much is played"
    played = _energies_played(marked, density)
    return [
        p._replace(energy=there if said_here is None else said_here)
        for p, said_here, there in zip(marked, said, played, strict=True)
    ], origin


def _energies_played(spans: Sequence[Point], density: Density) -> list[float]:
    """An energy for each span by how much is played in it, against the song's middle section."""
    row = load_yaml("presets", "form")["density"]
    frames = len(density.values)
    fullness = []
    for span in spans:
        first = min(int(span.start_s / density.hop_s), frames - 1)
        last = min(max(first + 1, int(span.end_s / density.hop_s)), frames)
        fullness.append(max(1e-3, mean(float(value) for value in density.values[first:last])))
    middle = median(fullness) if fullness else 1.0
    # to a hundredth: sections as good as alike are alike
    raw = [round(row["middle"] + row["per_db"] * 10 * log10(f / middle), 2) for f in fullness]
    return [min(max(energy, row["low"]), row["high"]) for energy in raw]
