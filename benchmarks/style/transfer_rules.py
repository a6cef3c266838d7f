"""The rule-based rival: match the reference's spectrum with one filter, then compress up to its loudness.

Written anew from the published description of ST-ITO's baseline (Steinmetz et al. 2024, section 4):
mean magnitude spectra, smoothed; their ratio as a linear-phase filter of 2048 taps; then a compressor
over and over until the loudness of the reference is reached. As published, the filter's delay of
1024 samples stays in the sound and the result is left with its peak at -12 dBFS; the repaired form
takes the delay out and gives the reference's own level back.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.signal import fftconvolve, firwin2, savgol_filter

from daiw_master.meters.loudness import integrated_loudness

PEAK_DBFS = -12.0
FRAME, TAPS = 16_384, 2048
SMOOTHING = (1025, 2)
RATIO, ATTACK_MS, RELEASE_MS = 3.0, 1.0, 100.0
#: The compressor's threshold goes down by a step a pass, until the sound is this near, or at the floor.
STEP_DB, NEAR_LU, LOWEST_DB = 0.5, 0.25, -80.0


def rule_based(sound: torch.Tensor, reference: torch.Tensor, rate: int, *, repaired: bool) -> torch.Tensor:
    """A sound (2, time) with the reference's long-term spectrum and, if it was softer, its loudness."""
    x, target = sound.numpy().astype(np.float64), reference.numpy().astype(np.float64)
    reference_gain = np.abs(target).max() / 10 ** (PEAK_DBFS / 20)
    x, target = _peak_set(x), _peak_set(target)
    x = _peak_set(matched_spectrum(x, target, rate, compensated=repaired))
    x = _compressed_up_to(_loudness(target, rate), x, rate)
    if repaired:
        x = x * reference_gain
    return torch.from_numpy(x.astype(np.float32))


def matched_spectrum(x: np.ndarray, target: np.ndarray, rate: int, *, compensated: bool = True) -> np.ndarray:
    """x (2, time) through one filter that gives its mono sum the target's mean magnitude spectrum."""
    ratio = _mean_magnitude(target) / _mean_magnitude(x)
    taps = firwin2(TAPS, np.linspace(0, rate / 2, FRAME // 2 + 1), np.append(ratio[:-1], 0.0), fs=rate)
    start = TAPS // 2 if compensated else 0
    return fftconvolve(x, taps[None], axes=-1)[:, start : start + x.shape[-1]]


def _mean_magnitude(x: np.ndarray) -> np.ndarray:
    """Mean over frames of the mono sum's magnitude spectrum, smoothed and kept above 0."""
    mono = x.mean(0)
    frames = mono[: len(mono) // FRAME * FRAME].reshape(-1, FRAME)
    mean = np.abs(np.fft.rfft(frames)).mean(0)
    smooth = savgol_filter(mean, *SMOOTHING)
    # Below the loudest by 100 dB there is nothing to match; a polynomial may even pass under zero.
    return np.maximum(smooth, smooth.max() * 1e-5)


def _compressed_up_to(wanted_lufs: float, x: np.ndarray, rate: int) -> np.ndarray:
    from pedalboard import Compressor

    threshold_db = 0.0
    while _loudness(x, rate) < wanted_lufs - NEAR_LU and threshold_db > LOWEST_DB:
        press = Compressor(threshold_db, RATIO, ATTACK_MS, RELEASE_MS)
        x = _peak_set(press(x.astype(np.float32), rate).astype(np.float64))
        threshold_db -= STEP_DB
    return x


def _peak_set(x: np.ndarray) -> np.ndarray:
    return x * (10 ** (PEAK_DBFS / 20) / max(np.abs(x).max(), 1e-9))


def _loudness(x: np.ndarray, rate: int) -> float:
    return float(integrated_loudness(torch.from_numpy(x)[None], rate))
