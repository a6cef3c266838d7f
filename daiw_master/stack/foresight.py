"""What gain and limiter will make of a song, foretold from a few numbers for every 3.3 ms of it.

Loudness needs the energy of each tick and the mean square of the gain within it; the limiter's gain
is worked out on a clock of a few peaks per tick. What the forecast misses (peaks between the samples,
the closing trim) is much the same at every gain near by: heard once, it is counted in.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch.nn.functional import pad

from daiw_master.meters.loudness import integrated_loudness
from daiw_master.meters.pages import Pages
from daiw_master.meters.traces import Scan, ScanWalk
from daiw_master.stack.hops import HopTrace, averaged
from daiw_master.stack.lean import reduction_blocks
from daiw_master.units import db_from_gain, power_from_db

#: Peaks kept of every tick: one for about 37 samples.
PEAKS_PER_TICK = 4
#: Reduction and music are read every 10 ms; music is what lies within 60 dB of the loudest moment.
HOP_TICKS = 3
MUSIC_DB = -60.0
#: The cap on reduction is approached from below to within this.
CAP_TOLERANCE_DB = 0.02
#: A gain is foretold to this, in so many tries.
_NEAR_LU, _TRIES = 0.003, 16


class Survey:
    """What delivery has to know of a song before it begins: `add` its blocks (1, channels, n), then `done`.

    It keeps 17 MB for an hour.
    """

    def __init__(self, rate: int):
        self._walk = ScanWalk(rate, keep=("loud",), beside=self._note)
        self._peaks = Pages()
        #: (1, ticks) energies; (ticks * PEAKS_PER_TICK,) largest samples in dBFS, float16.
        self.seen: Scan | None = None
        self.peaks_db: torch.Tensor | None = None

    @torch.no_grad()
    def add(self, x: torch.Tensor) -> None:
        """The next block."""
        self._walk.add(x)

    @torch.no_grad()
    def done(self) -> Survey:
        """The survey, complete. Raises `InputError` where no sample came."""
        self.seen = self._walk.done()
        self.peaks_db = self._peaks.joined()
        return self

    def _note(self, ticks: torch.Tensor) -> None:
        """Peaks of (1, channels, ticks, tick) samples."""
        parts = pad(ticks.abs().amax(1), (0, -ticks.shape[-1] % PEAKS_PER_TICK))
        peaks = parts.unflatten(-1, (PEAKS_PER_TICK, -1)).amax(-1).flatten()
        self._peaks.add(db_from_gain(peaks).half())  # to a hundredth of a dB where a limiter looks


class Foresight:
    """Loudness and reduction of a surveyed song at any gain; more exact once it has `heard` the truth."""

    def __init__(self, survey: Survey, ceiling_dbtp: float, release_ms: float, lookahead_ms: float):
        self.seen, self._peaks_db = survey.seen, survey.peaks_db
        self.ceiling_dbtp = ceiling_dbtp
        self.clock = survey.seen.rate / survey.seen.tick * PEAKS_PER_TICK
        self.highest_db = float(survey.peaks_db.max())
        self.limiter = {"release_ms": release_ms, "lookahead_ms": lookahead_ms}
        power = averaged(survey.seen.loud[0], HOP_TICKS)
        self._music = power >= power.max() * power_from_db(MUSIC_DB)
        self._missed = (0.0, 0.0)  # LU and dB that the last forecast lacked

    def p99_db(self, reduction_db: torch.Tensor) -> float:
        """What a reduction every 10 ms (hops,) stays under in 99 % of the music."""
        return float(torch.quantile(reduction_db[self._music], 0.99))

    def heard(self, gain_db: float, loudness_lufs: float, p99_db: float) -> None:
        """What really came out at a gain."""
        foretold_lufs, foretold_db = self._foretold(gain_db)
        self._missed = (loudness_lufs - foretold_lufs, p99_db - foretold_db)

    def at(self, gain_db: float) -> tuple[float, float]:
        """Loudness, and the 99th percentile of the reduction, at a gain before the limiter."""
        loudness, p99_db = self._foretold(gain_db)
        return loudness + self._missed[0], p99_db + self._missed[1]

    def _foretold(self, gain_db: float) -> tuple[float, float]:
        power, reduction = HopTrace(PEAKS_PER_TICK), HopTrace(PEAKS_PER_TICK * HOP_TICKS)
        under_db = self.ceiling_dbtp - gain_db
        for _, block in reduction_blocks(self._peaks_db[None], self.clock, under_db, **self.limiter):
            power.add(power_from_db(-block))
            reduction.add(block)
        loud = power.means()[None].mul_(self.seen.loud).mul_(power_from_db(gain_db))
        loudness = float(integrated_loudness(replace(self.seen, loud=loud)))
        return loudness, self.p99_db(reduction.means())

    def gain_for(self, loudness_lufs: float, start_db: float, most_db: float) -> tuple[float, bool]:
        """The gain for a loudness, and False; or the highest with less reduction than `most_db`, and True."""
        search, gain_db, cap_db = Secant(), start_db, None
        for _ in range(_TRIES):
            loudness, p99_db = self.at(gain_db)
            if cap_db is None and p99_db > most_db:
                gain_db = cap_db = self._gain_at_reduction(most_db, gain_db)
                loudness, _ = self.at(gain_db)
            error_lu = loudness - loudness_lufs
            capped = cap_db is not None and gain_db >= cap_db
            if abs(error_lu) < _NEAR_LU or (capped and error_lu < 0):
                return gain_db, capped
            gain_db = search.next(gain_db, error_lu)
            gain_db = gain_db if cap_db is None else min(gain_db, cap_db)
        return min(search.tried, key=lambda tried: abs(tried[1]))[0], False

    def _gain_at_reduction(self, most_db: float, too_much_db: float) -> float:
        """The gain at which the reduction is just under `most_db`: it grows with gain."""

        def over(gain_db: float) -> float:
            return self.at(gain_db)[1] - most_db

        high, high_over = too_much_db, over(too_much_db)
        # No reduction exceeds gain + peak - ceiling, so here nothing is over the cap.
        low = self.ceiling_dbtp - self.highest_db + most_db
        low_over = over(low)
        while low_over > 0:  # what the forecast lacked has to be made room for
            low, high, high_over = low - 1.0, low, low_over
            low_over = over(low)
        while low_over < -CAP_TOLERANCE_DB and high - low > CAP_TOLERANCE_DB / 2:
            # Aim just under the cap by secant, kept away from the ends so that the bracket shrinks.
            aim = low + (high - low) * (low_over + CAP_TOLERANCE_DB / 2) / (low_over - high_over)
            middle = min(max(aim, low + 0.1 * (high - low)), high - 0.1 * (high - low))
            middle_over = over(middle)
            if middle_over > 0:
                high, high_over = middle, middle_over
            else:
                low, low_over = middle, middle_over
        return low


class Secant:
    """The next gain to try: secant steps, inside a bracket as soon as there is one."""

    def __init__(self) -> None:
        #: Gains and by how much each missed.
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
