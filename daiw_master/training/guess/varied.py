"""Dry clips that no soundfont has played: transposed, in company, of poor samples.

Of a few thousand dry clips the dullest soon pass for low-passed. What is varied here are the clips
themselves, in ways that are no effect's.
"""

from __future__ import annotations

import math

import numpy as np

from daiw_master.training.style.clips import RATE

#: How often a clip keeps its own speed, and by how much it is transposed at most.
UNTOUCHED, SEMITONES = 0.5, 3.0
#: A clip that becomes too short goes on from its beginning, over so long a crossfade.
CROSSFADE_S = 0.02
#: Samples of a low rate and old recordings end as at a wall. One throw in [0, 1) decides: below `HIGHS` the
#: highs are missing, within `LOWS` the lows, where both hold both.
HIGHS, LOWS = 0.30, (0.22, 0.40)
HIGHS_HZ, LOWS_HZ = (2500.0, 14_000.0), (35.0, 250.0)
#: Over how many octaves the wall falls, and how deep.
STEEP_OCTAVES, HIGHS_DEEP_DB, LOWS_DEEP_DB = (0.08, 0.5), (30.0, 80.0), (20.0, 60.0)


def transposed(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A clip (2, time), half the time up to `SEMITONES` higher or lower, as long as before."""
    from scipy.signal import resample

    if rng.random() < UNTOUCHED:
        return clip
    slower = 2 ** (rng.uniform(-SEMITONES, SEMITONES) / 12)
    time = clip.shape[1]
    needed = math.ceil(time / slower)
    if needed > time:
        part = _looped(clip)[:, :needed]
    else:
        first = rng.integers(time - needed + 1)
        part = clip[:, first : first + needed]
    made = resample(part, round(needed * slower), axis=1).astype(np.float32)
    return np.pad(made, ((0, 0), (0, max(0, time - made.shape[1]))))[:, :time]


def _looped(clip: np.ndarray) -> np.ndarray:
    size = round(CROSSFADE_S * RATE)
    fade = np.linspace(0, 1, size, dtype=np.float32)
    joint = clip[:, -size:] * (1 - fade) + clip[:, :size] * fade
    return np.concatenate([clip[:, :-size], joint, clip[:, size:]], axis=1)


def aged(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A clip (2, time), now and then without its highest or lowest octaves: they end as at a wall."""
    which = rng.random()
    if which > LOWS[1]:
        return clip
    time = clip.shape[1]
    octave = np.log2(np.fft.rfftfreq(time, 1 / RATE) + 1e-3)
    width = rng.uniform(*STEEP_OCTAVES)
    gain = np.ones(len(octave))
    if which < HIGHS:
        gain *= _wall(octave, -1, HIGHS_HZ, width, HIGHS_DEEP_DB, rng)
    if which > LOWS[0]:
        gain *= _wall(octave, 1, LOWS_HZ, width, LOWS_DEEP_DB, rng)
    return np.fft.irfft(np.fft.rfft(clip, axis=1) * gain, time, axis=1).astype(np.float32)


def _wall(
    octave: np.ndarray, side: int, ends_hz: tuple, width: float, deep_db: tuple, rng: np.random.Generator
) -> np.ndarray:
    edge = math.log2(ends_hz[0] * (ends_hz[1] / ends_hz[0]) ** rng.random())
    deep = 10 ** (-rng.uniform(*deep_db) / 20)
    return np.maximum(0.5 + 0.5 * side * np.tanh((octave - edge) / width * 2), deep)


def together(clip: np.ndarray, other: np.ndarray, under_db: float) -> np.ndarray:
    """A clip (2, time) with another one, which is so many dB weaker."""
    level, theirs = (float(np.sqrt(np.square(x).mean())) for x in (clip, other))
    return clip + other * np.float32(level / max(theirs, 1e-6) * 10 ** (-under_db / 20))
