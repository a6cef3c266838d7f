"""Everything that can be refused, as one tree; each message is one line a musician can act on.

DaiwMasterError
├── InputError              a file or signal that cannot be rendered, read or mastered
├── UnknownNameError        a word we do not know; carries the nearest ones we do
├── OutOfRangeError         a number outside what its knob or target allows
├── MissingDependencyError  a system library or soundfont that must be installed
├── PluginError             somebody else's effect that crashed, hung or does not load
└── WriteError              the master cannot be written where it was asked for

The rule for messages: what came, what is allowed (with its unit), the nearest right name.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DaiwMasterError(Exception):
    """Anything daiw-master refuses to do; the command line prints it as one line and exits 2."""


class InputError(DaiwMasterError):
    """The material itself cannot be used: broken MIDI, silence, NaN, an absurd length."""


class UnknownNameError(DaiwMasterError):
    """A word nobody taught us. `nearest` holds the closest known ones, best first."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = ""):
        self.nearest = nearest(name, known)
        suggestion = f"; did you mean {either(self.nearest)}?" if self.nearest else ""
        super().__init__(f"unknown {kind} {name!r}{suggestion}{' ' + hint if hint else ''}")


class OutOfRangeError(DaiwMasterError):
    """A number beyond what its knob or target can hold."""

    def __init__(self, name: str, value: object, low: float, high: float, unit: str):
        unit = f" {unit}" if unit else ""
        super().__init__(f"{name} is {value}; it must lie between {low:g} and {high:g}{unit}")


class MissingDependencyError(DaiwMasterError):
    """Something outside Python is missing; the message names the package to install."""


class PluginError(DaiwMasterError):
    """Somebody else's effect crashed, hung or no longer loads; what was made before it did is not lost."""


class WriteError(DaiwMasterError):
    """The result could not be written; nothing partial was left behind."""


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known words that look most like `name`, best first (at most `count`); else those that hold it."""
    folded = {word.casefold().replace("_", " "): word for word in known}
    wanted = name.casefold().replace("_", " ").strip()
    hits = difflib.get_close_matches(wanted, folded, n=count, cutoff=0.6)
    if not hits and len(wanted) >= 3:
        hits = [word for word in folded if wanted in word][:count]
    return [folded[hit] for hit in hits]


def either(words: list[str]) -> str:
    """'a', 'a or b', 'a, b or c'."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} or {words[-1]}"
