"""One knob of one effect at many places, the others held: how finely a style tells how far it is turned.

Every ear that is to find a setting again must hear such differences. What the other knobs are held at is
drawn anew for each rail: anywhere, one rail in four with a second effect that stays as it is; or where
they mostly stand (`usual`).
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from daiw_master.training.style.effects import BANDS, RETRIEVAL
from daiw_master.training.style.ranges import Range


class Rail(NamedTuple):
    """A row: how often it is drawn, what each of its knobs is turned for, and where all may stand."""

    share: float
    turned: dict[str, float]
    ranges: dict[str, Range]


_GAIN = {"gain_db": 1.0}
RAILS: dict[str, Rail] = {
    "compressor": Rail(
        0.17,
        {"threshold_db": 0.7, "ratio": 0.15, "attack_ms": 0.08, "release_ms": 0.07},
        {**RETRIEVAL["compressor"], "threshold_db": Range(-80, 0)},
    ),
    "reverb": Rail(
        0.17,
        {"room_size": 0.6, "wet_level": 0.2, "damping": 0.1, "width": 0.1},
        {**RETRIEVAL["reverb"], "room_size": Range(0, 1), "dry_level": Range(0, 1)},
    ),
    "delay": Rail(
        0.14,
        {"mix": 0.7, "feedback": 0.15, "delay_seconds": 0.15},
        {**RETRIEVAL["delay"], "mix": Range(0, 1), "feedback": Range(0, 0.9)},
    ),
    "chorus": Rail(
        0.17,
        {"mix": 0.7, "depth": 0.1, "feedback": 0.1, "centre_delay_ms": 0.1},
        {**RETRIEVAL["chorus"], "mix": Range(0, 1), "depth": Range(0, 1), "feedback": Range(0, 0.8)},
    ),
    "phaser": Rail(0.03, {"mix": 0.5, "centre_frequency_hz": 0.5}, RETRIEVAL["phaser"]),
    "distortion": Rail(0.10, {"drive_db": 1.0}, {"drive_db": Range(-12, 48)}),
    "limiter": Rail(0.03, {"threshold_db": 1.0}, RETRIEVAL["limiter"]),
    "bitcrush": Rail(0.01, {"bit_depth": 1.0}, RETRIEVAL["bitcrush"]),
    "highpass": Rail(0.01, {"cutoff_frequency_hz": 1.0}, RETRIEVAL["highpass"]),
    "lowpass": Rail(0.01, {"cutoff_frequency_hz": 1.0}, RETRIEVAL["lowpass"]),
    "low_shelf": Rail(0.08, _GAIN, BANDS["low_shelf"]),
    "peak": Rail(0.04, _GAIN, BANDS["peak"]),
    "high_shelf": Rail(0.04, _GAIN, BANDS["high_shelf"]),
}
#: Where most knobs stand most of the time: at the plugin's own defaults, and a compressor at four to one.
USUAL: dict[str, dict[str, float]] = {
    "compressor": {"ratio": 4.0, "attack_ms": 1.0, "release_ms": 100.0},
    "reverb": {"damping": 0.5, "wet_level": 0.33, "dry_level": 0.4, "width": 1.0, "room_size": 0.5},
    "chorus": {"rate_hz": 1.0, "depth": 0.25, "centre_delay_ms": 7.0, "mix": 0.5},
    "phaser": {"rate_hz": 1.0, "depth": 0.5, "centre_frequency_hz": 1300.0, "mix": 0.5},
    "low_shelf": {"q": 0.707},
    "peak": {"q": 0.707},
    "high_shelf": {"q": 0.707},
}
#: How often a held knob of a usual rail is left there, give or take so much of its range; and which effects
#: such a rail is drawn from: those whose differences are the finest.
LEFT, GIVE = 0.7, 0.06
USUAL_SHARES = {
    "chorus": 0.24, "reverb": 0.22, "compressor": 0.20, "delay": 0.18, "low_shelf": 0.08, "high_shelf": 0.02,
    "distortion": 0.03, "phaser": 0.02, "limiter": 0.01,
}  # fmt: skip
#: Rails that have another effect beside the one that is turned.
ACCOMPANIED = 0.25
#: Places reach this far beyond both ends before they are held there: the ends themselves are heard too.
_BEYOND = 0.05


class Turned(NamedTuple):
    """A rail as drawn: its steps, which of them is turned at which knob, and along what range."""

    steps: list[dict]
    place: int
    knob: str
    span: Range

    def at(self, u: float) -> dict:
        """The chain with the knob at u in [0, 1]: kind K, with `at` beside it."""
        steps = [dict(step) for step in self.steps]
        steps[self.place][self.knob] = round(self.span.at(u), 5)
        return {"kind": "K", "normalised": False, "steps": steps, "at": round(u, 5)}


def draw(rng: np.random.Generator, usual: bool = False) -> Turned:
    """An effect, the knob that will be turned, and where all others are held: anywhere, or where usual."""
    effect = _one_of(rng, USUAL_SHARES if usual else {name: rail.share for name, rail in RAILS.items()})
    knob = _one_of(rng, RAILS[effect].turned)
    if usual:
        return Turned([_left(rng, effect)], 0, knob, RAILS[effect].ranges[knob])
    steps, place = [_drawn(rng, effect)], 0
    if rng.random() < ACCOMPANIED:
        other = _one_of(rng, {name: rail.share for name, rail in RAILS.items() if name != effect})
        place = int(rng.integers(2))
        steps.insert(1 - place, _drawn(rng, other))
    return Turned(steps, place, knob, RAILS[effect].ranges[knob])


def rungs(rng: np.random.Generator, turned: Turned, count: int) -> list[dict]:
    """`count` chains along a rail, one in each of as many equal parts of it, in random order."""
    return [turned.at(_place((part + rng.random()) / count)) for part in rng.permutation(count)]


def rung(rng: np.random.Generator, turned: Turned) -> dict:
    """One more chain, anywhere along the rail."""
    return turned.at(_place(rng.random()))


def digest(usual: bool = False) -> str:
    """Which rails these are: a hash of all ranges and shares."""
    told = (RAILS, ACCOMPANIED, _BEYOND, *((USUAL, LEFT, GIVE, USUAL_SHARES) if usual else ()))
    return hashlib.sha256(repr(told).encode()).hexdigest()[:12]


def _place(u: float) -> float:
    return float(np.clip((1 + 2 * _BEYOND) * u - _BEYOND, 0.0, 1.0))


def _drawn(rng: np.random.Generator, effect: str) -> dict:
    ranges = RAILS[effect].ranges
    return {
        "effect": effect,
        **{knob: round(span.at(float(rng.random())), 5) for knob, span in ranges.items()},
    }


def _left(rng: np.random.Generator, effect: str) -> dict:
    step = _drawn(rng, effect)
    for knob, value in USUAL.get(effect, {}).items():
        span = RAILS[effect].ranges[knob]
        if rng.random() < LEFT:
            u = span.position(value) + GIVE * rng.standard_normal()
            step[knob] = round(span.at(float(np.clip(u, 0.0, 1.0))), 5)
    return step


def _one_of(rng: np.random.Generator, shares: dict[str, float]) -> str:
    weights = np.array(list(shares.values()))
    return str(rng.choice(list(shares), p=weights / weights.sum()))
