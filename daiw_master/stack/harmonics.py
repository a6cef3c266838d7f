"""Harmonics two to seven of a band at full height, and what is needed to set their level.

A polynomial at four times the rate, block by block so that nothing leaves the processor's cache. At the
high rate nothing is kept: the way back makes it again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

from daiw_master.stack.oversample import (
    DOWN_REACH,
    FACTOR,
    FRAME,
    UP_REACH,
    falling,
    gathered,
    rising,
    spread,
)
from daiw_master.units import gain_from_db

#: Samples at the low rate that are worked on at a time: on a processor of one item's channels, few enough
#: to stay near it at the high rate; on a GPU, which wants to be filled, of all items together.
AT_ONCE = {"cpu": 1 << 16, "cuda": 1 << 24}
#: The powers of the polynomial.
POWERS = range(2, 8)


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


def shaped(scaled: torch.Tensor, a: list[torch.Tensor], hop: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(harmonics h, moments) of a band u that is at most 1 high; differentiable, little is kept for it.

    `scaled` (batch or 1, channels, time), a whole number of hops; `a` the polynomial's coefficients,
    (batch or 1, 1, 1) each. h is (batch, channels, time); the moments (4, batch, channels, hops) are the
    means over each hop, at four times the rate, of u^2, u h, h^2 and h.
    """
    return _Shaped.apply(scaled, torch.cat([value.reshape(1, -1) for value in a]), hop)


class _Block(NamedTuple):
    """A stretch of some rows (channels of items): from which sample to which, in whole frames and hops."""

    rows: slice
    start: int
    stop: int  #: in whole frames: may lie behind the sound's end
    hops: slice
    inner: int  #: samples at the high rate that belong to the sound


