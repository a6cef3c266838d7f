"""Noise: the bed a recording lies on: tape hiss, a room, a needle in dust.

Each is a stream of its own, white noise or sparse clicks through one filter, at a given RMS level. The
stream is made in blocks that know only their number, so the bed at a given second is the same in a short
song and a long one, in any batch, every time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch.nn import functional

from daiw_master.knobs.noise import NONE_DB, ROW
from daiw_master.stack.blocks import join
from daiw_master.stack.convolution import convolve
from daiw_master.stack.effect import Effect, Setting, at_rest, batch_of, per_item, turned
from daiw_master.stack.flow import Flow, Nearby
from daiw_master.stack.hops import averaged, drawn, smoothed
from daiw_master.units import gain_from_db, samples_from_ms

#: A bed fades in over this much above -90 dB, so that -90 is exactly none.
FADE_DB = 6.0
BLOCK = 2**16

#: Of the room, the share of power both sides have in common.
SHARED_ROOM = 0.7
#: Clicks per second, how differently loud they are (standard deviation, dB) and how far off centre.
CLICKS_PER_S, CLICK_SPREAD_DB, CLICK_SIDE_DB = 25.0, 4.0, 1.5

#: `follow`: level over 400 ms around each moment, read every 10 ms, against -20 dBFS RMS.
HOP_MS, WINDOW_HOPS, REFERENCE_RMS = 10.0, 41, 0.1
#: Below this power (-100 dB) in a hop there is digital silence; the bed is gone before and back after.
SILENT_POWER = 1e-10
#: Hops over which it goes, and how many in front of the silence it begins to.
EDGE_HOPS = 5
#: Keeps the root's slope finite at silence, and the root itself at zero.
TINY_POWER = 1e-12
#: What is added depends on hops this far away: the window, or silence and its edge, and the line.
HOPS_REACH = WINDOW_HOPS // 2 + 2


def _generator(kind: int, block: int, channel: int) -> torch.Generator:
    # The generator reads 32 bits of a seed: 2 for the kind, 8 for the channel, 22 for the block.
    return torch.Generator().manual_seed((block % (1 << 22) << 10) + (channel << 2) + kind)


def _white(kind: int, block: int, channel: int) -> torch.Tensor:
    return torch.randn(BLOCK, generator=_generator(kind, block, channel))


def _hiss_train(block: int, channels: int, rate: int) -> torch.Tensor:
    """White and different on every side."""
    return torch.stack([_white(0, block, channel) for channel in range(channels)])


def _room_train(block: int, channels: int, rate: int) -> torch.Tensor:
    """White and partly alike."""
    own = torch.stack([_white(1, block, channel) for channel in range(channels)])
    return SHARED_ROOM**0.5 * _white(1, block, 255) + (1 - SHARED_ROOM) ** 0.5 * own


def _crackle_train(block: int, channels: int, rate: int) -> torch.Tensor:
    """Clicks here and there, loud ones rare; every block has the same power."""
    generator = _generator(2, block, 0)
    count = max(1, round(CLICKS_PER_S * BLOCK / rate))
    when = torch.randint(BLOCK, (count,), generator=generator)
    height = gain_from_db(CLICK_SPREAD_DB * torch.randn(count, generator=generator))
    height = height * torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    train = torch.zeros(channels, BLOCK)
    for channel in range(channels):
        side = torch.randn(count, generator=_generator(2, block, channel + 1))
        train[channel].index_add_(0, when, height * gain_from_db(CLICK_SIDE_DB * side))
    return train / train.square().mean(-1, keepdim=True).sqrt()


def _hiss_power(hz: torch.Tensor) -> torch.Tensor:
    """Rising by 3 dB an octave from 500 Hz, gone above 16 kHz: what a playback equaliser makes of tape."""
    return (hz + 500.0) / (1 + (hz / 16000.0) ** 8)


def _room_power(hz: torch.Tensor) -> torch.Tensor:
    """A rumble around 100 Hz that falls by 9 dB an octave, with nothing below 30 Hz."""
    return (hz / 30.0) ** 4 / (1 + (hz / 30.0) ** 4) / (1 + (hz / 100.0) ** 3)


def _click_power(hz: torch.Tensor) -> torch.Tensor:
    """A needle's tick: two octaves around 2.5 kHz."""
    return 1 / (1 + (hz / 2500.0 - 2500.0 / hz.clamp_min(1.0)) ** 2) ** 2


