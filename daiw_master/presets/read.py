"""From a preset file to moves: every slip is answered with its line, what came and what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from daiw_master import house
from daiw_master.data import load_yaml, names_in
from daiw_master.errors import InputError, UnknownNameError
from daiw_master.moves import PART_ROLES, Move, Voice, check_switch
from daiw_master.params import Param, Space
from daiw_master.plan import plan_of, platform_moves
from daiw_master.presets.model import SECTIONS, Preset, shift_range
from daiw_master.presets.page import Entry, Page, is_empty, line_of, page_of_file, shown
from daiw_master.targets import DELIVERY, FIELDS, SPACE

#: What stands at the top of a file beside the sections.
HEAD = ("kind", "name", "about")
#: Longest energy list and longest section in it: an hour of a song in single bars.
MOST_SECTIONS, MOST_BARS = 200, 2000


def read_preset_file(path: str | Path) -> Preset:
    """A preset file as moves of the feeling's voice (`platform` and `fixed`: a louder one).

    Raises InputError with file and line where something cannot stand.
    """
    return preset_of_page(page_of_file(path), Path(path).stem)


def read_preset_text(text: str, label: str = "preset") -> Preset:
    """The same from text; `label` is what errors call it."""
    return preset_of_page(Page(text, label), label)


def preset_of_page(page: Page, stem: str) -> Preset:
    """A page as a preset, every line checked, and the sum of all lines too."""
    head, sections = _sorted_out(page)
    name = page.word(head["name"]) if "name" in head else stem
    about = page.word(head["about"]) if "about" in head else ""
    knobs, inside = _chain_of(page, sections.get("effects"))
    reader = _Reader(page, f"preset {name}", knobs, inside)
    moves = tuple(
        move for section, entry in sections.items() for move in _READERS[section](reader, section, entry)
    )
    with page.at(1):
        plan_of(moves, name)
    return Preset(name, about, "file", moves)


def _sorted_out(page: Page) -> tuple[dict[str, Entry], dict[str, Entry]]:
    """Head and sections, in the order of SECTIONS; the kind checked before anything else."""
    entries = {entry.name: entry for entry in page.entries(page.root, "a preset")}
    if "kind" not in entries:
        raise InputError(f"{page.label} has no `kind`; a preset begins with `kind: preset`")
    kind = page.word(entries["kind"])
    if kind != "preset":
        raise page.fail(entries["kind"].line, f"kind is {kind}; a preset file says `kind: preset`")
    for entry in entries.values():
        if entry.name not in SECTIONS and entry.name not in HEAD:
            raise page.fail(entry.line, UnknownNameError("section", entry.name, [*HEAD, *SECTIONS]))
    head = {name: entries[name] for name in HEAD if name in entries}
    return head, {name: entries[name] for name in SECTIONS if name in entries}


def _chain_of(page: Page, effects: Entry | None) -> tuple[Space, Space]:
    """(every knob there is, the knobs of the chain this preset runs)."""
    from daiw_master.stack import EFFECTS, HOUSE_CHAIN
    from daiw_master.stack.chain import chain_space

    named: dict[str, set[str]] = {"in": set(), "out": set()}
    for way in page.entries(effects.node, "effects") if effects else ():
        if way.name not in named:
            raise page.fail(way.line, UnknownNameError("way of an effect", way.name, named, "(in or out)"))
        for item in page.items(way):
            if item.name not in EFFECTS:
                raise page.fail(item.line, UnknownNameError("effect", item.name, EFFECTS))
            if item.name in named["in"]:
                raise page.fail(item.line, f"{item.name} is taken in and out; one of them is too much")
            named[way.name].add(item.name)
    # what is out may keep its settings: they are silent, and taking the line away brings them back
    inside = {*HOUSE_CHAIN, *named["in"], *named["out"]}
    return chain_space(EFFECTS), chain_space({name: EFFECTS[name] for name in EFFECTS if name in inside})


@dataclass(frozen=True)
class _Reader:
    """One file being read: its page, what its moves call themselves, and the knobs it may turn."""

    page: Page
    source: str
    knobs: Space
    inside: Space

    def move(self, kind, what: str, value, entry: Entry, voice: Voice = "feeling") -> Move:
        return Move(kind, what, value, entry.why, self.source, "", voice)

    def platform(self, section: str, entry: Entry) -> Iterator[Move]:
        name = self.page.word(entry)
        with self.page.at(entry.line):
            rows = platform_moves(name)
        for row in rows:
            yield Move("set", row.what, row.value, row.why, self.source, name.casefold(), "platform")

    def fixed(self, section: str, entry: Entry) -> Iterator[Move]:
        """Delivery speaks as a platform does, a knob as the user who turned it."""
        for own in self.page.entries(entry.node, section):
            name = _target_name(own.name)
            if name in FIELDS and name not in DELIVERY:
                hint = "is no delivery; under `shifts` it moves, under `set` it takes a value"
                raise self.page.fail(own.line, f"{own.name} {hint}")
            param = FIELDS[name] if name in FIELDS else self.knob(own)
            voice: Voice = "platform" if name in FIELDS else "user"
            yield self.move("set", name, self.held(param, own), own, voice)

    def shifts(self, section: str, entry: Entry) -> Iterator[Move]:
        for own in self.page.entries(entry.node, section):
            if own.name in self.knobs:
                hint = "is a knob; under `set` it takes a value, under `lean` a starting point"
                raise self.page.fail(own.line, f"{own.name} {hint}")
            with self.page.at(own.line):
                field = SPACE[own.name]
            low, high = shift_range(own.name)
            value = self.page.number(own.name, own.node, low, high, field.unit, " as a shift")
            yield self.move("shift", own.name, value, own)

    def set(self, section: str, entry: Entry) -> Iterator[Move]:
        for own in self.page.entries(entry.node, section):
            if own.name == "gain_reduction_db":
                hint = "set dynamics.ratio or dynamics.threshold_db"
                raise self.page.fail(own.line, f"gain_reduction_db is only measured; {hint}")
            name = _target_name(own.name)
            param = FIELDS[name] if name in FIELDS else self.knob(own)
            yield self.move("set", name, self.held(param, own), own)

    def lean(self, section: str, entry: Entry) -> Iterator[Move]:
        for own in self.page.entries(entry.node, section):
            if own.name in FIELDS:
                hint = "is a target; under `shifts` it moves, under `set` it takes a value"
                raise self.page.fail(own.line, f"{own.name} {hint}")
            yield self.move("lean", own.name, self.held(self.knob(own), own), own)

    def effects(self, section: str, entry: Entry) -> Iterator[Move]:
        for way in self.page.entries(entry.node, section):
            for item in self.page.items(way):
                yield self.move("switch", way.name, item.name, item)

    def parts(self, section: str, entry: Entry) -> Iterator[Move]:
        from daiw_master.parts import part_space

        known = part_space()
        for role in self.page.entries(entry.node, section):
            if role.name not in PART_ROLES:
                hint = f"({', '.join(PART_ROLES)})"
                raise self.page.fail(role.line, UnknownNameError("part", role.name, PART_ROLES, hint))
            for own in self.page.entries(role.node, role.name):
                if own.name not in known:
                    raise self.page.fail(own.line, UnknownNameError("knob of a part", own.name, known))
                what = f"{role.name}.{own.name}"
                yield self.move("part", what, self.held(known[own.name], own), own)

    def choice(self, section: str, entry: Entry) -> Iterator[Move]:
        value = self.page.word(entry)
        with self.page.at(entry.line):
            check_switch(section, value)
            if section == "form" and value not in forms():
                raise UnknownNameError("form", value, forms(), f"({', '.join(forms())})")
        yield self.move("switch", section, value, entry)

    def energies(self, section: str, entry: Entry) -> Iterator[Move]:
        if is_empty(entry.node):
            return
        if not isinstance(entry.node, yaml.SequenceNode):
            what = f"energies is {shown(entry.node)}; it must list sections, like [intro, 4, 0.2]"
            raise self.page.fail(entry.line, what)
        rows = entry.node.value
        if not 1 <= len(rows) <= MOST_SECTIONS:
            what = f"energies lists {len(rows)} sections; it must list 1 to {MOST_SECTIONS}"
            raise self.page.fail(entry.line, what)
        told = []
        for row in rows:
            line, cells = line_of(row), row.value
            if not isinstance(row, yaml.SequenceNode) or len(cells) != 3:
                raise self.page.fail(
                    line, "a section of energies is [name, bars, energy], like [intro, 4, 0.2]"
                )
            name = self.page.word(Entry("a section's name", cells[0], line, ""))
            bars = self.page.number(f"bars of {name}", cells[1], 0, MOST_BARS, "bars")
            if bars == 0:
                raise self.page.fail(line, f"bars of {name} is 0; a section lasts longer than that")
            told.append((name, bars, self.page.number(f"energy of {name}", cells[2], 0, 1, "")))
        yield self.move("switch", section, tuple(told), entry)

    def names(self, section: str, entry: Entry) -> Iterator[Move]:
        known = {**house.limits(), **(FIELDS if section == "silence" else {})}
        what = "verdict" if section == "silence" else "house limit"
        for item in self.page.items(entry):
            if item.name not in known:
                raise self.page.fail(item.line, UnknownNameError(what, item.name, known))
            yield self.move("switch", section, item.name, item)

    def held(self, param: Param, own: Entry) -> float:
        return self.page.number(own.name, own.node, param.low, param.high, param.unit)

    def knob(self, own: Entry) -> Param:
        """The knob of this name, if the chain of this preset has it."""
        if own.name in self.inside:
            return self.inside[own.name]
        effect = own.name.partition(".")[0]
        if own.name in self.knobs:
            hint = f"{own.name}: {effect} is not in the chain; add it under effects, in"
            raise self.page.fail(own.line, hint)
        raise self.page.fail(
            own.line, UnknownNameError("target or setting", own.name, [*FIELDS, *self.knobs])
        )


_READERS: Mapping[str, Callable[[_Reader, str, Entry], Iterator[Move]]] = {
    "platform": _Reader.platform,
    "fixed": _Reader.fixed,
    "shifts": _Reader.shifts,
    "set": _Reader.set,
    "lean": _Reader.lean,
    "effects": _Reader.effects,
    "parts": _Reader.parts,
    "tail": _Reader.choice,
    "form": _Reader.choice,
    "energies": _Reader.energies,
    "relax": _Reader.names,
    "lift": _Reader.names,
    "silence": _Reader.names,
}


def _target_name(name: str) -> str:
    """The delivery stages' own knobs are targets by another name; everything else is called as it is."""
    from daiw_master.refine.bench import DELIVERY_KNOBS

    return DELIVERY_KNOBS.get(name, name)


def forms() -> tuple[str, ...]:
    """The shapes over time that exist, by name."""
    return tuple(load_yaml("presets", "form")["shapes"]) if "form" in names_in("presets") else ()
