"""Whether a composer's word is one a master answers to, and which known word lies nearest if not."""

from __future__ import annotations

import re
from collections.abc import Iterable

from daiw_master.errors import UnknownNameError, nearest
from daiw_master.intent import genres, words
from daiw_master.intent.lexicon import LEXICON


def unheard(kind: str, text: str) -> list[tuple[str, list[str]]]:
    """The parts of a text that nothing answers to, each with the nearest known words.

    `kind` is "textures", "genres", or a list with one row for one word: "arcs", "grooves",
    "vulnerability". Free text counts as heard when any of its words is.
    """
    if kind == "textures":
        reading = words.read_texture(text)
        return [] if reading.hits or reading.passed else [(text, _near(text, _pictures()))]
    if kind == "genres":
        _, unknown = genres.read_genre(text)
        return [(part, _near(part, genres.genres())) for part in unknown]
    try:
        words.read_word(kind, text)
    except UnknownNameError:
        return [(text, _near(text, words.rows_of(kind)))]
    return []


def near_mood(text: str) -> list[str]:
    """Feelings we know: those whose name stands in a text, else those that look most like it."""
    said = [word for word in _words(text) if word in LEXICON]
    return list(dict.fromkeys(said))[:3] or _near(text, LEXICON)


def _pictures() -> list[str]:
    rows = words.rows_of("textures", "images")
    return [*rows, *(str(word) for row in rows.values() for word in row.get("words", ()))]


def _near(text: str, known: Iterable[str]) -> list[str]:
    """Nearest to the whole text, else to its longest words."""
    known = list(known)
    for piece in (text, *sorted(_words(text), key=len, reverse=True)[:4]):
        found = nearest(piece[:60], known) if len(piece) > 2 else []
        if found:
            return found
    return []


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())
