"""What the user decided apart from the feeling, and the chain it leads to."""

from __future__ import annotations

from collections.abc import Sequence
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
from daiw_master.stack.effect import Effect
from daiw_master.strength import parse_strength
from daiw_master.targets import SPACE

if TYPE_CHECKING:
    from daiw_master.plan import Plan


@dataclass
class Options:
    """What the user decided, apart from the feeling; one set for every master of a run.

    `intent` is a path, "FILE:NAME", a mapping or one of DAiW's own objects; `extras` more of DAiW's
    files about the same song (`process -o` output, .idaw.json). `rules` and `presets` go by name.
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
    chain: Sequence[str | Effect] | None = None
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
    seed: int = 0
    device: str = "cpu"
    progress: Progress = field(default=lambda what, done: None)

    def __post_init__(self) -> None:
        if self.strength is not None:
            self.strength = str(self.strength)  # from Python, 0.5 is as good as "0.5"

    @property
    def factors(self) -> dict[str, float]:
        """How much of the feeling, group by group; all of it if nothing is said."""
        return parse_strength(self.strength or "1")


def chain_of(options: Options, plan: Plan | None = None) -> dict[str, Effect]:
    """The chain by place name: the house chain unless the user gave one, edited by the plan.

    What a plan takes in stands at its place in the house's order; what the user leaves out stays out.
    """
    rows = list(HOUSE_CHAIN if options.chain is None else options.chain)
    named = [row for row in rows if isinstance(row, str)]
    for name in options.without:
        # one of ours that is not there yet may still be taken in by a word, and then stays out
        if name not in rows and name not in EFFECTS:
            raise UnknownNameError("effect in the chain", name, [*named, *EFFECTS])
    rows = [effect_named(row) if isinstance(row, str) else row for row in rows if row not in options.without]
    if plan is not None:
        present = {row.name for row in rows} | set(options.without)
        for name in plan.added:
            if name not in present:
                rows.insert(_place_for(name, rows), effect_named(name))
        rows = [row for row in rows if row.name not in plan.removed]
    return qualified(rows)


def _place_for(name: str, rows: Sequence[Effect]) -> int:
    later = HOUSE_ORDER[HOUSE_ORDER.index(name) + 1 :] if name in HOUSE_ORDER else ("loudness", "limiter")
    return next((i for i, row in enumerate(rows) if row.name in later), len(rows))


def every_knob(options: Options) -> Space:
    """The knobs of the chain and of every effect a plan may take in."""
    placed = chain_of(options)
    return chain_space({**{name: row for name, row in EFFECTS.items() if name not in placed}, **placed})


def split_settings(texts: Sequence[str], options: Options) -> tuple[dict[str, float], dict[str, float]]:
    """`NAME=VALUE` texts as (targets, knobs); an unknown name answers with the nearest of both."""
    knobs = every_knob(options)
    targets, settings = {}, {}
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
