"""The mastering stack: seven effects of our own, any plugin beside them, one list."""

from __future__ import annotations

from daiw_master.errors import UnknownNameError
from daiw_master.stack.chain import Stack
from daiw_master.stack.dynamics import DYNAMICS
from daiw_master.stack.effect import Effect
from daiw_master.stack.eq import EQ
from daiw_master.stack.exciter import EXCITER
from daiw_master.stack.imager import IMAGER
from daiw_master.stack.limiter import LIMITER
from daiw_master.stack.loudness import LOUDNESS
from daiw_master.stack.multiband import MULTIBAND
from daiw_master.stack.plugin import PEDALBOARD, effect_from_vst3
from daiw_master.stack.reverb import REVERB

#: Every effect row of our own, by name.
EFFECTS: dict[str, Effect] = {
    effect.name: effect for effect in (REVERB, EQ, DYNAMICS, MULTIBAND, EXCITER, IMAGER, LOUDNESS, LIMITER)
}
#: The house chain. The room comes first (per-stem sends, before master dynamics); the limiter stands
#: last although it is often listed third: nothing after it may raise a peak.
HOUSE_CHAIN = ("reverb", "eq", "dynamics", "exciter", "imager", "loudness", "limiter")


def effect_named(name: str) -> Effect:
    """An effect by its name, one of pedalboard's (`pedalboard_chorus`), or the path of a .vst3."""
    if name.endswith(".vst3"):
        return effect_from_vst3(name)
    rows = EFFECTS | PEDALBOARD
    if name not in rows:
        raise UnknownNameError("effect", name, rows)
    return rows[name]


__all__ = ["EFFECTS", "HOUSE_CHAIN", "PEDALBOARD", "Effect", "Stack", "effect_named"]
