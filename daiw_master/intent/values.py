"""One value of an intent, however it was written: "0.7", 82, "70-84", null, a list, one of a choice.

Each reader returns the value as the schema holds it, or raises ValueError saying what it wanted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

#: What the wizard and hand-written sheets put where there is no rule to break.
_NO_RULE = frozenset({"", "none", "no", "n/a", "null", "nothing", "not sure"})
_SCALE = ("Low", "Medium", "High")


def text_from(value: object) -> str:
    """Text, trimmed. Null is "", a number its digits, a list its items joined by commas."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
        return str(int(value) if whole else value)
    if isinstance(value, (list, tuple)) and all(_plain(item) for item in value):
        return ", ".join(filter(None, map(text_from, value)))
    raise ValueError("a text")


def mood_from(value: object) -> str:
    """A mood: text, a list of moods (equal parts), or a mapping of mood to weight (a blend)."""
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return " and ".join(filter(None, map(text_from, value)))
    if isinstance(value, Mapping) and value and all(_is_number(weight) for weight in value.values()):
        return ",".join(f"{mood}:{weight}" for mood, weight in value.items())
    return text_from(value)


def genre_from(value: object) -> str:
    """A genre; a list becomes DAiW's own way of writing several: Dream Pop/Shoegaze."""
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return "/".join(filter(None, map(text_from, value)))
    return text_from(value)


def tension_from(value: object) -> float:
    """A number, also as text ("0.7"); null is DAiW's default 0.5. The range is check.py's to judge."""
    if value is None or value == "":
        return 0.5
    return number_from(value)


def scale_from(value: object) -> float:
    """The wizard's tension from 1 to 10, as 0.1 to 1."""
    return number_from(value) / 10.0


def number_from(value: object) -> float:
    """A number, also as text; never a boolean, never infinite."""
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", value):
        value = float(value)
    if not _is_number(value) or (isinstance(value, float) and math.isinf(value)):
        raise ValueError("a number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("a number") from None


def vulnerability_from(value: object) -> str:
    """Low, Medium or High, in any case; a number from 0 to 1 by thirds. Other words stay as they are."""
    if value is None or value == "":
        return "Medium"
    if _is_number(value) and 0.0 <= value <= 1.0:
        return _SCALE[0] if value < 0.33 else _SCALE[1] if value < 0.67 else _SCALE[2]
    text = text_from(value)
    return next((word for word in _SCALE if word.casefold() == text.casefold()), text)


def vulnerability_of_ten(value: object) -> str:
    """DAiW's interrogator asks for 1 to 10: to 3 is Low, to 6 Medium, above High."""
    number = number_from(value)
    return vulnerability_from(min(1.0, max(0.0, number / 10.0)))


def tempo_from(value: object) -> tuple[float, float] | None:
    """A range in beats a minute: two numbers, one number, "70-84", "92 BPM"; null is no range."""
    if value is None or value == "" or value == [] or value == ():
        return None
    if isinstance(value, str):
        found = re.fullmatch(r"\s*([\d.]+)\s*(?:(?:-|\u2013|to|\.\.)\s*([\d.]+))?\s*(?:bpm)?\s*", value, re.I)
        if not found:
            raise ValueError("a tempo range like [70, 84]")
        value = [part for part in found.groups() if part]
    ends = value if isinstance(value, (list, tuple)) else [value]
    if len(ends) not in (1, 2):
        raise ValueError("a tempo range like [70, 84]")
    numbers = [number_from(end) for end in ends]
    return numbers[0], numbers[-1]


def rules_from(value: object) -> tuple[str, ...]:
    """Rules to break: one name, several with commas, or a list; "none" and null are no rule."""
    if value is None:
        return ()
    items = value if isinstance(value, (list, tuple)) else [value]
    if not all(_plain(item) for item in items):
        raise ValueError("a rule's name or a list of names")
    names = [name.strip() for item in items for name in re.split(r"[,;]", text_from(item))]
    if all(name.casefold().replace("_", " ") in _NO_RULE for name in names):
        return ()
    return tuple(filter(None, names))


def _plain(value: object) -> bool:
    return value is None or isinstance(value, (str, int, float))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
