"""What is said about an intent before a note of it sounds: errors stop, warnings teach, notes tell."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Notice:
    """One sentence about one field of an intent. `field` is dotted: "song_intent.mood_primary"."""

    level: Level
    field: str
    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "field", one_line(self.field, 120))

    def __str__(self) -> str:
        return f"{self.level:<8} {self.field}: {self.text}" if self.field else f"{self.level:<8} {self.text}"

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def shown(value: object, most: int = 60) -> str:
    """A value as it may be quoted in one line: no line breaks, no escape codes, not a whole page."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def one_line(text: str, most: int = 400) -> str:
    """A key or a name as it may be printed: a file may call its keys anything."""
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= most else f"{text[: most - 3]}..."
