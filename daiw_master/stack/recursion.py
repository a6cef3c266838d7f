"""Memory in sound: the three recursions behind every envelope, without a loop over samples.

`one_pole` smooths with one time constant, `linear_recurrence` with a coefficient that changes from
sample to sample, `attack_release` with one constant for the way up and another for the way down.
All are exact (they agree with the sample-by-sample definition to rounding), run the same work on
blocks side by side and hand their end states on, and are differentiable to every input.

A trace may also come in pieces: whoever keeps a `Memory` and gives it along with each piece gets the
values of the whole, wherever it is cut. Pieces are for listening, not for learning: no gradient
crosses a cut. A piece of one sound that is only heard, and short, is followed in plain numbers:
16 values take about 9 us, 64 about 11 us.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from daiw_master.stack.accelerated import kernels_for

#: Samples per block of the matrix form; K*K coefficients stay in the first cache level.
_TOEPLITZ = 64
#: Below this length a plain loop is cheaper than another level of blocks.
_LOOP = 48
#: A single trace up to this length is cheapest in plain numbers: 35 ns a value, and nothing to set up.
_PLAIN = 1024
#: Up to so many values in all, steps over whole traces (their number is the length's logarithm) are cheapest.
_DOUBLED = 1 << 14
#: Largest mismatch, in the signal's unit (dB), left between neighbouring blocks.
_TOLERANCE = 1e-10


class Memory:
    """What a recursion keeps of a trace from one piece to the next: its last value, (batch,) float64.

    None before the first piece, which then settles as a whole trace would.
    """

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last: torch.Tensor | None = None


def one_pole(x: torch.Tensor, coefficient: torch.Tensor, memory: Memory | None = None) -> torch.Tensor:
    """Smooth a trace with one time constant: y[n] = c*y[n-1] + (1-c)*x[n], settled on x[0].

    `x` (batch, time); `coefficient` (batch or 1,) in [0, 1), see `units.smoothing_from_ms`; with a
    `memory` the trace goes on where the last piece ended.
    A block is a product with the lower triangle of powers of c; only block ends are recursive.
    """
    batch, count = x.shape
    if count == 0:
        return x
    start = x[:, 0].double() if memory is None or memory.last is None else memory.last
    if _plain(x, coefficient):
        c, y = float(coefficient), float(start)
        pull = 1 - c
        trace = [y := c * y + pull * value for value in x[0].tolist()]
        return _plain_trace(trace, x, memory)
    block = min(_TOEPLITZ, count)
    blocks = -(-count // block)
    c = coefficient.to(torch.float64).reshape(-1, 1)
    powers = c ** torch.arange(block + 1, device=x.device)
    fade = powers[:, 1:]
    # Row k answers to x[k]: nothing up to k, then (1-c)*c^0, (1-c)*c^1, ...
    answer = functional.pad(((1 - c) * powers[:, :-1]).to(x.dtype), (block - 1, 0))
    answers = answer.unfold(-1, block, 1).flip(-2)
    padded = functional.pad(x, (0, blocks * block - count)).view(batch, blocks, block)
    local = padded @ answers
    # Only products and sums of what the trace holds: a power trace stays positive down to silence.
    ends = local[..., -1].double() + functional.pad(fade[:, -1:] * start[:, None], (0, blocks - 1))
    ends = linear_recurrence(fade[:, -1:].expand(batch, blocks), ends)
    carried = torch.cat([start[:, None], ends[:, :-1]], dim=1)
    if memory is not None:
        at = (count - 1) % block
        memory.last = (local[:, -1, at].double() + carried[:, -1] * fade[:, at]).detach()
    y = local + carried.to(x.dtype)[..., None] * fade.to(x.dtype)[:, None, :]
    return y.reshape(batch, -1)[:, :count]


def linear_recurrence(a: torch.Tensor, b: torch.Tensor, memory: Memory | None = None) -> torch.Tensor:
    """Follow a trace with a changing memory: y[n] = a[n]*y[n-1] + b[n], from y[-1] = 0.

    `a`, `b` (batch, time) with |a| <= 1; with a `memory`, y[-1] is where the last piece ended.
    The gradient is the same recursion run backwards.
    """
    if memory is None or b.shape[1] == 0:
        return _LinearRecurrence.apply(a, b)
    a, b = a.double(), b.double()
    if memory.last is not None:
        b = torch.cat([b[:, :1] + a[:, :1] * memory.last[:, None], b[:, 1:]], dim=1)
    y = _LinearRecurrence.apply(a, b)
    memory.last = y[:, -1].detach()
    return y


def attack_release(
    x: torch.Tensor, attack: torch.Tensor, release: torch.Tensor, memory: Memory | None = None
) -> torch.Tensor:
    """Follow a trace quickly up and slowly down, as a compressor's needle does (or the reverse).

    Smooth branching detector, Giannoulis, Massberg & Reiss 2012, eq. 16:
    y[n] = c*y[n-1] + (1-c)*x[n] with c = attack where x[n] > y[n-1], else release; settled on x[0].
    `x` (batch, time) in dB; `attack`, `release` (batch or 1,) coefficients in [0, 1); with a `memory`
    the needle goes on from where the last piece left it.
    """
    if x.shape[1] == 0:
        return x
    start = None if memory is None else memory.last
    if _plain(x, attack, release):
        return _plain_trace(_followed(x, attack, release, start), x, memory)
    y, last = _AttackRelease.apply(x, attack, release, start)
    if memory is not None:
        memory.last = last
    return y


def _plain(x: torch.Tensor, *coefficients: torch.Tensor) -> bool:
    """Whether plain numbers are the quickest way: one short trace near the processor, only listened to."""
    short = len(x) == 1 and x.shape[1] <= _PLAIN and x.is_cpu
    return short and not torch.is_grad_enabled() and all(c.numel() == 1 for c in coefficients)


def _plain_trace(trace: list[float], like: torch.Tensor, memory: Memory | None) -> torch.Tensor:
    if memory is not None:
        memory.last = torch.tensor(trace[-1:], dtype=torch.float64)
    return _tensor_of(trace).to(like.dtype).unsqueeze(0)


def _tensor_of(numbers: list[float]) -> torch.Tensor:
    return torch.frombuffer(array("d", numbers), dtype=torch.float64)


def _followed(
    x: torch.Tensor, attack: torch.Tensor, release: torch.Tensor, start: torch.Tensor | None
) -> list[float]:
    """The branching detector as it is written, value by value."""
    values, up, down = x[0].tolist(), 1 - float(attack), 1 - float(release)
    y = values[0] if start is None else float(start)
    return [y := y + (up if value > y else down) * (value - y) for value in values]


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
    def forward(
        ctx, x: torch.Tensor, attack: torch.Tensor, release: torch.Tensor, start: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        exact, last = _follow(x.double(), attack.double(), release.double(), start)
        y = exact.to(x.dtype)
        ctx.save_for_backward(x, attack, release, y, start)
        ctx.mark_non_differentiable(last)
        return y, last

    @staticmethod
    def backward(ctx, grad: torch.Tensor, _) -> tuple[torch.Tensor | None, ...]:
        x, attack, release, y, start = ctx.saved_tensors
        # y[n] lies between y[n-1] and x[n], so x[n] > y[n] asks the same as x[n] > y[n-1].
        rising = x > y
        c = torch.where(rising, attack[:, None], release[:, None]).to(x.dtype)
        at_node = _adjoint(c, grad)
        grad_x = (1 - c) * at_node
        if start is None:
            grad_x[:, 0] += c[:, 0] * at_node[:, 0]  # y[-1] = x[0]
        first = x[:, :1] if start is None else start[:, None].to(x.dtype).expand(len(x), 1)
        grad_c = at_node * (torch.cat([first, y[:, :-1]], dim=1) - x)
        to_attack = torch.where(rising, grad_c, 0.0).sum(1).sum_to_size(attack.shape)
        to_release = torch.where(rising, 0.0, grad_c).sum(1).sum_to_size(release.shape)
        return grad_x, to_attack.to(attack.dtype), to_release.to(release.dtype), None


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


def _hand(x: torch.Tensor):
    """Who does small steps quickest, and how x is given to it: numpy beside the processor, else torch.

    Both have the same verbs (add, subtract, multiply, maximum), and write where they are told.
    """
    return (np, lambda t: t.detach().numpy()) if x.is_cpu else (torch, lambda t: t)


def _scan(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """y[n] = a[n]*y[n-1] + b[n] from rest: block ends first, then every block from its true start."""
    kernels = kernels_for(b)
    if kernels is not None:
        return kernels.scan(a, b)
    batch, count = b.shape
    if batch == 1 and 0 < count <= _PLAIN and b.is_cpu:
        y = 0.0
        trace = [y := fade * y + value for fade, value in zip(a[0].tolist(), b[0].tolist(), strict=True)]
        return _tensor_of(trace).to(b.dtype).unsqueeze(0)
    if 0 < b.numel() <= _DOUBLED and b.is_cpu:
        return _doubled(a, b)
    if count <= _LOOP:
        state, trace = torch.zeros_like(b[:, 0]) if count else b, []
        for fade, value in zip(a.unbind(1), b.unbind(1), strict=True):
            state = torch.addcmul(value, fade, state)
            trace.append(state)
        return torch.stack(trace, dim=1) if trace else torch.empty_like(b)
    block = _block_length(count)
    a_columns, b_columns = _columns(a, block), _columns(b, block)
    steps = list(zip(a_columns.unbind(0), b_columns.unbind(0), strict=True))
    end, slope = b_columns[0].clone(), a_columns[0].clone()
    for fade, value in steps[1:]:
        torch.addcmul(value, fade, end, out=end)
        slope.mul_(fade)
    ends = _scan(slope.view(batch, -1), end.view(batch, -1))
    state = functional.pad(ends[:, :-1], (1, 0)).reshape(-1)
    y = torch.empty_like(b_columns)
    for (fade, value), out in zip(steps, y.unbind(0), strict=True):
        state = torch.addcmul(value, fade, state, out=out)
    return _rows(y, batch, count)


def _doubled(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """`_scan` by doubling: after each step a value holds twice as much of what came before it.

    Hillis and Steele 1986, Data parallel algorithms: n log n products, each step one over whole traces.
    """
    fade, y = a.detach().numpy().copy(), b.detach().numpy().copy()
    reach, count = 1, y.shape[1]
    while reach < count:
        y[:, reach:] += fade[:, reach:] * y[:, :-reach]
        fade[:, reach:] *= fade[:, :-reach]
        reach *= 2
    return torch.from_numpy(y)


def _follow(
    x: torch.Tensor, attack: torch.Tensor, release: torch.Tensor, start: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The branching detector by Newton's method on the blocks' start values; also its last value.

    Inside a block the true branching recursion runs, all blocks abreast, from a guessed start; it
    also yields the slope of end against start. One linear recurrence over the blocks corrects the
    guesses. The map is monotone and piecewise linear, so this ends exactly, at the latest after as
    many rounds as there are blocks (each round settles at least one more) and in practice after 3-7.

    A value keeps c of its distance from the trace, y = x + c (y[n-1] - x). Of the two distances it can
    have left, the detector always takes the higher where attack is the quicker, and the lower where it is
    the slower: a maximum or a minimum stands for the branch.
    """
    kernels = kernels_for(x)
    if kernels is not None:
        trace = kernels.follow(x, attack, release, start)
        return trace, trace[:, -1].clone()
    batch, count = x.shape
    quick = (attack <= release).expand(batch)
    if not (bool(quick.all()) or not bool(quick.any())):
        # Some this way, some that: upside down, the slow attack of one is the slow release of another.
        sign = torch.where(quick, 1.0, -1.0).to(x)[:, None]
        up, down = torch.minimum(attack, release), torch.maximum(attack, release)
        upright, last = _follow(x * sign, up, down, None if start is None else start * sign[:, 0])
        return upright * sign, last * sign[:, 0]
    block = _follow_block(batch, count)
    columns = _columns(x, block)
    guess = columns[0].view(batch, -1).clone()
    blocks = guess.shape[1]
    if start is not None:
        guess[:, 0] = start
    fades = torch.stack([attack.expand(batch), release.expand(batch)])
    wide = fades[:, :, None].expand(2, batch, blocks).reshape(2, -1)
    y = torch.empty_like(columns)
    powers = fades[:, :, None] ** torch.arange(block + 1, device=x.device)
    hand, given = _hand(x)
    multiply, choose = hand.multiply, hand.maximum if bool(quick[0]) else hand.minimum
    steps: Sequence = list(zip(given(columns), given(y), strict=True))
    (up, down), away = given(wide), given(torch.empty_like(columns[0]))
    for _ in range(blocks):
        state = given(guess).reshape(-1)
        for value, out in steps:
            hand.subtract(state, value, out=away)
            multiply(up, away, out=out)
            multiply(down, away, out=away)
            choose(out, away, out=out)
            state = hand.add(out, value, out=out)
        rising = _above(columns, y).view(batch, blocks)
        slope = powers[0].gather(1, rising) * powers[1].gather(1, block - rising)
        end = y[-1].view(batch, blocks)
        change = _scan(slope[:, :-1], end[:, :-1] - guess[:, 1:])
        # "not larger" rather than "smaller": NaN must end the search, not prolong it.
        if blocks == 1 or not bool(change.abs().max() > _TOLERANCE):
            break
        guess[:, 1:] += change
    trace = _rows(y, batch, count)
    return trace, trace[:, -1].clone()


def _above(columns: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """How many values of each column lie above y's, (columns,)."""
    if columns.is_cpu and len(columns) < 256:  # counted in bytes: a third of the time
        above = (columns.numpy() > y.numpy()).view(np.uint8)
        return torch.from_numpy(np.add.reduce(above, axis=0, dtype=np.uint8)).long()
    return (columns > y).sum(0)


def _follow_block(batch: int, count: int) -> int:
    """Samples per block: as many blocks abreast as a cache likes, and no more."""
    return max(1, min(32 if batch * count < 1 << 15 else 64 if batch * count < 1 << 18 else 128, count))