@dataclass(frozen=True)
class _Kind:
    """One bed: what excites it, and the filter's power response and length."""

    train: Callable[[int, int, int], torch.Tensor]
    power: Callable[[torch.Tensor], torch.Tensor]
    taps_ms: float

    def taps(self, rate: int) -> torch.Tensor:
        """(1, 1, taps) zero-phase, of unit power: the train keeps its level."""
        size = 1 << math.ceil(math.log2(self.taps_ms * rate / 1000))
        hz = torch.arange(size // 2 + 1, dtype=torch.float64) * (rate / size)
        taps = torch.fft.irfft(self.power(hz).sqrt(), size).roll(size // 2)
        taps = taps * torch.hann_window(size, dtype=torch.float64)
        return (taps / taps.square().sum().sqrt()).float()[None, None]

    def blocks(self, channels: int, rate: int) -> Iterator[torch.Tensor]:
        """(1, channels, BLOCK) each, without end: the bed at 0 dB RMS, from the song's first sample on."""
        taps = self.taps(rate)
        reach = taps.shape[-1] // 2
        before, now = (self.train(block, channels, rate) for block in (-1, 0))
        for block in itertools.count(1):
            after = self.train(block, channels, rate)
            near = torch.cat([before[:, -reach:], now, after[:, :reach]], dim=-1)
            yield convolve(near[None], taps, lead=reach)[..., reach : reach + BLOCK]
            before, now = now, after


KINDS = {
    "hiss_db": _Kind(_hiss_train, _hiss_power, 6.0),
    "room_db": _Kind(_room_train, _room_power, 90.0),
    "crackle_db": _Kind(_crackle_train, _click_power, 4.0),
}


def _presence(x: torch.Tensor, hop: int) -> torch.Tensor:
    """How much music there is, hop by hop (batch, 1, hops): 1 at -20 dBFS, 0 in digital silence."""
    power = averaged(x.square().mean(1, keepdim=True), hop)
    level = (smoothed(power, WINDOW_HOPS) + TINY_POWER).sqrt() - TINY_POWER**0.5
    # Gone in every silent hop and in the one before, which may hold the silence's first samples.
    reach = EDGE_HOPS // 2 + 2
    sounding = (power.detach() > SILENT_POWER).to(x.dtype)
    sounding = functional.pad(sounding, (reach, reach), mode="replicate")
    sounding = -functional.max_pool1d(-sounding, 2 * reach + 1, 1)
    return level / REFERENCE_RMS * smoothed(sounding, EDGE_HOPS)


def _share(x: torch.Tensor, follow: Setting, hop: int) -> torch.Tensor:
    """How much of the bed there is, hop by hop (batch, 1, hops)."""
    follow = per_item(follow, x)
    return 1.0 - follow + follow * _presence(x, hop)


def _between(values: torch.Tensor, hop: int, start: int, count: int) -> torch.Tensor:
    """`drawn(values, hop)[..., start : start + count]`, and only the hops around it drawn."""
    first = max(start // hop - 1, 0)
    near = values[..., first : (start + count) // hop + 2]
    return drawn(near, hop)[..., start - first * hop : start - first * hop + count]


class _Bed:
    """The bed that lies under a song, taken from its beginning on; what is left of a block is kept."""

    def __init__(self, rate: int, channels: int, levels_db: Mapping[str, Setting], like: torch.Tensor):
        heard = {name: kind for name, kind in KINDS.items() if turned(levels_db[name], NONE_DB)}
        self.gains = []
        for name in heard:
            level_db = per_item(levels_db[name], like)
            self.gains.append(gain_from_db(level_db) * ((level_db - NONE_DB) / FADE_DB).clamp(0.0, 1.0))
        self._streams = [kind.blocks(channels, rate) for kind in heard.values()]
        self._left = like.new_zeros(1, channels, 0)

    @property
    def rests(self) -> bool:
        return not self.gains

    def next(self, count: int) -> torch.Tensor:
        """(batch or 1, channels, count): the next samples of it."""
        parts = [self._left[..., :0]]
        while count > 0:
            if not self._left.shape[-1]:
                made = (next(stream).to(self._left) for stream in self._streams)
                self._left = sum(gain * part for gain, part in zip(self.gains, made, strict=True))
            parts.append(self._left[..., :count])
            self._left = self._left[..., parts[-1].shape[-1] :]
            count -= parts[-1].shape[-1]
        return torch.cat(parts[1:], dim=-1) if len(parts) > 2 else parts[-1]


class _Lying(Flow):
    """A song laid on its bed block by block; `present`, where the bed follows it, says how much."""

    def __init__(self, bed: _Bed, present: Nearby | None):
        self.bed, self._present = bed, present
        self.latency = present.latency if present else 0
        self._kept: torch.Tensor | None = None

    def push(self, x: torch.Tensor, **beside: torch.Tensor) -> torch.Tensor:
        if self._present is None:
            return x + self.bed.next(x.shape[-1])
        self._kept = x if self._kept is None else torch.cat([self._kept, x], dim=-1)
        return self._laid(self._present.push(x))

    def finish(self) -> torch.Tensor | None:
        rest = self._present.finish() if self._present else None
        return None if rest is None else self._laid(rest)

    def _laid(self, presence: torch.Tensor) -> torch.Tensor:
        count = presence.shape[-1]
        here, self._kept = self._kept[..., :count], self._kept[..., count:].clone()
        return here + presence[:, :1] * self.bed.next(count)


def process(x: torch.Tensor, rate: int, *, follow: Setting, **levels_db: Setting) -> torch.Tensor:
    """The sound on its bed; see `NOISE` for the knobs."""
    settings = {"follow": follow, **levels_db}
    bed = _Bed(rate, x.shape[1], levels_db, x)
    if bed.rests:
        return at_rest(x, settings)
    hop, time = samples_from_ms(HOP_MS, rate), x.shape[-1]
    follows = turned(follow, 0.0)
    if follows:
        presence = _share(x, follow, hop)
    batch = max(batch_of(settings), len(x))

    def blocks() -> Iterator[torch.Tensor]:
        for start in range(0, time, BLOCK):
            here = x[..., start : start + BLOCK]
            below = bed.next(here.shape[-1])
            if follows:
                below = below * _between(presence, hop, start, here.shape[-1])
            yield (here + below).expand(batch, -1, -1)

    return join(blocks(), time)


def flow(
    rate: int,
    channels: int,
    *,
    block: int = BLOCK,
    length: int | None = None,
    follow: Setting,
    **levels_db: Setting,
) -> tuple[Flow, ...]:
    """The bed in the middle of a song: nothing is delayed, except by 230 ms where it follows the music."""
    bed = _Bed(rate, channels, levels_db, torch.zeros(0))
    if bed.rests:
        return ()
    hop = samples_from_ms(HOP_MS, rate)

    def present(part: torch.Tensor, first: int) -> torch.Tensor:
        return drawn(_share(part, follow, hop), hop)[..., : part.shape[-1]]

    if not turned(follow, 0.0):
        return (_Lying(bed, None),)
    reach = HOPS_REACH * hop
    return (_Lying(bed, Nearby(present, back=reach, ahead=reach, step=hop, size=block)),)


NOISE = Effect(
    *ROW,
    process=process,
    flow=flow,
    engaged={"hiss_db": -40, "room_db": -35, "crackle_db": -35, "follow": 1},
)  # fmt: skip
