"""Mean and deviation of a log-mel spectrogram, 128 bands each."""

from __future__ import annotations

import numpy as np

from benchmarks.style.features.spectra import Heard

#: ST-ITO's clamp, in dB.
LOWEST_DB, HIGHEST_DB = -80.0, 40.0


def log_mel(heard: Heard) -> np.ndarray:
    """(256,): mean, then standard deviation, of every band's level in dB."""
    level_db = 10 * np.log10(np.maximum(heard.mel_power, 1e-10))
    level_db = np.clip(level_db, LOWEST_DB, HIGHEST_DB)
    return np.concatenate([level_db.mean(1), level_db.std(1)])
