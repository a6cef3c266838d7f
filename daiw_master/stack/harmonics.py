"""Harmonics two to seven of a band at full height, and what is needed to set their level.

A polynomial at four times the rate, block by block so that nothing leaves the processor's cache. At the
high rate nothing is kept: the way back makes it again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
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

#: Samples at the low rate, of all channels and items together, that are worked on at a time. A processor
#: Samples at the low rate, of all channels and items together, that are worked on at a time. A processor
#: works on one item at a time, in few enough steps that the steps themselves cost little and few enough
#: samples that its caches hold them at the high rate; a GPU wants to be filled.
AT_ONCE = {"cpu": 1 << 15, "cuda": 1 << 24}
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
    """A stretch of some items: from which sample to which, and how many hops begin in it."""

    items: slice
    start: int
    stop: int
    hops: slice


def _blocks(batch: int, channels: int, time: int, hop: int, device: torch.device) -> Iterator[_Block]:
    """Every item from beginning to end, in whole frames and whole hops."""
    at_once = AT_ONCE[device.type]
    count = 1 if device.type == "cpu" else batch
    unit = math.lcm(hop, FRAME)
    size = max(at_once // (count * channels * unit), 1) * unit
    for first in range(0, batch, count):
        for start in range(0, time, size):
            hops = slice(start // hop, min(start + size, time) // hop)
            yield _Block(slice(first, first + count), start, min(start + size, time), hops)


class _Shaped(torch.autograd.Function):
    @staticmethod
    def forward(ctx, scaled: torch.Tensor, a: torch.Tensor, hop: int) -> tuple[torch.Tensor, torch.Tensor]:
        ctx.save_for_backward(scaled, a)
        ctx.hop = hop
        (batch, channels, time), rest = _sizes(scaled, a)
        near = functional.pad(scaled, (UP_REACH, UP_REACH + rest))
        raised, lowered = rising(UP_REACH, FACTOR, scaled), falling(DOWN_REACH, FACTOR, scaled)
        made = scaled.new_zeros(batch, channels, time + rest + 2 * DOWN_REACH)
        moments = scaled.new_empty(4, batch, channels, time // hop)
        knobs = _Knobs(a)
        for block in _blocks(batch, channels, time, hop, scaled.device):
            u = _raised(near, block, raised).clamp_(-1.0, 1.0)
            inner = _inner(u, block)
            w = u * u
            h = _ladder(knobs.of(block.items), u, w).mul_(w)
            stop = block.start + u.shape[2] * FRAME
            made[block.items, :, block.start : stop + 2 * DOWN_REACH] += gathered(h, lowered)
            u, h = (_by_hop(part, inner, hop) for part in (u, h))
            here = moments[:, block.items, :, block.hops]
            for moment, (one, other) in zip(here, ((u, u), (u, h), (h, h)), strict=False):
                moment.copy_(torch.linalg.vecdot(one, other))
            here[3] = h.sum(-1)
        return made[..., DOWN_REACH : DOWN_REACH + time], moments / (FACTOR * hop)

    @staticmethod
    def backward(ctx, of_made: torch.Tensor, of_moments: torch.Tensor):
        scaled, a = ctx.saved_tensors
        hop = ctx.hop
        (batch, channels, time), rest = _sizes(scaled, a)
        near = functional.pad(scaled, (UP_REACH, UP_REACH + rest))
        of_near = torch.zeros_like(near)
        of_made = functional.pad(of_made, (DOWN_REACH, DOWN_REACH + rest))
        of_moments = of_moments / (FACTOR * hop)
        raised, lowered = rising(UP_REACH, FACTOR, scaled), falling(DOWN_REACH, FACTOR, scaled)
        of_a = a.new_zeros(len(POWERS), batch)
        knobs, steep = _Knobs(a), _Knobs(a * torch.tensor([[k] for k in POWERS]).to(a))
        for block in _blocks(batch, channels, time, hop, scaled.device):
            raw = _raised(near, block, raised)
            u = raw.clamp(-1.0, 1.0)
            inner = _inner(u, block)
            w = u * u
            h = _ladder(knobs.of(block.items), u, w).mul_(w)
            stop = block.start + u.shape[2] * FRAME
            of_h = spread(of_made[block.items, :, block.start : stop + 2 * DOWN_REACH], lowered.t())
            uu, uh, hh, mean = of_moments[:, block.items, :, block.hops].unsqueeze(-1)
            u_hops, h_hops = _by_hop(u, inner, hop), _by_hop(h, inner, hop)
            _by_hop(of_h, inner, hop).add_(mean).addcmul_(uh, u_hops).addcmul_(2 * hh, h_hops)
            of_u = _ladder(steep.of(block.items), u, w).mul_(u).mul_(of_h)
            _by_hop(of_u, inner, hop).addcmul_(2 * uu, u_hops).addcmul_(uh, h_hops)
            of_u *= raw.abs() <= 1.0
            of_u.flatten(2)[..., inner:] = 0.0
            which = slice(None) if len(scaled) == 1 else block.items
            of_near[which, :, block.start : stop + 2 * UP_REACH] += gathered(of_u, raised.t()).sum_to_size(
                len(of_near[which]), channels, stop - block.start + 2 * UP_REACH
            )
            of_h.mul_(w)
            for even in range(0, len(POWERS), 2):
                of_a[even, block.items] += of_h.flatten(1).sum(-1)
                of_a[even + 1, block.items] += torch.linalg.vecdot(of_h.flatten(1), u.flatten(1))
                of_h.mul_(w)
        return of_near[..., UP_REACH : UP_REACH + time], of_a.sum_to_size(a.shape), None


def _sizes(scaled: torch.Tensor, a: torch.Tensor) -> tuple[tuple[int, int, int], int]:
    """(batch, channels, time), and how many samples the last frame is longer than the sound."""
    _, channels, time = scaled.shape
    return (max(len(scaled), a.shape[1]), channels, time), -time % FRAME


class _Knobs:
    """The polynomial's coefficients for some items: numbers for one, columns for several."""

    def __init__(self, a: torch.Tensor):
        self.alike = a.shape[1] == 1
        self.numbers = a.t().tolist() if a.device.type == "cpu" else None
        self.columns = a.reshape(len(a), -1, 1, 1, 1)

    def of(self, items: slice) -> list[float] | torch.Tensor:
        if self.numbers is not None:
            return self.numbers[0 if self.alike else items.start]
        return self.columns if self.alike else self.columns[:, items]


