"""Air and bite: new harmonics made from the top band, at a level you can ask for.

The band above the cutoff is scaled to full height by its own envelope and sent through a
polynomial of order seven at four times the rate. A polynomial of order p on a band up to f makes
nothing above p*f, and what folds back from 4x the rate lands beyond the band for every p <= 7: the
harmonics are free of aliasing by construction. What remains of the band itself in the result is
removed by a running least-squares fit, and the rest is scaled to `mix_db` below the band.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.nn import functional

from daiw_master.knobs.exciter import NONE_DB, PARAMS, ROW
from daiw_master.sounds import BLOCK
from daiw_master.stack.blocks import by_neighbourhood
from daiw_master.stack.convolution import convolve
from daiw_master.stack.effect import Effect, Setting, at_rest, per_item, turned
from daiw_master.stack.flow import Flow, Nearby
from daiw_master.stack.harmonics import polynomial, shaped
from daiw_master.stack.hops import drawn, smoothed
from daiw_master.stack.oversample import REACH
from daiw_master.units import gain_from_db, samples_from_ms

#: Mix, drive, balance and cutoff.
KNOBS = tuple(param.name for param in PARAMS)
HOP_MS = 2.0


@dataclass(frozen=True)
class Windows:
    """How far the exciter listens around each sample; live it has less time than a file has.

    `filter_ms`: the high-pass is over within this time to either side (5.5: -180 dB at the lowest
    cutoff). `hop_ms`: envelope and level are worked out this often. `envelope_hops` (odd): over
    how many hops the envelope looks and rounds; it looks ahead by as many. `level_hops`: over how
    many the level of the harmonics is read, `level_ahead_hops` of them in the future (None: half).
    """

    filter_ms: float = 5.5
    hop_ms: float = HOP_MS
    envelope_hops: int = 11
    level_hops: int = 25
    level_ahead_hops: int | None = None

    @property
    def level_ahead(self) -> int:
        return self.level_hops // 2 if self.level_ahead_hops is None else self.level_ahead_hops


OFFLINE = Windows()
#: The mix fades in over this much above -60 dB, so that -60 is exactly none.
FADE_DB = 6.0
#: Room for peaks between samples when the band is scaled to full height: 1 dB.
HEADROOM = 10 ** (1 / 20)
#: Envelopes and mean squares below these are silence (-120 dB).
QUIET, QUIET_POWER = 1e-6, 1e-12
#: Harmonics more than 40 dB weaker than the scaled band are not raised any further.
WEAKEST = 1e-4
#: Hops a sample depends on beyond those of envelope and level: the lines they are drawn with.
LINES = 4
#: Samples made at a time: shorter parts pay more for their neighbourhood than they gain by staying nearer.
PART = 2**18


def _high_pass(cutoff_hz: torch.Tensor, rate: int, filter_ms: float) -> torch.Tensor:
    """Zero-phase taps (batch or 1, 1, taps) with a fourth-order Butterworth's magnitude."""
    size = 1 << math.ceil(math.log2(2 * filter_ms * rate / 1000))
    hz = torch.arange(size // 2 + 1, dtype=torch.float64, device=cutoff_hz.device) * (rate / size)
    steep = (hz / cutoff_hz.double()) ** 8
    magnitude = (steep[..., 1:] / (1 + steep[..., 1:])).sqrt()
    magnitude = functional.pad(magnitude, (1, 0))  # exactly nothing at 0 Hz, without the root's gradient
    return torch.fft.irfft(magnitude, size).roll(size // 2, dims=-1).to(cutoff_hz.dtype)


def _envelope(band: torch.Tensor, hop: int, hops: int) -> torch.Tensor:
    """A smooth curve per hop that the band never rises above (batch, channels, hops)."""
    peaks = band.abs().unflatten(-1, (-1, hop)).amax(-1).clamp_min(QUIET)
    # One hop further than the average reaches: straight lines between hops stay above as well.
    half = hops // 2 + 1
    return smoothed(functional.max_pool1d(functional.pad(peaks, (half, half)), 2 * half + 1, 1), hops)


def _harmonics(band: torch.Tensor, a: list[torch.Tensor], hop: int, windows: Windows) -> torch.Tensor:
    """Harmonics of the band, as loud as the band itself; `band` is a whole number of hops long."""
    made, envelope, moments = raw_harmonics(band, a, hop, windows)
    of_made, of_band = shares(envelope, moments, windows)
    return torch.addcmul(drawn(of_made, hop) * made, drawn(of_band, hop), band, value=-1)


def raw_harmonics(
    band: torch.Tensor, a: list[torch.Tensor], hop: int, windows: Windows
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What the curve makes of the band at full height, and what is to be known of it.

    (batch, channels, time) -> the same, at full height; per hop the band's envelope (batch, channels,
    hops) and, for `shares`, the moments (4, batch, channels, hops). `time` is a whole number of hops.
    """
    envelope = HEADROOM * _envelope(band, hop, windows.envelope_hops)
    made, moments = shaped(band / drawn(envelope, hop), a, hop)
    return made, envelope, moments


def shares(
    envelope: torch.Tensor, moments: torch.Tensor, windows: Windows
) -> tuple[torch.Tensor, torch.Tensor]:
    """How much is heard of what the curve made, and how much of the band is taken from it, hop by hop.

    level * (h - linear * u), back at the band's own height.
    """
    level, linear = _fit(moments.double(), windows)
    return (level * envelope).to(envelope.dtype), (level * linear).to(envelope.dtype)


def _fit(moments: torch.Tensor, windows: Windows) -> tuple[torch.Tensor, torch.Tensor]:
    """Per hop: the gain that makes the harmonics as loud as the band, and the band's share in them.

    `moments` (4, batch, channels, hops) are the means of u^2, u h, h^2 and h; the share is the
    least-squares fit of h by u, the harmonics what it leaves, without their mean.
    """
    hops, ahead = windows.level_hops, windows.level_ahead
    around = functional.pad(moments.flatten(0, 1), (hops - 1 - ahead, ahead), mode="replicate")
    uu, uh, hh, mean = functional.avg_pool1d(around, hops, 1).unflatten(0, moments.shape[:2])
    uu = uu.clamp_min(QUIET_POWER)
    linear = uh / uu
    residual = hh - mean**2 - linear * uh
    return (uu / torch.maximum(residual, WEAKEST * uu)).sqrt(), linear


class Exciter:
    """The exciter at given settings: from a stretch of sound to the same stretch with its harmonics.

    Settings by name as in `EXCITER`. A sample depends on `back` and `ahead` samples around it, and
    every stretch begins on a whole `hop`.
    """

    def __init__(
        self,
        rate: int,
        settings: Mapping[str, Setting],
        like: torch.Tensor,
        windows: Windows = OFFLINE,
    ):
        mix_db, drive_db, even_odd, cutoff_hz = (per_item(settings[name], like) for name in KNOBS)
        self.rests, self.windows = not turned(settings["mix_db"], NONE_DB), windows
        self.hop = samples_from_ms(windows.hop_ms, rate)
        if self.rests:
            return
        self.mix = gain_from_db(mix_db) * ((mix_db - NONE_DB) / FADE_DB).clamp(0.0, 1.0)
        self.high_pass = _high_pass(cutoff_hz, rate, windows.filter_ms)
        self.shaper = polynomial(drive_db, even_odd)
        self.centre = self.high_pass.shape[-1] // 2
        near = 2 * self.centre + REACH + (windows.envelope_hops + LINES) * self.hop
        self.ahead = near + windows.level_ahead * self.hop
        self.back = near + (windows.level_hops - 1 - windows.level_ahead) * self.hop

    def __call__(self, part: torch.Tensor) -> torch.Tensor:
        length = part.shape[-1]
        band = convolve(functional.pad(part, (0, -length % self.hop)), self.high_pass, self.centre)
        made = _harmonics(band, self.shaper, self.hop, self.windows)[..., :length]
        return part + convolve(made, self.mix * self.high_pass, self.centre)


def process(x: torch.Tensor, rate: int, **settings: Setting) -> torch.Tensor:
    """The sound and its new harmonics; see `EXCITER` for the knobs."""
    exciter = Exciter(rate, settings, x)
    if exciter.rests:
        return at_rest(x, settings)
    return by_neighbourhood(exciter, x, exciter.hop, max(exciter.back, exciter.ahead), PART)


def flow(
    rate: int,
    channels: int,
    *,
    block: int = BLOCK,
    length: int | None = None,
    windows: Windows = OFFLINE,
    **settings: Setting,
) -> tuple[Flow, ...]:
    """The exciter in the middle of a song; it hears 67 ms ahead, or as far as `windows` let it."""
    exciter = Exciter(rate, settings, torch.zeros(0), windows)
    if exciter.rests:
        return ()
    return (
        Nearby(
            lambda part, first: exciter(part),
            back=exciter.back,
            ahead=exciter.ahead,
            step=exciter.hop,
            size=max(block, PART) if block >= BLOCK else block,
        ),
    )


EXCITER = Effect(
    *ROW,
    process=process,
    flow=flow,
    probe="noise",
    engaged={"mix_db": -15},
)  # fmt: skip
