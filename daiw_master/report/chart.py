"""A chart as geometry: what the page's template needs to draw it, and nothing about music.

A chart is as wide as the page allows: across, positions are shares of the width (lines in a box of 1000,
labels in per cent); down, they are pixels. Letters keep their size on a phone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from daiw_master.report.digits import fitting, signed

#: The box that lines are drawn in, stretched to the page's width.
ACROSS = 1000
#: Widths in pixels at which a label must fit, and what a letter takes.
WIDE_PX, NARROW_PX, LETTER_PX = 1000, 340, 6.4


@dataclass(frozen=True)
class Axis:
    """A range of values along one side."""

    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """Where a value lies: 0 at the low end, 1 at the high one, beyond them where it is beyond."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        place = math.log(max(value, 1e-9)) if self.log else value
        return (place - low) / (high - low)


@dataclass(frozen=True)
class Label:
    """A word at a place: `x` in per cent, `y` in pixels. A `wide` one is left out on a phone."""

    text: str
    x: float
    y: float
    anchor: str = "middle"
    kind: str = "tick"
    wide: bool = False


@dataclass(frozen=True)
class Shape:
    """A path in the box, drawn in the way of its `kind` (a class of the style sheet)."""

    kind: str
    d: str


@dataclass
class Chart:
    """Axes, shapes and labels; `says` is the chart in a sentence, for who cannot see it."""

    name: str
    says: str
    x: Axis
    y: Axis
    height: int
    shapes: list[Shape] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)

    def across(self, value: float) -> float:
        return round(ACROSS * self.x.share(value), 1)

    def down(self, value: float) -> float:
        return round(self.height * (1 - self.y.share(value)), 1)

    def line(self, kind: str, xs: Iterable[float], ys: Iterable[float]) -> None:
        """A line through points; one point alone becomes a dot."""
        points = [f"{self.across(x)},{self.down(y)}" for x, y in zip(xs, ys, strict=True)]
        if points:
            self.shapes.append(Shape(kind, "M" + "L".join(points if len(points) > 1 else points * 2)))

    def area(self, kind: str, xs: Sequence[float], ys: Sequence[float], base: float) -> None:
        """The ground between a line and a base value."""
        points = [f"{self.across(x)},{self.down(y)}" for x, y in zip(xs, ys, strict=True)]
        if points:
            ends = (f"{self.across(x)},{self.down(base)}" for x in (xs[-1], xs[0]))
            self.shapes.append(Shape(kind, "M" + "L".join([*points, *ends]) + "Z"))

    def box(self, kind: str, left: float, right: float, low: float, high: float) -> None:
        x, wide = self.across(left), self.across(right) - self.across(left)
        y, tall = self.down(high), self.down(low) - self.down(high)
        self.shapes.append(Shape(kind, f"M{x},{y}h{wide:.1f}v{tall:.1f}h{-wide:.1f}Z"))

    def level(self, kind: str, value: float, left: float | None = None, right: float | None = None) -> None:
        """A horizontal line, from edge to edge unless told."""
        ends = (self.x.low if left is None else left, self.x.high if right is None else right)
        self.line(kind, ends, (value, value))

    def border(self, kind: str, value: float) -> None:
        """A vertical line from top to bottom."""
        self.line(kind, (value, value), (self.y.low, self.y.high))

    def x_ticks(self, ticks: Iterable[tuple[float, str]], wide: Iterable[float] = ()) -> None:
        """Values along the bottom; those in `wide` are left out on a phone."""
        rare = set(wide)
        for value, text in ticks:
            share = self.x.share(value)
            anchor = "start" if share < 0.02 else "end" if share > 0.98 else "middle"
            self.labels.append(Label(text, _percent(share), self.height + 15, anchor, "tick", value in rare))

    def y_ticks(self, values: Iterable[float], unit: str, digits: int = 0, plus: str = "") -> None:
        """Grid lines with their values on top of them at the left; the highest says the unit."""
        ordered = sorted(values)
        for value in ordered:
            self.level("grid", value)
            text = signed(value, digits, plus)
            if value == ordered[-1]:
                text = f"{text} {unit}".rstrip()
            self.labels.append(Label(text, 0.0, self.down(value) - 3, "start"))

    def name_stretch(self, text: str, left: float, right: float, y: float, cut: bool = True) -> None:
        """A word over a stretch, cut to the room there is, and left out where there is none."""
        share = self.x.share(right) - self.x.share(left)
        at = self.x.share(left)
        rooms = [int(share * px / LETTER_PX) - 1 for px in (WIDE_PX, NARROW_PX)]
        wide, narrow = (fitting(text, room) if cut or len(text) <= room else "" for room in rooms)
        if wide:
            self.labels.append(Label(wide, _percent(at), y, "start", "name", wide=wide != narrow))
        if narrow and narrow != wide:
            self.labels.append(Label(narrow, _percent(at), y, "start", "name narrow"))


def _percent(share: float) -> float:
    return round(100 * share, 2)


def round_steps(low: float, high: float, most: int) -> list[float]:
    """Round values between two ends, at most so many of them."""
    for step in (0.25, 0.5, 1, 2, 3, 5, 6, 10, 12, 20, 30, 50, 100):
        first = math.ceil(low / step - 1e-9)
        last = math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            return [step * n for n in range(first, last + 1)]
    return [low, high]
