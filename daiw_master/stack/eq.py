"""Tone: a high-pass, two shelves, six bells and a tilt, heard as one minimum-phase filter.

Every section is an RBJ biquad (R. Bristow-Johnson, Audio EQ Cookbook), evaluated in its analog
form on the bilinear transform's frequency axis: the same curve as the digital coefficients, but
without their cancellation near 0 Hz. The sections' product becomes one impulse response, long
enough for the slowest section to ring down by 120 dB, and one convolution (frequency sampling:
Nercessian 2020, Neural parametric equalizer matching).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial, reduce
from typing import NamedTuple

import torch

from daiw_master.knobs.eq import HIGH_PASS_OFF_HZ, HIGH_PASS_WHOLE_HZ, PEAKS_HZ, ROW
from daiw_master.sounds import BLOCK
from daiw_master.stack.effect import Effect, Setting, at_rest, batch_of, turned
from daiw_master.stack.filter_flow import Filter
from daiw_master.stack.flow import Flow
from daiw_master.stack.linear import Fir, Linear, remade
from daiw_master.units import db_from_power, gain_from_db

#: The tilt is 0 dB at its pivot; its outer sections stand three octaves to either side.
TILT_PIVOT_HZ, TILT_LOW_HZ = 1000.0, 125.0

SQRT_2 = math.sqrt(2.0)
#: What is left of a ringing filter when we stop listening: -120 dB.
RUNG_DOWN = 1e-6
#: Nothing can stand at or above Nyquist; a centre that would is kept this far inside.
HIGHEST_FRACTION_OF_RATE = 0.49
#: Frequencies of all items together at which a response is worked out at once.
AT_ONCE = 1 << 15


class Section(NamedTuple):
    """H(s) = (b2 s^2 + b1 s + b0) / (a2 s^2 + a1 s + a0) with s = 1j at `hz`; each (batch or 1, 1)."""

    b: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    a: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    hz: torch.Tensor


def _high_pass(hz: torch.Tensor) -> Section:
    """Second-order Butterworth that fades in between 10 and 20 Hz, so that its rest is exactly off."""
    one = torch.ones_like(hz)
    rest = ((HIGH_PASS_WHOLE_HZ - hz) / (HIGH_PASS_WHOLE_HZ - HIGH_PASS_OFF_HZ)).clamp_min(0.0) ** 2
    return Section((one, SQRT_2 * rest, rest), (one, SQRT_2 * one, one), hz)


def _low_shelf(gain_db: torch.Tensor, hz: torch.Tensor) -> Section:
    """RBJ lowShelf with slope S = 1: A (s^2 + sqrt(2A) s + A) / (A s^2 + sqrt(2A) s + 1)."""
    a = gain_from_db(gain_db / 2)  # the cookbook's A = 10^(dBgain/40)
    one, middle = torch.ones_like(a), SQRT_2 * a.sqrt()
    return Section((a, a * middle, a * a), (a, middle, one), hz)


def _high_shelf(gain_db: torch.Tensor, hz: torch.Tensor) -> Section:
    """RBJ highShelf with slope S = 1: A (A s^2 + sqrt(2A) s + 1) / (s^2 + sqrt(2A) s + A)."""
    a = gain_from_db(gain_db / 2)
    one, middle = torch.ones_like(a), SQRT_2 * a.sqrt()
    return Section((a * a, a * middle, a), (one, middle, a), hz)


def _peak(gain_db: torch.Tensor, hz: torch.Tensor, q: torch.Tensor) -> Section:
    """RBJ peakingEQ: (s^2 + s A/Q + 1) / (s^2 + s/(A Q) + 1)."""
    a = gain_from_db(gain_db / 2)
    one = torch.ones_like(a * q)
    return Section((one, a / q, one), (one, 1 / (a * q), one), hz)


def _tilt(tilt_db: torch.Tensor, rate: int) -> Iterator[Section]:
    """Three first-order shelves (g s + 1) / (s + g), together a nearly straight line.

    Each is 0 dB at its own centre; the upper stands as far above the pivot as the lower below it
    on the warped axis, so that they cancel there exactly. Both sides carry a factor (s + 1):
    without it the fraction would be infinity over infinity at Nyquist.
    """
    g = gain_from_db(tilt_db / 6)  # 6: half the tilt to either side, a third of it per section
    one = torch.ones_like(g)
    warped_high = math.tan(math.pi * TILT_PIVOT_HZ / rate) ** 2 / math.tan(math.pi * TILT_LOW_HZ / rate)
    for hz in (TILT_LOW_HZ, TILT_PIVOT_HZ, math.atan(warped_high) * rate / math.pi):
        yield Section((g, g + 1, one), (one, g + 1, g), hz * one)


def _sections(settings: Mapping[str, torch.Tensor], rate: int) -> Iterator[Section]:
    """The sections that do anything at these settings (each (batch or 1, 1))."""
    if turned(settings["high_pass_hz"], HIGH_PASS_OFF_HZ):
        yield _high_pass(settings["high_pass_hz"])
    for shelf, build in (("low_shelf", _low_shelf), ("high_shelf", _high_shelf)):
        if turned(settings[f"{shelf}_gain_db"], 0.0):
            yield build(settings[f"{shelf}_gain_db"], settings[f"{shelf}_hz"])
    for n in range(1, len(PEAKS_HZ) + 1):
        gain_db, hz, q = (settings[f"peak_{n}_{knob}"] for knob in ("gain_db", "hz", "q"))
        if turned(gain_db, 0.0):
            yield _peak(gain_db, hz, q)
    if turned(settings["tilt_db"], 0.0):
        yield from _tilt(settings["tilt_db"], rate)


def _warped(hz: torch.Tensor, rate: int) -> torch.Tensor:
    """tan(w0/2): where the bilinear transform puts an analog frequency."""
    return torch.tan(math.pi * hz.clamp_max(HIGHEST_FRACTION_OF_RATE * rate) / rate)


def _response(
    sections: list[Section], hz: torch.Tensor, rate: int, dtype: torch.dtype = torch.float64
) -> torch.Tensor:
    """All sections as one response at digital frequencies: complex (batch or 1, frequencies).

    Worked out in double and multiplied in `dtype`. A few frequencies at a time stay in cache; with
    gradients each stretch is made anew on the way back, so that no section's curve is kept.
    """
    if not sections:
        return torch.ones(1, len(hz), dtype=torch.complex128, device=hz.device)
    sine, cosine = torch.sin(math.pi * hz / rate), torch.cos(math.pi * hz / rate)
    grid = torch.stack([cosine**2, -(sine**2), sine * cosine]).to(dtype)
    factors = []
    for section in sections:
        t = _warped(section.hz, rate)
        # With s = j tan(w/2) / t, t = tan(w0/2), times t cos^2(w/2): finite up to Nyquist.
        for c2, c1, c0 in (section.b, section.a):
            real = torch.cat(torch.broadcast_tensors(c0 * t, c2 / t), dim=-1)
            factors.append((real.to(hz.device, dtype), c1.to(hz.device, dtype)))
    batch = max(len(real) for real, _ in factors)
    stretch = max(AT_ONCE // batch, 64) if hz.device.type == "cpu" else len(hz)
    if len(hz) <= stretch:
        return _product(factors, grid)
    make = partial(remade, _product) if torch.is_grad_enabled() else _product
    return torch.cat([make(factors, part) for part in grid.split(stretch, dim=-1)], dim=-1)


def _product(factors: list[tuple[torch.Tensor, torch.Tensor]], grid: torch.Tensor) -> torch.Tensor:
    """The sections' numerators over their denominators, which alternate in `factors`."""

    def polynomial(real: torch.Tensor, imag: torch.Tensor) -> torch.Tensor:
        real = real @ grid[:2]
        return torch.complex(real, imag.expand(len(real), 1) * grid[2])

    over, under = (reduce(torch.mul, (polynomial(*one) for one in factors[side::2])) for side in (0, 1))
    return over / under


