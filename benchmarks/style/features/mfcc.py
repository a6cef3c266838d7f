"""MFCC-75, as ST-ITO's baseline has it: 25 coefficients of 128 HTK mel bands; mean, deviation, maximum."""

from __future__ import annotations

import numpy as np
from scipy.fft import dct

from benchmarks.style.features.spectra import Heard

COEFFICIENTS = 25
#: The band powers' floor, and how far below the loudest anything is heard.
_FLOOR, _RANGE_DB = 1e-10, 80.0


def coefficients(mel_power: np.ndarray) -> np.ndarray:
    """(25, frames) of (bands, frames) powers: orthonormal DCT-II of dB, cut 80 dB under the maximum."""
    level_db = 10 * np.log10(np.maximum(mel_power, _FLOOR))
    level_db = np.maximum(level_db, level_db.max() - _RANGE_DB)
    return dct(level_db, type=2, axis=0, norm="ortho")[:COEFFICIENTS]


def mfcc(heard: Heard) -> np.ndarray:
    """(75,): mean, standard deviation (n - 1) and maximum over time of each coefficient."""
    c = coefficients(heard.mel_power)
    return np.concatenate([c.mean(1), c.std(1, ddof=1), c.max(1)])
