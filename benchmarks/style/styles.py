"""Five production styles: an equaliser and a compressor, every setting drawn anew (DeepAFx-ST's presets).

Neutral and broadcast differ only in how much; telephone, bright and warm are caricatures. `warm` comes
twice: as published, where a slip of the sign boosts the highs, and as intended, where it cuts them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.style.effects import Chain

STYLES = ("neutral", "broadcast", "telephone", "bright", "warm")
WARMS = ("published", "intended")
#: Every clip is rendered in each of these; a trial takes one of the two last for its `warm`.
RENDERED = (*STYLES[:4], "warm_published", "warm_intended")

FIELDS = (
    "headroom_db",
    "low_shelf_gain_db",
    "low_shelf_cutoff_hz",
    "peak_gain_db",
    "peak_cutoff_hz",
    "high_shelf_gain_db",
    "high_shelf_cutoff_hz",
    "threshold_db",
    "ratio",
    "attack_ms",
    "release_ms",
)
_HEADROOM = (3.0, 9.0)
_NO_PEAK = ((0.0, 0.0), (1000.0, 1000.0))
_NO_COMPRESSOR = ((0.0, 0.0), (1.0, 1.0), (50.0, 50.0), (250.0, 250.0))
#: (low, high) of each field, in the order of FIELDS.
RANGES: dict[str, tuple[tuple[float, float], ...]] = {
    "neutral": (
        _HEADROOM, (1, 3), (80, 200), *_NO_PEAK, (1, 3), (6000, 8000),
        (-30, -20), (1.5, 2), (50, 70), (100, 300),
    ),
    "broadcast": (
        _HEADROOM, (2, 6), (80, 200), *_NO_PEAK, (2, 6), (6000, 8000),
        (-50, -40), (3, 5), (5, 30), (50, 150),
    ),
    "telephone": (
        _HEADROOM, (-26, -20), (200, 400), (12, 16), (1000, 2000), (-26, -20), (4000, 6000),
        (-40, -20), (1.5, 3), (1, 6), (10, 60),
    ),
    "bright": (
        _HEADROOM, (-26, -20), (200, 400), *_NO_PEAK, (20, 26), (8000, 10000), *_NO_COMPRESSOR,
    ),
    "warm_published": (
        _HEADROOM, (20, 26), (200, 400), *_NO_PEAK, (14, 20), (8000, 10000), *_NO_COMPRESSOR,
    ),
    "warm_intended": (
        _HEADROOM, (20, 26), (200, 400), *_NO_PEAK, (-26, -20), (8000, 10000), *_NO_COMPRESSOR,
    ),
}  # fmt: skip


def draw(style: str, rng: np.random.Generator) -> list[float]:
    """One setting of a style, a value per field, to three digits."""
    return [float(f"{low + (high - low) * rng.random():.3g}") for low, high in RANGES[style]]


def chain(settings: Sequence[float]) -> tuple[float, Chain]:
    """(level before the chain in dB, the chain) of one setting; all filters have Q 0.707."""
    s = dict(zip(FIELDS, settings, strict=True))
    stages: list = [
        ("LowShelfFilter", _band(s, "low_shelf")),
        ("PeakFilter", _band(s, "peak")),
        ("HighShelfFilter", _band(s, "high_shelf")),
        ("Compressor", {key: s[key] for key in ("threshold_db", "ratio", "attack_ms", "release_ms")}),
    ]
    if s["peak_gain_db"] == 0:
        del stages[1]
    if s["ratio"] == 1:
        del stages[-1]
    return -s["headroom_db"], stages


def _band(s: dict[str, float], name: str) -> dict[str, float]:
    return {
        "cutoff_frequency_hz": s[f"{name}_cutoff_hz"],
        "gain_db": s[f"{name}_gain_db"],
        "q": 0.707,
    }
