"""Whatever DAiW wrote, as one `Intent`: saved sheets, sets of examples, exports, plans, its own objects.

    read_intent("song.json")                      a file, JSON or YAML
    read_intent("examples.json:dissociation")     one of a set
    read_intent(intent_object)                    a mapping, or any of DAiW's objects

What DAiW's own loader drops without a word is kept here, and told.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from daiw_master.errors import DaiwMasterError, InputError, UnknownNameError
from daiw_master.intent.mastering import read_mastering
from daiw_master.intent.names import TELLING, fold_key, shape_of
from daiw_master.intent.notice import Notice, one_line, shown
from daiw_master.intent.plain import plain
from daiw_master.intent.refusals import what_it_is
from daiw_master.intent.schema import Extras, Intent, Mastering
from daiw_master.intent.sheet import Sheet
from daiw_master.intent.source import read_tree

__all__ = ["read_intent", "with_extras"]

_SUFFIXES = (".yaml", ".yml", ".json")
#: Keys under which a set keeps its intents.
_SHELVES = ("examples", "intents", "songs")


def read_intent(source: object, name: str | None = None) -> Intent:
    """The intent in `source`: a path, "FILE:NAME", a mapping, or one of DAiW's objects.

    `name` chooses from a set. Raises InputError or UnknownNameError, in one line, where there is no
    intent to be had; what merely looks odd is in `Intent.notices`.
    """
    if isinstance(source, Intent):
        return source
    if not isinstance(source, (str, os.PathLike)):
        return _read(_plain(source, type(source).__name__), name, origin="", folder=None)
    path, named = _split(os.fspath(source) if isinstance(source, os.PathLike) else source)
    tree = _plain(read_tree(path), str(path))
    if ".mastering." in path.name:
        raise InputError(f"{path} is a mastering sidecar; name the intent it lies beside")
    return _read(tree, name or named, origin=str(path), folder=path.parent, sidecar=_sidecar(path))


def with_extras(intent: Intent, source: object) -> Intent:
    """The intent, and what another file says about the same song: process output, an iDAW sidecar.

    The intent's own words count; the other file fills what they left open and adds sections and arc.
    """
    other = read_intent(source)
    label = other.origin or other.shape
    filled: dict[str, Any] = {}
    notices = list(other.notices)
    for section in ("", "song_root", "song_intent", "technical_constraints", "system_directive"):
        ours = getattr(intent, section) if section else intent
        theirs = getattr(other, section) if section else other
        names = ("title", "created") if not section else type(ours).model_fields
        update = {}
        for field in names:
            said, offered = getattr(ours, field), getattr(theirs, field)
            empty = type(ours).model_fields[field].default
            if offered == empty or offered == said or offered != offered or _within(offered, said):
                continue
            if said == empty:
                update[field] = offered
                notices.append(Notice("note", field, f"{shown(offered)} is taken from {label}"))
            else:
                notices.append(
                    Notice(
                        "warning",
                        field,
                        f"{label} says {shown(offered)}, the intent {shown(said)}; the intent counts",
                    )
                )
        if section and update:
            filled[section] = ours.model_copy(update=update)
        else:
            filled |= update
    unknown = {**intent.unknown, **{f"{label}: {key}": value for key, value in other.unknown.items()}}
    mastering = intent.mastering
    if mastering.is_empty:
        mastering = other.mastering
    elif not other.mastering.is_empty and other.mastering != mastering:
        unknown[f"{label}: mastering"] = other.mastering.model_dump(exclude_defaults=True)
        notices.append(
            Notice("warning", "mastering", f"the section in {label} is not used; the intent brings its own")
        )
    extras = _merged(intent.extras, other.extras, label, notices)
    return intent.model_copy(
        update={
            **filled,
            "extras": extras,
            "mastering": mastering,
            "unknown": unknown,
            "notices": (*intent.notices, *notices),
        }
    )


def _within(offered: object, said: object) -> bool:
    """A generator's one tempo inside the sheet's range is no contradiction."""
    if not (isinstance(offered, tuple) and isinstance(said, tuple) and len(offered) == len(said) == 2):
        return False
    try:
        return min(said) <= min(offered) and max(offered) <= max(said)
    except TypeError:
        return False


def _merged(ours: Extras, theirs: Extras, label: str, notices: list[Notice]) -> Extras:
    update: dict[str, Any] = {}
    kept = dict(ours.kept)
    for key, value in theirs.kept.items():
        kept[key if kept.get(key, value) == value else f"{label}: {key}"] = value
    for field in ("sections", "dynamic_arc", "emotion", "bpm", "tracks"):
        said, offered = getattr(ours, field), getattr(theirs, field)
        if not offered or offered == said:
            continue
        if not said:
            update[field] = offered
            continue
        kept.setdefault(f"{label}: {field}", theirs.model_dump()[field])
        notices.append(
            Notice("warning", field, f"{label} brings other {field} than were read before; the first count")
        )
    return ours.model_copy(update={**update, "kept": kept})


def _split(text: str) -> tuple[Path, str | None]:
    """ "FILE:NAME" as its two halves; a file whose own name holds the colon is taken whole."""
    path, colon, name = text.rpartition(":")
    if not colon or not path or not name or "/" in name or "\\" in name or os.path.exists(text[:4096]):
        return Path(text), None
    return Path(path), name


def _plain(value: object, where: str) -> object:
    try:
        return plain(value)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _sidecar(path: Path) -> Path | None:
    beside = (path.with_name(f"{path.stem}.mastering{suffix}") for suffix in _SUFFIXES)
    return next((found for found in beside if found.is_file()), None)


def _read(
    tree: object, name: str | None, *, origin: str, folder: Path | None, sidecar: Path | None = None
) -> Intent:
    where = origin or "this"
    if not isinstance(tree, (Mapping, list)):
        raise InputError(f"{where} holds {shown(tree)}, not an intent: no keys, no sections")
    kind = what_it_is(tree) if isinstance(tree, Mapping) else None
    if kind:
        raise InputError(f"{where} is {kind}")
    notices: list[Notice] = []
    beside: dict = {}
    if not _is_intent(tree):
        tree, name, beside = _chosen(tree, name, where, notices)
    elif name and fold_key(name) != fold_key(str(tree.get("title", ""))):
        raise InputError(f"{where} holds one intent, not a set; leave {name!r} away")
    sheet = Sheet(tree, shape_of(tree))
    sheet.unknown |= {
        key if key not in sheet.unknown else f"{key} (beside)": value for key, value in beside.items()
    }
    mastering = _mastering(sheet.mastering, sidecar, origin, folder, notices)
    return sheet.intent(
        origin=f"{origin}:{name}" if name and origin else origin, mastering=mastering, notices=notices
    )


def _is_intent(tree: object) -> bool:
    return isinstance(tree, Mapping) and any(fold_key(key) in TELLING for key in tree)


def _chosen(
    tree: Mapping | list, name: str | None, where: str, notices: list[Notice]
) -> tuple[Mapping, str, dict]:
    """One intent of a set, its name, and what stands beside it where it is alone."""
    shelf: dict[str, Mapping] = {}
    for number, (title, value) in enumerate(_shelf(tree), 1):
        title = one_line(title, 60)
        shelf[title if title not in shelf else f"{title} {number}"] = value
    if not shelf:
        keys = list(tree)[:4] if isinstance(tree, Mapping) else [f"{len(tree)} items"] if tree else []
        holds = f"it holds {one_line(', '.join(keys), 120)}" if keys else "it is empty"
        raise InputError(f"{where} is no intent: no song_root or song_intent in it ({holds})")
    if name is None and len(shelf) > 1:
        raise InputError(
            f"{where} holds {len(shelf)} intents: {one_line(', '.join(shelf))};"
            f" choose one, like {where}:{next(iter(shelf))}"
        )
    if name is None:
        (name,) = shelf
    wanted = {fold_key(name), f"example_{fold_key(name)}"}
    found = next((key for key in shelf if key == name or fold_key(key) in wanted), None)
    if found is None:
        hint = f"(it holds {one_line(', '.join(shelf))})"
        raise UnknownNameError(f"intent in {where}:", one_line(name, 60), shelf, hint)
    others = [key for key in shelf if key != found]
    if isinstance(tree, Mapping):
        others += [key for key in tree if key not in shelf and fold_key(key) not in _SHELVES]
    elif len(tree) > len(shelf):
        others.append(f"{len(tree) - len(shelf)} more that are no intents")
    if others:
        names = one_line(", ".join(others), 2000)
        notices.append(Notice("note", "", f"{found} was read; beside it the file holds {names}"))
    # one intent in a wrapper: what the wrapper says beside it is about this song, and kept
    alone = isinstance(tree, Mapping) and len(shelf) == 1
    beside = {key: tree[key] for key in others if key in tree} if alone else {}
    return shelf[found], found, beside


def _shelf(tree: Mapping | list) -> Iterator[tuple[str, Mapping]]:
    """(name, intent) of everything in a file of several."""
    if isinstance(tree, list):
        for number, item in enumerate(tree, 1):
            if _is_intent(item):
                title = item.get("title")
                yield (title if isinstance(title, str) and title.strip() else str(number)), item
        return
    for key, value in tree.items():
        if fold_key(key) in _SHELVES and isinstance(value, (Mapping, list)):
            yield from _shelf(value)
        elif _is_intent(value) and fold_key(key) != "enums":  # DAiW's schema lists its choices there
            yield key, value


def _mastering(
    section: object, sidecar: Path | None, origin: str, folder: Path | None, notices: list[Notice]
) -> Mastering:
    """The mastering section with its sidecar laid over it, key by key."""
    read = _checked(section, origin, folder)
    if sidecar is None:
        return read
    tree = _plain(read_tree(sidecar), str(sidecar))
    if isinstance(tree, Mapping) and set(tree) == {"mastering"}:
        tree = tree["mastering"]
    beside = _checked(tree, str(sidecar), sidecar.parent)
    update = {}
    for key in beside.model_fields_set:
        ours, theirs = getattr(read, key), getattr(beside, key)
        if isinstance(theirs, dict):
            theirs = {**ours, **theirs}
        if key in read.model_fields_set and ours != theirs:
            notices.append(
                Notice(
                    "note",
                    f"mastering.{key}",
                    f"{shown(ours)} in the intent gives way to {shown(theirs)} in {sidecar}",
                )
            )
        update[key] = theirs
    return read.model_copy(update=update)


def _checked(section: object, origin: str, folder: Path | None) -> Mastering:
    try:
        return read_mastering(section, folder=folder)
    except DaiwMasterError as error:
        if origin:
            error.args = (f"{origin}: {error}",)
        raise
