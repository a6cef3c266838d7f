"""One mapping onto the sheet: each value to its field, and what has no field kept under its path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daiw_master.errors import either, nearest
from daiw_master.intent.names import (
    ALIASES,
    FIELDS,
    GENERATED,
    RESCALED,
    SECTIONS,
    SUMMARIES,
    fold_key,
)
from daiw_master.intent.notice import Notice, shown
from daiw_master.intent.schema import (
    Extras,
    Intent,
    Section,
    SongIntent,
    SongRoot,
    SystemDirective,
    TechnicalConstraints,
)
from daiw_master.intent.source import EARLIER
from daiw_master.intent.values import number_from, text_from

_MODELS = {
    "song_root": SongRoot,
    "song_intent": SongIntent,
    "technical_constraints": TechnicalConstraints,
    "system_directive": SystemDirective,
}
#: So many keys nobody knows are told one by one; the rest are counted.
_MOST_TOLD = 20
#: Characters a field may hold: a story a page or several, a mood or a genre a phrase.
_LONGEST_STORY, _LONGEST_WORD = 20_000, 1_000
_STORIES = frozenset(SongRoot.model_fields) | {"rule_breaking_justification"}
_EMPTY = (None, "", [], {})
_KNOWN_KEYS = (*FIELDS, *_MODELS, *ALIASES, "mastering")


class Sheet:
    """Fills fields from a mapping; nothing is dropped: what does not fit goes to `unknown` or `kept`."""

    def __init__(self, tree: Mapping, shape: str) -> None:
        self.shape = shape
        self.fields: dict[str, tuple[object, str]] = {}  # name -> value as read, where it stood
        self.extras: dict[str, Any] = {}
        self.kept: dict[str, Any] = {}
        self.unknown: dict[str, Any] = {}
        self.strangers: list[str] = []
        self.notices: list[Notice] = []
        self.mastering: object = None
        for key, value in tree.items():
            self._top(key, value)
        self._summaries(tree)
        self._tell_strangers()

    def intent(self, **more: Any) -> Intent:
        """The sheet as an `Intent`; `more` are its mastering section, its origin and further notices."""
        parts: dict[str, dict] = {"": {}, **{name: {} for name in _MODELS}}
        for name, (value, _) in self.fields.items():
            parts[FIELDS[name][0]][name] = value
        top = parts.pop("")
        return Intent(
            **top,
            **{name: _MODELS[name](**part) for name, part in parts.items()},
            extras=Extras(**self.extras, kept=self.kept),
            unknown=self.unknown,
            shape=self.shape,
            notices=(*self.notices, *more.pop("notices", ())),
            **more,
        )

    # Where a key leads

    def _top(self, key: str, value: object) -> None:
        name = fold_key(key)
        if name in SECTIONS:
            self._section(key, SECTIONS[name], value)
        elif name == "mastering" and self.mastering is None:
            self.mastering = value
        elif name in ("sections", "dynamic_arc", "tracks"):
            self._generated(name, key, value)
        elif name == "arrangement" and isinstance(value, Mapping):
            for inner, part in value.items():
                self._generated(fold_key(inner), f"{key}.{inner}", part)
        elif name in GENERATED and not (name in ALIASES and _is_plain(value)):
            self._keep(key, value)
        else:
            if self.shape == "iDAW sidecar":
                self._sidecar(name, value)
            self._field(name, key, value, home="")

    def _section(self, key: str, section: str, value: object) -> None:
        if value is None:
            return
        if not isinstance(value, Mapping):
            self.unknown[key] = value
            if value not in _EMPTY:
                wanted = ", ".join(name for name, (home, _) in FIELDS.items() if home == section)
                self._say("warning", key, f"is {shown(value)} where a section belongs, with {wanted} in it")
            return
        has_scale = any(fold_key(inner) == "mood_secondary_tension_scale" for inner in value)
        for inner, part in value.items():
            name = fold_key(inner)
            if name == "mood_secondary_tension" and isinstance(part, str):
                # the wizard keeps a second feeling under this name and the number under another
                if (has_scale or self.shape == "wizard export") and not _is_number(part):
                    name = "mood_secondary"
            self._field(name, f"{key}.{inner}", part, home=section)

    def _field(self, name: str, path: str, value: object, home: str) -> None:
        if name in RESCALED:
            field, read, why = RESCALED[name]
            if self._take(field, read, path, value):
                self._say("note", path, f"{shown(value)} is read as {self.fields[field][0]} ({why})")
            return
        field = ALIASES.get(name, name)
        if field not in FIELDS:
            self._stranger(path, value)
            return
        section, read = FIELDS[field]
        took = self._take(field, read, path, value)
        if took and home and section != home:
            self._say(
                "note",
                path,
                f"belongs to {section or 'the top of the sheet'}, and is read as if it stood there",
            )
        elif took and field == "vulnerability_scale" and isinstance(value, (int, float)):
            self._say("note", path, f"{shown(value)} is read as {self.fields[field][0]}, by thirds of 0 to 1")

    def _take(self, field: str, read, path: str, value: object) -> bool:
        """Put a value into its field; True where it went in and said something."""
        if value in _EMPTY and not isinstance(value, (bool, int, float)):
            return False
        try:
            got = read(value)
            if len(str(got)) > (_LONGEST_STORY if field in _STORIES else _LONGEST_WORD):
                raise ValueError("a text of a sheet's length")
        except ValueError as error:
            self.unknown[path] = value
            stops = field == "mood_secondary_tension" and field not in self.fields
            if stops:
                self.fields[field] = (float("nan"), path)
            self._say(
                "error" if stops else "warning",
                path,
                f"is {shown(value)}, which is not {error}"
                + (" from 0 to 1" if stops else "; it is kept and moves nothing"),
            )
            return False
        if field == "technical_rule_to_break" and not got:
            self._say("note", path, f"{shown(value)} is read as: no rule is broken")
            return False
        if field in self.fields and self.fields[field][0] != got:
            self.unknown[path] = value
            said, where = self.fields[field]
            self._say(
                "warning", path, f"says {shown(value)} where {where} already says {shown(said)}, which counts"
            )
            return False
        self.fields[field] = (got, path)
        return True

    # What generators wrote

    def _keep(self, path: str, value: object) -> None:
        if value not in _EMPTY or value in (False, 0):
            self.kept[path] = value

    def _sidecar(self, name: str, value: object) -> None:
        if name == "emotion" and isinstance(value, str):
            self.extras["emotion"] = value
        elif name == "bpm" and _is_number(value):
            self.extras["bpm"] = number_from(value)

    def _generated(self, name: str, path: str, value: object) -> None:
        if name == "sections" and value not in _EMPTY:
            sections = _sections(value)
            if sections is None:
                self._say(
                    "warning",
                    path,
                    "are not sections with a name, bars and an energy from 0 to 1; kept, not followed",
                )
            else:
                self.extras["sections"] = sections
            if sections is None or _says_more(value):
                self.kept[path] = value
        elif name == "dynamic_arc" and isinstance(value, list) and value and all(map(_is_number, value)):
            self.extras["dynamic_arc"] = tuple(map(number_from, value))
        elif name == "tracks" and isinstance(value, Mapping):
            self.extras["tracks"] = dict(value)
        else:
            self._keep(path, value)

    def _summaries(self, tree: Mapping) -> None:
        for path, field in SUMMARIES:
            value: object = tree
            for key in path.split("."):
                value = value.get(key) if isinstance(value, Mapping) else None
            if value in _EMPTY or field in self.fields or not _is_plain(value):
                continue
            try:
                self.fields[field] = (FIELDS[field][1](value), path)
            except ValueError:
                continue  # kept word for word with the rest of the summary

    # What nobody has a name for

    def _stranger(self, path: str, value: object) -> None:
        self.unknown[path] = value
        self.strangers.append(path)

    def _tell_strangers(self) -> None:
        for path in self.strangers[:_MOST_TOLD]:
            key = path.rpartition(".")[2]
            if key.endswith(EARLIER):
                written = key.removesuffix(EARLIER)
                self._say(
                    "warning",
                    path,
                    f"{written} stands there twice; the later one counts, this was the earlier",
                )
                continue
            near = nearest(fold_key(key), _KNOWN_KEYS) if len(key) < 60 else []
            if near:
                self._say(
                    "warning",
                    path,
                    f"is no key of the sheet; did you mean {either(near[:2])}? As it stands it moves nothing",
                )
            else:
                self._say(
                    "note", path, "is no key of DAiW's or ours; it is kept as written and moves nothing"
                )
        beyond = len(self.strangers) - _MOST_TOLD
        if beyond > 0:
            self._say("note", "", f"{beyond} more keys are nobody's; they are kept as written too")

    def _say(self, level, field: str, text: str) -> None:
        self.notices.append(Notice(level, field, text))


def _is_plain(value: object) -> bool:
    """A text, a number, or a list of these."""
    return isinstance(value, (str, int, float)) or (
        isinstance(value, list) and all(isinstance(item, (str, int, float)) for item in value)
    )


def _is_number(value: object) -> bool:
    try:
        return number_from(value) == number_from(value)
    except ValueError:
        return False


def _sections(value: object) -> tuple[Section, ...] | None:
    """DAiW's list of sections, or None where a bar count, an energy or the list itself is missing."""
    if not isinstance(value, list):
        return None
    read = []
    for item in value:
        if not isinstance(item, Mapping):
            return None
        bars = item.get("bars")
        if bars is None and _is_number(item.get("start_bar")) and _is_number(item.get("end_bar")):
            bars = number_from(item["end_bar"]) - number_from(item["start_bar"])
        if not (_is_number(bars) and _is_number(item.get("energy"))):
            return None
        try:
            section = Section(
                name=text_from(item.get("name")), bars=number_from(bars), energy=number_from(item["energy"]),
                notes=text_from(item.get("notes")) if _is_plain(item.get("notes")) else "",
            )  # fmt: skip
        except ValueError:
            return None
        if not (0.0 <= section.energy <= 1.0 and 0.0 < section.bars < 1e5):
            return None
        read.append(section)
    return tuple(read)


def _says_more(value: list) -> bool:
    """Some section says more than a `Section` holds."""
    return any(
        not isinstance(item.get("notes", ""), str) or item.keys() - {"name", "bars", "energy", "notes"}
        for item in value
    )
