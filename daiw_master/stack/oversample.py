"""Room above Nyquist: four times the rate and back, as one matrix product per block."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch.nn import functional

FACTOR = 4
#: Samples a frame holds at the low rate; each frame is one row of a matrix product.
FRAME = 32
#: How far the filters reach to either side, in samples at the low rate.
UP_REACH, DOWN_REACH = 16, 24
REACH = UP_REACH + DOWN_REACH
STOP_BAND_DB = 80.0


def up(x: torch.Tensor) -> torch.Tensor:
    """(..., time) at four times the rate, (..., 4 * time); silence on both sides, nothing delayed.

    80 dB down from Nyquist on, so no image is left to be distorted; flat to 0.34 of the rate.
    """
    matrix = _matrix(UP_REACH, rising=True).to(x)
    return _frames(x, FRAME, UP_REACH, matrix, FACTOR * x.shape[-1])


def down(x: torch.Tensor) -> torch.Tensor:
    """(..., 4 * time) back at the low rate; 80 dB down from Nyquist on, flat to 0.4 of the rate."""
    matrix = _matrix(DOWN_REACH, rising=False).to(x)
    return _frames(x, FACTOR * FRAME, FACTOR * DOWN_REACH, matrix, x.shape[-1] // FACTOR)


def _frames(x: torch.Tensor, hop: int, reach: int, matrix: torch.Tensor, length: int) -> torch.Tensor:
    padded = functional.pad(x, (reach, reach + -x.shape[-1] % hop))
    return (padded.unfold(-1, hop + 2 * reach, hop) @ matrix).flatten(-2)[..., :length]


@cache
def _matrix(reach: int, rising: bool) -> torch.Tensor:
    """A Kaiser-windowed sinc, written out as (inputs of a frame, outputs of a frame), float64.

    Slope and beta for 80 dB: Oppenheim and Schafer, eqs. 7.75 and 7.76.
    """
    half = FACTOR * reach
    slope = (STOP_BAND_DB - 8) / (2.285 * 2 * half) / (2 * math.pi)  # of the high rate
    cutoff = 0.5 / FACTOR - slope / 2  # the stop band begins at the low rate's Nyquist
    beta = 0.1102 * (STOP_BAND_DB - 8.7)
    if rising:
        inputs = FACTOR * (torch.arange(FRAME + 2 * reach) - reach)
        outputs = torch.arange(FACTOR * FRAME)
    else:
        inputs = torch.arange(FACTOR * (FRAME + 2 * reach)) - half
        outputs = FACTOR * torch.arange(FRAME)
    lag = (outputs - inputs[:, None]).double()
    window = torch.special.i0(beta * (1 - (lag / half) ** 2).clamp_min(0.0).sqrt())
    window = window / torch.special.i0(torch.tensor(beta, dtype=torch.float64)) * (lag.abs() <= half)
    gain = FACTOR if rising else 1.0
    return 2 * cutoff * gain * torch.sinc(2 * cutoff * lag) * window
