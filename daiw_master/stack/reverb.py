"""Reverb: the room around the sound. Early reflections, a tail with its own decay per band, pre-delay.

Two decorrelated paths p and q (each: taps, then tail) feed a stereo output as a rotation,

    left  = p * L - q * R
    right = q * L + p * R

so that a centred or a one-sided source both come back wide and at the same level. The wet path is
calibrated once: with `wet_db` at 0, sound with the long-term spectrum of music comes back as loud
(K-weighted) as it went in, whatever the decay, the cuts and the width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import torch

from daiw_master.errors import InputError
from daiw_master.knobs.reverb import NO_WET_DB, ROW
from daiw_master.meters.loudness import integrated_loudness
from daiw_master.meters.weighting import k_response
from daiw_master.sounds import BLOCK
from daiw_master.stack.effect import Effect, Setting, at_rest
from daiw_master.stack.filter_flow import Filter
from daiw_master.stack.flow import Flow
from daiw_master.stack.frames import close_size
from daiw_master.stack.linear import Fir, Linear, Pair, remade
from daiw_master.stack.reverb_tail import band_decays_s, early, tail
from daiw_master.units import gain_from_db

_FADE_DB = 6.0

#: Room after the tail for the longest pre-delay and the ringing of the low cut; always the same, so
#: that a knob turned a little never changes a filter's length.
_AFTER_S = 0.17
#: Rooms that are built at once.
ROOMS_AT_ONCE = 2
#: So many bins are turned by one table, times one entry of another.
_FINE = 512


def response(
    settings: Mapping[str, Setting], rate: int, channels: int, like: torch.Tensor | None = None
) -> Linear | None:
    """The room as a linear stage for a mono or stereo sound; None where nothing of it can be heard.

    `settings`: every knob, a float or (batch,) each; `like` gives dtype and device (default: float32).
    """
    like = torch.empty(0) if like is None else like
    room = {name: torch.as_tensor(value).to(like).reshape(-1) for name, value in settings.items()}
    wet_gain = _wet_gain(room.pop("wet_db"))
    learning = torch.is_grad_enabled() and any(t.requires_grad for t in (wet_gain, *room.values()))
    if not learning and not bool(wet_gain.any()):
        return None
    return Linear(room=_room(rate, room, wet_gain, channels))


def flow(
    rate: int,
    channels: int,
    block: int = BLOCK,
    length: int | None = None,
    send: object = None,
    **settings: Setting,
) -> tuple[Flow, ...]:
    """The room for a sound that comes in blocks; a send is pushed beside the sound, block by block.

    What `send` is here does not matter: a flow hears it in `push(x, send=...)` or not at all.
    """
    _check_channels(channels)
    with torch.no_grad():
        room = response(settings, rate, channels)
    return () if room is None else (Filter(room, block=block, length=length),)


def _process(
    x: torch.Tensor, rate: int, send: torch.Tensor | None = None, **settings: Setting
) -> torch.Tensor:
    """x plus the room's answer to `send` (default: to x itself), as long as x came in."""
    _check_channels(x.shape[1])
    if send is not None:
        send = send.to(x)
        if send.shape[1:] != x.shape[1:] or len({len(send), len(x)} - {1}) > 1:
            raise InputError(
                f"reverb: the send has shape {tuple(send.shape)}; "
                f"it must be like the sound's {tuple(x.shape)}"
            )
    room = response(settings, rate, x.shape[1], like=x)
    if room is not None:
        return room(x, send)
    return at_rest(x if send is None else x.expand(max(len(x), len(send)), -1, -1), settings)


def _check_channels(channels: int) -> None:
    if channels > 2:
        raise InputError(f"reverb: audio has {channels} channels; it must be mono or stereo")


def impulse_response(
    rate: int, *, wet_db: Setting = 0.0, dtype: torch.dtype = torch.float32, **settings: Setting
) -> torch.Tensor:
    """What the room answers to one click in the middle: (batch, 2, samples), the wet sound alone.

    Settings as in the effect, each a float or (batch,); missing ones rest at their defaults. `wet_db`
    is 0 unless given, i.e. the room at the level of the sound. Read decay times off it.
    """
    known = REVERB.space
    room = {**known.defaults(), **known.check({"wet_db": wet_db, **settings})}
    room = {name: torch.as_tensor(value, dtype=dtype).reshape(-1) for name, value in room.items()}
    same, _, across = _room(rate, room, _wet_gain(room.pop("wet_db")), channels=2)
    click = 1 + 1j  # left and right at once, in the pair's complex signal
    answer = same * click
    if across is not None:
        answer = answer + across * answer.conj()
    return torch.view_as_real(answer[:, 0]).movedim(-1, 1).contiguous()


