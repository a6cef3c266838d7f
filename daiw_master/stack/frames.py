"""How long the frames are in which a filter is laid over a sound, and how many are made at once."""

from __future__ import annotations

import math

#: Smallest transform: below this the filter is not worth the bookkeeping around it.
SMALLEST_FFT = 1 << 12
#: Samples of all channels and items together that are transformed at once: they stay in cache, and
#: many short transforms side by side cost half of one long one.
AT_ONCE = 1 << 18
#: Items of a batch are filtered in groups of about so many samples; their graph is made anew on the
#: way back, so that only what went in is kept.
GROUP = 1 << 20
#: Instead of both, away from the processor: a GPU wants to be filled.
FILLED = 1 << 26


def frame(taps: int, time: int, filters: int = 1, at_once: int = AT_ONCE) -> tuple[int, int]:
    """The cheapest (size, hop) of frames for a filter of so many taps over so long a sound.

    `at_once`: samples of a channel that are there at a time. A transform of n samples was measured to
    cost about n (log2 n)^3 (beyond the cache it slows down), half of it when many are made side by side.
    """
    best, least = (0, 0), math.inf
    size = min(SMALLEST_FFT, power_of_two(time + taps - 1))
    while size <= max(power_of_two(2 * taps), 1 << 20):
        hop = min(size - taps + 1, time)
        if 0 < hop < time:  # a few coarse steps, so that filters of nearly one length share transforms
            hop -= hop % (size // 8)
        if hop > 0:
            frames = -(-time // hop)
            if filters == 1:
                each = 2 * frames * (1 + 1 / min(max(at_once // hop, 1), frames))
            else:  # the filter's own transforms, one back for each frame, and the products
                each = 2 + 1.6 * frames
            cost = size * math.log2(size) ** 3 * each
            if cost < 0.95 * least:  # a larger frame waits longer and holds more: it must be worth it
                best, least = (size, hop), cost
        size *= 2
    return best


def power_of_two(n: int) -> int:
    return 1 << max(n - 1, 1).bit_length()


def close_size(n: int) -> int:
    """A transform for n samples with less air in it: beyond the cache, 5/4 and 3/2 of a power of two too."""
    whole = power_of_two(n)
    if whole <= AT_ONCE:
        return whole
    return next(size for size in (whole // 8 * 5, whole // 4 * 3, whole) if size >= n)
