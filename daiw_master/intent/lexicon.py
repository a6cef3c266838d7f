"""The words we know: each with where it comes from, where it lies and one line why.

The words live in presets/lexicon/ as data. A thesaurus file (happy, sad, angry, fear, surprise,
disgust: the six bases) nests base > sub-emotion > word; the other files list words that derive from
those (`of`). A word under two roofs is reached as `hurt/offended`; plain `offended` is the one
marked `first`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from daiw_master.data import load_yaml, names_in
from daiw_master.errors import InputError, UnknownNameError
from daiw_master.intent.affect import Affect, mean_affect
from daiw_master.intent.categories import categories

_FOLDER = "presets/lexicon"


def fold(name: str) -> str:
    """One spelling per word: `Heavy_Hearted`, `heavy-hearted` and `heavy hearted` are the same."""
    return re.sub(r"[\s_\-]+", " ", name.casefold().replace("\u2019", "'")).strip()


@dataclass(frozen=True)
class Word:
    """A word for a feeling: its place, what it derives from, and why it sounds as it does.

    `path` is where it stands, e.g. ("sad", "grief", "bereft"); `of` is what it derives from, by weight.
    """

    name: str
    path: tuple[str, ...]
    of: Mapping[str, float]
    affect: Affect
    why: str

    @property
    def origin(self) -> str:
        """Where the word comes from, in few words: "sad/grief", "grief+hope", "its own"."""
        if len(self.path) > 1:
            return "/".join(self.path[:-1])
        parents = [parent for parent in self.of if parent != self.name]
        return "+".join(parents) or "its own"


class Lexicon(Mapping[str, Word]):
    """Every word by its plain name, loaded when first asked for. Unknown words name their nearest."""

    def __getitem__(self, name: str) -> Word:
        plain = self._words.get(fold(name))
        if plain is not None:
            return plain
        path = tuple(fold(part) for part in name.split("/"))
        for word in self.all_words:
            if len(path) > 1 and word.path[-len(path) :] == path:
                return word
        raise UnknownNameError("emotion", name.strip(), self._words, "(`list emotions` shows all)")

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        try:
            self[name]
        except UnknownNameError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self._words)

    def __len__(self) -> int:
        return len(self._words)

    @cached_property
    def all_words(self) -> tuple[Word, ...]:
        """Every entry, words with two homes twice, parents before what derives from them."""
        return tuple(self._load())

    @cached_property
    def _words(self) -> dict[str, Word]:
        by_path = {word.path: word for word in self.all_words}
        return {name: by_path[path] for name, path in _chosen(self._rows).items()}

    @cached_property
    def _rows(self) -> dict[tuple[str, ...], dict]:
        rows = {("neutral",): {"of": {}, "why": "this song, competently finished; nothing moved"}}
        for file in names_in(_FOLDER):
            rows.update(_entries(load_yaml(_FOLDER, file), ()))
        written = {path[-1] for path in rows}
        for category in categories().values():
            if category.name not in written:
                rows[(category.name,)] = {"of": category.name, "why": category.about}
        return rows

    def _load(self) -> Iterator[Word]:
        known = {
            category.name: Affect(*category.vad, mixture={category.name: 1.0})
            for category in categories().values()
        }
        chosen = _chosen(self._rows)
        pending = self._rows
        # A word may derive from one further down or in another file: go round until all are placed.
        while pending:
            waiting = {}
            for path, row in pending.items():
                parents = row["of"] if isinstance(row["of"], dict) else {row["of"]: 1.0}
                if not all(parent in known for parent in parents):
                    waiting[path] = row
                    continue
                affect = mean_affect((weight, known[parent]) for parent, weight in parents.items())
                if "vad" in row:
                    affect = Affect(*map(float, row["vad"]), mixture=affect.mixture)
                if chosen[path[-1]] == path:
                    known[path[-1]] = affect
                yield Word(path[-1], path, parents, affect, row["why"])
            if len(waiting) == len(pending):
                raise InputError(f"{_FOLDER}: cannot place {', '.join('/'.join(path) for path in waiting)}")
            pending = waiting


#: What an entry says about itself; every other key in a nested file is a word that hangs below it.
_ENTRY_KEYS = frozenset({"of", "vad", "why", "first"})


def _entries(tree: Mapping, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict]]:
    for name, node in tree.items():
        path = (*above, fold(name))
        yield path, {key: node[key] for key in node.keys() & _ENTRY_KEYS}
        yield from _entries({key: node[key] for key in node if key not in _ENTRY_KEYS}, path)


def _chosen(rows: Mapping[tuple[str, ...], dict]) -> dict[str, tuple[str, ...]]:
    """Which home a plain word means: the one marked `first`, else the first we meet."""
    chosen: dict[str, tuple[str, ...]] = {}
    for path, row in rows.items():
        if path[-1] not in chosen or row.get("first"):
            chosen[path[-1]] = path
    return chosen


LEXICON = Lexicon()
