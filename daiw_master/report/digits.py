"""Numbers and names as a reader wants them: true minus signs, minutes, text cut to its room."""

from __future__ import annotations

import re


def signed(value: float, digits: int, plus: str = "+") -> str:
    """A number with a true minus sign; what rounds to nought has none."""
    rounded = round(value, digits)
    sign = "−" if rounded < 0 else plus if rounded > 0 else ""
    return f"{sign}{abs(rounded):.{digits}f}"


def plain(value: float, digits: int) -> str:
    """A level: a minus where it is one, no plus."""
    return signed(value, digits, plus="")


def brief(value: float) -> str:
    """A knob's value in about three figures."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = plain(value, digits)
    return text.rstrip("0").rstrip(".") if digits else text


def printed(sentence: str) -> str:
    """A sentence with its numbers' hyphens turned into minus signs; a hyphen between words stays one."""
    return re.sub(r"(?<![\w.)])-(?=\d)", "−", sentence)


def clock(seconds: float) -> str:
    """Minutes and seconds, as on a tape machine: 2:05."""
    minutes, rest = divmod(int(seconds + 0.5), 60)
    return f"{minutes}:{rest:02d}"


def fitting(name: str, room: int) -> str:
    """A section's name in at most `room` letters: whole, up to its colon, cut, or not at all."""
    for text in (name, name.partition(":")[0]):
        if len(text) <= room:
            return text
    return f"{name[: room - 1].rstrip()}…" if room >= 4 else ""
