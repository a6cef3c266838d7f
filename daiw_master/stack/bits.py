"""Bits: the grain of an old sampler, few levels and few samples.

A mid-tread staircase without dither and a hold without filter: the harshness is the point. Full scale
is 1; louder sounds keep their height, as only the step is fixed.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from daiw_master.knobs.bits import OFF_BITS, OFF_HZ, ROW
from daiw_master.stack.blocks import join
from daiw_master.stack.effect import Effect, Setting, batch_of, turned

BLOCK = 2**16
#: A hold that begins this near to a sample (in samples) begins on it: float64 rounds.
NEAR = 1e-6


def _held(start: int, stop: int, per_sample: torch.Tensor) -> torch.Tensor:
    """Which sample is heard at each time from `start` to `stop`: (batch or 1, n) int64, never a later one.

    Holds begin every 1 / per_sample samples, a fraction included: some last one sample longer.
    """
    n = torch.arange(start, stop, dtype=torch.float64, device=per_sample.device)
    begun = torch.floor(n * per_sample + NEAR) / per_sample
    return torch.minimum(torch.ceil(begun - NEAR), n).long()


def process(x: torch.Tensor, rate: int, *, depth_bits: Setting, rate_hz: Setting) -> torch.Tensor:
    """The sound on a coarser grid; see `BITS` for the knobs. Not differentiable: stairs are flat."""
    batch = max(batch_of({"depth_bits": depth_bits, "rate_hz": rate_hz}), len(x))
    depth, held_hz = (
        torch.as_tensor(value, dtype=torch.float64, device=x.device).reshape(-1, 1)
        for value in (depth_bits, rate_hz)
    )
    # A held rate at or above the sound's own loses nothing.
    per_sample = torch.where(held_hz < OFF_HZ, held_hz / rate, 1.0).clamp_max(1.0)
    steps = (2 ** (depth - 1)).to(x.dtype).unsqueeze(-1)
    time, hold = x.shape[-1], bool((per_sample < 1).any())
    coarse, off = turned(depth_bits, OFF_BITS), (depth == OFF_BITS).unsqueeze(-1)

    def blocks() -> Iterator[torch.Tensor]:
        for start in range(0, time, BLOCK):
            stop = min(start + BLOCK, time)
            if not hold:
                part = x[..., start:stop]
            elif len(per_sample) == 1:
                part = x.index_select(-1, _held(start, stop, per_sample)[0])
            else:
                heard = _held(start, stop, per_sample).unsqueeze(1)
                part = x.expand(batch, -1, -1).gather(-1, heard.expand(-1, x.shape[1], -1))
            if coarse:
                part = torch.where(off, part, (part * steps).round() / steps)
            yield part.expand(batch, -1, -1)

    whole = join(blocks(), time)
    return whole if hold or coarse else whole.clone()


BITS = Effect(
    *ROW,
    process=process,
    differentiable=False,
    engaged={"depth_bits": 8, "rate_hz": 12000},
)  # fmt: skip
