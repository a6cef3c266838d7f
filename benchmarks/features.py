"""Features no target steers: MFCC statistics, modulation spectrum, stereo coherence (numpy only).

Loudness is removed first. Used to ask whether a feeling can be told from the sound of a master by
something other than the meters that made it.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import dct
from scipy.signal import coherence, stft

MAX_SECONDS = 60.0
MFCC_COUNT = 13
COHERENCE_EDGES_HZ = (120, 250, 500, 1000, 2000, 4000, 8000, 16000)
MODULATION_EDGES_HZ = (0.5, 1, 2, 4, 8, 16, 32)


def features(samples: np.ndarray, rate: int) -> np.ndarray:
    """One vector of (2, time) audio: 12 MFCC means and deviations, 3 x 6 modulation, 7 coherences."""
    samples = _middle(samples, rate)
    rms = np.sqrt(np.mean(samples**2)) + 1e-12
    samples = samples / rms * 0.1
    mono = samples.mean(0)
    freqs, _, spectrum = stft(mono, rate, nperseg=2048, noverlap=1024)
    power = np.abs(spectrum) ** 2
    mel = _mel_bank(freqs, 40) @ power
    log_mel = np.log(np.maximum(mel, 1e-12))
    audible = mono_gate(power)
    mfcc = dct(log_mel[:, audible], axis=0, norm="ortho")[1:MFCC_COUNT]
    return np.concatenate(
        [mfcc.mean(1), mfcc.std(1), _modulation(log_mel, rate / 1024), _coherence(samples, rate)]
    )


def mono_gate(power: np.ndarray) -> np.ndarray:
    """Frames within 40 dB of the loudest: silence has no timbre."""
    level = 10 * np.log10(power.sum(0) + 1e-20)
    return level > level.max() - 40


def _middle(samples: np.ndarray, rate: int) -> np.ndarray:
    length = int(MAX_SECONDS * rate)
    start = max(0, (samples.shape[-1] - length) // 2)
    return samples[:, start : start + length].astype(np.float64)


def _mel_bank(freqs: np.ndarray, count: int) -> np.ndarray:
    mel = 2595 * np.log10(1 + freqs / 700)
    edges = np.linspace(2595 * np.log10(1 + 30 / 700), 2595 * np.log10(1 + 16000 / 700), count + 2)
    rise = (mel[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - mel[None]) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall))


def _modulation(log_mel: np.ndarray, frame_rate: float) -> np.ndarray:
    """Share of envelope movement per modulation band, in three regions of the spectrum."""
    rows = []
    for region in np.array_split(log_mel, 3):
        envelope = region.mean(0)
        envelope = np.maximum(envelope, envelope.max() - 12)
        spectrum = np.abs(np.fft.rfft((envelope - envelope.mean()) * np.hanning(len(envelope)))) ** 2
        freqs = np.fft.rfftfreq(len(envelope), 1 / frame_rate)
        bands = [
            spectrum[(freqs >= low) & (freqs < high)].sum()
            for low, high in zip(MODULATION_EDGES_HZ, MODULATION_EDGES_HZ[1:], strict=False)
        ]
        rows.append(np.log(np.maximum(bands, 1e-12)))
    return np.concatenate(rows)


def _coherence(samples: np.ndarray, rate: int) -> np.ndarray:
    """Magnitude-squared coherence of left and right per octave."""
    if np.allclose(samples[0], samples[-1]):
        return np.ones(len(COHERENCE_EDGES_HZ) - 1)
    freqs, values = coherence(samples[0], samples[1], rate, nperseg=2048)
    return np.array(
        [
            np.nan_to_num(values[(freqs >= low) & (freqs < high)]).mean()
            for low, high in zip(COHERENCE_EDGES_HZ, COHERENCE_EDGES_HZ[1:], strict=False)
        ]
    )
