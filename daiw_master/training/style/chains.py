"""Random chains of effects, as data: what was done to a sound, in an order, with numbers.

A chain is a dict that JSON can hold: {"kind", "normalised", "steps": [{"effect", knob: value, ...}]}.
Its kind says how it was drawn:

A  one to five of the ten retrieval effects, peak-normalised after each as the task does
B  shelves and peaks up to 26/18 dB (two in five mild), and mostly a compressor
C  one to six of all thirteen
D  as a mastering engineer would: shelves, nearly half of them within 4 dB, and a light compressor
E  one to four modules of our own stack
F  ZamEQ2 and ZamCompX2
I  nothing at all
R  one to five relatives of the retrieval effects, our own modules and the bands: none of the ten
S  a single effect at one of its ten fixed presets (the pretext: which effect, which preset)
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache

import numpy as np

from daiw_master.training.style.effects import BANDS, KNOBS, OWN, RANGES, RETRIEVAL, ZAM, play
from daiw_master.training.style.ranges import Range
from daiw_master.training.style.relatives import RELATIVES

Chain = dict
#: How often each kind is drawn; S has blocks of its own.
WEIGHTS = {"A": 0.25, "B": 0.13, "C": 0.14, "D": 0.35, "E": 0.10, "F": 0.015, "I": 0.015}
#: The same with the ten retrieval effects left out: no A, no C, and our own compressor in B and D.
WEIGHTS_WITHOUT = {"B": 0.25, "D": 0.45, "E": 0.27, "F": 0.02, "I": 0.01}
#: Our modules that do what none of the ten retrieval effects does, or do it another way.
_OWN_WITHOUT = ("eq", "dynamics", "imager", "multiband")
#: How often each of our modules is drawn: harmonics cost ten times what a filter costs.
_OWN_SHARES = {
    "eq": 1.0,
    "dynamics": 1.0,
    "imager": 0.8,
    "multiband": 0.6,
    "room": 0.8,
    "exciter": 0.25,
    "tape": 0.12,
}
#: A mastering engineer's compressor.
LIGHT_COMPRESSOR = {
    "threshold_db": Range(-55, -12),
    "ratio": Range(1.3, 6, True),
    "attack_ms": Range(1, 80, True),
    "release_ms": Range(10, 400, True),
}
#: Shares of a D shelf's gain: within 4 dB, within 8, within 26.
_D_GAINS = ((0.45, 4.0), (0.75, 8.0), (1.0, 26.0))
#: Presets of the pretext: so many an effect, drawn once and for all.
PRESETS, _PRESET_SEED = 10, 63
PRETEXT = (*RETRIEVAL, *BANDS, *OWN)
PRETEXT_WITHOUT = (*BANDS, *_OWN_WITHOUT)
#: The styles of the zero-shot test (low shelf dB and Hz, high shelf dB and Hz, compressor: dB, ratio, ms,
#: ms), which no training chain may equal. Telephone has a peak too; its shelves alone are kept out.
_STYLES = {
    "neutral": ((1, 3), (80, 200), (1, 3), (6e3, 8e3), ((-30, -20), (1.5, 2), (50, 70), (100, 300))),
    "broadcast": ((2, 6), (80, 200), (2, 6), (6e3, 8e3), ((-50, -40), (3, 5), (5, 30), (50, 150))),
    "telephone": ((-26, -20), (200, 400), (-26, -20), (4e3, 6e3), ((-40, -20), (1.5, 3), (1, 6), (10, 60))),
    "bright": ((-26, -20), (200, 400), (20, 26), (8e3, 1e4), None),
    "warm": ((20, 26), (200, 400), (14, 20), (8e3, 1e4), None),
    "warm as intended": ((20, 26), (200, 400), (-26, -20), (8e3, 1e4), None),
}


def kind_of(rng: np.random.Generator, shares: Mapping[str, float] = WEIGHTS) -> str:
    """One of the kinds, each as often as its share says."""
    return str(rng.choice(list(shares), p=np.array(list(shares.values())) / sum(shares.values())))


def draw(rng: np.random.Generator, kind: str | None = None, without_retrieval: bool = False) -> Chain:
    """A chain of the kind asked for, or of any; never one of the five test styles."""
    if kind is None:
        kind = kind_of(rng, WEIGHTS_WITHOUT if without_retrieval else WEIGHTS)
    while True:
        steps = _DRAWERS[kind](rng, without_retrieval)
        chain = {
            "kind": kind,
            "normalised": kind == "A" or (kind in "CR" and rng.random() < 0.5),
            "steps": steps,
        }
        if style_of(chain) is None:
            return chain


def near(rng: np.random.Generator, chain: Chain, amount: float) -> Chain:
    """The same effects with every knob moved a little: normally, `amount` of its range."""
    while True:
        steps = [
            {
                "effect": step["effect"],
                **{k: _moved(rng, step["effect"], k, v, amount) for k, v in _knobs(step)},
            }
            for step in chain["steps"]
        ]
        moved = {**chain, "steps": steps}
        if style_of(moved) is None:
            return moved


def ladder(rng: np.random.Generator, chain: Chain, count: int) -> list[Chain]:
    """The chain `count` times with one or two of its knobs spread over their range, in random order."""
    places = [(i, knob) for i, step in enumerate(chain["steps"]) for knob, _ in _knobs(step)]
    turned = rng.permutation(len(places))[: 1 if rng.random() < 0.6 else 2]
    spread = {places[p]: rng.permutation(count) for p in turned}
    rungs = []
    for number in range(count):
        steps = [dict(step) for step in chain["steps"]]
        for (i, knob), order in spread.items():
            u = (order[number] + rng.random()) / count
            steps[i][knob] = round(RANGES[steps[i]["effect"]][knob].at(float(u)), 5)
        rungs.append({**chain, "steps": steps})
    return [rung for rung in rungs if style_of(rung) is None]


@cache
def preset(effect: str, number: int) -> Mapping[str, float]:
    """The `number`-th of an effect's fixed presets, spread over its range."""
    rng = np.random.default_rng([_PRESET_SEED, list(KNOBS).index(effect)])
    orders = {knob: rng.permutation(PRESETS) for knob in KNOBS[effect]}
    jitter = rng.random((len(orders), PRESETS))
    return {
        knob: round(KNOBS[effect][knob].at(float((order[number] + jitter[i, number]) / PRESETS)), 5)
        for i, (knob, order) in enumerate(orders.items())
    }


