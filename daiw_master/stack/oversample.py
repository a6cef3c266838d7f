"""Room above Nyquist: four times the rate (or more) and back, as one matrix product per block."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

from daiw_master.stack.blocks import by_neighbourhood

FACTOR = 4
#: Samples a frame holds at the low rate; each frame is one row of a matrix product. Half of a longer
#: frame's product is zeros, a shorter one leaves the processor too little to do at a time.
FRAME = 16
#: How far the filters reach to either side, in samples at the low rate: multiples of half a frame. Flat
#: up to 1/2 - 2.5 / reach of the rate: the usual two, and one for curves that bend the whole sound (flat
#: to 0.42: 18.6 kHz).
UP_REACH, DOWN_REACH, SHARP_REACH = 16, 24, 32
REACH = UP_REACH + DOWN_REACH
STOP_BAND_DB = 80.0
#: So many samples are worth a kernel of their own (it is looked up in 30 us).
WORTH_A_KERNEL = 1 << 12
#: For curves without end to their harmonics: of 8 kHz, what folds back from here is the 41st or later.
BEND_FACTOR = 8
#: How far a bent sample hears to either side.
BEND_REACH = 2 * SHARP_REACH
#: Samples of all channels and items bent at a time, at the low rate: a block stays in cache at the high one.
BEND_BLOCK = 2**13


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
    size = max(BEND_BLOCK // (len(x) * x.shape[1]), BEND_REACH)
    return by_neighbourhood(bent, padded, FRAME, BEND_REACH, size)[..., BEND_REACH:-BEND_REACH]


def up(x: torch.Tensor, factor: int = FACTOR, reach: int = UP_REACH) -> torch.Tensor:
    """(..., time) at `factor` times the rate, (..., factor * time); silence on both sides, nothing delayed.

    80 dB down from Nyquist on, so no image is left to be distorted; flat to 0.34 of the rate.
    """
    time = x.shape[-1]
    padded = functional.pad(x, (reach, reach + -time % FRAME))
    return _Spread.apply(padded, rising(reach, factor, x)).flatten(-2)[..., : factor * time]


def down(x: torch.Tensor, factor: int = FACTOR, reach: int = DOWN_REACH) -> torch.Tensor:
    """(..., factor * time) back at the low rate; 80 dB down from Nyquist on, flat to 0.4 of the rate."""
    time = x.shape[-1] // factor
    if missing := -time % FRAME:
        x = functional.pad(x, (0, factor * missing))
    frames = x.unflatten(-1, (-1, factor * FRAME))
    return _Gathered.apply(frames, falling(reach, factor, x))[..., reach : reach + time]


def spread(x: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Every frame and its neighbourhood through a matrix: (..., n + 2 reach) -> (..., n / FRAME, outputs).

    `matrix` is (FRAME + 2 reach, outputs).
    """
    if _worth_a_kernel(x):
        return _slid(x.unflatten(-1, (-1, FRAME)), matrix.unflatten(0, (-1, FRAME)))
    return x.unfold(-1, len(matrix), FRAME) @ matrix


def gathered(frames: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """What frames (..., frames, inputs) give to their neighbourhood, summed: (..., n + 2 reach).

    The adjoint of `spread`, `matrix` (inputs, FRAME + 2 reach): a kernel, or products in place of windows,
    so that nothing at the high rate is copied.
    """
    lead, (count, inputs) = frames.shape[:-2], frames.shape[-2:]
    if _worth_a_kernel(frames):
        pieces = matrix.unflatten(-1, (-1, FRAME)).transpose(0, 1)
        return _slid(frames, pieces.flip(0), len(pieces) - 1).flatten(-2)
    rows, late = frames.reshape(-1, count, inputs), range(matrix.shape[-1] // FRAME)
    y = frames.new_zeros(len(rows), count + len(late) - 1, FRAME)
    for piece, place in zip(matrix.split(FRAME, dim=-1), late, strict=True):
        if len(rows) == 1:
            y[0, place : place + count].addmm_(rows[0], piece)
        else:
            y[:, place : place + count].baddbmm_(rows, piece.expand(len(rows), -1, -1))
    return y.reshape(*lead, -1)


def _worth_a_kernel(x: torch.Tensor) -> bool:
    # Elsewhere the matrix products are as quick, and exact: a GPU's convolutions round unless told not to.
    return x.numel() >= WORTH_A_KERNEL and x.device.type == "cpu" and x.dtype == torch.float32


def _slid(frames: torch.Tensor, matrices: torch.Tensor, silence: int = 0) -> torch.Tensor:
    """One matrix for each of some frames in a row, the sum: (..., frames, inputs) -> (..., frames, outputs).

    `matrices` (in a row, inputs, outputs), frames of silence before and behind. To torch it is an image,
    its rows sounds, its columns frames, its colours a frame's samples, side by side as they are ("channels
    last"): one kernel that reads every frame once takes half to two thirds of the time of products.
    """
    image = frames.reshape(1, -1, *frames.shape[-2:]).permute(0, 3, 1, 2)
    taps = matrices.permute(2, 1, 0).unsqueeze(2).contiguous(memory_format=torch.channels_last)
    made = functional.conv2d(image, taps, padding=(0, silence)).permute(0, 2, 3, 1)
    return made.reshape(*frames.shape[:-2], -1, matrices.shape[-1])


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(matrix)
        return spread(x, matrix)

    @staticmethod
    @once_differentiable
    def backward(ctx, slope: torch.Tensor) -> tuple[torch.Tensor, None]:
        (matrix,) = ctx.saved_tensors
        return gathered(slope, matrix.t()), None


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx, frames: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(matrix)
        return gathered(frames, matrix)

    @staticmethod
    @once_differentiable
    def backward(ctx, slope: torch.Tensor) -> tuple[torch.Tensor, None]:
        (matrix,) = ctx.saved_tensors
        return spread(slope, matrix.t()), None


def rising(reach: int, factor: int, like: torch.Tensor) -> torch.Tensor:
    """The matrix for `spread` that raises the rate: (FRAME + 2 reach, factor * FRAME)."""
    return _matrix(reach, factor, like.dtype, like.device) * factor


def falling(reach: int, factor: int, like: torch.Tensor) -> torch.Tensor:
    """The matrix for `gathered` that lowers the rate: (factor * FRAME, FRAME + 2 reach)."""
    return _matrix(reach, factor, like.dtype, like.device).t()


@cache
def _matrix(reach: int, factor: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """A Kaiser-windowed sinc between a frame's neighbourhood and its samples at the high rate.

    Slope and beta for 80 dB: Oppenheim and Schafer, eqs. 7.75 and 7.76.
    """
    half = factor * reach
    slope = (STOP_BAND_DB - 8) / (2.285 * 2 * half) / (2 * math.pi)  # of the high rate
    cutoff = 0.5 / factor - slope / 2  # the stop band begins at the low rate's Nyquist
    beta = 0.1102 * (STOP_BAND_DB - 8.7)
    low = factor * (torch.arange(FRAME + 2 * reach) - reach)
    lag = (torch.arange(factor * FRAME) - low[:, None]).double()
    window = torch.special.i0(beta * (1 - (lag / half) ** 2).clamp_min(0.0).sqrt())
    window = window / torch.special.i0(torch.tensor(beta, dtype=torch.float64)) * (lag.abs() <= half)
    return (2 * cutoff * torch.sinc(2 * cutoff * lag) * window).to(dtype).to(device)
