"""One dry clip in many guises, before any chain: the style must survive what the content may do."""

from __future__ import annotations

import numpy as np
from scipy.signal import resample_poly

from daiw_master.training.style.clips import CLIP
from daiw_master.training.style.effects import BANDS, play

#: Other speeds as up/down ratios of resampling, 0.85 to 1.18 times as fast.
SPEEDS = ((20, 17), (10, 9), (15, 14), (20, 19), (20, 21), (14, 15), (9, 10), (17, 20))
SPEED_CHANCE = 0.4
#: A clip that has to go round is joined over so many samples.
_JOIN = 960
SWAP_CHANCE, MONO_CHANCE, WIDTH_CHANCE = 0.5, 0.1, 0.3
WIDTHS = (0.2, 1.6)
LOWEST_LEVEL_DB = -9.0
#: As far as another instrument, room or record may lie from this one, band by band.
MOST_TONE_DB = 5.0


def augmented(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(2, CLIP) from (2, CLIP): begun elsewhere, faster or slower, turned round, narrower or wider, softer.

    The peak ends between 0 and -9 dBFS, so that thresholds meet different levels.
    """
    swap, mono, wide, fast = rng.random(4)
    offset, width, level = rng.random(3)
    speed = SPEEDS[rng.integers(len(SPEEDS))]
    if fast < SPEED_CHANCE:
        clip = resample_poly(clip, *speed, axis=-1).astype(np.float32)
    clip = around(clip, int(offset * clip.shape[1]), CLIP)
    if swap < SWAP_CHANCE:
        clip = clip[::-1]
    if mono < MONO_CHANCE:
        clip = np.repeat(clip.mean(axis=0, keepdims=True), 2, axis=0)
    elif wide < WIDTH_CHANCE:
        low, high = WIDTHS
        mid, side = (
            0.5 * (clip[:1] + clip[1:]),
            0.5 * (clip[:1] - clip[1:]) * np.float32(low + (high - low) * width),
        )
        clip = np.concatenate([mid + side, mid - side])
    peak = max(float(np.abs(clip).max()), 1e-6)
    return np.ascontiguousarray(clip * np.float32(10 ** (LOWEST_LEVEL_DB * level / 20) / peak))


def toned(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(2, n) as another instrument, room or record might sound: through two shelves and a peak, as loud.

    Every chain of a block hears the same tone, so it is content, and the peak stays where it was.
    """
    sound = clip
    for band, knobs in BANDS.items():
        settings = {knob: span.at(float(rng.random())) for knob, span in knobs.items()}
        sound = play(band, {**settings, "gain_db": rng.uniform(-MOST_TONE_DB, MOST_TONE_DB)}, sound)
    return sound * np.float32(np.abs(clip).max() / max(float(np.abs(sound).max()), 1e-6))


def around(clip: np.ndarray, offset: int, count: int) -> np.ndarray:
    """`count` samples from `offset` on, going round from the end to the beginning over a short crossfade.

    The joint sounds in every render of this content alike, so it tells nothing of the chain.
    """
    fade = np.linspace(0.0, np.pi / 2, _JOIN, dtype=np.float32)
    body = clip[:, : clip.shape[1] - _JOIN].copy()
    body[:, :_JOIN] = body[:, :_JOIN] * np.sin(fade) + clip[:, -_JOIN:] * np.cos(fade)
    length = body.shape[1]
    places = np.arange(offset, offset + count) % length
    if offset + count <= length:  # the joint is not reached, so the untouched beginning is better
        return clip[:, offset : offset + count]
    return body[:, places]