def single(rng: np.random.Generator, without_retrieval: bool = False) -> Chain:
    """One effect at one of its presets: kind S, with both numbers beside it."""
    effects = PRETEXT_WITHOUT if without_retrieval else PRETEXT
    effect, number = str(rng.choice(effects)), int(rng.integers(PRESETS))
    return {
        "kind": "S",
        "normalised": False,
        "steps": [{"effect": effect, **preset(effect, number)}],
        "effect": PRETEXT.index(effect),
        "preset": number,
    }


def render(chain: Chain, sound: np.ndarray) -> np.ndarray:
    """(2, n) float32 through the chain, at 48 kHz; the input stays as it is."""
    for step in chain["steps"]:
        sound = play(step["effect"], dict(_knobs(step)), sound)
        if chain["normalised"]:
            peak = float(np.abs(sound).max())
            if not peak > 1e-6:
                return np.zeros_like(sound)
            sound = sound * np.float32(1 / peak)
    return sound


def style_of(chain: Chain) -> str | None:
    """The test style whose ranges this chain lies in, if it does."""
    by_effect = {step["effect"]: step for step in chain["steps"]}
    extra = set(by_effect) - {"low_shelf", "high_shelf", "peak", "compressor", "dynamics"}
    low, high = by_effect.get("low_shelf"), by_effect.get("high_shelf")
    if extra or low is None or high is None:
        return None
    compressor = by_effect.get("compressor") or by_effect.get("dynamics")
    for style, (low_db, low_hz, high_db, high_hz, compression) in _STYLES.items():
        pairs = [(low["gain_db"], low_db), (low["cutoff_frequency_hz"], low_hz)]
        pairs += [(high["gain_db"], high_db), (high["cutoff_frequency_hz"], high_hz)]
        if (compression is None) != (compressor is None):
            continue
        if compression is not None:
            names = ("threshold_db", "ratio", "attack_ms", "release_ms")
            pairs += [(compressor[name], limits) for name, limits in zip(names, compression, strict=True)]
        if all(limits[0] <= value <= limits[1] for value, limits in pairs):
            return style
    return None


def digest() -> str:
    """Which way of drawing this is: a hash of all ranges and shares."""
    told = repr((KNOBS, WEIGHTS, WEIGHTS_WITHOUT, LIGHT_COMPRESSOR, _OWN_SHARES, _D_GAINS, _ALWAYS))
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _knobs(step: Mapping) -> list[tuple[str, float]]:
    return [(knob, value) for knob, value in step.items() if knob != "effect"]


