"""Another sample rate for the same sound: one Kaiser-windowed sinc, evaluated phase by phase."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import torch

from daiw_master.audio import Audio
from daiw_master.errors import InputError
from daiw_master.sounds import BLOCK, Held, Sound

#: Stop band and where it begins: all of the lower Nyquist frequency is used up to PASS of it.
STOP_DB = 100.0
PASS = 0.907  # 20 kHz at 44.1 kHz
#: Ratios beyond this many phases (44100 -> 44099) would need gigabytes of coefficients.
_MOST_PHASES = 2000
#: Old samples in a round, about: as long as half a filter.
_ROUND = 128


def resample(audio: Audio, rate: int) -> Audio:
    """The same sound at another sample rate, in time with the old one to the sample.

    Flat to 0.001 dB up to 90.7 % of the lower Nyquist frequency (20 kHz at 44.1 kHz), at least 95 dB
    down from that Nyquist frequency on; zero delay; ceil(n * rate / old) samples. `InputError` for
    rates outside 8 to 384 kHz and for ratios of more than 2000 phases.
    """
    if rate == audio.rate:
        return audio
    converted = resampled(Held(audio.samples, audio.rate), rate)
    return Audio(torch.cat(list(converted.blocks()), dim=-1)[0], rate, audio.tags)


def resampled(sound: Sound, rate: int) -> Sound:
    """A sound of any length at another sample rate, converted while it is read; see `resample`."""
    if not 8000 <= rate <= 384000:
        raise InputError(f"sample rate is {rate}; it must lie between 8000 and 384000 Hz")
    if rate == sound.rate:
        return sound
    common = math.gcd(sound.rate, rate)
    up, down = rate // common, sound.rate // common
    if max(up, down) > _MOST_PHASES:
        raise InputError(f"{sound.rate} Hz cannot be converted to {rate} Hz: no small whole-number ratio")
    # Several of the smallest rounds in one, where these are short: a matrix product wants some size.
    together = max(1, min(_ROUND // down, _MOST_PHASES // up))
    return _Resampled(sound, rate, up * together, down * together)


class _Resampled:
    """Every round reads `down` samples of the old sound and gives `up` of the new one."""

    def __init__(self, sound: Sound, rate: int, up: int, down: int):
        self._sound, self._up, self._down = sound, up, down
        self.rate, self.channels = rate, sound.channels
        self.time = -(-sound.time * up // down)
        self._bank, self._reach = _phases(up, down)
        self._kept, self._kept_from = torch.zeros(1, sound.channels, 0), 0

    def read(self, start: int, stop: int) -> torch.Tensor:
        """(1, channels, stop - start); both ends must lie inside the sound."""
        per_piece = max(1, BLOCK // self._up)
        rounds = range(start // self._up, -(-stop // self._up), per_piece)
        pieces = [self._rounds(first, min(per_piece, -(-stop // self._up) - first)) for first in rounds]
        if not pieces:
            return self._kept[..., :0]
        skipped = start - rounds.start * self._up
        return torch.cat(pieces, dim=-1)[..., skipped : skipped + stop - start]

    def blocks(self, size: int = BLOCK) -> Iterator[torch.Tensor]:
        for start in range(0, self.time, size):
            yield self.read(start, min(start + size, self.time))

    def _rounds(self, first: int, count: int) -> torch.Tensor:
        bank = self._bank
        begin = first * self._down - self._reach
        old = self._old(begin, begin + (count - 1) * self._down + bank.shape[-1])
        frames = old.unfold(-1, bank.shape[-1], self._down)  # (1, channels, count, taps)
        return (frames @ bank.to(old.dtype).t()).flatten(-2)

    def _old(self, begin: int, end: int) -> torch.Tensor:
        """A stretch of the old sound, silence beyond its ends.

        What the stretch before this one has in common with it is not read again: going back costs a
        decoder more than going on.
        """
        first, last = min(max(begin, 0), self._sound.time), max(min(end, self._sound.time), 0)
        known = self._kept_from + self._kept.shape[-1]
        if self._kept_from <= first < known <= last:
            fresh = self._sound.read(known, last)
            inside = torch.cat([self._kept[..., first - self._kept_from :], fresh], dim=-1)
        else:
            inside = self._sound.read(first, last)
        self._kept, self._kept_from = inside, first
        return torch.nn.functional.pad(inside, (max(first - begin, 0), max(end - last, 0)))


@lru_cache(maxsize=8)
def _phases(up: int, down: int) -> tuple[torch.Tensor, int]:
    """(up, taps) filters and how many inputs they reach back.

    Output k sits at input time k * down / up; phase p = k mod up reads
    h(t) = sinc(2 fc t) * kaiser(t), t in input samples (Crochiere & Rabiner 1983, section 2.3).
    """
    nyquist = 0.5 * min(1.0, up / down)  # in cycles per input sample
    transition = (1 - PASS) * nyquist
    centre = nyquist - transition / 2
    beta = 0.1102 * (STOP_DB - 8.7)  # Kaiser 1974
    half = math.ceil((STOP_DB - 7.95) / (14.36 * transition) / 2)
    offsets = torch.arange(up, dtype=torch.float64) * down / up
    taps = torch.arange(-half, half + down + 1, dtype=torch.float64)
    t = taps - offsets.unsqueeze(1)
    window = torch.special.i0(beta * (1 - (t / (half + 1)) ** 2).clamp_min(0).sqrt()) / torch.special.i0(
        torch.tensor(beta, dtype=torch.float64)
    )
    bank = 2 * centre * torch.sinc(2 * centre * t) * window * (t.abs() <= half + 1)
    # Unity gain at DC for every phase, so that no phase pattern is heard on steady sound.
    bank = bank / bank.sum(dim=1, keepdim=True)
    return bank, half
