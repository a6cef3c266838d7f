"""The mastering stack: effects of our own, any plugin beside them, one list."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from daiw_master.errors import UnknownNameError
from daiw_master.knobs.vst3 import find_vst3
from daiw_master.stack.automation import AUTOMATION
from daiw_master.stack.bits import BITS
from daiw_master.stack.chain import Stack
from daiw_master.stack.clipper import CLIPPER
from daiw_master.stack.dynamics import DYNAMICS
from daiw_master.stack.effect import Effect
from daiw_master.stack.eq import EQ
from daiw_master.stack.exciter import EXCITER
from daiw_master.stack.imager import IMAGER
from daiw_master.stack.limiter import LIMITER
from daiw_master.stack.loudness import LOUDNESS
from daiw_master.stack.multiband import MULTIBAND
from daiw_master.stack.noise import NOISE
from daiw_master.stack.plugin import PEDALBOARD, effect_from_vst3
from daiw_master.stack.reverb import REVERB
from daiw_master.stack.tape import TAPE
from daiw_master.stack.wow import WOW

#: Every effect row of our own, by name.
EFFECTS: dict[str, Effect] = {
    effect.name: effect
    for effect in (
        REVERB, EQ, DYNAMICS, MULTIBAND, TAPE, WOW, EXCITER, BITS, IMAGER, NOISE, CLIPPER, AUTOMATION,
        LOUDNESS, LIMITER,
    )
}  # fmt: skip
#: The house chain. The room comes first (per-stem sends, before master dynamics); the limiter stands
#: last although it is often listed third: nothing after it may raise a peak.
HOUSE_CHAIN = ("reverb", "eq", "dynamics", "exciter", "imager", "loudness", "limiter")
#: Where each effect stands when a plan takes it in: what runs unevenly is the tape with room and all on
#: it, the bed lies under the finished picture, and loudness is found after all that changes it.
HOUSE_ORDER = (
    "reverb", "eq", "dynamics", "tape", "wow", "exciter", "bits", "imager", "noise", "clipper", "automation",
    "loudness", "limiter",
)  # fmt: skip
#: A row with no place of its own (a plugin, a multiband) stands in front of this one.
_GUESTS_BEFORE = "automation"


def in_house_order(names: Iterable[str]) -> tuple[str, ...]:
    """A chain's effects, each at its place: `in_house_order([*HOUSE_CHAIN, "tape"])`.

    Those the house has no place for keep their order among themselves, after the clipper.
    """
    guests = HOUSE_ORDER.index(_GUESTS_BEFORE) - 0.5
    return tuple(sorted(names, key=lambda name: HOUSE_ORDER.index(name) if name in HOUSE_ORDER else guests))


def effect_named(name: str) -> Effect:
    """An effect by its name, one of pedalboard's (`pedalboard_chorus`), or a .vst3: its path, or its
    file's name in the system's folders."""
    if name.endswith(".vst3"):
        return effect_from_vst3(find_vst3(name, Path()) or name)
    rows = EFFECTS | PEDALBOARD
    if name not in rows:
        raise UnknownNameError("effect", name, rows)
    return rows[name]


__all__ = [
    "EFFECTS", "HOUSE_CHAIN", "HOUSE_ORDER", "PEDALBOARD", "Effect", "Stack", "effect_named",
    "in_house_order",
]  # fmt: skip
