"""From a composer's words to rows: "Muffled, like hearing through water" is a texture and a picture.

The rows live in presets/words/. Free text is read for whole words, the longest first, plurals too; a word
that somebody denies ("not muffled") or leaves behind ("after the storm") is passed over, and that is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from daiw_master.data import load_yaml
from daiw_master.errors import UnknownNameError
from daiw_master.moves import Move, moves_of_row

_FOLDER = "presets/words"
#: Several pictures in one phrase ask for little more than one: each beyond the first adds this much.
_EACH_MORE, _MOST = 0.2, 1.4
#: A texture from DAiW's list was chosen; a picture beside it explains it, and counts a little less.
_CHOSEN = 1.4

_DENIERS = frozenset(
    "not no never without neither nor nothing isn't wasn't aren't don't doesn't ain't hardly".split()
)
_LEFT_BEHIND = frozenset({"after", "unlike", "beyond"})
#: How many words a denial reaches over: "not a very muffled sound".
_REACH = 4
#: "not muffled or hazy" denies both; any other word between two pictures ends the denial.
_DENIES_ON = frozenset({"or", "nor", "and", "a", "an", "the", "any", "too", "being", "in", "of"})
_BREAKS = frozenset({"but", "yet", "though", "although", "rather", "instead", "just"})
#: Said at more length.
_NOT = re.compile(r"\b(far from|anything but|instead of|rather than)\b", re.I)
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)?|[.,;:!?()\u2013\u2014]")


@dataclass(frozen=True)
class Hit:
    """A row that a text spoke of: `said` is the composer's own word for it, `weight` its share."""

    name: str
    said: str
    weight: float
    row: Mapping


@dataclass(frozen=True)
class Reading:
    """What a text was understood to say, and which of its words were passed over and why."""

    hits: tuple[Hit, ...] = ()
    passed: tuple[str, ...] = ()

    def moves(self, source: str) -> list[Move]:
        """Every hit's row as moves, each by its share."""
        return [move for hit in self.hits for move in moves_of_row(hit.row, source, hit.said, hit.weight)]


def rows_of(*lists: str) -> dict[str, Mapping]:
    """The rows of word lists ("textures", "arcs", ...) by name, in their order."""
    return {name: row for one in lists for name, row in load_yaml(_FOLDER, one).items()}


def texture_names(kind: str = "imagery") -> tuple[str, ...]:
    """The fifteen textures of DAiW's sheet ("imagery"), or the eight of its production map ("type")."""
    return tuple(name for name, row in rows_of("textures").items() if kind in row["kind"].split())


def read_texture(text: str) -> Reading:
    """An imagery texture, from DAiW's list or in anybody's words. Nothing known is an empty reading.

    All that is found together weighs 1, and up to 1.4 where there are several; "slightly hazy" less.
    """
    found, passed = _scan(text, ("textures", "images"))
    rows = rows_of("textures", "images")
    shares: dict[str, float] = {}
    said: dict[str, str] = {}
    for name, word, intensity in found:
        chosen = _CHOSEN if "imagery" in rows[name].get("kind", "").split() else 1.0
        shares[name] = max(shares.get(name, 0.0), chosen * intensity)
        said.setdefault(name, word)
    if not shares:
        return Reading(passed=passed)
    # a modifier says how much of the whole: "slightly hazy" alone is half a hazy, not all of one
    whole = sum(_CHOSEN if "imagery" in rows[name].get("kind", "").split() else 1.0 for name in shares)
    total = min(_MOST, 1.0 + _EACH_MORE * (len(shares) - 1)) / whole
    scale = min(total, _MOST / sum(shares.values()))
    hits = [Hit(name, said[name], round(share * scale, 4), rows[name]) for name, share in shares.items()]
    return Reading(tuple(hits), passed)


def read_word(kind: str, text: str) -> Reading:
    """The one row a narrative arc ("arcs"), a groove ("grooves") or a vulnerability names.

    Where several are named the one said first counts. Raises UnknownNameError with
    the nearest names where none is found.
    """
    found, passed = _scan(text, (kind,))
    rows = rows_of(kind)
    if not found:
        singular = {"arcs": "narrative arc", "grooves": "groove feel"}.get(kind, kind)
        raise UnknownNameError(singular, text.strip(), rows, f"({', '.join(rows)})")
    name, word, _ = found[0]
    others = dict.fromkeys(other for other, _, _ in found if other != name)
    beside = tuple(f"{other}: one song follows one of them, and {name} was said first" for other in others)
    return Reading((Hit(name, word, 1.0, rows[name]),), passed + beside)