def _step(rng: np.random.Generator, effect: str, **ranges: Range) -> dict:
    every = {**RANGES[effect], **ranges}
    return {"effect": effect, **{knob: round(every[knob].at(rng.random()), 5) for knob in every}}


def _moved(rng: np.random.Generator, effect: str, knob: str, value: float, amount: float) -> float:
    span = RANGES[effect][knob]
    u = span.position(value) + amount * rng.standard_normal()
    return round(span.at(float(np.clip(u, 0.0, 1.0))), 5)


def _some(rng: np.random.Generator, effects: tuple[str, ...], most: int) -> list[str]:
    count = int(rng.integers(1, most + 1))
    return [str(effect) for effect in rng.permutation(effects)[:count]]


def _a(rng: np.random.Generator, without: bool) -> list[dict]:
    return [_step(rng, effect) for effect in _some(rng, tuple(RETRIEVAL), 5)]


def _b(rng: np.random.Generator, without: bool) -> list[dict]:
    bands = _some(rng, tuple(BANDS), 3)
    steps = [_step(rng, band) for band in bands]
    if rng.random() < 0.4:
        for step in steps:
            step["gain_db"] = round(step["gain_db"] * 0.3, 5)
    return steps + ([_compressor(rng, without)] if rng.random() < 0.7 else [])


def _c(rng: np.random.Generator, without: bool) -> list[dict]:
    return [_step(rng, effect) for effect in _some(rng, (*RETRIEVAL, *BANDS), 6)]


def _d(rng: np.random.Generator, without: bool) -> list[dict]:
    steps = []
    for band, chance in (("low_shelf", 0.8), ("peak", 0.3), ("high_shelf", 0.8)):
        if rng.random() < chance:
            u = rng.random()
            most = next(gain for share, gain in _D_GAINS if u < share)
            most = min(most, KNOBS[band]["gain_db"].high)
            steps.append(_step(rng, band, gain_db=Range(-most, most)))
    if not steps or rng.random() < 0.85:
        steps.append(_compressor(rng, without, light=True))
    return steps


def _compressor(rng: np.random.Generator, without: bool, light: bool = False) -> dict:
    ranges = LIGHT_COMPRESSOR if light else {}
    if not without:
        return _step(rng, "compressor", **ranges)
    if not light:
        return _step(rng, "dynamics")
    own = KNOBS["dynamics"]  # whose release begins later
    ranges = {
        k: r._replace(low=max(r.low, own[k].low), high=min(r.high, own[k].high)) for k, r in ranges.items()
    }
    return _step(rng, "dynamics", **ranges, attack_db=Range(0, 0), sustain_db=Range(0, 0))


def _e(rng: np.random.Generator, without: bool) -> list[dict]:
    steps = []
    names = _OWN_WITHOUT if without else tuple(OWN)
    shares = np.array([_OWN_SHARES[name] for name in names])
    for effect in rng.choice(names, int(rng.integers(1, 5)), replace=False, p=shares / shares.sum()).tolist():
        step = _step(rng, effect)
        kept = [knob for knob, _ in _knobs(step) if knob in _ALWAYS.get(effect, ()) or rng.random() < 0.7]
        if kept:
            steps.append({"effect": effect, **{knob: step[knob] for knob in kept}})
    return steps or [_step(rng, "eq")]


#: Knobs without which one of our modules does nothing; the others are left at rest now and then.
_ALWAYS = {
    "dynamics": ("threshold_db", "ratio"),
    "multiband": ("threshold_db", "mid_ratio"),
    "room": ("wet_db",),
    "exciter": ("mix_db",),
    "tape": ("drive_db",),
}


def _r(rng: np.random.Generator, without: bool) -> list[dict]:
    names = (*RELATIVES, *OWN, *BANDS)
    shares = np.array([*(1.0 for _ in RELATIVES), *_OWN_SHARES.values(), *(0.5 for _ in BANDS)])
    count = int(rng.integers(1, 6))
    return [
        _step(rng, str(name)) for name in rng.choice(names, count, replace=False, p=shares / shares.sum())
    ]


def _f(rng: np.random.Generator, without: bool) -> list[dict]:
    return [_step(rng, effect) for effect in _some(rng, tuple(ZAM), 2)]


def _i(rng: np.random.Generator, without: bool) -> list[dict]:
    return []


_DRAWERS = {"A": _a, "B": _b, "C": _c, "D": _d, "E": _e, "F": _f, "I": _i, "R": _r}
