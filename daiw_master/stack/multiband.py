"""Multiband: three compressors that mind their own part of the spectrum and leave no seam.

The bands are zero-phase (linear-phase, delay taken out) filters with the magnitude of Linkwitz and
Riley's fourth-order crossover but none of its phase: low + mid + high is the input, sample for sample.
"""

from __future__ import annotations

import math

import torch

from daiw_master.knobs.multiband import PARAMS, ROW
from daiw_master.stack.convolution import convolve
from daiw_master.stack.curves import column, compressor_reduction_db, detected_db
from daiw_master.stack.effect import Effect, Setting, at_rest, batch_of, turned
from daiw_master.stack.envelope import apply_gains, control_hop, power_trace
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
    gains = {band: gain_from_db(-held) for band, held in _reductions(x, low, high, rate, knobs).items()}
    # The mid band is what low and high leave, so its gain goes to the whole and the others correct theirs:
    # where the three gains agree, the crossovers drop out.
    return apply_gains(
        control_hop(rate),
        (x, gains["mid"]),
        (low, gains["low"] - gains["mid"]),
        (high, gains["high"] - gains["mid"]),
    )


def band_reduction_db(x: torch.Tensor, rate: int, **settings: Setting) -> torch.Tensor:
    """How hard each band's compressor works, dB >= 0: (batch, 3, frames), low, mid, high."""
    knobs = {**_DEFAULTS, **settings}
    reductions = _reductions(x, *_outer_bands(x, rate, knobs), rate, knobs)
    return torch.stack([reductions[band] for band in BANDS], dim=1)


def _outer_bands(x: torch.Tensor, rate: int, knobs: dict[str, Setting]) -> tuple[torch.Tensor, torch.Tensor]:
    low, high, centre = crossover_firs(knobs["low_crossover_hz"], knobs["high_crossover_hz"], rate, x)
    return convolve(x, low, lead=centre), convolve(x, high, lead=centre)


def _reductions(
    x: torch.Tensor, low: torch.Tensor, high: torch.Tensor, rate: int, knobs: dict[str, Setting]
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
            detected_db(power, rate / hop, attack_ms, release_ms),
            rate / hop,
            knobs["threshold_db"] + knobs[f"{band}_offset_db"],
            knobs[f"{band}_ratio"],
            knobs["knee_db"],
            attack_ms,
            release_ms,
        )
    return reductions


MULTIBAND = Effect(
    *ROW,
    process=multiband,
    engaged={"threshold_db": -36, "low_ratio": 2, "mid_ratio": 2.5, "high_ratio": 3},
)
