"""Air and bite: new harmonics made from the top band, at a level you can ask for.

The band above the cutoff is scaled to full height by its own envelope and sent through a
polynomial of order seven at four times the rate. A polynomial of order p on a band up to f makes
nothing above p*f, and what folds back from 4x the rate lands beyond the band for every p <= 7: the
harmonics are free of aliasing by construction. What remains of the band itself in the result is
removed by a running least-squares fit, and the rest is scaled to `mix_db` below the band.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from daiw_master.knobs.exciter import NONE_DB, ROW
from daiw_master.stack.blocks import by_neighbourhood
from daiw_master.stack.convolution import convolve
from daiw_master.stack.effect import Effect, Setting, at_rest, per_item, turned
from daiw_master.stack.hops import drawn, smoothed
from daiw_master.stack.oversample import FACTOR, REACH, down, up
from daiw_master.units import gain_from_db, samples_from_ms

#: The mix fades in over this much above -60 dB, so that -60 is exactly none.
FADE_DB = 6.0
#: The high-pass is over within this time to either side (-180 dB at the lowest cutoff).
FILTER_MS = 5.5

HOP_MS = 2.0
#: Hops over which the envelope looks and rounds, and over which harmonic level is read.
ENVELOPE_HOPS, LEVEL_HOPS = 11, 25
#: Room for peaks between samples when the band is scaled to full height: 1 dB.
HEADROOM = 10 ** (1 / 20)
#: Envelopes and mean squares below these are silence (-120 dB).
QUIET, QUIET_POWER = 1e-6, 1e-12
#: Harmonics more than 40 dB weaker than the scaled band are not raised any further.
WEAKEST = 1e-4
#: A sample depends on hops this far away: through the envelope, the fit, and the lines they are drawn with.
HOPS_REACH = ENVELOPE_HOPS + LEVEL_HOPS // 2 + 4
#: Samples made at a time, and of those, samples at four times the rate at a time.
PART, BLOCK = 2**16, 2**13


def _high_pass(cutoff_hz: torch.Tensor, rate: int) -> torch.Tensor:
    """Zero-phase taps (batch or 1, 1, taps) with a fourth-order Butterworth's magnitude."""
    size = 1 << math.ceil(math.log2(2 * FILTER_MS * rate / 1000))
    hz = torch.arange(size // 2 + 1, dtype=torch.float64, device=cutoff_hz.device) * (rate / size)
    steep = (hz / cutoff_hz.double()) ** 8
    magnitude = (steep[..., 1:] / (1 + steep[..., 1:])).sqrt()
    magnitude = functional.pad(magnitude, (1, 0))  # exactly nothing at 0 Hz, without the root's gradient
    return torch.fft.irfft(magnitude, size).roll(size // 2, dims=-1).to(cutoff_hz.dtype)


def polynomial(drive_db: torch.Tensor, even_odd: torch.Tensor) -> list[torch.Tensor]:
    """Coefficients of u^2 ... u^7 for the shaper; constant and linear parts are left out.

    A full-scale sine gets exactly harmonics 2 to 7 of two curves: odd ones of tanh(g u), even ones
    of sqrt(1 + (g u)^2), from their Chebyshev expansions (Le Brun 1979, Digital waveshaping
    synthesis; Gauss-Chebyshev quadrature); each side has unit power before `even_odd` weighs them.
    """
    g = gain_from_db(drive_db.double())
    angle = (torch.arange(256, dtype=torch.float64, device=g.device) + 0.5) * (math.pi / 256)
    driven = g * angle.cos()
    odd = {k: (driven.tanh() * (k * angle).cos()).mean(-1, keepdim=True) for k in (3, 5, 7)}
    even = {k: ((1 + driven**2).sqrt() * (k * angle).cos()).mean(-1, keepdim=True) for k in (2, 4, 6)}
    balance = (even_odd.double() + 1) * (math.pi / 4)
    c = {
        k: weight * value / sum(other**2 for other in side.values()).sqrt()
        for side, weight in ((odd, balance.sin()), (even, balance.cos()))
        for k, value in side.items()
    }
    # T2 ... T7 written out in powers of u
    coefficients = [
        2 * c[2] - 8 * c[4] + 18 * c[6],
        4 * c[3] - 20 * c[5] + 56 * c[7],
        8 * c[4] - 48 * c[6],
        16 * c[5] - 112 * c[7],
        32 * c[6],
        64 * c[7],
    ]
    return [value.to(drive_db.dtype) for value in coefficients]


def _shape(u: torch.Tensor, a: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """The polynomial at u, even and odd halves by Horner in u^2, and u^2 itself."""
    w = u * u
    even = torch.addcmul(a[0], a[4] * w + a[2], w)
    odd = torch.addcmul(a[1], a[5] * w + a[3], w)
    return torch.addcmul(even, odd, u) * w, w


def _envelope(band: torch.Tensor, hop: int) -> torch.Tensor:
    """A smooth curve per hop that the band never rises above (batch, channels, hops)."""
    peaks = band.abs().unflatten(-1, (-1, hop)).amax(-1).clamp_min(QUIET)
    # One hop further than the average reaches: straight lines between hops stay above as well.
    half = ENVELOPE_HOPS // 2 + 1
    return smoothed(
        functional.max_pool1d(functional.pad(peaks, (half, half)), 2 * half + 1, 1), ENVELOPE_HOPS
    )


def _harmonics(band: torch.Tensor, a: list[torch.Tensor], hop: int) -> torch.Tensor:
    """Harmonics of the band, as loud as the band itself; `band` is a whole number of hops long."""
    envelope = HEADROOM * _envelope(band, hop)
    hops, step, edge = envelope.shape[-1], max(BLOCK // hop, 1), math.ceil(REACH / hop)
    scaled = band / drawn(envelope, hop)
    made, moments = [], []
    for first in range(0, hops, step):
        stop = min(first + step, hops)
        low, high = max(first - edge, 0), min(stop + edge, hops)
        u = up(scaled[..., low * hop : high * hop]).clamp(-1.0, 1.0)
        h, w = _shape(u, a)
        made.append(down(h)[..., (first - low) * hop : (stop - low) * hop])
        inner = slice((first - low) * hop * FACTOR, (stop - low) * hop * FACTOR)
        u, h, w = (part[..., inner].unflatten(-1, (-1, FACTOR * hop)) for part in (u, h, w))
        moments.append(torch.stack([product.mean(-1) for product in (w, u * h, h * h, h)]))
    level, linear = _fit(torch.cat(moments, dim=-1).double())
    # level * (h - linear * u), back at the band's own height
    of_made, of_band = (level * envelope).to(band.dtype), (level * linear).to(band.dtype)
    return drawn(of_made, hop) * torch.cat(made, dim=-1) - drawn(of_band, hop) * band


def _fit(moments: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Per hop: the gain that makes the harmonics as loud as the band, and the band's share in them.

    `moments` (4, batch, channels, hops) are the means of u^2, u h, h^2 and h; the share is the
    least-squares fit of h by u, the harmonics what it leaves, without their mean.
    """
    uu, uh, hh, mean = (smoothed(moment, LEVEL_HOPS) for moment in moments)
    uu = uu.clamp_min(QUIET_POWER)
    linear = uh / uu
    residual = hh - mean**2 - linear * uh
    return (uu / torch.maximum(residual, WEAKEST * uu)).sqrt(), linear


def process(
    x: torch.Tensor, rate: int, *, mix_db: Setting, drive_db: Setting, even_odd: Setting, cutoff_hz: Setting
) -> torch.Tensor:
    """The sound and its new harmonics; see `EXCITER` for the knobs."""
    settings = {"mix_db": mix_db, "drive_db": drive_db, "even_odd": even_odd, "cutoff_hz": cutoff_hz}
    if not turned(mix_db, NONE_DB):
        return at_rest(x, settings)
    mix_db, drive_db, even_odd, cutoff_hz = (per_item(value, x) for value in settings.values())
    mix = gain_from_db(mix_db) * ((mix_db - NONE_DB) / FADE_DB).clamp(0.0, 1.0)
    hop = samples_from_ms(HOP_MS, rate)
    high_pass, shaper = _high_pass(cutoff_hz, rate), polynomial(drive_db, even_odd)
    centre = high_pass.shape[-1] // 2

    def excited(part: torch.Tensor) -> torch.Tensor:
        length = part.shape[-1]
        band = convolve(functional.pad(part, (0, -length % hop)), high_pass, centre)
        made = _harmonics(band, shaper, hop)[..., :length]
        return part + convolve(made, mix * high_pass, centre)

    reach = 2 * centre + REACH + HOPS_REACH * hop
    return by_neighbourhood(excited, x, hop, reach, PART)


EXCITER = Effect(
    *ROW,
    process=process,
    probe="noise",
    engaged={"mix_db": -15},
)  # fmt: skip
