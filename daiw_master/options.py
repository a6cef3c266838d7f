"""What the user decided apart from the feeling, and the chain it leads to."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from daiw_master.errors import InputError, MissingDependencyError, UnknownNameError
from daiw_master.params import Space
from daiw_master.refine.bench import DELIVERY_KNOBS, Progress
from daiw_master.stack import EFFECTS, HOUSE_CHAIN, HOUSE_ORDER, effect_named
from daiw_master.stack.accelerated import full_precision
from daiw_master.stack.chain import chain_space, qualified
from daiw_master.stack.chain_file import ENDINGS, ChainFile, read_chain
from daiw_master.stack.effect import Effect
from daiw_master.strength import parse_strength
from daiw_master.targets import SPACE

if TYPE_CHECKING:
    from daiw_master.plan import Plan


@dataclass
class Options:
    """What the user decided, apart from the feeling; one set for every master of a run.

    `intent` is a path, "FILE:NAME", a mapping or one of DAiW's own objects; `extras` more of DAiW's
    files about the same song (`process -o` output, .idaw.json). `rules` and `presets` go by name. `chain`
    is a list of effects, or a chain file (its path; read once, here).
    `reference`: sound files, `.style` files or `Audio` the master is to sound like; `refine` goes further
    after the solver, by gradient and toward the feeling's own style; `generations` of `candidates` settings
    are heard on the way. `interruptible` gives, while a search runs, what asks it to stop.
    """

    strength: str | None = None
    intent: object | None = None
    extras: Sequence[object] = ()
    rules: Sequence[str] = ()
    presets: Sequence[str | Path] = ()
    force: bool = False
    platform: str | None = None
    lufs: float | None = None
    ceiling: float | None = None
    settings: Sequence[str] = ()
    chain: Sequence[str | Effect] | str | os.PathLike | ChainFile | None = None
    without: Sequence[str] = ()
    with_effects: Sequence[str] = ()
    relaxed: Sequence[str] = ()
    automation: bool = True
    rate: int | None = None
    soundfont: str | Path | None = None
    stems: bool = False
    preview: bool = False
    bypass: bool = False
    refine: bool = False
    reference: Sequence[object] = ()
    generations: int = 12
    candidates: int = 32
    seed: int = 0
    device: str = "cpu"
    progress: Progress = field(default=lambda what, done: None)
    interruptible: Callable[[], AbstractContextManager[Callable[[], bool]]] = field(
        default=lambda: contextlib.nullcontext(lambda: False)
    )

    def __post_init__(self) -> None:
        if self.strength is not None:
            self.strength = str(self.strength)  # from Python, 0.5 is as good as "0.5"
        self.chain = _asked_chain(self.chain)
        if not isinstance(self.reference, (list, tuple)):
            self.reference = () if self.reference is None else (self.reference,)
        if self.generations < 1 or self.candidates < 4:
            raise InputError(
                f"a search of {self.generations} generations of {self.candidates} candidates; "
                f"it takes at least 1 of 4"
            )

    @property
    def factors(self) -> dict[str, float]:
        """How much of the feeling, group by group; all of it if nothing is said."""
        return parse_strength(self.strength or "1")


def chain_of(options: Options, plan: Plan | None = None) -> dict[str, Effect]:
    """The chain by place name: the house chain unless the user gave one, edited by the plan.

    What a plan takes in stands at its place in the house's order; what the user leaves out stays out.
    """
    if isinstance(options.chain, ChainFile):
        asked = list(options.chain.placed.items())
    else:
        chain = HOUSE_CHAIN if options.chain is None else options.chain
        asked = [(row if isinstance(row, str) else row.name, row) for row in chain]
    named = [name for name, _ in asked]
    for name in options.without:
        # one of ours that is not there yet may still be taken in by a word, and then stays out
        if name not in named and name not in EFFECTS:
            raise UnknownNameError("effect in the chain", name, [*named, *EFFECTS])
    rows: list[tuple[str, Effect]] = []
    for name, row in asked:
        if name not in options.without:
            effect = effect_named(row) if isinstance(row, str) else row
            rows.append((name if isinstance(options.chain, ChainFile) else effect.name, effect))
    if plan is not None:
        present = {row.name for _, row in rows} | set(options.without)
        for name in plan.added:
            if name not in present:
                rows.insert(_place_for(name, rows), (name, effect_named(name)))
        rows = [(place, row) for place, row in rows if row.name not in plan.removed]
    return qualified([row for _, row in rows], [place for place, _ in rows])


def _place_for(name: str, rows: Sequence[tuple[str, Effect]]) -> int:
    later = HOUSE_ORDER[HOUSE_ORDER.index(name) + 1 :] if name in HOUSE_ORDER else ("loudness", "limiter")
    return next((i for i, (_, row) in enumerate(rows) if row.name in later), len(rows))


def _asked_chain(chain):
    """A chain file read, names in one line as a list; anything else as it came."""
    if chain is None or isinstance(chain, ChainFile):
        return chain
    if isinstance(chain, os.PathLike):
        return read_chain(chain)
    if isinstance(chain, str):
        chain = [name.strip() for name in chain.split(",") if name.strip()]
    files = [row for row in chain if isinstance(row, str) and row.lower().endswith(ENDINGS)]
    if not files:
        return chain
    if len(chain) > 1:
        raise InputError(f"{files[0]} is a whole chain; no other effect can be named beside it")
    return read_chain(files[0])


def pinned_knobs(options: Options) -> dict[str, float]:
    """What the chain file pins, as far as its effects are in the chain."""
    if not isinstance(options.chain, ChainFile):
        return {}
    present = chain_of(options)
    pinned = options.chain.pinned.items()
    return {name: value for name, value in pinned if name.partition(".")[0] in present}


def every_knob(options: Options) -> Space:
    """The knobs of the chain and of every effect a plan may take in."""
    placed = chain_of(options)
    return chain_space({**{name: row for name, row in EFFECTS.items() if name not in placed}, **placed})


def split_settings(texts: Sequence[str], options: Options) -> tuple[dict[str, float], dict[str, float]]:
    """`NAME=VALUE` texts as (targets, knobs), over what a chain file pins; an unknown name answers with the
    nearest of both."""
    knobs = every_knob(options)
    targets, settings = {}, {}
    for name, value in pinned_knobs(options).items():
        if name in DELIVERY_KNOBS:
            targets[DELIVERY_KNOBS[name]] = value
        else:
            settings[name] = value
    for text in texts:
        name = text.partition("=")[0].strip()
        if name == "gain_reduction_db":
            raise InputError(
                "gain_reduction_db is only measured; set dynamics.ratio or dynamics.threshold_db"
            )
        if name in SPACE:
            key, value = SPACE.parse(text)
            targets[key] = value
        elif name in knobs:
            key, value = knobs.parse(text)
            if key in DELIVERY_KNOBS:
                targets[DELIVERY_KNOBS[key]] = value
            else:
                settings[key] = value
        else:
            raise UnknownNameError("target or setting", name, [*SPACE, *knobs])
    return targets, settings


def check_device(name: str) -> str:
    """`cpu` or `cuda`, if torch can use it here."""
    if name not in ("cpu", "cuda"):
        raise UnknownNameError("device", name, ["cpu", "cuda"], "(cpu or cuda)")
    if name == "cuda" and not torch.cuda.is_available():
        raise MissingDependencyError("torch finds no CUDA device here; use --device cpu")
    if name == "cuda":
        full_precision()
    return name