def _blocks(rows: int, channels: int, time: int, hop: int, device: torch.device) -> Iterator[_Block]:
    count = channels if device.type == "cpu" else rows
    unit = math.lcm(hop, FRAME)
    size = max(AT_ONCE[device.type] // (count * unit), 1) * unit
    for first in range(0, rows, count):
        for start in range(0, time, size):
            end = min(start + size, time)
            stop = start + math.ceil((end - start) / FRAME) * FRAME
            hops = slice(start // hop, end // hop)
            yield _Block(slice(first, first + count), start, stop, hops, FACTOR * (end - start))


class _Shaped(torch.autograd.Function):
    @staticmethod
    def forward(ctx, scaled: torch.Tensor, a: torch.Tensor, hop: int) -> tuple[torch.Tensor, torch.Tensor]:
        ctx.save_for_backward(scaled, a)
        ctx.hop = hop
        batch, channels, time, rows = _sizes(scaled, a)
        near = _near(scaled, batch)
        up, down = rising(UP_REACH, FACTOR, scaled), falling(DOWN_REACH, FACTOR, scaled)
        made = scaled.new_zeros(rows, near.shape[-1] - 2 * UP_REACH + 2 * DOWN_REACH)
        moments = scaled.new_empty(4, rows, time // hop)
        curve = _Curve(a, channels)
        for block in _blocks(rows, channels, time, hop, scaled.device):
            u = _raised(near, block, up).clamp_(-1.0, 1.0)
            w = u * u
            h = curve(block.rows, u, w).mul_(w)
            made[block.rows, block.start : block.stop + 2 * DOWN_REACH] += gathered(h, down)
            uu, uh, hh, mean = moments[:, block.rows, block.hops]
            torch.sum(_by_hop(w, block, hop), -1, out=uu)
            torch.sum(_by_hop(torch.mul(u, h, out=w), block, hop), -1, out=uh)
            torch.sum(_by_hop(torch.mul(h, h, out=w), block, hop), -1, out=hh)
            torch.sum(_by_hop(h, block, hop), -1, out=mean)
        made = made[:, DOWN_REACH : DOWN_REACH + time].unflatten(0, (batch, channels))
        return made, moments.unflatten(1, (batch, channels)).div_(FACTOR * hop)

    @staticmethod
    @once_differentiable
    def backward(ctx, of_made: torch.Tensor, of_moments: torch.Tensor):
        scaled, a = ctx.saved_tensors
        hop = ctx.hop
        batch, channels, time, rows = _sizes(scaled, a)
        near = _near(scaled, batch)
        up, down = rising(UP_REACH, FACTOR, scaled), falling(DOWN_REACH, FACTOR, scaled)
        of_near = scaled.new_zeros(rows, near.shape[-1])
        of_made = functional.pad(of_made.flatten(0, 1), (DOWN_REACH, DOWN_REACH + -time % FRAME))
        of_moments = of_moments.flatten(1, 2) / (FACTOR * hop)
        of_a = a.new_zeros(len(POWERS), rows)
        powers = torch.arange(POWERS.start, POWERS.stop, dtype=a.dtype, device=a.device)
        curve, slope = _Curve(a, channels), _Curve(a * powers[:, None], channels)
        for block in _blocks(rows, channels, time, hop, scaled.device):
            raw = _raised(near, block, up)
            u = raw.clamp(-1.0, 1.0)
            w = u * u
            h = curve(block.rows, u, w).mul_(w)
            of_h = spread(of_made[block.rows, block.start : block.stop + 2 * DOWN_REACH], down.t())
            uu, uh, hh, mean = of_moments[:, block.rows, block.hops].unsqueeze(-1)
            u_hops, h_hops = _by_hop(u, block, hop), _by_hop(h, block, hop)
            _by_hop(of_h, block, hop).add_(mean).addcmul_(uh, u_hops).addcmul_(2 * hh, h_hops)
            of_u = slope(block.rows, u, w).mul_(u).mul_(of_h)
            _by_hop(of_u, block, hop).addcmul_(2 * uu, u_hops).addcmul_(uh, h_hops)
            of_u *= raw.abs() <= 1.0
            _silenced(of_u, block)
            of_near[block.rows, block.start : block.stop + 2 * UP_REACH] += gathered(of_u, up.t())
            for even in range(0, len(POWERS), 2):
                of_h.mul_(w)
                of_a[even, block.rows] += of_h.flatten(1).sum(-1)
                of_a[even + 1, block.rows] += (of_h * u).flatten(1).sum(-1)
        of_scaled = of_near[:, UP_REACH : UP_REACH + time].unflatten(0, (batch, channels))
        of_a = of_a.unflatten(1, (batch, channels)).sum(-1)
        return of_scaled.sum_to_size(scaled.shape), of_a.sum_to_size(a.shape), None


def _sizes(scaled: torch.Tensor, a: torch.Tensor) -> tuple[int, int, int, int]:
    """(batch, channels, time, rows): every channel of every item is a row of its own."""
    _, channels, time = scaled.shape
    batch = max(len(scaled), a.shape[1])
    return batch, channels, time, batch * channels


def _near(scaled: torch.Tensor, batch: int) -> torch.Tensor:
    """(rows, time in whole frames and the filter's reach around it)."""
    near = functional.pad(scaled, (UP_REACH, UP_REACH + -scaled.shape[-1] % FRAME))
    return near.expand(batch, -1, -1).flatten(0, 1)


class _Curve:
    """The polynomial divided by u^2, for some rows: a0 + a1 u + ... + a5 u^5."""

    def __init__(self, a: torch.Tensor, channels: int):
        self.alike, self.channels = a.shape[1] == 1, channels
        # For one row at a time the slopes are plain numbers, which cost no pass of their own.
        self.slopes = a[1::2].t().tolist() if a.device.type == "cpu" else None
        self.heights = a[::2].t().unbind(0)
        self.columns = a.repeat_interleave(1 if self.alike else channels, 1)[..., None, None]

    def __call__(self, rows: slice, u: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """At u, with w = u^2: three straight lines, climbed in w."""
        if self.slopes is None:
            columns = self.columns if self.alike else self.columns[:, rows]
            low, middle, high = (
                torch.addcmul(columns[even], columns[even + 1], u) for even in range(0, len(POWERS), 2)
            )
        else:
            item = 0 if self.alike else rows.start // self.channels
            low, middle, high = (
                torch.add(height, u, alpha=slope)
                for height, slope in zip(self.heights[item].unbind(), self.slopes[item], strict=True)
            )
        return low.addcmul_(w, middle.addcmul_(w, high))


def _raised(near: torch.Tensor, block: _Block, matrix: torch.Tensor) -> torch.Tensor:
    """(rows, frames, FACTOR * FRAME): a stretch at four times the rate, silent behind the sound's end."""
    part = near[block.rows, block.start : block.stop + 2 * UP_REACH]
    return _silenced(spread(part, matrix), block)


def _silenced(part: torch.Tensor, block: _Block) -> torch.Tensor:
    if block.inner < part[0].numel():
        part.flatten(1)[:, block.inner :] = 0.0
    return part


def _by_hop(part: torch.Tensor, block: _Block, hop: int) -> torch.Tensor:
    """A block's frames as (rows, hops, samples), a view."""
    return part.flatten(1)[:, : block.inner].unflatten(-1, (-1, FACTOR * hop))
