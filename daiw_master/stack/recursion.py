"""Memory in sound: the three recursions behind every envelope, without a loop over samples.

`one_pole` smooths with one time constant, `linear_recurrence` with a coefficient that changes from
sample to sample, `attack_release` with one constant for the way up and another for the way down.
All are exact (they agree with the sample-by-sample definition to rounding), run the same work on
blocks side by side and hand their end states on, and are differentiable to every input.
"""

from __future__ import annotations

import torch
from torch.nn import functional

#: Samples per block of the matrix form; K*K coefficients stay in the first cache level.
_TOEPLITZ = 64
#: Below this length a plain loop is cheaper than another level of blocks.
_LOOP = 48
#: Largest mismatch, in the signal's unit (dB), left between neighbouring blocks.
_TOLERANCE = 1e-10


def one_pole(x: torch.Tensor, coefficient: torch.Tensor) -> torch.Tensor:
    """Smooth a trace with one time constant: y[n] = c*y[n-1] + (1-c)*x[n], settled on x[0].

    `x` (batch, time); `coefficient` (batch or 1,) in [0, 1), see `units.smoothing_from_ms`.
    A block is a product with the lower triangle of powers of c; only block ends are recursive.
    """
    batch, count = x.shape
    if count == 0:
        return x
    block = min(_TOEPLITZ, count)
    blocks = -(-count // block)
    c = coefficient.to(torch.float64).reshape(-1, 1, 1)
    step = torch.arange(block, device=x.device)
    distance = step[:, None] - step[None, :]
    response = (1 - c) * c ** distance.clamp_min(0) * (distance >= 0)
    fade = c[:, 0] ** (step + 1)
    padded = functional.pad(x, (0, blocks * block - count)).view(batch, blocks, block)
    local = padded @ response.to(x.dtype).transpose(-1, -2)
    # Only products and sums of what the trace holds: a power trace stays positive down to silence.
    fade = fade.to(x.dtype)
    ends = local[..., -1] + functional.pad(fade[:, -1:] * x[:, :1], (0, blocks - 1))
    ends = linear_recurrence(fade[:, -1:].expand(batch, blocks), ends)
    carried = torch.cat([x[:, :1], ends[:, :-1]], dim=1)
    return (local + carried[..., None] * fade[:, None, :]).reshape(batch, -1)[:, :count]


def linear_recurrence(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Follow a trace with a changing memory: y[n] = a[n]*y[n-1] + b[n], from y[-1] = 0.

    `a`, `b` (batch, time) with |a| <= 1. The gradient is the same recursion run backwards.
    """
    return _LinearRecurrence.apply(a, b)


def attack_release(x: torch.Tensor, attack: torch.Tensor, release: torch.Tensor) -> torch.Tensor:
    """Follow a trace quickly up and slowly down, as a compressor's needle does (or the reverse).

    Smooth branching detector, Giannoulis, Massberg & Reiss 2012, eq. 16:
    y[n] = c*y[n-1] + (1-c)*x[n] with c = attack where x[n] > y[n-1], else release; settled on x[0].
    `x` (batch, time) in dB; `attack`, `release` (batch or 1,) coefficients in [0, 1).
    """
    return _AttackRelease.apply(x, attack, release)


class _LinearRecurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        y = _scan(a, b)
        ctx.save_for_backward(a, y)
        return y

    @staticmethod
    def backward(ctx, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        a, y = ctx.saved_tensors
        grad_b = _adjoint(a, grad)
        return grad_b * functional.pad(y[:, :-1], (1, 0)), grad_b


class _AttackRelease(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: torch.Tensor, attack: torch.Tensor, release: torch.Tensor) -> torch.Tensor:
        y = _follow(x.double(), attack.double(), release.double()).to(x.dtype)
        ctx.save_for_backward(x, attack, release, y)
        return y

    @staticmethod
    def backward(ctx, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x, attack, release, y = ctx.saved_tensors
        # y[n] lies between y[n-1] and x[n], so x[n] > y[n] asks the same as x[n] > y[n-1].
        rising = x > y
        c = torch.where(rising, attack[:, None], release[:, None]).to(x.dtype)
        at_node = _adjoint(c, grad)
        grad_x = (1 - c) * at_node
        grad_x[:, 0] += c[:, 0] * at_node[:, 0]  # y[-1] = x[0]
        previous = torch.cat([x[:, :1], y[:, :-1]], dim=1)
        grad_c = at_node * (previous - x)
        to_attack = torch.where(rising, grad_c, 0.0).sum(1).sum_to_size(attack.shape)
        to_release = torch.where(rising, 0.0, grad_c).sum(1).sum_to_size(release.shape)
        return grad_x, to_attack.to(attack.dtype), to_release.to(release.dtype)


def _adjoint(a: torch.Tensor, grad: torch.Tensor) -> torch.Tensor:
    """g[n] = grad[n] + a[n+1]*g[n+1]: the recursion's transpose."""
    return _scan(functional.pad(a[:, 1:], (0, 1)).flip(1), grad.flip(1)).flip(1)


def _columns(x: torch.Tensor, block: int) -> torch.Tensor:
    """(batch, time) as (block, batch * blocks): row k holds every block's k-th sample, contiguous."""
    padded = functional.pad(x, (0, -x.shape[1] % block))
    return padded.reshape(-1, block).t().contiguous()


def _rows(columns: torch.Tensor, batch: int, count: int) -> torch.Tensor:
    return columns.t().reshape(batch, -1)[:, :count].contiguous()


def _block_length(count: int) -> int:
    # A step costs about 1 us however short its row, a row stays in cache up to some 4000 values.
    return 128 if count >= 1 << 14 else 32


def _scan(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """y[n] = a[n]*y[n-1] + b[n] from rest: block ends first, then every block from its true start."""
    batch, count = b.shape
    if count <= _LOOP:
        state, trace = torch.zeros_like(b[:, 0]) if count else b, []
        for n in range(count):
            state = a[:, n] * state + b[:, n]
            trace.append(state)
        return torch.stack(trace, dim=1) if trace else torch.empty_like(b)
    block = _block_length(count)
    a_columns, b_columns = _columns(a, block), _columns(b, block)
    end, slope = b_columns[0].clone(), a_columns[0].clone()
    for k in range(1, block):
        torch.addcmul(b_columns[k], a_columns[k], end, out=end)
        slope.mul_(a_columns[k])
    ends = _scan(slope.view(batch, -1), end.view(batch, -1))
    state = functional.pad(ends[:, :-1], (1, 0)).reshape(-1)
    y = torch.empty_like(b_columns)
    for k in range(block):
        state = torch.addcmul(b_columns[k], a_columns[k], state, out=y[k])
    return _rows(y, batch, count)


def _follow(x: torch.Tensor, attack: torch.Tensor, release: torch.Tensor) -> torch.Tensor:
    """The branching detector by Newton's method on the blocks' start values.

    Inside a block the true branching recursion runs, all blocks abreast, from a guessed start; it
    also yields the slope of end against start. One linear recurrence over the blocks corrects the
    guesses. The map is monotone and piecewise linear, so this ends exactly, at the latest after as
    many rounds as there are blocks (each round settles at least one more) and in practice after 3-7.
    """
    batch, count = x.shape
    if count == 0:
        return x.clone()
    block = min(2 * _block_length(count), count)
    columns = _columns(x, block)
    blocks = columns.shape[1] // batch
    up = attack.reshape(-1, 1).expand(batch, blocks).reshape(-1)
    down = release.reshape(-1, 1).expand(batch, blocks).reshape(-1)
    y = torch.empty_like(columns)
    above, c, rising = torch.empty_like(up), torch.empty_like(up), torch.empty_like(up, dtype=torch.bool)
    start = columns[0].clone()
    for _ in range(blocks):
        state, slope = start, torch.ones_like(start)
        for k in range(block):
            torch.sub(state, columns[k], out=above)
            torch.lt(above, 0, out=rising)
            torch.where(rising, up, down, out=c)
            state = torch.addcmul(columns[k], c, above, out=y[k])
            slope.mul_(c)
        guess, slope, end = (v.view(batch, blocks) for v in (start, slope, state))
        a = functional.pad(slope[:, :-1], (1, 0))
        b = torch.cat([guess[:, :1], (end - slope * guess)[:, :-1]], dim=1)
        better = _scan(a, b)
        # "not larger" rather than "smaller": NaN must end the search, not prolong it.
        settled = not bool((better - guess).abs().max() > _TOLERANCE)
        start = better.reshape(-1)
        if settled:
            break
    return _rows(y, batch, count)