def _ring_samples(section: Section, rate: int) -> float:
    """How long the section's slowest pole takes to fall by 120 dB."""
    with torch.no_grad():
        a2, a1, a0 = section.a
        root = torch.complex(a1**2 - 4 * a2 * a0, torch.zeros_like(a1)).sqrt()
        # The pole nearer the imaginary axis, in the form that does not cancel when both are real.
        pole = -2 * a0 / (a1 + root) * _warped(section.hz, rate)
        other = (-a1 - root) / (2 * a2) * _warped(section.hz, rate)
        radius = torch.maximum(*(((1 + p) / (1 - p)).abs() for p in (pole, other)))
        return float((math.log(RUNG_DOWN) / radius.log()).max())


def _columns(settings: Mapping[str, Setting]) -> dict[str, torch.Tensor]:
    """Each setting as (batch or 1, 1) float64: filters are designed in double whatever the sound is."""
    return {
        name: torch.as_tensor(value, dtype=torch.float64).reshape(-1, 1) for name, value in settings.items()
    }


def eq_response_db(settings: Mapping[str, Setting], freqs_hz: torch.Tensor, rate: int) -> torch.Tensor:
    """The curve an engineer would draw: the equaliser's gain in dB at each frequency.

    `settings` maps knob names to floats or (batch,) tensors, missing knobs at rest; returns
    (batch or 1, frequencies) float64, differentiable to the settings. Raises OutOfRangeError and
    UnknownNameError for settings the knobs cannot hold.
    """
    values = _columns({**EQ.space.defaults(), **EQ.space.check(settings)})
    freqs_hz = torch.as_tensor(freqs_hz, dtype=torch.float64)
    response = _response(list(_sections(values, rate)), freqs_hz, rate)
    return db_from_power(response.real**2 + response.imag**2)


