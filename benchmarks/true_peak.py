"""Second opinion on a master's true peak: 16x, every sample, nothing of daiw_master imported.

    python benchmarks/true_peak.py master.wav [more.wav ...] [--ceiling -1.0]

numpy and scipy only (files are read by pedalboard). Low-pass: 1025-tap Kaiser FIR at 16 times the
rate, cut-off half the original rate, stop band >= 90 dB (ITU-R BS.1770-4 Annex 2, four times as
fine). Prints dBTP and the plain sample peak; exits 1 if a file exceeds the ceiling.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from scipy.signal import firwin, upfirdn

OVERSAMPLE = 16
TAPS_PER_SAMPLE = 64
STOP_BAND_DB = 90.0


def low_pass() -> np.ndarray:
    """The interpolation filter; unity gain after zero stuffing."""
    beta = 0.1102 * (STOP_BAND_DB - 8.7)
    taps = OVERSAMPLE * TAPS_PER_SAMPLE + 1
    return OVERSAMPLE * firwin(taps, 1 / OVERSAMPLE, window=("kaiser", beta))


def true_peak_dbtp(samples: np.ndarray, block: int = 1 << 16) -> float:
    """Largest |value| at 16x of samples (channels, time), in dB; the ringing at both ends counts."""
    taps = low_pass()
    margin = TAPS_PER_SAMPLE
    padded = np.pad(np.asarray(samples, dtype=np.float64), ((0, 0), (margin, margin)))
    peak = 1e-6
    for start in range(0, padded.shape[-1] - margin, block):
        piece = padded[:, max(0, start - margin) : start + block + margin]
        # Zeros stand in for what a block cuts off, so only the middle of each block is believed.
        first = (min(start, margin) + TAPS_PER_SAMPLE // 2) * OVERSAMPLE
        full = upfirdn(taps, piece, up=OVERSAMPLE, axis=-1)
        peak = max(peak, float(np.abs(full[:, first : first + block * OVERSAMPLE]).max(initial=0.0)))
    return 20 * np.log10(peak)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--ceiling", type=float, default=None, help="dBTP that no file may exceed")
    arguments = parser.parse_args()
    from pedalboard.io import AudioFile

    worst = -np.inf
    for path in arguments.files:
        with AudioFile(path) as file:
            samples = file.read(file.frames)
        peak = true_peak_dbtp(samples)
        worst = max(worst, peak)
        plain = 20 * np.log10(max(float(np.abs(samples).max(initial=0.0)), 1e-6))
        print(f"{peak:8.3f} dBTP  {plain:8.3f} dBFS  {path}")
    return int(arguments.ceiling is not None and worst > arguments.ceiling)


if __name__ == "__main__":
    sys.exit(main())