def wet_level_db(
    x: torch.Tensor,
    rate: int,
    send: torch.Tensor | None = None,
    *,
    wet_db: Setting = 0.0,
    **settings: Setting,
) -> torch.Tensor:
    """How loud this song's reverb is against its dry sound, gated and K-weighted: (batch,) dB.

    `wet_db` is exact for the average song; a bass solo sends less through the low cut, a fiddle more.
    Subtract what this reads at `wet_db=0` from the wish, and the wish is met.
    """
    level = torch.as_tensor(wet_db, dtype=x.dtype, device=x.device)
    with_room = REVERB(x, rate, wet_db=level, **settings, **({} if send is None else {"send": send}))
    return integrated_loudness(with_room - x, rate) - integrated_loudness(x, rate)


def synced_predelay_ms(wanted_ms: float, tempo_bpm: float) -> float:
    """The note value nearest to a wanted pre-delay, so that the room answers in time with the song.

    Note values 1/64, 1/32 and 1/16, each straight, dotted (x 3/2) or as a triplet (x 2/3), nearest by
    ratio among those the knob can hold. 0 stays 0; where none fits (under 21 bpm) the wish stands.
    """
    if wanted_ms <= 0 or not tempo_bpm > 0:
        return max(0.0, wanted_ms)
    quarter_ms = 60000.0 / tempo_bpm
    values = [quarter_ms / notes * form for notes in (4, 8, 16) for form in (1.0, 1.5, 2 / 3)]
    fitting = [value for value in values if value <= REVERB.space["predelay_ms"].high]
    return min(fitting, key=lambda value: abs(math.log(value / wanted_ms)), default=wanted_ms)


def _wet_gain(wet_db: torch.Tensor) -> torch.Tensor:
    # The fade reaches zero at -60 with a slope, so that a search can leave the resting place.
    return gain_from_db(wet_db) * ((wet_db - NO_WET_DB) / _FADE_DB).clamp(0, 1)


def _room(rate: int, room: dict[str, torch.Tensor], wet_gain: torch.Tensor, channels: int) -> Fir | Pair:
    """The calibrated room of settings (batch or 1,): p alone for a mono sound, for stereo the rotation
    p + j q, made narrower by `width`."""
    room = dict(room)
    width = room.pop("width").reshape(-1, 1, 1)
    wet_gain = wet_gain.reshape(-1, 1, 1)
    paths = _all_paths(rate, channels, room)
    if channels == 1:
        # Mono has no width; a batch of widths still is that many sounds.
        return Fir((paths * wet_gain).expand(max(len(paths), len(wet_gain), len(width)), -1, -1))
    turned = torch.complex(paths[:, :1], paths[:, 1:])
    # With u = turned * z, mid stays and side is scaled: z' = ((1 + w) u + j (1 - w) conj(u)) / 2.
    # Energy of mid + width * side, averaged over sources anywhere: (1 + width^2) / 2 of the full.
    level = (2 / (1 + width.square())).sqrt() * wet_gain / 2
    same = (1 + width) * level * turned
    if not width.requires_grad and bool((width == 1).all()):
        return Pair(same)
    return Pair(same, across=1j * (1 - width) / (1 + width))


def _all_paths(rate: int, channels: int, room: dict[str, torch.Tensor]) -> torch.Tensor:
    """Every room's decorrelated paths (batch, channels, samples), as long as the longest.

    A few rooms at a time stay in cache, a GPU takes all of them; with gradients they are made anew on
    the way back, so that nothing is kept of the making of many.
    """
    batch = max(map(len, room.values()))
    at_once = ROOMS_AT_ONCE if room["decay_s"].device.type == "cpu" else batch
    if batch <= at_once:
        return _paths(rate, channels, **room)
    groups = [
        {name: value if len(value) == 1 else value[first : first + at_once] for name, value in room.items()}
        for first in range(0, batch, at_once)
    ]
    learning = torch.is_grad_enabled() and any(value.requires_grad for value in room.values())
    rooms = [
        remade(_paths, rate, channels, **group) if learning else _paths(rate, channels, **group)
        for group in groups
    ]
    longest = max(paths.shape[-1] for paths in rooms)
    return torch.cat([torch.nn.functional.pad(paths, (0, longest - paths.shape[-1])) for paths in rooms])


