"""Small benches for tests: a synthetic band of a few seconds in front of a short chain."""

from __future__ import annotations

from daiw_master.audio import Audio
from daiw_master.refine.bench import Bench
from daiw_master.refine.song import put_on_bench
from daiw_master.stack import EFFECTS
from daiw_master.stack.chain import qualified
from tests import signals

RATE = 44100


def song(seconds: float = 4.0, **given):
    return put_on_bench(Audio(signals.music(seconds)[0], RATE), **given)


def bench(*effects: str, seconds: float = 4.0, tail_s: float = 0.0, **given) -> Bench:
    """A bench with these effects; loudness and limiter are always there."""
    placed = qualified([EFFECTS[name] for name in (*effects, "loudness", "limiter")])
    material = song(seconds, **given)
    return Bench(material.with_tail(tail_s) if tail_s else material, placed)
