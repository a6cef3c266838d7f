"""What echoes and rooms leave behind in any music: the ripple of their own frequency response.

A delay or a reverb is a filter with thousands of narrow hills, always at the same places for the same
settings. Music draws its own picture over them, but not at these places: over a quarter of a million
frequencies the ripple stands out by tens of standard deviations, and tells the settings themselves.
Nothing has to be learnt for this, and any linear stage that can be fed an impulse may be looked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import torch
from torch.nn import functional

from daiw_master.neural.encoder import STYLE_RATE, STYLE_WINDOW
from daiw_master.stack.chain import run_chain
from daiw_master.stack.effect import Effect

#: Outside of this a recording holds rumble and hiss that no effect has passed.
LOWEST_HZ, HIGHEST_HZ = 80.0, 14_000.0
#: What is wider than this is the music's spectrum or a tone control; narrower is ripple.
SHAPE_HZ = 60.0
#: A bin further than this (in natural logarithms of power) below or above its neighbourhood is a gap
#: between partials, or a partial.
DEEPEST, HIGHEST = -2.5, 2.0
#: What is found of a ripple in music that moves under it, beside what is expected (development pairs).
KEPT = 0.94
#: The spectrum is looked at in so many stretches when a ripple is tested for steadiness; what lies this
#: far under the loudest of them holds leaked partials and rounding, no music that an echo could repeat.
REGISTERS, SOUNDING_DB, FEWEST = 6, 45.0, 2
#: An impulse comes after so many samples: some plugins fade their settings in.
SETTLED = 4800


@lru_cache(maxsize=1)
def _bins() -> torch.Tensor:
    hz = torch.fft.rfftfreq(STYLE_WINDOW, 1 / STYLE_RATE)
    return torch.nonzero((hz > LOWEST_HZ) & (hz < HIGHEST_HZ))[:, 0]


def _fine(log_power: torch.Tensor) -> torch.Tensor:
    """A spectrum's logarithm (bins of a whole window,) without its shape, in the bins that count."""
    return (log_power - neighbourhood(log_power, SHAPE_HZ * STYLE_WINDOW / STYLE_RATE))[_bins()]


def neighbourhood(values: torch.Tensor, width: float) -> torch.Tensor:
    """The mean of values (n,) over so many of them around each; at the ends, over those there are."""
    reach, count = max(1, round(width / 2)), len(values)
    total = functional.pad(values.double().cumsum(0), (1, 0))
    place = torch.arange(count)
    first, last = (place - reach).clamp_min(0), (place + reach + 1).clamp_max(count)
    return ((total[last] - total[first]) / (last - first)).to(values.dtype)


def _spectrum(x: torch.Tensor) -> torch.Tensor:
    return torch.fft.rfft(x * torch.hann_window(STYLE_WINDOW, dtype=x.dtype))


def heard_ripples(windows: torch.Tensor) -> torch.Tensor:
    """The ripple of a sound's middle in each of its windows (windows, 2, STYLE_WINDOW): (windows, bins)."""
    found = []
    for window in windows:
        power = _spectrum(window.mean(0)).abs().square()
        log_power = torch.log(power + 1e-9 * power.mean() + 1e-30)
        found.append(_fine(log_power).clamp(DEEPEST, HIGHEST))
    return torch.stack(found)


@lru_cache(maxsize=1)
def _met() -> tuple[torch.Tensor, torch.Tensor]:
    """What is heard, on average, of a hill so high: the logarithm of noise in one bin is spread far

    (Gumbel), and what lies beyond the ends of hearing is cut.
    """
    share = (torch.arange(4000, dtype=torch.float64) + 0.5) / 4000
    noise = torch.log(-torch.log(share))
    noise = noise - noise.mean()
    hills = torch.linspace(-8, 8, 321, dtype=torch.float64)
    heard = (hills[:, None] + noise).clamp(DEEPEST, HIGHEST).mean(-1)
    return hills.float(), (heard - heard[160]).float()


