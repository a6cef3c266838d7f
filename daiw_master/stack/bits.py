"""Bits: the grain of an old sampler, few levels and few samples.

A mid-tread staircase without dither and a hold without filter: the harshness is the point. Full scale
is 1; louder sounds keep their height, as only the step is fixed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from daiw_master.knobs.bits import OFF_BITS, OFF_HZ, ROW
from daiw_master.sounds import BLOCK
from daiw_master.stack.blocks import join
from daiw_master.stack.effect import Effect, Setting, batch_of, turned
from daiw_master.stack.flow import Flow

#: A hold that begins this near to a sample (in samples) begins on it: float64 rounds.
NEAR = 1e-6


def _held(start: int, stop: int, per_sample: torch.Tensor) -> torch.Tensor:
    """Which sample is heard at each time from `start` to `stop`: (batch or 1, n) int64, never a later one.

    Holds begin every 1 / per_sample samples, a fraction included: some last one sample longer.
    """
    n = torch.arange(start, stop, dtype=torch.float64, device=per_sample.device)
    begun = torch.floor(n * per_sample + NEAR) / per_sample
    return torch.minimum(torch.ceil(begun - NEAR), n).long()


class _Grid:
    """The two stairs at given settings: `grid(part, first, start, stop)` makes a stretch of the song."""

    def __init__(self, rate: int, depth_bits: Setting, rate_hz: Setting, device: torch.device | None = None):
        self.batch = batch_of({"depth_bits": depth_bits, "rate_hz": rate_hz})
        depth, held_hz = (
            torch.as_tensor(value, dtype=torch.float64, device=device).reshape(-1, 1)
            for value in (depth_bits, rate_hz)
        )
        # A held rate at or above the sound's own loses nothing.
        self.per_sample = torch.where(held_hz < OFF_HZ, held_hz / rate, 1.0).clamp_max(1.0)
        self.steps = (2 ** (depth - 1)).unsqueeze(-1)
        self.off = (depth == OFF_BITS).unsqueeze(-1)
        self.coarse = turned(depth_bits, OFF_BITS)
        self.hold = bool((self.per_sample < 1).any())
        #: No sample is held for longer than this.
        self.longest = math.ceil(1 / float(self.per_sample.min())) + 1

    @property
    def rests(self) -> bool:
        return not (self.hold or self.coarse)

    def __call__(self, part: torch.Tensor, first: int, start: int, stop: int) -> torch.Tensor:
        """Samples `start` to `stop` of a song of which `part` begins at `first`."""
        batch = max(self.batch, len(part))
        if not self.hold:
            part = part[..., start - first : stop - first]
        elif len(self.per_sample) == 1:
            part = part.index_select(-1, _held(start, stop, self.per_sample)[0] - first)
        else:
            heard = _held(start, stop, self.per_sample).unsqueeze(1) - first
            part = part.expand(batch, -1, -1).gather(-1, heard.expand(-1, part.shape[1], -1))
        if self.coarse:
            steps = self.steps.to(part.dtype)
            part = torch.where(self.off, part, (part * steps).round() / steps)
        return part.expand(batch, -1, -1)


class _Held(Flow):
    """The grid over a song that comes in blocks: nothing is delayed, the sample being held is kept."""

    def __init__(self, grid: _Grid):
        self.grid, self.first, self.kept = grid, 0, None

    def push(self, x: torch.Tensor, **beside: torch.Tensor) -> torch.Tensor:
        part = x if self.kept is None else torch.cat([self.kept, x], dim=-1)
        stop = self.first + part.shape[-1]
        made = self.grid(part, self.first, stop - x.shape[-1], stop)
        self.first = max(stop - self.grid.longest, self.first)
        self.kept = part[..., part.shape[-1] - (stop - self.first) :].clone()
        return made


def process(x: torch.Tensor, rate: int, *, depth_bits: Setting, rate_hz: Setting) -> torch.Tensor:
    """The sound on a coarser grid; see `BITS` for the knobs. Not differentiable: stairs are flat."""
    grid, time = _Grid(rate, depth_bits, rate_hz, x.device), x.shape[-1]

    def blocks() -> Iterator[torch.Tensor]:
        for start in range(0, time, BLOCK):
            yield grid(x, 0, start, min(start + BLOCK, time))

    whole = join(blocks(), time)
    return whole.clone() if grid.rests else whole


def flow(
    rate: int,
    channels: int,
    *,
    block: int = BLOCK,
    length: int | None = None,
    depth_bits: Setting,
    rate_hz: Setting,
) -> tuple[Flow, ...]:
    """The grid in the middle of a song; nothing is delayed."""
    grid = _Grid(rate, depth_bits, rate_hz)
    return () if grid.rests else (_Held(grid),)


BITS = Effect(
    *ROW,
    process=process,
    flow=flow,
    differentiable=False,
    engaged={"depth_bits": 8, "rate_hz": 12000},
)  # fmt: skip
