"""What an engineer's meters say of a sound: loudness, crest, critical bands of mid and side, width, balance.

The repaired form of ST-ITO's MIR baseline: true peaks of the meters, the right rate, mid and side. Raw
numbers in their own units; whoever compares them brings each to its deviation over a corpus first.
"""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.style.clips import RATE
from benchmarks.style.features.spectra import FRAME, Heard
from daiw_master.meters.loudness import integrated_loudness, momentary
from daiw_master.meters.traces import scan

#: Edges of the 24 critical bands, Hz (Zwicker 1961).
BARK_EDGES_HZ = (
    20, 100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700, 4400,
    5300, 6400, 7700, 9500, 12000, 15500,
)  # fmt: skip
_FREQUENCY = np.linspace(0, RATE / 2, FRAME // 2 + 1)
_BANDS = np.stack(
    [
        (low <= _FREQUENCY) & (high > _FREQUENCY)
        for low, high in zip(BARK_EDGES_HZ[:-1], BARK_EDGES_HZ[1:], strict=True)
    ]
).astype(np.float32)
_LOWEST_DB = -80.0


def mir(heard: Heard) -> np.ndarray:
    """(60,): LUFS, its spread, RMS of mid and side, crest L and R, Bark mid and side, centroid, roll-off,

    width, balance. dB throughout, octaves for frequencies.
    """
    seen = scan(torch.from_numpy(heard.x)[None], RATE)
    moments = momentary(seen).numpy().ravel()
    low, high = np.percentile(moments, (10, 95))
    left_right = (heard.x * heard.x).mean(1)
    peaks = np.abs(heard.x).max(1)
    mid, side = heard.mid_power.mean(1), heard.side_power.mean(1)
    whole = mid.sum() + 1e-12
    frames = heard.mid_power
    loud = frames.sum(0) >= 1e-6 * frames.sum(0).max()
    octaves = np.log2(np.maximum(_FREQUENCY, 20) / 20)
    centroid = (octaves @ frames[:, loud]) / np.maximum(frames[:, loud].sum(0), 1e-12)
    rolled = np.searchsorted(np.cumsum(mid) / whole, (0.5, 0.95))
    return np.array(
        [
            float(integrated_loudness(seen)[0]),
            high - low,
            _db(((heard.x[0] + heard.x[1]) ** 2).mean() / 4),
            _db(((heard.x[0] - heard.x[1]) ** 2).mean() / 4),
            *(2 * _db(p) - _db(m) for p, m in zip(peaks, left_right, strict=True)),
            *_db(_BANDS @ mid / whole),
            *_db(_BANDS @ side / whole),
            centroid.mean(),
            centroid.std(),
            *octaves[np.minimum(rolled, len(octaves) - 1)],
            _db(side.sum() / whole),
            _db(left_right[0]) - _db(left_right[1]),
        ]
    )


def _db(power: np.ndarray) -> np.ndarray:
    return np.maximum(10 * np.log10(np.maximum(power, 1e-12)), _LOWEST_DB)