@lru_cache(maxsize=1)
def _meeting() -> torch.Tensor:
    """The share of a Hann window that meets itself at every delay, forwards and backwards (samples,)."""
    window = torch.hann_window(STYLE_WINDOW, dtype=torch.float64)
    power = torch.fft.rfft(window, 2 * STYLE_WINDOW).abs().square()
    share = torch.fft.irfft(power)[: STYLE_WINDOW // 2 + 1]
    share = (share / share[0]).float()
    return torch.cat([share, share[1:-1].flip(0)])


def ripple_of(response: torch.Tensor) -> torch.Tensor:
    """The ripple to be expected behind a filter of this complex response (bins of a whole window,)."""
    hills, heard = _met()
    # an echo's picture fades with its delay, as less of the window meets its own echo
    echoes = torch.fft.irfft(torch.log(response.abs().square() + 1e-9).to(torch.complex64)) * _meeting()
    fine = _fine(torch.fft.rfft(echoes).real).clamp(-7.9, 7.9)
    place = (fine + 8) * 20
    low = place.long()
    return KEPT * torch.lerp(heard[low], heard[low + 1], place - low)


def told(heard: torch.Tensor, expected: torch.Tensor) -> float:
    """How many times better a ripple explains what is heard than none does: squared deviations removed,

    in units of those that are left.
    """
    gained = float((2 * heard * expected - expected.square()).sum())
    left = float((heard - expected).square().mean())
    return gained / max(left, 1e-12)


def sounding_registers(windows: torch.Tensor) -> torch.Tensor:
    """Which registers of a sound (windows, 2, STYLE_WINDOW) hold music, (some,): on average over windows."""
    levels = []
    for window in windows:
        power = _spectrum(window.mean(0))[_bins()].abs().square()
        level = torch.stack([10 * torch.log10(part.mean() + 1e-30) for part in power.chunk(REGISTERS)])
        levels.append(level - level.max())
    order = torch.stack(levels).mean(0)
    count = max(FEWEST, int((order > order.max() - SOUNDING_DB).sum()))
    return order.argsort(descending=True)[:count]


def unsteadiness(
    ripples: torch.Tensor, without: torch.Tensor, expected: torch.Tensor, registers: torch.Tensor
) -> float:
    """How much a ripple's height differs between windows and registers, against its mean.

    An effect leaves the same ripple in everything that passes it; a bar that returns leaves one in some
    bars and some instruments. An electronic echo reads under 0.15, a repeated pattern over 0.2. `ripples`
    (windows, bins) as heard, `without` what is expected there anyway, `expected` what with it; `registers`
    those that hold music.
    """
    more = (expected - without).chunk(REGISTERS)
    heard = (ripples - without).chunk(REGISTERS, dim=-1)
    heights = torch.stack([(h * m).sum(-1) / m.square().sum() for h, m in zip(heard, more, strict=True)])
    heights = heights[registers]
    mean = float(heights.mean())
    return float(heights.std()) / mean if mean > 0.05 else math.inf


def response_of(chain: Mapping[str, Effect], settings: Mapping[str, float]) -> tuple[torch.Tensor, ...]:
    """How a linear chain answers a click in the middle: complex responses of middle and side."""
    click = torch.zeros(1, 2, STYLE_WINDOW + SETTLED)
    click[..., SETTLED] = 1.0
    with torch.no_grad():
        answer = run_chain(chain, click, STYLE_RATE, settings)[0, :, SETTLED:]
    left, right = torch.fft.rfft(answer)
    return (left + right) / 2, (left - right) / 2


def delay_response(delay_s: float, feedback: float, mix: float) -> torch.Tensor:
    """An electronic delay: 1 - mix straight through, mix of echoes, each `feedback` of the one before."""
    hz = torch.fft.rfftfreq(STYLE_WINDOW, 1 / STYLE_RATE, dtype=torch.float64)
    turn = -2 * math.pi * hz * round(delay_s * STYLE_RATE) / STYLE_RATE
    back = torch.complex(torch.cos(turn), torch.sin(turn))
    return ((1 - mix) + mix * back / (1 - feedback * back)).to(torch.complex64)


def width_told(windows: torch.Tensor, middle: torch.Tensor, side: torch.Tensor) -> float:
    """How much of a room's own side a sound (windows, 2, STYLE_WINDOW) holds, by least squares.

    `middle` and `side`: the chain's responses at full width. The sound's own sides point anywhere and
    cancel over all bins; each bin counts as much as it is free of them.
    """
    across, along = 0.0, 0.0
    ratio = side / middle
    for window in windows:
        own = _spectrum((window[0] - window[1]) / 2)[_bins()]
        made = (_spectrum(window.mean(0)) * ratio)[_bins()]
        level = neighbourhood(own.abs().square(), SHAPE_HZ * STYLE_WINDOW / STYLE_RATE)
        weight = 1 / (level + 1e-9 * float(level.max()) + 1e-30)
        across += float((weight * (own * made.conj()).real).sum())
        along += float((weight * made.abs().square()).sum())
    return across / max(along, 1e-30)


def descend(cost, start: list[float], step: float, evaluations: int) -> tuple[list[float], float]:
    """The lowest point near a start in [0, 1]^n by Nelder and Mead's simplex: (point, cost)."""
    from scipy.optimize import minimize

    def held(u: np.ndarray) -> float:
        inside = np.clip(u, 0.0, 1.0)
        return cost(inside.tolist()) + 10 * float(np.abs(u - inside).sum())

    n = len(start)
    middle = np.clip(np.array(start), 0.02, 0.98)
    corners = np.vstack([middle, middle + np.where(middle > 0.5, -step, step) * np.eye(n)])
    options = {"maxfev": evaluations, "initial_simplex": corners, "xatol": 2e-3, "fatol": 1e-3}
    found = minimize(held, middle, method="Nelder-Mead", options=options)
    return np.clip(found.x, 0.0, 1.0).tolist(), float(found.fun)
