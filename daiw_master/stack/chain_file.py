"""A chain as a file: effects in order, and which of their knobs a search turns, which are pinned, which rest.

    chain:
      - effect: eq
        search: [tilt_db, air_gain_db]
        pin: {low_shelf_gain_db: 1.5}
      - effect: pedalboard_compressor
        search: {threshold_db: [-40, -10]}
      - effect: ZamVerb.vst3
        name: room
        search: all

Every slip is answered with its line.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from daiw_master.errors import InputError, UnknownNameError
from daiw_master.knobs.pedalboard import ROWS
from daiw_master.knobs.vst3 import find_vst3, installed_vst3
from daiw_master.params import Param, Space
from daiw_master.stack import EFFECTS, PEDALBOARD
from daiw_master.stack.chain import chain_space, qualified
from daiw_master.stack.chain_text import ChainText
from daiw_master.stack.effect import Effect
from daiw_master.stack.plugin import effect_from_pedalboard, effect_from_vst3

if TYPE_CHECKING:
    from daiw_master.stack.chain_schema import Stage

#: What a chain file's name ends in.
ENDINGS = (".yaml", ".yml")
#: Loudness and ceiling are met exactly at the end of every master; no search is asked for them.
_DELIVERED = {("loudness", "loudness_lufs"), ("limiter", "ceiling_dbtp")}


@dataclass(frozen=True)
class ChainFile:
    """A chain as somebody wrote it down, every name and number checked.

    `placed`: effects by place, in order. `free`: what a search may turn, by full name, and between which
    physical ends. `pinned`: what stands as it is. All other knobs rest at their defaults.
    """

    path: Path
    placed: Mapping[str, Effect]
    free: Mapping[str, tuple[float, float]]
    pinned: Mapping[str, float]

    @cached_property
    def space(self) -> Space:
        """Every knob of the chain by full name, with its whole range."""
        return chain_space(self.placed)

    @property
    def start(self) -> dict[str, float]:
        """Every knob where a search begins: pinned, or at its default, or at the nearer end of its part."""
        rest = self.space.defaults()
        held = {name: min(max(rest[name], low), high) for name, (low, high) in self.free.items()}
        return {**rest, **held, **self.pinned}


def read_chain(path: str | os.PathLike) -> ChainFile:
    """A chain file, read and checked; VST3s are looked for beside it, then in the system's folders.

    `InputError` with file and line where something cannot stand: a stage or knob nobody knows, a value out
    of range, a knob both pinned and searched, an empty chain, a plugin that is missing or does not load.
    """
    from daiw_master.stack.chain_schema import page_of  # pydantic, only where there is a file to check

    text = ChainText(Path(path))
    page, where, wrong = page_of(text.says)
    if wrong is not None:
        with text.at(*where):
            raise wrong
    placed: dict[str, Effect] = {}
    free: dict[str, tuple[float, float]] = {}
    pinned: dict[str, float] = {}
    for number, stage in enumerate(page.chain):
        with text.at("chain", number, "effect"):
            effect = _effect(stage, text.file.parent)
        with text.at("chain", number, "name"):
            if stage.name in placed:
                raise InputError(f"two stages are called {stage.name}; a name stands for one")
        place = list(qualified([*placed.values(), effect], [*placed, stage.name or effect.name]))[-1]
        placed[place] = effect
        one = _Stage(text, number, stage, place, effect)
        pinned |= {f"{place}.{knob}": value for knob, value in one.pinned().items()}
        free |= {f"{place}.{knob}": ends for knob, ends in one.searched().items()}
    return ChainFile(text.file, placed, free, pinned)


@dataclass(frozen=True)
class _Stage:
    """One stage on its page: what it says about its effect's knobs."""

    text: ChainText
    number: int
    says: Stage
    place: str
    effect: Effect

    def pinned(self) -> dict[str, float]:
        for knob, value in self.says.pin.items():
            with self.text.at("chain", self.number, "pin", knob):
                self._knob(knob).check(value, f"{self.place}.{knob}")
        return {knob: float(value) for knob, value in self.says.pin.items()}

    def searched(self) -> dict[str, tuple[float, float]]:
        search = self.says.search
        delivered = {knob for name, knob in _DELIVERED if name == self.effect.name}
        if search == "all":
            left = (p for p in self.effect.params if p.name not in self.says.pin and p.name not in delivered)
            return {param.name: (param.low, param.high) for param in left}
        found: dict[str, tuple[float, float]] = {}
        for index, knob in enumerate(search):
            with self.text.at("chain", self.number, "search", knob if isinstance(search, dict) else index):
                param, name = self._knob(knob), f"{self.place}.{knob}"
                if knob in self.says.pin:
                    raise InputError(f"{name} is pinned and searched; one of them is too much")
                if knob in delivered:
                    raise InputError(f"{name} is met at the end of every master; it is not searched")
                if knob in found:
                    raise InputError(f"{name} is searched twice")
                ends = search[knob] if isinstance(search, dict) else None
                found[knob] = (param.low, param.high) if ends is None else _ends(param, name, ends)
        return found

    def _knob(self, knob: str) -> Param:
        known = [param.name for param in self.effect.params]
        if knob not in known:
            raise UnknownNameError(f"knob of {self.place}", knob, known)
        return self.effect.space[knob]


def _ends(param: Param, name: str, ends: list[float]) -> tuple[float, float]:
    low, high = (param.check(float(end), name) for end in ends)
    if not low < high:
        unit = f" {param.unit}" if param.unit else ""
        raise InputError(f"{name} is searched from {low:g} to {high:g}{unit}; the first must be the lower")
    return low, high


def _effect(stage: Stage, folder: Path) -> Effect:
    """The row a stage names: one of ours, one of pedalboard's, or a VST3."""
    name = stage.effect
    if name.endswith(".vst3"):
        place = find_vst3(name, folder)
        if place is None:
            raise _no_such_plugin(name)
        return effect_from_vst3(place, stage.plugin, apart=stage.apart is not False)
    if name not in EFFECTS and name not in PEDALBOARD:
        raise UnknownNameError("effect", name, [*EFFECTS, *PEDALBOARD, *_vst3_names()])
    if stage.plugin is not None:
        raise InputError(f"{name} is no .vst3; `plugin` picks one of several in such a file")
    if not stage.apart:
        return EFFECTS[name] if name in EFFECTS else PEDALBOARD[name]
    if name in EFFECTS:
        raise InputError(f"{name} is ours and needs no process of its own; leave `apart` out")
    return effect_from_pedalboard(next(row.plugin for row in ROWS if row.name == name), apart=True)


def _no_such_plugin(name: str) -> InputError | UnknownNameError:
    if Path(name).name != name:
        return InputError(f"{name}: no such plugin; a path is relative to the chain file")
    return UnknownNameError("VST3", name, _vst3_names(), "(looked for beside the file and where VST3s lie)")


def _vst3_names() -> list[str]:
    return [path.name for path in installed_vst3()]
