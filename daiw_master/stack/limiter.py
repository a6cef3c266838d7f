"""Limiter: the ceiling. It sees a peak coming, leans back smoothly, and lets go again slowly.

Per sample, in dB: how far the peak exceeds the ceiling; the largest of that within the look-ahead
(sliding maximum); release; a moving average over the look-ahead, twice. Every value the average runs
over already knew the peak, so the average is never less than the peak needs: the samples cannot pass
the ceiling. What 4x detection does not see, and what the moving gain adds between samples, is
measured at 16x at the end and taken off the whole file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch.nn import functional

from daiw_master.knobs.limiter import ROW
from daiw_master.meters.true_peak import true_peak
from daiw_master.stack.blocks import join
from daiw_master.stack.effect import Effect, Setting, per_item
from daiw_master.stack.peaks import BLOCK, peak_envelope_db
from daiw_master.units import gain_from_db

#: Two good 16x filters disagree by a few thousandths of a dB near the band edge, and float32 rounds:
#: the trim aims this far under the ceiling, so that the ceiling holds on anybody's meter.
MARGIN_DB = 0.005
#: A reduction below this (dB) is over: what is left of a release is worth no more work.
LET_GO_DB = 1e-9
#: exp(2 * 300) is still a float64 (the gradient divides twice): the longest block in release times.
_LONGEST_RELEASES = 300


def _process(
    x: torch.Tensor, rate: int, ceiling_dbtp: Setting, release_ms: Setting, lookahead_ms: Setting
) -> torch.Tensor:
    """x held under the ceiling; channels share one gain, so the image stays where it is."""
    peaks_db = peak_envelope_db(x)
    reductions = reduction_blocks(peaks_db, rate, ceiling_dbtp, release_ms, lookahead_ms)
    return trim_to_true_peak(apply_reduction(x, reductions), rate, ceiling_dbtp)


def limiter_gain_db(
    x: torch.Tensor,
    rate: int,
    ceiling_dbtp: Setting = -1.0,
    release_ms: Setting = 80.0,
    lookahead_ms: Setting = 3.0,
) -> torch.Tensor:
    """What the limiter does over time: its gain (<= 0 dB) at every sample, (batch, time), before the trim."""
    settings = LIMITER.space.check(
        {"ceiling_dbtp": ceiling_dbtp, "release_ms": release_ms, "lookahead_ms": lookahead_ms}
    )
    peaks_db = peak_envelope_db(x)
    blocks = (-block.to(x.dtype) for _, block in reduction_blocks(peaks_db, rate, **settings))
    return join(blocks, x.shape[-1])


def trim_to_true_peak(
    x: torch.Tensor, rate: int, ceiling_dbtp: Setting, oversample: int = 16
) -> torch.Tensor:
    """One gain for the whole file, only ever down, that puts its true peak under the ceiling.

    x (batch, channels, time). The last step of a chain: nothing after it may raise a peak.
    """
    trim_db = trim_for(true_peak(x, rate, oversample).reshape(-1, 1, 1), per_item(ceiling_dbtp, x))
    if not torch.is_grad_enabled() and not bool((trim_db < 0).any()):
        return x
    return x * gain_from_db(trim_db)


def trim_for(peak_dbtp: torch.Tensor, ceiling_dbtp: torch.Tensor | float) -> torch.Tensor:
    """The gain (<= 0 dB) that puts a true peak under the ceiling."""
    return (ceiling_dbtp - MARGIN_DB - peak_dbtp).clamp_max(0.0)


def apply_reduction(
    x: torch.Tensor, reductions: Iterator[tuple[int, torch.Tensor]], gain_db: float = 0.0
) -> torch.Tensor:
    """x with each block turned down by its reduction (batch, n) in dB, after a fixed gain."""

    def turned_down() -> Iterator[torch.Tensor]:
        for start, reduction_db in reductions:
            gain = gain_from_db((gain_db - reduction_db).to(x.dtype))
            yield x[..., start : start + gain.shape[-1]] * gain.unsqueeze(1)

    return join(turned_down(), x.shape[-1])


def reduction_blocks(
    peaks_db: torch.Tensor, rate: float, ceiling_dbtp: Setting, release_ms: Setting, lookahead_ms: Setting
) -> Iterator[tuple[int, torch.Tensor]]:
    """By how much to turn down, block by block: yields (start, reduction (batch, n) float64 in dB).

    peaks_db (batch or 1, time); settings float or (batch,). Differentiable to all of them.
    """
    ceiling, release, lookahead = (
        torch.as_tensor(value, dtype=torch.float64, device=peaks_db.device).reshape(-1, 1)
        for value in (ceiling_dbtp, release_ms, lookahead_ms)
    )
    window = (lookahead * rate / 1000).clamp_min(2.0)
    keep = torch.exp(-1000 / (release * rate))
    block = min(BLOCK, max(1, int(_LONGEST_RELEASES / -math.log(float(keep.detach().min())))))
    if len(window) == 1:
        return _reductions(peaks_db, ceiling, keep, window, block)
    # Windows of different lengths cannot share a sliding maximum: one item at a time, side by side.
    each = [
        _reductions(
            peaks_db[i % len(peaks_db)][None],
            ceiling[i % len(ceiling)],
            keep[i % len(keep)],
            window[i],
            block,
        )
        for i in range(len(window))
    ]
    return ((parts[0][0], torch.cat([part for _, part in parts])) for parts in zip(*each, strict=True))


def _reductions(
    peaks_db: torch.Tensor, ceiling_db: torch.Tensor, keep: torch.Tensor, window: torch.Tensor, block: int
) -> Iterator[tuple[int, torch.Tensor]]:
    """`reduction_blocks` for one window length, in samples and fractions of them."""
    half = window.reshape(()) / 2
    whole = int(window.detach())
    reach = whole + 2  # two averages over half the window span at most window + 1 samples
    memory = 2 * (int(half.detach()) + 1)
    time = peaks_db.shape[-1]
    steps = torch.arange(1, min(block, time) + reach + 1, dtype=keep.dtype, device=keep.device)
    fade = keep**steps
    held = None  # the last released values: the release goes on from them, and the averages look back
    for start in range(0, time, block):
        stop = min(start + block, time)
        # The gain moves before the first sample does, and so it does after a rest.
        first = start if held is not None else start - reach
        over = functional.relu(peaks_db[..., max(0, first) : stop + reach] - ceiling_db.to(peaks_db.dtype))
        if not torch.is_grad_enabled() and not bool((over > 0).any()) and _let_go(held):
            held = None
            yield start, keep.new_zeros(max(len(over), len(keep)), stop - start)
            continue
        over = functional.pad(over, (max(0, -first), max(0, stop + reach - time)))
        # Windows of `reach` and `reach + 1`, blended: the look-ahead turns without steps.
        shorter = _sliding_max(over, reach)
        longer = torch.maximum(shorter[..., :-1], shorter[..., 1:])
        blend = (window - whole).to(over.dtype)
        ahead = (shorter[..., :-1] + blend * (longer - shorter[..., :-1])).double()
        released = _release(ahead, fade, None if held is None else held[..., -1:])
        before = released.new_zeros(len(released), memory) if held is None else held
        joined = torch.cat([before, released], dim=-1)
        held = joined[..., -memory:]
        smooth = _moving_average(_moving_average(joined, half), half)
        yield start, smooth[..., start - stop :].clamp_min(0.0)


def _sliding_max(x: torch.Tensor, window: int) -> torch.Tensor:
    """Maximum of x[n .. n + window - 1], as many as fit, by doubling: log2(window) passes."""
    span = 1
    while span < window:
        step = min(span, window - span)
        x = torch.maximum(x[..., :-step], x[..., step:])
        span += step
    return x


def _let_go(held: torch.Tensor | None) -> bool:
    return held is None or bool((held < LET_GO_DB).all())


def _release(x: torch.Tensor, fade: torch.Tensor, before: torch.Tensor | None) -> torch.Tensor:
    """y[n] = max(x[n], keep * y[n - 1]): up at once, down exponentially, as one cumulative maximum.

    With `fade` = keep, keep^2 ...: y[n] keep^-n = max(x[n] keep^-n, y[n - 1] keep^-(n - 1)); float64
    holds keep^-n for one block.
    """
    fade = fade[..., : x.shape[-1]]
    grown = torch.cummax(x / fade, dim=-1).values
    if before is not None:
        grown = torch.maximum(grown, before)
    return grown * fade


def _moving_average(x: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
    """Mean of the last `length` samples, fractions included; the first floor(length) drop out."""
    whole = int(length.detach())
    total = functional.pad(x.cumsum(-1), (1, 0))
    share = length - whole
    oldest = x[..., : x.shape[-1] - whole]
    return (total[..., whole + 1 :] - total[..., 1:-whole] + share * oldest) / length


LIMITER = Effect(
    *ROW,
    process=_process,
    identity_at_default=False,
    engaged={"ceiling_dbtp": -9.0},
)