def dial_moves(field: str, value: float) -> list[Move]:
    """Tension or energy as moves: linear around the middle of its dial, nothing at the middle itself."""
    dial = load_yaml(_FOLDER, "tension")[field]
    turn = (value - dial["middle"]) / (dial["high"] - dial["middle"])
    turn = min(1.0, max(-1.0, turn))
    return [
        Move(
            "shift",
            name,
            round(row["by"] * turn, 3),
            row["more" if turn > 0 else "less"],
            field,
            f"{value:g}",
        )
        for name, row in dial["moves"].items()
        if abs(row["by"] * turn) > 5e-4
    ]


def plain(text: str) -> str:
    """One spelling: "Climb-to-Climax", "climb_to_climax" and "climb to climax" are the same."""
    return " ".join(token for token in tokens_of(text) if token[0].isalnum())


def tokens_of(text: str) -> list[str]:
    """Words and punctuation, in order and without case."""
    return [token.group().casefold() for token in _TOKEN.finditer(text.replace("\u2019", "'"))]


@cache
def index_of(*lists: str) -> Mapping[tuple[str, ...], str]:
    """Every word and phrase of some lists, as a tuple of words -> the row it stands for."""
    index: dict[tuple[str, ...], str] = {}
    for name, row in rows_of(*lists).items():
        for phrase in (name, *name.split("/"), *row.get("words", ())):
            index.setdefault(tuple(plain(phrase).split()), name)
    return index


def find_phrases(tokens: list[str], index: Mapping[tuple[str, ...], str]) -> Iterable[tuple[int, int, str]]:
    """(start, stop, row) of every known phrase, the longest first where they overlap, left to right."""
    longest = max(map(len, index), default=0)
    at = 0
    while at < len(tokens):
        for length in range(min(longest, len(tokens) - at), 0, -1):
            name = next((index[key] for key in _forms(tokens[at : at + length]) if key in index), None)
            if name is not None:
                yield at, at + length, name
                at += length
                break
        else:
            at += 1


def _forms(words: list[str]) -> Iterable[tuple[str, ...]]:
    """A phrase as it stands, then with its last word in the singular."""
    yield tuple(words)
    last = words[-1]
    for ending in ("'s", "es", "s"):
        if last.endswith(ending) and len(last) > len(ending) + 2:
            yield (*words[:-1], last[: -len(ending)])


def _scan(text: str, lists: tuple[str, ...]) -> tuple[list[tuple[str, str, float]], tuple[str, ...]]:
    """(row, word said, intensity) of each picture in a text, and a line on each that was passed over."""
    text = _NOT.sub("not", text)
    tokens, spans = tokens_of(text), [token.span() for token in _TOKEN.finditer(text.replace("\u2019", "'"))]
    found, passed = [], []
    denied_until, denier = -1, ""
    for start, stop, name in find_phrases(tokens, index_of(*lists)):
        said = text[spans[start][0] : spans[stop - 1][1]]
        before = _clause(tokens[max(0, start - _REACH) : start])
        own = next((word for word in reversed(before) if word in _DENIERS | _LEFT_BEHIND), "")
        carried = denied_until >= 0 and all(word in _DENIES_ON for word in tokens[denied_until:start])
        if own or carried:
            denier, denied_until = own or denier, stop
            how = "left behind" if denier in _LEFT_BEHIND else "denied"
            passed.append(f"{said}: {how} ({denier!r} stands before it), so it is not heard")
        else:
            found.append((name, said, _intensity(before)))
    return found, tuple(passed)


def _clause(before: list[str]) -> list[str]:
    """What stands before a word in its own clause."""
    for at in range(len(before) - 1, -1, -1):
        if not before[at][0].isalnum() or before[at] in _BREAKS:
            return before[at + 1 :]
    return before


def _intensity(before: list[str]) -> float:
    """How much of it: the modifier right before a word ("slightly", "a touch of"), else 1."""
    words = load_yaml("presets", "affect")["intensity"]["words"]
    for length in (3, 2, 1):
        factor = words.get(" ".join(before[-length:])) if len(before) >= length else None
        if factor is not None:
            return float(factor)
    return 1.0
