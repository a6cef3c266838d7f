"""The mastering stack: seven effects of our own, any plugin beside them, one list."""

from __future__ import annotations

from daiw_master.stack.chain import Stack
from daiw_master.stack.dynamics import DYNAMICS
from daiw_master.stack.effect import Effect
from daiw_master.stack.eq import EQ
from daiw_master.stack.exciter import EXCITER
from daiw_master.stack.imager import IMAGER
from daiw_master.stack.limiter import LIMITER
from daiw_master.stack.loudness import LOUDNESS
from daiw_master.stack.multiband import MULTIBAND
from daiw_master.stack.reverb import REVERB

#: Every effect row of our own, by name.
EFFECTS: dict[str, Effect] = {
    effect.name: effect
    for effect in (REVERB, EQ, DYNAMICS, MULTIBAND, EXCITER, IMAGER, LOUDNESS, LIMITER)
}
#: The house chain. The room comes first (per-stem sends, before master dynamics); the limiter stands
#: last although it is often listed third: nothing after it may raise a peak.
HOUSE_CHAIN = ("reverb", "eq", "dynamics", "exciter", "imager", "loudness", "limiter")

__all__ = ["EFFECTS", "HOUSE_CHAIN", "Effect", "Stack"]
