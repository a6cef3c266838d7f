"""Delivery: the song at its loudness and under its ceiling, both at once, or as near as stays clean.

One walk surveys the song; what gain it needs in front of the limiter, its own loss of loudness
included, is foretold from that (`foresight`). Then a round limits and measures, block by block, and
nearly always it is the only one: what comes out a hair too loud is turned down with the closing trim.
How hard the limiter may work is capped: beyond it loudness gives way, because gain piled onto a
limiter buys distortion, and on some songs even costs loudness.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, fields, replace

import torch

from daiw_master.errors import InputError
from daiw_master.meters.loudness import integrated_loudness
from daiw_master.meters.traces import TRACES, Scan, ScanWalk
from daiw_master.meters.true_peak import TruePeakWalk
from daiw_master.sounds import Held, Sound, Store, View
from daiw_master.stack.flow import through
from daiw_master.stack.foresight import CAP_TOLERANCE_DB, HOP_TICKS, Foresight, Survey
from daiw_master.stack.hops import HopTrace
from daiw_master.stack.limiter import LIMITER, MARGIN_DB, LimiterFlow, trim_for
from daiw_master.stack.loudness import LOUDNESS, SILENCE_LUFS, gain_to_loudness_db
from daiw_master.units import gain_from_db

#: A round aims this far above its loudness, and what comes out too loud by no more than the second is
#: turned down with the trim: that costs as much room under the ceiling, and saves a round.
FIRST_AIM_LU, NEXT_AIM_LU, TURNED_DOWN_LU = 0.05, 0.01, 0.15


@dataclass(frozen=True, kw_only=True)
class DeliveredSound:
    """A delivered sound that may be longer than memory, and how it got there.

    `gain_db` stands before the limiter, `trim_db` (<= 0) after it. `reduction_db` (hops,): what the
    limiter takes on average in every `hop_s` (10 ms); `reduction_p99_db`: it takes less than this in 99 %
    of the music. `loudness_lufs` and `true_peak_dbtp` are those of `sound`, `seen` the walk they were
    read from, with the traces that were asked for; `reached`: the loudness is within tolerance.
    `laid`, turned by `laid_gain_db`, is the sound.
    """

    laid: Sound
    laid_gain_db: float
    gain_db: float
    trim_db: float
    reduction_p99_db: float
    loudness_lufs: float
    true_peak_dbtp: float
    seen: Scan
    reduction_db: torch.Tensor
    hop_s: float
    reached: bool = False
    rounds: int = 0

    @property
    def sound(self) -> Sound:
        """What is delivered, made while it is read: the trim costs no pass of its own."""
        laid, gain = self.laid, gain_from_db(self.laid_gain_db)
        if gain == 1.0:
            return laid
        return View(laid.rate, laid.channels, laid.time, lambda start, stop: laid.read(start, stop) * gain)


@dataclass(frozen=True, kw_only=True)
class Delivered(DeliveredSound):
    """The same in memory: `samples` has the shape that came in."""

    samples: torch.Tensor


@torch.no_grad()
def deliver(
    x: torch.Tensor, rate: int, loudness_lufs: float = -14.0, ceiling_dbtp: float = -1.0, **how
) -> Delivered:
    """The song at a loudness, under a ceiling: gain, limiter and trim, found together.

    x (channels, time) or (1, channels, time); `how` as in `deliver_sound`, which this is for a sound in
    memory. Silence comes back as it is. Not differentiable: chain `LOUDNESS` and `LIMITER` for that.
    """
    song = x.unsqueeze(0) if x.ndim == 2 else x
    if song.ndim != 3 or len(song) != 1:
        raise InputError(f"deliver: audio has shape {tuple(x.shape)}; it must be (channels, time), one song")
    store = Store(most=song.numel())
    done = deliver_sound(Held(song, rate), loudness_lufs, ceiling_dbtp, store=store, keep=TRACES, **how)
    gain = gain_from_db(done.laid_gain_db)
    # What was laid down is ours to change, the song is not.
    samples = song * gain if done.laid.samples is song else done.laid.samples.mul_(gain).to(x.device)
    own = {field.name: getattr(done, field.name) for field in fields(done)}
    own |= {"laid": Held(samples, rate), "laid_gain_db": 0.0}
    return Delivered(samples=samples.reshape(x.shape), **own)


@torch.no_grad()
def deliver_sound(
    sound: Sound,
    loudness_lufs: float = -14.0,
    ceiling_dbtp: float = -1.0,
    *,
    max_reduction_db: float = 6.0,
    release_ms: float = 80.0,
    lookahead_ms: float = 3.0,
    tolerance_lu: float = 0.02,
    max_rounds: int = 8,
    quick: bool = False,
    store: Store | None = None,
    survey: Survey | None = None,
    keep: Collection[str] = ("loud",),
    progress: Callable[[float], None] | None = None,
) -> DeliveredSound:
    """A sound of any length at a loudness, under a ceiling, in bounded memory.

    `max_reduction_db` caps the 99th percentile of the limiter's reduction; where the target would need
    more, the loudest version under the cap is returned with `reached` False. `quick` stops at 0.2 LU or
    three rounds, for a search that calls often. `store`: where rounds are laid down. `survey`: one that
    walked along while the sound was made saves a pass. `keep`: the traces of the result you will read.
    `progress` hears a fraction from 0 to 1. Silence comes back as it is.
    """
    LOUDNESS.space["loudness_lufs"].check(loudness_lufs)
    LIMITER.space.check(
        {"ceiling_dbtp": ceiling_dbtp, "release_ms": release_ms, "lookahead_ms": lookahead_ms}
    )
    desk = _Desk(sound, store or Store(), keep, progress or (lambda fraction: None))
    if survey is None:
        survey = desk.surveyed()
    heard_lufs = float(integrated_loudness(survey.seen))
    if heard_lufs <= SILENCE_LUFS:
        return replace(desk.turned(0.0, survey.seen), rounds=0)
    gain_db = float(gain_to_loudness_db(survey.seen, loudness_lufs))
    foresight = Foresight(survey, ceiling_dbtp, release_ms, lookahead_ms)
    if foresight.highest_db + gain_db <= ceiling_dbtp - MARGIN_DB:
        done = desk.turned(gain_db, survey.seen)
        if done.true_peak_dbtp <= ceiling_dbtp - MARGIN_DB:  # nothing for the limiter to do
            return replace(done, reached=True)
    if quick:
        tolerance_lu, max_rounds = max(tolerance_lu, 0.2), min(max_rounds, 3)

    limiter = {"ceiling_dbtp": ceiling_dbtp, "release_ms": release_ms, "lookahead_ms": lookahead_ms}
    best: DeliveredSound | None = None
    aim_lu, most_db, rounds = FIRST_AIM_LU, max_reduction_db, 0
    while rounds < max_rounds:
        rounds += 1
        gain_db, capped = foresight.gain_for(loudness_lufs + aim_lu, gain_db, most_db)
        now = desk.limited(gain_db, limiter, foresight.p99_db)
        foresight.heard(gain_db, now.loudness_lufs, now.reduction_p99_db)
        over_db = now.reduction_p99_db - max_reduction_db
        error_lu = now.loudness_lufs - loudness_lufs
        if 0 < error_lu <= TURNED_DOWN_LU:
            now = _turned_down(now, loudness_lufs)
            error_lu = now.loudness_lufs - loudness_lufs
        best = _better(best, now, loudness_lufs, max_reduction_db)
        at_the_cap = capped and error_lu < 0 and over_db >= -CAP_TOLERANCE_DB
        if over_db <= 0 and (abs(error_lu) <= tolerance_lu or at_the_cap):
            break
        if over_db > 0:  # come from further below each time
            most_db -= CAP_TOLERANCE_DB / 4
        aim_lu = NEXT_AIM_LU
    desk.progress(1.0)
    reached = abs(best.loudness_lufs - loudness_lufs) <= max(tolerance_lu, 0.05)
    return replace(best, reached=reached, rounds=rounds)


def _turned_down(done: DeliveredSound, loudness_lufs: float) -> DeliveredSound:
    """A hair too loud: less of it."""
    down_db = min(float(gain_to_loudness_db(done.seen, loudness_lufs)), 0.0)
    seen = done.seen.louder(gain_from_db(down_db))
    return replace(
        done,
        laid_gain_db=done.laid_gain_db + down_db,
        trim_db=done.trim_db + down_db,
        loudness_lufs=float(integrated_loudness(seen)),
        true_peak_dbtp=done.true_peak_dbtp + down_db,
        seen=seen,
    )


def _better(
    best: DeliveredSound | None, now: DeliveredSound, loudness_lufs: float, most_db: float
) -> DeliveredSound:
    """Under the cap before over it, then near the loudness before far from it; the other is let go."""
    if best is None:
        return now

    def badness(done: DeliveredSound) -> tuple[float, float]:
        return max(done.reduction_p99_db - most_db, 0.0), abs(done.loudness_lufs - loudness_lufs)

    better, other = (now, best) if badness(now) < badness(best) else (best, now)
    other.laid.close()
    return better


class _Desk:
    """One sound in front of gain, limiter and trim."""

    def __init__(self, sound: Sound, store: Store, keep: Collection[str], progress: Callable[[float], None]):
        self.sound, self.store, self.keep, self.progress = sound, store, {"loud", *keep}, progress
        self._told = 0.0

    def surveyed(self) -> Survey:
        survey = Survey(self.sound.rate)
        for block in self._blocks(0.25):
            survey.add(block)
        return survey.done()

    def turned(self, gain_db: float, seen: Scan) -> DeliveredSound:
        """The sound itself, at a gain."""
        walk, peak = ScanWalk(self.sound.rate, self.keep), TruePeakWalk()
        for block in self._blocks(0.9):
            if self.keep != {"loud"}:
                walk.add(block)
            peak.add(block[0])
        seen = (seen if self.keep == {"loud"} else walk.done()).louder(gain_from_db(gain_db))
        hops = -(-seen.loud.shape[-1] // HOP_TICKS)
        return DeliveredSound(
            laid=self.sound,
            laid_gain_db=gain_db,
            gain_db=gain_db,
            trim_db=0.0,
            reduction_p99_db=0.0,
            loudness_lufs=float(integrated_loudness(seen)),
            true_peak_dbtp=float(peak.done()) + gain_db,
            seen=seen,
            reduction_db=torch.zeros(hops, dtype=torch.float64, device=seen.loud.device),
            hop_s=HOP_TICKS * seen.tick / seen.rate,
            rounds=1,
        )

    def limited(
        self, gain_db: float, limiter: dict[str, float], p99_db: Callable[[torch.Tensor], float]
    ) -> DeliveredSound:
        """The sound through gain and limiter, laid down, with the trim that its true peak asks for."""
        sound, rate = self.sound, self.sound.rate
        walk, peak = ScanWalk(rate, self.keep), TruePeakWalk()
        flow, taken = LimiterFlow(rate, **limiter, gain_db=gain_db), HopTrace(HOP_TICKS * walk.tick)
        laid = self.store.place(sound.channels, rate, sound.time)
        for block in through([flow], self._blocks(1 - (1 - self._told) / 2)):
            taken.add(flow.reduction_db)
            walk.add(block)
            peak.add(block[0])
            laid.write(block)
        trim_db = float(trim_for(peak.done(), limiter["ceiling_dbtp"]))
        seen, reduction_db = walk.done().louder(gain_from_db(trim_db)), taken.means()
        return DeliveredSound(
            laid=laid,
            laid_gain_db=trim_db,
            gain_db=gain_db,
            trim_db=trim_db,
            reduction_p99_db=p99_db(reduction_db),
            loudness_lufs=float(integrated_loudness(seen)),
            true_peak_dbtp=float(peak.done()) + trim_db,
            seen=seen,
            reduction_db=reduction_db,
            hop_s=HOP_TICKS * seen.tick / rate,
        )

    def _blocks(self, until: float) -> Iterator[torch.Tensor]:
        """The sound, told on the way as progress from what has been told `until` a fraction."""
        first, told = self._told, 0
        for block in self.sound.blocks():
            yield block
            told += block.shape[-1]
            self._told = first + (until - first) * told / max(self.sound.time, 1)
            self.progress(self._told)
