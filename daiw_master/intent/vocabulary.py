"""Which words a master answers to: textures, arcs, grooves, genres, read from presets/ as they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache

from daiw_master.data import load_yaml, names_in
from daiw_master.errors import nearest

#: Kind of word -> the files that list them, as (folder, file) or (folder, None) for all in a folder.
_FILES: Mapping[str, tuple[tuple[str, str | None], ...]] = {
    "textures": (("presets/words", "textures"), ("presets/words", "images")),
    "arcs": (("presets/words", "arcs"),),
    "grooves": (("presets/words", "grooves"),),
    "genres": (("presets/genres", None),),
}


def heard_in(kind: str, text: str) -> bool | None:
    """Whether any known word of a kind stands in a text; None where that kind has no list."""
    if kind not in _FILES or not _vocabulary(kind):
        return None
    said = f" {_fold(text)} "
    return any(re.search(rf" {re.escape(word)}(e?s)? ", said) for word in _vocabulary(kind))


def nearest_in(kind: str, text: str) -> list[str]:
    """The known words of a kind that look most like a text, or like one word of it."""
    if kind == "moods":
        from daiw_master.intent.lexicon import LEXICON

        known: Mapping[str, str] = {word: word for word in LEXICON}
    else:
        known = _vocabulary(kind)
    for piece in (_fold(text), *sorted(_fold(text).split(), key=len, reverse=True)[:4]):
        near = nearest(piece[:60], known) if len(piece) > 2 else []
        if near:
            return list(dict.fromkeys(known[word] for word in near))
    return []


@cache
def _vocabulary(kind: str) -> Mapping[str, str]:
    """Folded word -> the name it answers to, as it is written in the list."""
    return {_fold(word): name for name, words in _rows(kind) for word in (name, *words)}


def _rows(kind: str) -> Iterator[tuple[str, list[str]]]:
    for folder, only in _FILES[kind]:
        for file in names_in(folder):
            if only in (None, file):
                for name, row in load_yaml(folder, file).items():
                    if isinstance(row, Mapping):
                        yield (
                            str(name),
                            [str(word) for key in ("words", "aliases") for word in row.get(key) or ()],
                        )


def _fold(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))
