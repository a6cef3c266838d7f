"""Limiter: the ceiling. It sees a peak coming, leans back smoothly, and lets go again slowly.

How far each peak exceeds the ceiling becomes a smooth reduction in dB that is never less than the peak
needs (`lean`): the samples cannot pass the ceiling. What 4x detection does not see, and what the
moving gain adds between samples, is measured at 16x at the end and taken off the whole file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch.nn import functional

from daiw_master.knobs.limiter import ROW
from daiw_master.meters.true_peak import TruePeakWalk, true_peak
from daiw_master.stack.blocks import join
from daiw_master.stack.effect import Effect, Setting, batch_of, per_item
from daiw_master.stack.flow import Flow, through
from daiw_master.stack.lean import Lean, reduction_blocks
from daiw_master.stack.peaks import BLOCK, REACH, over_ceiling_db, peak_envelope_db
from daiw_master.units import gain_from_db

#: Two good 16x filters disagree by a few thousandths of a dB near the band edge, and float32 rounds:
#: the trim aims this far under the ceiling, so that the ceiling holds on anybody's meter.
MARGIN_DB = 0.005
_NEPER_PER_DB = math.log(10) / 20


def _process(
    x: torch.Tensor, rate: int, ceiling_dbtp: Setting, release_ms: Setting, lookahead_ms: Setting
) -> torch.Tensor:
    """x held under the ceiling; channels share one gain, so the image stays where it is."""
    if torch.is_grad_enabled():
        reductions = reduction_blocks(peak_envelope_db(x), rate, ceiling_dbtp, release_ms, lookahead_ms)
        limited = apply_reduction(x, reductions)
    else:
        limited = untrimmed(x, rate, ceiling_dbtp, release_ms, lookahead_ms)
    return trim_to_true_peak(limited, rate, ceiling_dbtp)


@torch.no_grad()
def untrimmed(
    x: torch.Tensor,
    rate: int,
    ceiling_dbtp: Setting = -1.0,
    release_ms: Setting = 80.0,
    lookahead_ms: Setting = 3.0,
) -> torch.Tensor:
    """x behind the limiter proper, without the closing trim: for a search that listens often."""
    line = [LimiterFlow(rate, ceiling_dbtp, release_ms, lookahead_ms, device=x.device)]
    return join(through(line, x.split(BLOCK, dim=-1)), x.shape[-1])


def _flow(
    rate: int, channels: int, block: int = BLOCK, length: int | None = None, **settings: Setting
) -> tuple[Flow, ...]:
    """The limiter proper, and the closing trim, which hears its whole output first."""
    return LimiterFlow(rate, **settings, block=block), TrimFlow(settings["ceiling_dbtp"])


class LimiterFlow(Flow):
    """The limiter without its closing trim, on a sound that comes in blocks (batch, channels, n).

    The samples are held under the ceiling for certain; between them 4x detection leaves up to half a
    dB near the band edge. `gain_db` stands before it. It keeps its latency, look-ahead + 14 samples
    (of the longest, where settings are (batch,)), and nothing that grows. `ceiling_dbtp` may be set
    anew while it runs: the gain goes there smoothly. Not differentiable.
    """

    def __init__(
        self,
        rate: float,
        ceiling_dbtp: Setting,
        release_ms: Setting,
        lookahead_ms: Setting,
        *,
        gain_db: float = 0.0,
        block: int = BLOCK,
        device: torch.device | None = None,
    ):
        self._lean = Lean(rate, release_ms, lookahead_ms, block, device)
        self.latency = self._lean.reach + REACH
        self.ceiling_dbtp, self.gain_db = ceiling_dbtp, gain_db
        #: By how much the block that came out last was turned down, (batch, n) dB in float64.
        self.reduction_db: torch.Tensor | None = None
        # Sound from REACH samples before the next one to come out; how far it is over the ceiling
        # from that one on, as far as its peaks are known.
        self._sound: torch.Tensor | None = None
        self._over: torch.Tensor | None = None

    @torch.no_grad()
    def push(self, x: torch.Tensor, **beside: torch.Tensor) -> torch.Tensor:
        parts = x.split(self._lean.block, dim=-1) if x.shape[-1] else [x]
        return self._joined([made for part in parts for made in self._pushed(part)])

    @torch.no_grad()
    def finish(self) -> torch.Tensor | None:
        if self._sound is None or self._sound.shape[-1] == REACH:
            return None
        # Behind the end it is silent; what rings between the samples there is the trim's affair.
        last = self._pushed(self._sound.new_zeros(*self._sound.shape[:-1], REACH))
        self._over = functional.pad(self._over, (0, self._lean.reach))
        return self._joined(last + self._made(self._over.shape[-1] - self._lean.reach))

    def _pushed(self, x: torch.Tensor) -> list[_Made]:
        if self._sound is None:
            self._sound = functional.pad(x[..., :0], (REACH, 0))
            self._over = x.new_zeros(max(len(x), batch_of({"ceiling": self.ceiling_dbtp})), 0)
        self._sound = torch.cat([self._sound, x], dim=-1)
        unread = self._sound[..., self._over.shape[-1] :]
        if unread.shape[-1] > 2 * REACH:
            under_db = torch.as_tensor(self.ceiling_dbtp, device=x.device).reshape(-1, 1) - self.gain_db
            self._over = torch.cat([self._over, over_ceiling_db(unread, under_db)], dim=-1)
        return self._made(self._over.shape[-1] - self._lean.reach)

    def _made(self, ready: int) -> list[_Made]:
        """The next `ready` samples, turned down, and by how much."""
        made = []
        for start in range(0, ready, self._lean.block):
            stop = min(start + self._lean.block, ready)
            reduction_db = self._lean(self._over[..., start : stop + self._lean.reach])
            part = self._sound[..., REACH + start : REACH + stop]
            if self._lean.rests:
                part = (part * gain_from_db(self.gain_db)).expand(len(reduction_db), -1, -1)
            else:
                gain = (self.gain_db - reduction_db).to(part.dtype).mul_(_NEPER_PER_DB).exp_()
                part = part * gain.unsqueeze(1)
            made.append((part, reduction_db))
        if ready > 0:
            self._sound, self._over = self._sound[..., ready:].clone(), self._over[..., ready:].clone()
        return made

    def _joined(self, made: list[_Made]) -> torch.Tensor:
        if not made:
            batch = max(len(self._over), self._lean.batch)
            made = [(self._sound[..., :0].expand(batch, -1, -1), self._over.new_zeros(batch, 0).double())]
        sounds, reductions = zip(*made, strict=True)
        self.reduction_db = torch.cat(reductions, dim=-1) if len(made) > 1 else reductions[0]
        return torch.cat(sounds, dim=-1) if len(made) > 1 else sounds[0]


#: A stretch of sound turned down (batch, channels, n) and by how much (batch, n).
_Made = tuple[torch.Tensor, torch.Tensor]


class TrimFlow(Flow):
    """One gain for the whole sound (batch, channels, n), only ever down, that puts it under the ceiling.

    It hears all of it first, at 16x.
    """

    hears_first = True

    def __init__(self, ceiling_dbtp: Setting):
        self.ceiling_dbtp = ceiling_dbtp
        self._peaks: list[TruePeakWalk] = []
        self._gain: torch.Tensor | None = None

    def hear(self, x: torch.Tensor) -> None:
        self._peaks = self._peaks or [TruePeakWalk() for _ in x]
        for walk, item in zip(self._peaks, x, strict=True):
            walk.add(item)

    @torch.no_grad()
    def push(self, x: torch.Tensor, **beside: torch.Tensor) -> torch.Tensor:
        if self._gain is None:
            peaks_dbtp = torch.stack([walk.done() for walk in self._peaks]).to(x.device)
            ceiling_dbtp = torch.as_tensor(self.ceiling_dbtp, dtype=torch.float64, device=x.device)
            self._gain = gain_from_db(trim_for(peaks_dbtp, ceiling_dbtp.reshape(-1))).reshape(-1, 1, 1)
        return x * self._gain.to(x.dtype) if bool((self._gain < 1).any()) else x


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


LIMITER = Effect(
    *ROW,
    process=_process,
    identity_at_default=False,
    engaged={"ceiling_dbtp": -9.0},
    flow=_flow,
)