def impulse_response(
    settings: Mapping[str, Setting],
    rate: int,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float64,
) -> torch.Tensor | None:
    """The whole equaliser as taps (batch or 1, taps) of `dtype`; None when every section rests.

    Convolving two decays takes no longer than both one after the other, so the sum of the
    sections' ring times bounds the whole: what wraps around is below -120 dB.
    """
    # Sections are worked out where the settings are: questions about them need not wait for a GPU.
    sections = list(_sections(_columns(settings), rate))
    if not sections:
        return None
    ring = sum(_ring_samples(section, rate) for section in sections)
    size = 1 << math.ceil(math.log2(ring + 2))
    grid_hz = torch.arange(size // 2 + 1, dtype=torch.float64, device=device) * (rate / size)
    return torch.fft.irfft(_response(sections, grid_hz, rate, dtype), size)


def response(
    settings: Mapping[str, Setting], rate: int, channels: int, like: torch.Tensor | None = None
) -> Linear | None:
    """The equaliser as a linear stage, the same for any number of channels; None when it rests.

    `settings`: every knob, a float or (batch,) each; `like` gives dtype and device (default: float32).
    """
    like = torch.empty(0) if like is None else like
    taps = impulse_response(settings, rate, like.device, like.dtype)
    if taps is None:
        return None
    # A batch may turn only knobs of sections at rest: it is still that many sounds.
    return Linear((Fir(taps.expand(max(batch_of(settings), len(taps)), -1).unsqueeze(1)),))


def process(x: torch.Tensor, rate: int, **settings: Setting) -> torch.Tensor:
    """The sound through the equaliser; see `EQ` for the knobs."""
    filtered = response(settings, rate, x.shape[1], like=x)
    return at_rest(x, settings) if filtered is None else filtered(x)


def flow(
    rate: int, channels: int, block: int = BLOCK, length: int | None = None, **settings: Setting
) -> tuple[Flow, ...]:
    """The equaliser for a sound that comes in blocks; nothing where it rests."""
    with torch.no_grad():
        filtered = response(settings, rate, channels)
    return () if filtered is None else (Filter(filtered, block=block, length=length),)


EQ = Effect(
    *ROW,
    process=process,
    flow=flow,
    probe="noise",
    engaged={
        "high_pass_hz": 40, "low_shelf_gain_db": 3, "high_shelf_gain_db": -3, "tilt_db": 1,
        **{f"peak_{n}_gain_db": (2.0, -3.0)[n % 2] for n in range(1, len(PEAKS_HZ) + 1)},
    },
)  # fmt: skip