def _raised(near: torch.Tensor, block: _Block, matrix: torch.Tensor) -> torch.Tensor:
    """(items, channels, frames, FACTOR * FRAME): a stretch at four times the rate."""
    stop = block.start + math.ceil((block.stop - block.start) / FRAME) * FRAME
    which = slice(None) if len(near) == 1 else block.items
    return spread(near[which, :, block.start : stop + 2 * UP_REACH], matrix)


def _inner(u: torch.Tensor, block: _Block) -> int:
    """How many samples of a block belong to the sound; those behind its end are silenced."""
    inner = (block.stop - block.start) * FACTOR
    u.flatten(2)[..., inner:] = 0.0
    return inner


def _by_hop(part: torch.Tensor, inner: int, hop: int) -> torch.Tensor:
    """A block's frames as (items, channels, hops, samples), a view."""
    return part.flatten(2)[..., :inner].unflatten(-1, (-1, FACTOR * hop))


def _ladder(a: list[float] | torch.Tensor, u: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """a0 + a1 u + a2 u^2 + ... + a5 u^5, with w = u^2: pairs, climbed in w."""
    y = _line(a[4], a[5], u)
    y = _line(a[2], a[3], u).addcmul_(w, y)
    return _line(a[0], a[1], u).addcmul_(w, y)


def _line(height: float | torch.Tensor, slope: float | torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    if isinstance(slope, float):
        return torch.add(u.new_tensor(height), u, alpha=slope)
    return torch.addcmul(height, slope, u)
