"""Where a search listens: the same few places of a song for every candidate."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch.nn import functional

from daiw_master.audio import Audio
from daiw_master.errors import InputError
from daiw_master.files import resampled
from daiw_master.meters.loudness import momentary
from daiw_master.meters.traces import loudness_scan
from daiw_master.neural.encoder import STYLE_RATE, STYLE_WINDOW
from daiw_master.sounds import Sound, sound_of
from daiw_master.units import power_from_db

#: How loud the places are, as the share of all places that are softer: a loud one, a middle one, a soft
#: one. What is more than this under the loudest is a fade or a breath.
LEVELS = (0.9, 0.5, 0.2)
AUDIBLE_LU = 20.0
_HOP_S = 0.25


class Windows(NamedTuple):
    """Short stretches of a song at the encoder's rate, and where they begin.

    `x` (windows, channels, time); `starts_s` in seconds of the song; the first `lead` samples of each
    are music before the window, so that rooms and compressors are in full swing when it begins.
    """

    x: torch.Tensor
    starts_s: tuple[float, ...]
    lead: int = 0

    def of(self, sound: Sound) -> torch.Tensor:
        """The same stretches of another sound of that song."""
        return _cut(sound, self.starts_s, self.lead, self.x.shape[-1])


def choose_windows(
    audio: Audio | Sound,
    count: int = 2,
    *,
    seconds: float = STYLE_WINDOW / STYLE_RATE,
    lead_s: float = 0.0,
) -> Windows:
    """A loud place of a song, a middle one, a soft one: up to `count` windows that do not overlap, at 48 kHz.

    A song shorter than a window is heard whole. InputError for a count below 1 or beyond the three places.
    """
    if not 1 <= count <= len(LEVELS):
        raise InputError(f"{count} windows; the search listens at 1 to {len(LEVELS)}")
    sound = sound_of(audio)
    if not sound.time:
        raise InputError("the audio holds no samples; nothing to listen to")
    lead, length = round(lead_s * STYLE_RATE), round(seconds * STYLE_RATE)
    whole = -(-sound.time * STYLE_RATE // sound.rate)
    if whole <= length:
        return Windows(_cut(sound, (0.0,), lead, lead + whole), (0.0,), lead)
    starts_s = _places(sound, count, seconds)
    return Windows(_cut(sound, starts_s, lead, lead + length), starts_s, lead)


def _places(sound: Sound, count: int, seconds: float) -> tuple[float, ...]:
    """Where windows of the wanted levels begin, the loudest first; fewer where there is no room for more."""
    power = power_from_db(momentary(loudness_scan(sound), hop_ms=1000 * _HOP_S)[0].double())
    last = sound.time / sound.rate - seconds
    begins = [min(i * _HOP_S, last) for i in range(math.ceil(last / _HOP_S) + 1)]
    ends = [round((begin + seconds) / _HOP_S) for begin in begins]
    total = functional.pad(power.cumsum(0), (1, 0)).tolist()
    longest = len(power)
    level = [
        10 * math.log10(max(total[min(end, longest)] - total[min(round(begin / _HOP_S), longest)], 1e-12))
        for begin, end in zip(begins, ends, strict=True)
    ]
    order = sorted(range(len(level)), key=level.__getitem__)
    order = [i for i in order if level[i] > level[order[-1]] - AUDIBLE_LU]
    chosen: list[float] = []
    for share in LEVELS[:count]:
        wanted = share * (len(order) - 1)
        for rank in sorted(range(len(order)), key=lambda rank: abs(rank - wanted)):
            begin = begins[order[rank]]
            if all(abs(begin - other) >= seconds for other in chosen):
                chosen.append(begin)
                break
    return tuple(chosen)


def _cut(sound: Sound, starts_s: tuple[float, ...], lead: int, length: int) -> torch.Tensor:
    """Stretches (windows, channels, length) at the encoder's rate; silence where the song has not begun."""
    heard = resampled(sound, STYLE_RATE)
    parts = []
    for start_s in starts_s:
        begin = round(start_s * STYLE_RATE) - lead
        first, stop = max(0, begin), max(0, min(begin + length, heard.time))
        part = heard.read(first, stop)
        parts.append(functional.pad(part, (first - begin, length - (first - begin) - (stop - first))))
    return torch.cat(parts).contiguous()
