"""The recursions of `recursion` as GPU kernels: one program walks one trace, a chunk at a time.

Imported only where there is a CUDA device and triton (see `accelerated`). Inside a chunk all moments
are worked on at once by an associative scan of first-order maps (a, b): y -> a y + b (Blelloch 1990,
Prefix sums and their applications, 1.4); from chunk to chunk one number is carried. Float64 inside,
like the plain torch twins in `recursion`, with which tests compare them.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

#: Moments per chunk: a scan of a thousand keeps a program's threads busy in eleven steps; the
#: follower tries each chunk again until its guess holds, so its chunks are shorter.
SCAN_CHUNK, FOLLOW_CHUNK = 1024, 512


def scan(a: torch.Tensor, b: torch.Tensor, start: torch.Tensor | None = None) -> torch.Tensor:
    """y[n] = a[n]*y[n-1] + b[n] over (batch, time); `start` (batch,) is y[-1], 0 where not given."""
    batch, count = b.shape
    a, b = a.expand(batch, count).contiguous(), b.contiguous()
    y = torch.empty_like(b)
    start = _starts(start, b.new_zeros(batch))
    if count:
        _scan[(batch,)](a, b, start, y, count, CHUNK=SCAN_CHUNK)
    return y


def follow(
    x: torch.Tensor, attack: torch.Tensor, release: torch.Tensor, start: torch.Tensor | None = None
) -> torch.Tensor:
    """The branching detector over (batch, time): y[n] = c*y[n-1] + (1-c)*x[n], c by x[n] > y[n-1].

    `attack`, `release` (batch or 1,); `start` (batch,) is y[-1], x[0] where not given.
    """
    batch, count = x.shape
    x = x.contiguous()
    y = torch.empty_like(x)
    if count:
        start = _starts(start, x[:, 0])
        up, down = (c.to(x.device, torch.float64).expand(batch).contiguous() for c in (attack, release))
        _follow[(batch,)](x, up, down, start, y, count, CHUNK=FOLLOW_CHUNK)
    return y


def _starts(start: torch.Tensor | None, otherwise: torch.Tensor) -> torch.Tensor:
    return (otherwise if start is None else start.expand_as(otherwise)).double().contiguous()


@triton.jit
def _after(a1, b1, a2, b2):
    """One map after another: a2 (a1 y + b1) + b2."""
    return a2 * a1, a2 * b1 + b2


@triton.jit
def _scan(a_ptr, b_ptr, start_ptr, y_ptr, count, CHUNK: tl.constexpr):
    row = tl.program_id(0)
    base = row.to(tl.int64) * count
    state = tl.load(start_ptr + row)
    for first in range(0, count, CHUNK):
        n = first + tl.arange(0, CHUNK)
        inside = n < count
        # Beyond the end nothing changes, so the last moment of the chunk is the state to carry.
        a = tl.load(a_ptr + base + n, mask=inside, other=1.0).to(tl.float64)
        b = tl.load(b_ptr + base + n, mask=inside, other=0.0).to(tl.float64)
        slope, rise = tl.associative_scan((a, b), 0, _after)
        y = slope * state + rise
        tl.store(y_ptr + base + n, y.to(y_ptr.dtype.element_ty), mask=inside)
        state = tl.sum(tl.where(tl.arange(0, CHUNK) == CHUNK - 1, y, 0.0))


@triton.jit
def _follow(x_ptr, attack_ptr, release_ptr, start_ptr, y_ptr, count, CHUNK: tl.constexpr):
    row = tl.program_id(0)
    base = row.to(tl.int64) * count
    attack, release = tl.load(attack_ptr + row), tl.load(release_ptr + row)
    state = tl.load(start_ptr + row)
    step = tl.arange(0, CHUNK)
    for first in range(0, count, CHUNK):
        n = first + step
        inside = n < count
        x = tl.load(x_ptr + base + n, mask=inside, other=0.0).to(tl.float64)
        # Newton's method on which moments rise: guess, solve the linear recursion, look again. Every
        # round settles at least the first moment that was wrong, so it ends; in practice after 3-7.
        rising = x > state
        y = x
        wrong = 1
        while wrong > 0:
            c = tl.where(inside, tl.where(rising, attack, release), 1.0)
            slope, rise = tl.associative_scan((c, (1.0 - c) * x), 0, _after)
            y = slope * state + rise
            # y[n - 1] inside the chunk; a map's own rounding must not decide, so it is the solved trace.
            before = tl.gather(y, tl.maximum(step - 1, 0), 0)
            before = tl.where(step == 0, state, before)
            now = x > before
            wrong = tl.sum(((now != rising) & inside).to(tl.int32))
            rising = now
        tl.store(y_ptr + base + n, y.to(y_ptr.dtype.element_ty), mask=inside)
        state = tl.sum(tl.where(step == CHUNK - 1, y, 0.0))
