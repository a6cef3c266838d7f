"""What a clip is: six seconds of dry stereo at 48 kHz in which something sounds every second."""

from __future__ import annotations

import numpy as np

RATE = 48_000
CLIP = 288_000
#: Each second's mean square against a peak-normalised clip must reach this (DeepAFx-ST's rule).
LEAST_MEAN_SQUARE = 3e-4
#: Stored clips peak just below full scale.
PEAK = 0.99


def sounding(clip: np.ndarray) -> bool:
    """Whether every second of (2, CLIP) sounds, measured against the clip's own peak."""
    peak = float(np.abs(clip).max(initial=0.0))
    if not np.isfinite(peak) or peak < 1e-5:
        return False
    seconds = clip[:, : clip.shape[1] // RATE * RATE].reshape(clip.shape[0], -1, RATE)
    return bool(
        (np.square(seconds, dtype=np.float64).mean(axis=(0, 2)) >= LEAST_MEAN_SQUARE * peak * peak).all()
    )


def to_int16(clip: np.ndarray) -> np.ndarray:
    """Peak-normalised and rounded; 16 bits leave the quietest second 60 dB above the rounding."""
    return np.round(clip * (PEAK * 32767 / np.abs(clip).max())).astype(np.int16)


def to_float(clip: np.ndarray) -> np.ndarray:
    return clip.astype(np.float32) * np.float32(1 / 32768)


def stereo(sound: np.ndarray) -> np.ndarray:
    """(1 or 2 or more, n) as (2, n): one channel twice, of many the first two."""
    return np.repeat(sound, 2, axis=0) if sound.shape[0] == 1 else sound[:2]
