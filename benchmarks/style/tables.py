"""Tables on the screen and for the docs: the same cells, aligned or between bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A title line, column heads, rows of text, and what must be said below."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def screen(self) -> str:
        cells = [list(self.heads), *map(list, self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.heads))]
        lines = [
            "  ".join(
                [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
            )
            for row in cells
        ]
        lines.insert(1, "-" * len(lines[0]))
        return "\n".join([self.title, "", *(line.rstrip() for line in lines), *self.notes])

    def markdown(self) -> str:
        rows = ["| " + " | ".join(cells) + " |" for cells in (self.heads, *self.rows)]
        rows.insert(1, "|---" + "|---:" * (len(self.heads) - 1) + "|")
        notes = [f"- {note}" for note in self.notes]
        return "\n".join([f"**{self.title}**", "", *rows, *(["", *notes] if notes else [])])


def share(value: float) -> str:
    """A share as engineers' tables write it: .863, 1.00."""
    if value != value:
        return "-"
    return f"{value:.2f}" if round(value, 3) >= 1 else f"{value:.3f}".lstrip("0").replace("-0.", "-.")


def interval(low_high: Sequence[float]) -> str:
    return f"{share(low_high[0])}-{share(low_high[1])}"


def chances(p: float) -> str:
    """A probability for humans: p < .001 rather than eleven zeros."""
    return "p < .001" if p < 1e-3 else f"p = {p:.3f}".replace("0.", ".")
