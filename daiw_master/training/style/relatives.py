"""Relatives of the ten retrieval effects: gates, echoes, flangers, clippers that are none of them.

For an encoder that may never hear the ten themselves and is still to tell what such effects do: its
training sees other makes (some of pedalboard's other plugins, our own stack) and these few, written out
here. Each takes (2, n) float32 at 48 kHz and returns an array of the same shape.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

import numpy as np

from daiw_master.training.style.clips import RATE
from daiw_master.training.style.ranges import Range

RELATIVES: dict[str, dict[str, Range]] = {
    "gate": {
        "threshold_db": Range(-55, -12),
        "ratio": Range(1.5, 10, True),
        "attack_ms": Range(0.5, 50, True),
        "release_ms": Range(20, 500, True),
    },
    "clipping": {"threshold_db": Range(-36, -3)},
    "resample": {"target_sample_rate": Range(3000, 24000, True)},
    "ladder_lowpass": {"cutoff_hz": Range(80, 9000, True), "resonance": Range(0, 0.85)},
    "ladder_highpass": {"cutoff_hz": Range(60, 8000, True), "resonance": Range(0, 0.85)},
    "tremolo": {"rate_hz": Range(0.5, 12, True), "depth": Range(0.2, 1)},
    "ring": {"carrier_hz": Range(30, 3000, True), "mix": Range(0.1, 1)},
    "echo": {
        "gap_ms": Range(20, 600, True),
        "feedback": Range(0.1, 0.9),
        "wet_db": Range(-20, 3),
        "cutoff_hz": Range(1000, 16000, True),
    },
    "flanger": {
        "gap_ms": Range(0.5, 12, True),
        "swing": Range(0, 0.9),
        "rate_hz": Range(0.08, 1.5, True),
        "mix": Range(0.1, 0.9),
    },
    "companding": {"bits": Range(2.5, 8)},
    "hiss": {"level_db": Range(-60, -24)},
}


def tremolo(x: np.ndarray, rate_hz: float, depth: float) -> np.ndarray:
    """The level sways as a sine, down by `depth` of it."""
    sway = 1 - depth * (0.5 - 0.5 * np.cos(2 * np.pi * rate_hz * np.arange(x.shape[1]) / RATE))
    return x * sway.astype(np.float32)


def ring(x: np.ndarray, carrier_hz: float, mix: float) -> np.ndarray:
    """`mix` of the sound times a sine, the rest as it was."""
    carrier = np.sin(2 * np.pi * carrier_hz * np.arange(x.shape[1]) / RATE)
    return x * (1 - mix + mix * carrier).astype(np.float32)


def echo(x: np.ndarray, gap_ms: float, feedback: float, wet_db: float, cutoff_hz: float) -> np.ndarray:
    """Echoes that lose their top one after the other, as a tape's do.

    H = 1 + g zL / (1 - f zL) with the gap z and a one-pole lowpass L, worked out over the spectrum.
    """
    count = x.shape[1]
    size = 2 * count  # what rings on beyond the end goes round only when it has faded
    omega = 2 * np.pi * np.arange(size // 2 + 1) / size
    pole = math.exp(-2 * math.pi * cutoff_hz / RATE)
    back = (1 - pole) / (1 - pole * np.exp(-1j * omega)) * np.exp(-1j * omega * round(gap_ms * RATE / 1000))
    response = 1 + 10 ** (wet_db / 20) * back / (1 - feedback * back)
    return np.fft.irfft(np.fft.rfft(x, size) * response, size)[:, :count].astype(np.float32)


def flanger(x: np.ndarray, gap_ms: float, swing: float, rate_hz: float, mix: float) -> np.ndarray:
    """The sound beside itself, late by a gap that swings as a sine."""
    time = np.arange(x.shape[1])
    late = gap_ms * RATE / 1000 * (1 + swing * np.sin(2 * np.pi * rate_hz * time / RATE))
    wet = np.stack([np.interp(time - late, time, row, left=0.0) for row in x])
    return ((1 - mix) * x + mix * wet).astype(np.float32)


def companding(x: np.ndarray, bits: float) -> np.ndarray:
    """Few steps, finer where it is soft (mu-law, ITU-T G.711's curve with mu = 255)."""
    steps, most = 2.0**bits, max(float(np.abs(x).max()), 1e-9)
    folded = np.sign(x) * np.log1p(255 * np.abs(x) / most) / math.log(256)
    rounded = np.round(folded * steps / 2) / (steps / 2)
    return (np.sign(rounded) * np.expm1(np.abs(rounded) * math.log(256)) / 255 * most).astype(np.float32)


def hiss(x: np.ndarray, level_db: float) -> np.ndarray:
    """White noise under the sound, so far below its peak; the same noise every time."""
    noise = np.random.default_rng(1).standard_normal(x.shape, np.float32)
    return x + noise * np.float32(10 ** (level_db / 20) * np.abs(x).max())


#: Those that are written out here.
OURS: dict[str, Callable[..., np.ndarray]] = {
    "tremolo": tremolo,
    "ring": ring,
    "echo": echo,
    "flanger": flanger,
    "companding": companding,
    "hiss": hiss,
}


def pedalboards(effect: str, settings: dict[str, float]):
    """The pedalboard plugin that plays one of the others, set."""
    import pedalboard

    mode = pedalboard.LadderFilter.Mode
    return {
        "gate": lambda: pedalboard.NoiseGate(**settings),
        "clipping": lambda: pedalboard.Clipping(**settings),
        "resample": lambda: pedalboard.Resample(
            **settings, quality=pedalboard.Resample.Quality.ZeroOrderHold
        ),
        "ladder_lowpass": lambda: pedalboard.LadderFilter(mode.LPF12, **settings),
        "ladder_highpass": lambda: pedalboard.LadderFilter(mode.HPF12, **settings),
    }[effect]()


def digest() -> str:
    """Which relatives these are: a hash of all their ranges."""
    return hashlib.sha256(repr(RELATIVES).encode()).hexdigest()[:12]
