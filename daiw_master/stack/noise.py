"""Noise: the bed a recording lies on: tape hiss, a room, a needle in dust.

Each is a stream of its own, white noise or sparse clicks through one filter, at a given RMS level. The
stream is made in blocks that know only their number, so the bed at a given second is the same in a short
song and a long one, in any batch, every time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional

from daiw_master.knobs.noise import NONE_DB, ROW
from daiw_master.stack.blocks import join
from daiw_master.stack.convolution import convolve
from daiw_master.stack.effect import Effect, Setting, at_rest, batch_of, per_item, turned
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

    def blocks(self, time: int, channels: int, rate: int) -> Iterator[torch.Tensor]:
        """(1, channels, BLOCK or what is left): the bed at 0 dB RMS, from the song's first sample on."""
        taps = self.taps(rate)
        reach = taps.shape[-1] // 2
        before, now = (self.train(block, channels, rate) for block in (-1, 0))
        for start in range(0, time, BLOCK):
            after = self.train(start // BLOCK + 1, channels, rate)
            near = torch.cat([before[:, -reach:], now, after[:, :reach]], dim=-1)
            yield convolve(near[None], taps, lead=reach)[..., reach : reach + min(BLOCK, time - start)]
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


def process(x: torch.Tensor, rate: int, *, follow: Setting, **levels_db: Setting) -> torch.Tensor:
    """The sound on its bed; see `NOISE` for the knobs."""
    settings = {"follow": follow, **levels_db}
    heard = {name: kind for name, kind in KINDS.items() if turned(levels_db[name], NONE_DB)}
    if not heard:
        return at_rest(x, settings)
    gains = []
    for name in heard:
        level_db = per_item(levels_db[name], x)
        gains.append(gain_from_db(level_db) * ((level_db - NONE_DB) / FADE_DB).clamp(0.0, 1.0))
    hop, time = samples_from_ms(HOP_MS, rate), x.shape[-1]
    follows = turned(follow, 0.0)
    if follows:
        follow = per_item(follow, x)
        presence = 1.0 - follow + follow * _presence(x, hop)
    batch = max(batch_of(settings), len(x))

    def blocks() -> Iterator[torch.Tensor]:
        beds = (kind.blocks(time, x.shape[1], rate) for kind in heard.values())
        for number, parts in enumerate(zip(*beds, strict=True)):
            bed = sum(gain * part.to(x) for gain, part in zip(gains, parts, strict=True))
            start = number * BLOCK
            here = x[..., start : start + BLOCK]
            if follows:
                bed = bed * _between(presence, hop, start, here.shape[-1])
            yield (here + bed).expand(batch, -1, -1)

    return join(blocks(), time)


def _between(values: torch.Tensor, hop: int, start: int, count: int) -> torch.Tensor:
    """`drawn(values, hop)[..., start : start + count]`, and only the hops around it drawn."""
    first = max(start // hop - 1, 0)
    near = values[..., first : (start + count) // hop + 2]
    return drawn(near, hop)[..., start - first * hop : start - first * hop + count]


NOISE = Effect(
    *ROW,
    process=process,
    engaged={"hiss_db": -40, "room_db": -35, "crackle_db": -35, "follow": 1},
)  # fmt: skip
