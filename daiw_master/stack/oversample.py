"""Room above Nyquist: four times the rate (or more) and back, as one matrix product per block."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import torch
from torch.nn import functional

from daiw_master.stack.blocks import by_neighbourhood

FACTOR = 4
#: Samples a frame holds at the low rate; each frame is one row of a matrix product.
FRAME = 32
#: How far the filters reach to either side, in samples at the low rate. Flat up to 1/2 - 2.5 / reach
#: of the rate: the usual two, and one for curves that bend the whole sound (flat to 0.42: 18.6 kHz).
UP_REACH, DOWN_REACH, SHARP_REACH = 16, 24, 32
REACH = UP_REACH + DOWN_REACH
STOP_BAND_DB = 80.0
#: For curves without end to their harmonics: of 8 kHz, what folds back from here is the 41st or later.
BEND_FACTOR = 8
#: How far a bent sample hears to either side.
BEND_REACH = 2 * SHARP_REACH
#: Samples bent at a time, at the low rate: a block stays in cache at the high one.
BEND_BLOCK = 2**12


def bend(x: torch.Tensor, curve: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """The sound through a memoryless curve, worked out at eight times the rate: (batch, channels, time).

    Only what the curve changes is made there and brought back, so a sound it leaves alone comes
    out as it went in, highs above the filters' reach included. `curve` may turn a batch of one into many.
    """

    def bent(part: torch.Tensor) -> torch.Tensor:
        u = up(part, BEND_FACTOR, SHARP_REACH)
        return part + down(curve(u) - u, BEND_FACTOR, SHARP_REACH)

    # Between its samples a sound begins before the first one and ends after the last.
    padded = functional.pad(x, (BEND_REACH, BEND_REACH))
    return by_neighbourhood(bent, padded, FRAME, BEND_REACH, BEND_BLOCK)[..., BEND_REACH:-BEND_REACH]


def up(x: torch.Tensor, factor: int = FACTOR, reach: int = UP_REACH) -> torch.Tensor:
    """(..., time) at `factor` times the rate, (..., factor * time); silence on both sides, nothing delayed.

    80 dB down from Nyquist on, so no image is left to be distorted; flat to 0.34 of the rate.
    """
    matrix = _matrix(reach, factor, rising=True).to(x)
    return _frames(x, FRAME, reach, matrix, factor * x.shape[-1])


def down(x: torch.Tensor, factor: int = FACTOR, reach: int = DOWN_REACH) -> torch.Tensor:
    """(..., factor * time) back at the low rate; 80 dB down from Nyquist on, flat to 0.4 of the rate."""
    matrix = _matrix(reach, factor, rising=False).to(x)
    return _frames(x, factor * FRAME, factor * reach, matrix, x.shape[-1] // factor)


def _frames(x: torch.Tensor, hop: int, reach: int, matrix: torch.Tensor, length: int) -> torch.Tensor:
    padded = functional.pad(x, (reach, reach + -x.shape[-1] % hop))
    return (padded.unfold(-1, hop + 2 * reach, hop) @ matrix).flatten(-2)[..., :length]


@cache
def _matrix(reach: int, factor: int, rising: bool) -> torch.Tensor:
    """A Kaiser-windowed sinc, written out as (inputs of a frame, outputs of a frame), float64.

    Slope and beta for 80 dB: Oppenheim and Schafer, eqs. 7.75 and 7.76.
    """
    half = factor * reach
    slope = (STOP_BAND_DB - 8) / (2.285 * 2 * half) / (2 * math.pi)  # of the high rate
    cutoff = 0.5 / factor - slope / 2  # the stop band begins at the low rate's Nyquist
    beta = 0.1102 * (STOP_BAND_DB - 8.7)
    if rising:
        inputs = factor * (torch.arange(FRAME + 2 * reach) - reach)
        outputs = torch.arange(factor * FRAME)
    else:
        inputs = torch.arange(factor * (FRAME + 2 * reach)) - half
        outputs = factor * torch.arange(FRAME)
    lag = (outputs - inputs[:, None]).double()
    window = torch.special.i0(beta * (1 - (lag / half) ** 2).clamp_min(0.0).sqrt())
    window = window / torch.special.i0(torch.tensor(beta, dtype=torch.float64)) * (lag.abs() <= half)
    gain = factor if rising else 1.0
    return 2 * cutoff * gain * torch.sinc(2 * cutoff * lag) * window
