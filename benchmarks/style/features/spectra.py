"""One sound, and its short-time spectra, each computed once however many features ask."""

from __future__ import annotations

from functools import cache, cached_property

import numpy as np
import torch

from benchmarks.style.clips import RATE, peak_normalised

FRAME, HOP = 2048, 1024


class Heard:
    """A peak-normalised sound (2, time) and the power spectra (bins, frames) of its mid and side."""

    def __init__(self, x: np.ndarray):
        self.x = np.ascontiguousarray(peak_normalised(x), np.float32)

    @cached_property
    def mid_power(self) -> np.ndarray:
        """Of the channels' mean; Hann frames without padding at the ends."""
        return power(self.x.mean(0))

    @cached_property
    def side_power(self) -> np.ndarray:
        """Of half the channels' difference."""
        return power((self.x[0] - self.x[1]) / 2)

    @cached_property
    def mel_power(self) -> np.ndarray:
        """(128, frames): the mid in HTK mel bands from 0 Hz to half the rate."""
        return mel_bands(128, 0.0, RATE / 2) @ self.mid_power


def power(x: np.ndarray) -> np.ndarray:
    """(1025, frames) power spectra of (time,)."""
    spectrum = torch.stft(
        torch.from_numpy(x), FRAME, HOP, window=_hann(), center=False, return_complex=True
    ).abs()
    return (spectrum * spectrum).numpy()


@cache
def _hann() -> torch.Tensor:
    return torch.hann_window(FRAME)


def hz_to_mel(hz: np.ndarray) -> np.ndarray:
    """HTK's mel scale: 2595 log10(1 + f / 700)."""
    return 2595 * np.log10(1 + np.asarray(hz) / 700)


def mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return 700 * (10 ** (np.asarray(mel) / 2595) - 1)


def triangles(edges_hz: np.ndarray, bins: int, rate: float) -> np.ndarray:
    """(bands, bins) triangular bands of peak 1 over the edges (bands + 2,), each rising to the next edge."""
    frequency = np.linspace(0, rate / 2, bins)
    rise = (frequency - edges_hz[:-2, None]) / (edges_hz[1:-1] - edges_hz[:-2])[:, None]
    fall = (edges_hz[2:, None] - frequency) / (edges_hz[2:] - edges_hz[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall)).astype(np.float32)


@cache
def mel_bands(count: int, low_hz: float, high_hz: float) -> np.ndarray:
    edges = mel_to_hz(np.linspace(hz_to_mel(low_hz), hz_to_mel(high_hz), count + 2))
    return triangles(edges, FRAME // 2 + 1, RATE)
