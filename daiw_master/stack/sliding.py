"""Windows that slide along a trace: their largest value, and the same trace some samples earlier.

One window for all rows of a batch is a slice; a window for each row is a gather.
"""

from __future__ import annotations

import torch


def earlier(x: torch.Tensor, by: list[int], count: int) -> torch.Tensor:
    """The last `count` values of x (batch, time) as they were so many samples before.

    `by`: one number for all rows, or one for each.
    """
    last = x.shape[-1]
    if len(by) == 1:
        return x[..., last - count - by[0] : last - by[0]]
    return _from(x, [last - count - lag for lag in by], count)


def sliding_max(x: torch.Tensor, windows: list[int]) -> torch.Tensor:
    """Maximum of x[n .. n + window - 1], as many as the longest window allows: (batch, values).

    x (batch or 1, time); `windows`, in samples, one for all rows or one for each. By doubling:
    log2(window) passes. Nothing is kept for the way back but x.
    """
    return _SlidingMax.apply(x, windows)


class _SlidingMax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: torch.Tensor, windows: list[int]) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.windows = windows
        count = x.shape[-1] - max(windows) + 1
        if len(windows) == 1:
            *_, (span, level) = _doubled(x, windows[0])
            return torch.maximum(*_ends(level, [windows[0] - span], count))
        made = x.new_empty(len(windows), count)
        for span, level in _doubled(x.expand(len(windows), -1), max(windows)):
            rows = _rows_of(span, windows)
            if rows:
                beyond = [windows[row] - span for row in rows]
                made[rows] = torch.maximum(*_ends(level[rows], beyond, count))
        return made

    @staticmethod
    def backward(ctx, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        (x,), windows = ctx.saved_tensors, ctx.windows
        batch, count = max(len(x), len(windows)), grad.shape[-1]
        levels = list(_doubled(x.expand(batch, -1), max(windows)))
        down: torch.Tensor | None = None
        for span, level in reversed(levels):
            # `down`: what the level of twice the span hands on; the larger half gets it.
            here = torch.zeros_like(level)
            if down is not None:
                _hand_down(here, down, level[..., :-span] >= level[..., span:], [span])
            rows = _rows_of(span, windows)
            if rows and len(windows) == 1:
                first, second = _ends(level, [windows[0] - span], count)
                _hand_down(here, grad, first >= second, [windows[0] - span])
            elif rows:
                beyond = [windows[row] - span for row in rows]
                first, second = _ends(level[rows], beyond, count)
                part = torch.zeros_like(level[rows])
                _hand_down(part, grad[rows], first >= second, beyond)
                here[rows] += part
            down = here
        return down.sum_to_size(x.shape), None


def _doubled(x: torch.Tensor, most: int):
    """(span, maxima over it) for spans 1, 2, 4 ... up to `most`."""
    span = 1
    while True:
        yield span, x
        if 2 * span > most:
            return
        x, span = torch.maximum(x[..., :-span], x[..., span:]), 2 * span


def _rows_of(span: int, windows: list[int]) -> list[int]:
    """The rows whose window is two overlapping spans of this length."""
    return [row for row, window in enumerate(windows) if span <= window < 2 * span]


def _ends(level: torch.Tensor, beyond: list[int], count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The two spans that make up each window: its first samples, and its last."""
    if len(beyond) == 1:
        return level[..., :count], level[..., beyond[0] : beyond[0] + count]
    return level[..., :count], _from(level, beyond, count)


def _hand_down(to: torch.Tensor, grad: torch.Tensor, first: torch.Tensor, beyond: list[int]) -> None:
    """Add each gradient to the half it came from: the first, or the one that begins `beyond` later."""
    count = grad.shape[-1]
    mine = grad * first
    to[..., :count] += mine
    if len(beyond) == 1:
        to[..., beyond[0] : beyond[0] + count] += grad - mine
    else:
        to.scatter_add_(1, _places(beyond, count, to), grad - mine)


def _from(x: torch.Tensor, starts: list[int], count: int) -> torch.Tensor:
    return x.gather(1, _places(starts, count, x))


def _places(starts: list[int], count: int, like: torch.Tensor) -> torch.Tensor:
    begin = torch.tensor(starts, device=like.device).unsqueeze(1)
    return begin + torch.arange(count, device=like.device)
