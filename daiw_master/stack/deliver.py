"""Delivery: the song at its loudness and under its ceiling, both at once, or as near as stays clean.

The gain before the limiter is searched (bracketed secant); each round limits, trims at 16x and
measures, so that the limiter's own loss of loudness is part of what is aimed at. How hard the limiter
may work is capped: beyond it loudness gives way, because gain piled onto a limiter buys distortion,
and on some songs even costs loudness.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch.nn import functional

from daiw_master.errors import InputError
from daiw_master.meters.loudness import integrated_loudness
from daiw_master.meters.traces import Scan, scan
from daiw_master.meters.true_peak import true_peak
from daiw_master.stack.hops import HopTrace, averaged_blocks
from daiw_master.stack.limiter import LIMITER, apply_reduction, reduction_blocks, trim_for
from daiw_master.stack.loudness import LOUDNESS, SILENCE_LUFS, gain_to_loudness_db
from daiw_master.stack.peaks import BLOCK, peak_envelope_db
from daiw_master.units import gain_from_db

#: Reduction and music are read every so often, and where it is music: within 60 dB of the loudest moment.
HOP_MS = 10.0
MUSIC_DB = -60.0
#: The cap on reduction is approached from below to within this.
CAP_TOLERANCE_DB = 0.02
#: ... on a clock at most this many times slower than the samples.
COARSEST = 8


@dataclass(frozen=True)
class Delivered:
    """The delivered sound and how it got there.

    `samples` has the shape that came in. `gain_db` stands before the limiter, `trim_db` (<= 0) after
    it. `reduction_db` (hops,): what the limiter takes on average in every 10 ms; `reduction_p99_db`: it
    takes less than this in 99 % of the music. `loudness_lufs` and
    `true_peak_dbtp` are those of `samples`, `seen` the walk they were read from; `reached`: the
    loudness is within tolerance.
    """

    samples: torch.Tensor
    gain_db: float
    trim_db: float
    reduction_p99_db: float
    loudness_lufs: float
    true_peak_dbtp: float
    seen: Scan
    reduction_db: torch.Tensor
    reached: bool = False
    rounds: int = 0


@torch.no_grad()
def deliver(
    x: torch.Tensor,
    rate: int,
    loudness_lufs: float = -14.0,
    ceiling_dbtp: float = -1.0,
    *,
    max_reduction_db: float = 6.0,
    release_ms: float = 80.0,
    lookahead_ms: float = 3.0,
    tolerance_lu: float = 0.02,
    max_rounds: int = 8,
    quick: bool = False,
) -> Delivered:
    """The song at a loudness, under a ceiling: gain, limiter and trim, found together.

    x (channels, time) or (1, channels, time). `max_reduction_db` caps the 99th percentile of the
    limiter's reduction; where the target would need more, the loudest version under the cap is
    returned with `reached` False. `quick` stops at 0.2 LU or three rounds, for a search that calls
    often. Silence comes back as it is. Not differentiable: chain `LOUDNESS` and `LIMITER` for that.
    """
    LOUDNESS.space["loudness_lufs"].check(loudness_lufs)
    LIMITER.space.check(
        {"ceiling_dbtp": ceiling_dbtp, "release_ms": release_ms, "lookahead_ms": lookahead_ms}
    )
    song = x.unsqueeze(0) if x.ndim == 2 else x
    if song.ndim != 3 or len(song) != 1:
        raise InputError(f"deliver: audio has shape {tuple(x.shape)}; it must be (channels, time), one song")
    seen = scan(song, rate)
    heard_lufs = float(integrated_loudness(seen))
    if heard_lufs <= SILENCE_LUFS:
        nothing = torch.zeros(0, device=x.device)
        return Delivered(x.clone(), 0.0, 0.0, 0.0, heard_lufs, float(true_peak(song, rate)), seen, nothing)
    gain_db = float(gain_to_loudness_db(seen, loudness_lufs))
    if quick:
        tolerance_lu, max_rounds = max(tolerance_lu, 0.2), min(max_rounds, 3)

    desk = _Desk(song, seen, ceiling_dbtp, release_ms, lookahead_ms)
    cap_db = None  # the highest gain the limiter may be given, once we have run into it
    search = _Search()
    best: Delivered | None = None
    rounds = 0
    while rounds < max_rounds:
        rounds += 1
        gain_db = gain_db if cap_db is None else min(gain_db, cap_db)
        limited, reduction_db = desk.limited(gain_db)
        if cap_db is None and desk.p99(reduction_db) > max_reduction_db:
            del limited
            gain_db = cap_db = desk.gain_at_reduction(max_reduction_db, gain_db)
            limited, reduction_db = desk.limited(gain_db)
        now = desk.finished(limited, gain_db, reduction_db)
        error_lu = now.loudness_lufs - loudness_lufs
        if best is None or abs(error_lu) < abs(best.loudness_lufs - loudness_lufs):
            best = now
        del now, limited
        if abs(error_lu) <= tolerance_lu or (error_lu < 0 and cap_db is not None and gain_db >= cap_db):
            break
        gain_db = search.next(gain_db, error_lu)
    reached = abs(best.loudness_lufs - loudness_lufs) <= max(tolerance_lu, 0.05)
    return replace(best, samples=best.samples.reshape(x.shape), reached=reached, rounds=rounds)


class _Desk:
    """One song in front of gain, limiter and trim; what does not depend on the gain is kept."""

    def __init__(
        self, song: torch.Tensor, seen: Scan, ceiling_dbtp: float, release_ms: float, lookahead_ms: float
    ):
        self.song, self.seen, self.rate, self.ceiling_dbtp = song, seen, seen.rate, ceiling_dbtp
        self.limiter = {"release_ms": release_ms, "lookahead_ms": lookahead_ms}
        self.hop = max(1, round(HOP_MS * self.rate / 1000))
        self.peaks_db = peak_envelope_db(song)
        self.highest_db = float(self.peaks_db.max())
        power = averaged_blocks((block.square().mean(1) for block in song.split(BLOCK, dim=-1)), self.hop)
        self.music = power >= power.max() * gain_from_db(2 * MUSIC_DB)
        self._own_peak_dbtp: float | None = None

    def limited(self, gain_db: float) -> tuple[torch.Tensor, torch.Tensor]:
        """The song through gain and limiter, and what the limiter takes, hop by hop."""
        # A louder song under a ceiling is the song under a lower ceiling: its peaks are looked up once.
        reductions = reduction_blocks(self.peaks_db, self.rate, self.ceiling_dbtp - gain_db, **self.limiter)
        trace = HopTrace(self.hop)
        samples = apply_reduction(self.song, trace.passing(reductions), gain_db)
        return samples, trace.means()

    def finished(self, samples: torch.Tensor, gain_db: float, reduction_db: torch.Tensor) -> Delivered:
        """A limited song, trimmed and measured; `samples` is turned down in place."""
        if self.highest_db + gain_db <= self.ceiling_dbtp:  # the limiter had nothing to do
            if self._own_peak_dbtp is None:
                self._own_peak_dbtp = float(true_peak(self.song, self.rate))
            peak_dbtp = self._own_peak_dbtp + gain_db
            seen = self.seen.louder(gain_from_db(gain_db))
        else:
            peak_dbtp = float(true_peak(samples, self.rate))
            seen = scan(samples, self.rate)
        trim_db = float(trim_for(torch.tensor(peak_dbtp, dtype=torch.float64), self.ceiling_dbtp))
        if trim_db < 0:
            samples.mul_(gain_from_db(trim_db))
            seen, peak_dbtp = seen.louder(gain_from_db(trim_db)), peak_dbtp + trim_db
        loudness = float(integrated_loudness(seen))
        p99_db = self.p99(reduction_db)
        return Delivered(samples, gain_db, trim_db, p99_db, loudness, peak_dbtp, seen, reduction_db)

    def gain_at_reduction(self, reduction_db: float, too_much_db: float) -> float:
        """The highest gain whose reduction stays under a cap.

        Searched on a coarse clock, which sees every peak and so reads a few hundredths too much; what
        it reads too much is found once at full rate, and taken into account.
        """
        fine = next(n for n in range(COARSEST, 0, -1) if self.hop % n == 0)
        padded = functional.pad(self.peaks_db, (0, -self.peaks_db.shape[-1] % fine), value=-120.0)
        coarse = padded.unflatten(-1, (-1, fine)).amax(-1)

        def read(gain_db: float) -> float:
            reductions = reduction_blocks(
                coarse, self.rate / fine, self.ceiling_dbtp - gain_db, **self.limiter
            )
            return self.p99(averaged_blocks((block for _, block in reductions), self.hop // fine))

        gain_db = self._bracketed(read, reduction_db, too_much_db)
        excess_db = read(gain_db) - self.p99(self.limited(gain_db)[1])
        return self._bracketed(read, reduction_db + excess_db, too_much_db)

    def _bracketed(self, read: Callable[[float], float], reduction_db: float, too_much_db: float) -> float:
        """The gain at which `read` is just under `reduction_db`: reduction grows with gain."""
        high, high_over = too_much_db, read(too_much_db) - reduction_db
        if high_over <= 0:
            return high
        # No reduction exceeds gain + peak - ceiling, so here nothing is over the cap.
        low = self.ceiling_dbtp - self.highest_db + reduction_db
        low_over = read(low) - reduction_db
        while low_over < -CAP_TOLERANCE_DB and high - low > CAP_TOLERANCE_DB / 2:
            # Aim just under the cap by secant, kept away from the ends so that the bracket shrinks.
            aim = low + (high - low) * (low_over + CAP_TOLERANCE_DB / 2) / (low_over - high_over)
            middle = min(max(aim, low + 0.1 * (high - low)), high - 0.1 * (high - low))
            over = read(middle) - reduction_db
            if over > 0:
                high, high_over = middle, over
            else:
                low, low_over = middle, over
        return low

    def p99(self, reduction: torch.Tensor) -> float:
        """What a reduction by hops stays under in 99 % of the music."""
        return float(torch.quantile(reduction[self.music], 0.99))


class _Search:
    """The next gain to try: secant steps, inside a bracket as soon as there is one."""

    def __init__(self) -> None:
        self.tried: list[tuple[float, float]] = []

    def next(self, gain_db: float, error_lu: float) -> float:
        """After `gain_db` missed by `error_lu` (positive: too loud)."""
        self.tried.append((gain_db, error_lu))
        slope = 1.0
        if len(self.tried) > 1:
            (gain_a, error_a), (gain_b, error_b) = self.tried[-2:]
            # Loudness can stand still or fall while gain rises; a step must stay a step.
            slope = max((error_b - error_a) / (gain_b - gain_a), 0.2) if gain_b != gain_a else 1.0
        step = gain_db - error_lu / slope
        low = max((g for g, e in self.tried if e < 0), default=None)
        high = min((g for g, e in self.tried if e > 0), default=None)
        if low is None or high is None or low >= high:
            return min(step, gain_db + 6.0)
        margin = 0.05 * (high - low)
        return min(max(step, low + margin), high - margin)