def _cuts(low_cut_hz: torch.Tensor, high_cut_hz: torch.Tensor, hz: torch.Tensor) -> torch.Tensor:
    """Both cuts' response, (..., bins) complex: Butterworth prototypes on the j omega axis.

    s^2 / (s^2 + sqrt(2) wl s + wl^2) times wh / (s + wh), both denominators multiplied out, so that
    one division by a real number is all.
    """
    square, low_square = hz.square(), low_cut_hz.square()
    real = high_cut_hz * low_square - (high_cut_hz + math.sqrt(2) * low_cut_hz) * square
    imag = hz * (low_square + math.sqrt(2) * low_cut_hz * high_cut_hz - square)
    share = -high_cut_hz * square / torch.addcmul(real * real, imag, imag)
    return torch.complex(share * real, -share * imag)


def _paths(
    rate: int,
    channels: int,
    decay_s: torch.Tensor,
    low_decay_ratio: torch.Tensor,
    high_decay_ratio: torch.Tensor,
    predelay_ms: torch.Tensor,
    early_db: torch.Tensor,
    low_cut_hz: torch.Tensor,
    high_cut_hz: torch.Tensor,
) -> torch.Tensor:
    """Some rooms' decorrelated paths, calibrated: (rooms, channels, samples) from settings (rooms or 1,)."""
    late = tail(band_decays_s(decay_s, low_decay_ratio, high_decay_ratio), rate)[:, :channels]
    echoes = early(decay_s, late.shape[-1], rate)[:, :channels]
    room = torch.addcmul(late, gain_from_db(early_db).reshape(-1, 1, 1), echoes)
    samples = late.shape[-1] + math.ceil(_AFTER_S * rate)
    size = close_size(samples)
    hz = torch.fft.rfftfreq(size, 1 / rate, dtype=room.dtype, device=room.device)
    low_cut_hz, high_cut_hz, predelay_ms = (
        setting.reshape(-1, 1, 1) for setting in (low_cut_hz, high_cut_hz, predelay_ms)
    )
    spectrum = torch.fft.rfft(room, size) * _cuts(low_cut_hz, high_cut_hz, hz)
    power = spectrum.real.square() + spectrum.imag.square()
    energy = (power * torch.from_numpy(_music_weight(rate, size)).to(power)).sum((-2, -1), keepdim=True)
    # A delay of any fraction of a sample, and the calibration.
    later = _turned(energy.rsqrt(), predelay_ms.double() * (-2 * math.pi / 1000 * rate / size), len(hz))
    return torch.fft.irfft(spectrum * later, size)[..., :samples]


def _turned(level: torch.Tensor, step: torch.Tensor, bins: int) -> torch.Tensor:
    """level * exp(j step k) for bins k = 0, 1, ...: (rooms, 1, bins) from (rooms, 1, 1), as precise as level.

    As products of a coarse turn and a fine one, from a `step` in double precision: two short tables in
    place of a sine and a cosine for every bin. (The last bins turn by thousands of radians, which single
    precision would round by a thousandth of one.)
    """
    fine = torch.arange(_FINE, dtype=step.dtype, device=step.device)
    coarse = torch.arange(-(-bins // _FINE), dtype=step.dtype, device=step.device) * _FINE
    near, far = (torch.polar(torch.ones_like(k), k) for k in (step * fine, step * coarse))
    kind = torch.complex64 if level.dtype == torch.float32 else torch.complex128
    far = (level * far).to(kind)
    return (far.unsqueeze(-1) * near.to(kind).unsqueeze(-2)).flatten(-2)[..., :bins]


@lru_cache(maxsize=16)
def _music_weight(rate: int, size: int) -> np.ndarray:
    """Where music is loud: its long-term power spectrum, K-weighted, summing to 1 over the bins.

    Level to 300 Hz and falling by 6 dB per octave above: what the median of 37 songs (rendered MIDI
    and recordings) loses to low cuts of 80, 200 and 400 Hz, within 0.15 dB.
    """
    hz = torch.fft.rfftfreq(size, 1 / rate, dtype=torch.float64)
    power = (hz / 300).clamp_min(1.0).square().reciprocal()
    weight = power * k_response(rate, size, hz).abs().square()
    return (weight / weight.sum()).numpy()


REVERB = Effect(
    *ROW,
    process=_process,
    takes=("send",),
    engaged={"wet_db": -12.0},
    flow=flow,
)
