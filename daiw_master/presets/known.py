"""Presets by name: every row that can stand alone as a preset, gathered from where it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from daiw_master.data import data_folder, load_yaml, names_in
from daiw_master.errors import InputError, UnknownNameError, either
from daiw_master.intent import categories, parse_emotion
from daiw_master.intent.genres import genre_named, genres
from daiw_master.intent.rules import RULES, rule_named
from daiw_master.moves import Move
from daiw_master.plan import platform_moves
from daiw_master.presets.model import Preset, PresetInfo
from daiw_master.presets.read import read_preset_file

LOFI = "presets/lofi"
ENDINGS = {".yaml", ".yml"}


def known_presets() -> Mapping[str, PresetInfo]:
    """Every preset that can be asked for by name; where two share a name, both go by `kind:name`."""
    infos = [
        PresetInfo(name, kind, about) for kind, shelf in _SHELVES.items() for name, about in shelf.titles()
    ]
    often = Counter(_folded(info.name) for info in infos)
    return {
        info.name if often[_folded(info.name)] == 1 else f"{info.kind}:{info.name}": info for info in infos
    }


def read_preset(path_or_name: str | Path) -> Preset:
    """A preset from a file (by its path) or from the shelves (by name, or `kind:name`).

    What ends in .yaml or has a folder in it is a path. `emotion:`, `rule:` and `genre:` take any
    phrase or alias those understand. Raises UnknownNameError, or InputError with file and line.
    """
    text = str(path_or_name)
    path = Path(text)
    if path.suffix.lower() in ENDINGS or len(path.parts) > 1 or isinstance(path_or_name, Path):
        return read_preset_file(path)
    kind, colon, name = text.partition(":")
    if colon and kind.strip().casefold() in _SHELVES:
        return _from_shelf(kind.strip().casefold(), name.strip())
    hits = [info for info in known_presets().values() if _folded(info.name) == _folded(text)]
    if len(hits) > 1:
        raise InputError(f"{text!r} is more than one preset: {either([f'{i.kind}:{i.name}' for i in hits])}")
    if not hits:
        hint = "(`preset list` shows all; a file goes by its path)"
        raise UnknownNameError("preset", text, known_presets(), hint)
    return _from_shelf(hits[0].kind, hits[0].name)


@dataclass(frozen=True)
class _Shelf:
    """One kind of preset: its (name, about) titles, and (about, moves) by name."""

    titles: Callable[[], Iterable[tuple[str, str]]]
    moves: Callable[[str], tuple[str, str, Iterable[Move]]]


def _from_shelf(kind: str, name: str) -> Preset:
    title, about, moves = _SHELVES[kind].moves(name)
    source = f"preset {title}"
    return Preset(title, about, kind, tuple(replace(move, source=source) for move in moves))


def _emotion(name: str) -> tuple[str, str, Iterable[Move]]:
    from daiw_master.stack import EFFECTS, HOUSE_CHAIN
    from daiw_master.stack.chain import chain_space

    emotion = parse_emotion(name)
    space = chain_space({effect: EFFECTS[effect] for effect in HOUSE_CHAIN})
    moves = [Move("shift", shift.field, shift.by, shift.why) for shift in emotion.shift().values()]
    moves += [Move("lean", knob, value, why) for knob, (value, why) in emotion.character(space).items()]
    return emotion.name, emotion.about, moves


def _rule(name: str) -> tuple[str, str, Iterable[Move]]:
    rule = rule_named(name)
    return rule.name, rule.means, [replace(move, word="") for move in rule.moves]


def _genre(name: str) -> tuple[str, str, Iterable[Move]]:
    genre = genre_named(name)
    return genre.name, genre.about, [replace(move, word="") for move in genre.moves()]


def _platforms() -> Iterator[tuple[str, str]]:
    for name in names_in("presets"):
        row = load_yaml("presets", name)
        if row.get("kind") == "platform":
            yield name, row["about"]


def _platform(name: str) -> tuple[str, str, Iterable[Move]]:
    moves = platform_moves(name)
    return name.casefold(), load_yaml("presets", name.casefold())["about"], moves


def _lofi(name: str) -> tuple[str, str, Iterable[Move]]:
    known = {_folded(stem): stem for stem in names_in(LOFI)}
    if _folded(name) not in known:
        raise UnknownNameError("lo-fi preset", name, known.values())
    preset = _lofi_file(known[_folded(name)])
    return preset.name, preset.about, preset.moves


@cache
def _lofi_file(stem: str) -> Preset:
    return read_preset_file(data_folder(LOFI) / f"{stem}.yaml")


_SHELVES: Mapping[str, _Shelf] = {
    "emotion": _Shelf(lambda: ((c.name, c.about) for c in categories().values()), _emotion),
    "rule": _Shelf(lambda: ((rule.name, rule.means) for rule in RULES.values()), _rule),
    "genre": _Shelf(lambda: ((genre.name, genre.about) for genre in genres().values()), _genre),
    "platform": _Shelf(_platforms, _platform),
    "lofi": _Shelf(lambda: ((stem, load_yaml(LOFI, stem)["about"]) for stem in names_in(LOFI)), _lofi),
}


def _folded(name: str) -> str:
    """Case, hyphens, underscores and spaces do not matter."""
    return name.casefold().replace("-", " ").replace("_", " ").strip()
