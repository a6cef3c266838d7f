"""What the baselines hear: a sound (2, time) at 48 kHz in, one row of numbers out.

Every feature reads the same peak-normalised sound and shares its spectra.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.style.features.log_mel import log_mel
from benchmarks.style.features.mfcc import mfcc
from benchmarks.style.features.mir import mir
from benchmarks.style.features.mir_published import mir_published
from benchmarks.style.features.spectra import Heard

FEATURES: dict[str, Callable[[Heard], np.ndarray]] = {
    "mfcc": mfcc,
    "log_mel": log_mel,
    "mir": mir,
    "mir_published": mir_published,
}

__all__ = ["FEATURES", "Heard"]
