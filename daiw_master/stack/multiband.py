"""Multiband: three compressors that mind their own part of the spectrum and leave no seam.

The bands are zero-phase (linear-phase, delay taken out) filters with the magnitude of Linkwitz and
Riley's fourth-order crossover but none of its phase: low + mid + high is the input, sample for sample.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

import torch

from daiw_master.knobs.multiband import PARAMS, ROW
from daiw_master.sounds import BLOCK
from daiw_master.stack.convolution import convolve
from daiw_master.stack.curves import column, compressor_reduction_db, detected_db
from daiw_master.stack.effect import Effect, Setting, at_rest, batch_of, turned
from daiw_master.stack.envelope import apply_gains, control_hop, power_trace
from daiw_master.stack.fader import FaderFlow, waiting_time
from daiw_master.stack.filter_flow import Filter
from daiw_master.stack.linear import Fir, Linear
from daiw_master.stack.recursion import Memory
from daiw_master.units import gain_from_db

BANDS = ("low", "mid", "high")
#: A bass note needs longer to be measured than a cymbal: attack and release of each band against the knobs.
_TIME_SCALE = {"low": 2.0, "mid": 1.0, "high": 0.5}
#: Half length of the crossovers: at 60 Hz the response has fallen by 100 dB (266 nepers per second).
_HALF_S = 0.045

_DEFAULTS = {param.name: param.default for param in PARAMS}


def crossover_firs(
    low_hz: Setting, high_hz: Setting, rate: int, like: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Impulse responses of the low and the high band, (batch or 1, 1, taps) each, and their centre tap.

    |H| of LR4 is 1 / (1 + (f/fc)^4) (Linkwitz 1976: Butterworth squared); without phase the high-pass is
    1 minus the low-pass. The high crossover divides what the low one leaves, so the mid is the rest.
    """
    half = math.ceil(_HALF_S * rate)
    size = 1 << (4 * half).bit_length()
    hz = torch.arange(size // 2 + 1, dtype=torch.float64, device=like.device) * (rate / size)
    low_hz, high_hz = (column(value, hz) for value in (low_hz, high_hz))
    below_low = 1 / (1 + (hz / low_hz) ** 4)
    above_high = 1 - 1 / (1 + (hz / high_hz) ** 4)
    responses = (below_low, (1 - below_low) * above_high)
    firs = [torch.fft.irfft(h, size).roll(half, -1)[..., : 2 * half + 1] for h in responses]
    return firs[0].to(like.dtype).unsqueeze(1), firs[1].to(like.dtype).unsqueeze(1), half


def multiband(x: torch.Tensor, rate: int, **settings: Setting) -> torch.Tensor:
    """The multiband row: (batch, channels, time) -> same; settings as in `PARAMS`, the rest at rest."""
    knobs = {**_DEFAULTS, **settings}
    if x.shape[-1] == 0 or not any(turned(knobs[f"{band}_ratio"], 1) for band in BANDS):
        return at_rest(x, settings)
    low, high = _outer_bands(x, rate, knobs)
    gains = _gains(_reductions(x, low, high, rate, knobs, defaultdict(Memory)))
    return apply_gains(control_hop(rate), *zip((x, low, high), gains, strict=True))


def band_reduction_db(x: torch.Tensor, rate: int, **settings: Setting) -> torch.Tensor:
    """How hard each band's compressor works, dB >= 0: (batch, 3, frames), low, mid, high."""
    knobs = {**_DEFAULTS, **settings}
    reductions = _reductions(x, *_outer_bands(x, rate, knobs), rate, knobs, defaultdict(Memory))
    return torch.stack([reductions[band] for band in BANDS], dim=1)


class MultibandFlow(FaderFlow):
    """Three bands in the middle of a song: it keeps the crossovers' length of sound and two numbers a band.

    Latency: the crossovers have no phase, so they look 45 ms ahead; then a hop of 8 samples is waited
    for, as in `DynamicsFlow`. A file (`block` 65536) is filtered in frames and gathered, four at a time.
    """

    def __init__(self, rate: int, knobs: Mapping[str, Setting], block: int, length: int | None) -> None:
        super().__init__(control_hop(rate), block, batch_of(knobs))
        self.rate, self.knobs, self.block, self.length = rate, dict(knobs), block, length
        self._memories: defaultdict[str, Memory] = defaultdict(Memory)
        self._kind: tuple | None = None
        self._filters = self._crossovers(torch.empty(0))
        self._through: torch.Tensor | None = None  # the sound itself, waiting for its bands
        self.latency = waiting_time(self.hop, block, late=self._filters[0].latency)

    def layers(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if self._through is None:
            self._filters = self._crossovers(x)  # once more, should x be float64 or on another device
            self._through = x[..., :0]
        waiting = torch.cat([self._through, x], dim=-1)
        x = x.expand(max(len(x), self.batch), -1, -1)
        low, high = (filtered.push(x) for filtered in self._filters)
        count = low.shape[-1]
        self._through = waiting[..., count:].clone()
        return waiting[..., :count], low, high

    def last_layers(self) -> tuple[torch.Tensor, ...]:
        bands = [filtered.finish() for filtered in self._filters]
        return () if bands[0] is None else (self._through, *bands)

    def gains(self, sounds: tuple[torch.Tensor, ...], last: bool) -> tuple[torch.Tensor, ...]:
        return _gains(_reductions(*sounds, self.rate, self.knobs, self._memories))

    def _crossovers(self, like: torch.Tensor) -> list[Filter]:
        if (like.dtype, like.device) == self._kind:
            return self._filters
        self._kind = like.dtype, like.device
        *firs, centre = crossover_firs(
            self.knobs["low_crossover_hz"], self.knobs["high_crossover_hz"], self.rate, like
        )
        linears = (Linear((Fir(fir, centre),)) for fir in firs)
        return [Filter(linear, block=self.block, length=self.length) for linear in linears]


def _flow(
    rate: int, channels: int, block: int = BLOCK, length: int | None = None, **settings: Setting
) -> tuple[MultibandFlow, ...]:
    knobs = {**_DEFAULTS, **settings}
    engaged = any(turned(knobs[f"{band}_ratio"], 1) for band in BANDS)
    return (MultibandFlow(rate, knobs, block, length),) if engaged else ()


def _gains(reductions: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The gains of the whole, of the low and of the high band on top of it.

    The mid band is what low and high leave, so its gain goes to the whole and the others correct theirs:
    where the three gains agree, the crossovers drop out.
    """
    low, mid, high = (gain_from_db(-reductions[band]) for band in BANDS)
    return mid, low - mid, high - mid


def _outer_bands(x: torch.Tensor, rate: int, knobs: dict[str, Setting]) -> tuple[torch.Tensor, torch.Tensor]:
    low, high, centre = crossover_firs(knobs["low_crossover_hz"], knobs["high_crossover_hz"], rate, x)
    return convolve(x, low, lead=centre), convolve(x, high, lead=centre)


def _reductions(
    x: torch.Tensor,
    low: torch.Tensor,
    high: torch.Tensor,
    rate: int,
    knobs: Mapping[str, Setting],
    memories: Mapping[str, Memory],
) -> dict[str, torch.Tensor]:
    hop = control_hop(rate)
    batch = max(len(x), batch_of(knobs))
    reductions, outer = {}, {"low": low, "high": high}
    for band in BANDS:
        if not turned(knobs[f"{band}_ratio"], 1):
            reductions[band] = x.new_zeros(batch, -(-x.shape[-1] // hop))
            continue
        # One temporary, not two: a band of a long file is as large as the file.
        sound = (x - low).sub_(high) if band == "mid" else outer[band]
        power = power_trace(sound, hop).expand(batch, -1)
        attack_ms, release_ms = (knobs[name] * _TIME_SCALE[band] for name in ("attack_ms", "release_ms"))
        reductions[band] = compressor_reduction_db(
            detected_db(power, rate / hop, attack_ms, release_ms, memories[f"{band} level"]),
            rate / hop,
            knobs["threshold_db"] + knobs[f"{band}_offset_db"],
            knobs[f"{band}_ratio"],
            knobs["knee_db"],
            attack_ms,
            release_ms,
            memories[band],
        )
    return reductions


MULTIBAND = Effect(
    *ROW,
    process=multiband,
    flow=_flow,
    engaged={"threshold_db": -36, "low_ratio": 2, "mid_ratio": 2.5, "high_ratio": 3},
)
