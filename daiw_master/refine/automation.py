"""The last hand before delivery: the finished mix ridden along the song's form.

The solver works on the song as it stands still, so that it neither fights the hand nor counts on it;
then the form is ridden once, in front of loudness and limiter, which still guard every peak.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch.nn import functional

from daiw_master.form import Form, energy_curve
from daiw_master.meters.loudness import lufs, momentary
from daiw_master.meters.traces import loudness_scan
from daiw_master.meters.weighting import KWeighting
from daiw_master.refine.asks import Ask
from daiw_master.refine.bench import Bench, range_of_trace
from daiw_master.refine.song import Song
from daiw_master.sounds import Sound, part
from daiw_master.stack.automation import HOP_S, automation_gains_db, hop_of
from daiw_master.stack.deliver import DeliveredSound
from daiw_master.stack.hops import averaged
from daiw_master.stack.limiter import LIMITER, reduction_blocks
from daiw_master.units import db_from_gain, power_from_db

RANGE = "loudness_range_lu"
#: Short-term loudness is read over this (EBU Tech 3341), one value every `_READ_S`.
_WINDOW_S, _READ_S = 3.0, 0.1
#: The limiter's knobs beside its ceiling, and rounds in which two deliveries are brought to one loudness.
LIMITER_KNOBS = ("release_ms", "lookahead_ms")
LOUDNESS_ROUNDS = 4


def with_form(song: Song, form: Form, start_s: float = 0.0) -> Song:
    """The same song with its form's energy curve at hand; `start_s` where it is an excerpt.

    A form that does not move is a line at nought: nothing will be ridden.
    """
    hop, skipped, length = hop_of(song.rate), round(start_s * song.rate), song.x.time - song.tail
    music = loudness_scan(part(song.x, 0, length))
    power = power_from_db(momentary(music, hop_ms=1000 * _READ_S)[0])
    before = torch.zeros(round(len(power) * skipped / max(1, length)), device=power.device)
    curve = energy_curve(form, skipped + length, song.rate, hop, torch.cat([before, power]))
    return replace(song, energy=curve[skipped // hop :])


def ridden_gains_db(bench: Bench, settings: Mapping[str, float]) -> tuple[torch.Tensor, torch.Tensor]:
    """What automation does to lows and highs over the song, in dB, one value every 10 ms (moments,) each.

    Nought throughout where the chain has no automation, or it rests.
    """
    song = bench.song
    low = high = torch.zeros(-(-song.x.time // hop_of(song.rate)))
    for place in bench.moving:
        own = {k.partition(".")[2]: v for k, v in settings.items() if k.partition(".")[0] == place}
        gains = automation_gains_db(
            torch.empty(1).expand(1, 1, song.x.time), song.rate, **own, energy=song.energy, tail=song.tail
        )
        low, high = (so_far + gain[0].cpu() for so_far, gain in zip((low, high), gains, strict=True))
    return low, high


def automation_reach_db(bench: Bench, settings: Mapping[str, float]) -> float:
    """How far the level is moved from rest at most, dB; brightness and drift left out."""
    level_alone = {k: 0.0 if k.endswith(("brightness_db", "drift_db")) else v for k, v in settings.items()}
    return float(ridden_gains_db(bench, level_alone)[0].abs().max())


def added_range_lu(
    bench: Bench, settings: Mapping[str, float], delivered: DeliveredSound | None = None
) -> float:
    """Loudness range the automation adds to the song at these settings, foretold without a second master.

    From loudness and peaks of the still song, 10 ms by 10 ms, with the gain laid on top. Given how the
    ridden master was `delivered`, the limiter is counted in: it takes back part of what loud sections
    were lifted by. Negative where the hand evens things out.
    """
    low_db, high_db = ridden_gains_db(bench, settings)
    if not low_db.any() and not high_db.any():
        return 0.0
    song = bench.song
    bed = any(effect.name == "noise" for effect in bench.placed.values())
    still = _Traces(song.rung_out(bench.shaped(settings), over_noise=bed))
    gain_db = low_db[: len(still.power)].double()
    if delivered is None:
        return still.range_lu(gain_db) - still.range_lu(torch.zeros_like(gain_db))
    limiter = {name: settings.get(f"limiter.{name}", LIMITER.space[name].default) for name in LIMITER_KNOBS}
    ceiling_dbtp = settings.get("limiter.ceiling_dbtp", delivered.true_peak_dbtp)
    gain_db = still.limited(gain_db + delivered.gain_db, ceiling_dbtp, limiter)
    # the still song is delivered at the same loudness; what gain that takes is found in a few rounds
    flat_db = torch.full_like(gain_db, delivered.gain_db)
    for _ in range(LOUDNESS_ROUNDS):
        limited_db = still.limited(flat_db, ceiling_dbtp, limiter)
        flat_db = flat_db + still.loudness(gain_db) - still.loudness(limited_db)
    return still.range_lu(gain_db) - still.range_lu(still.limited(flat_db, ceiling_dbtp, limiter))


class _Traces:
    """A sound as its K-weighted power every 10 ms and its peaks ten times as often."""

    def __init__(self, sound: Sound):
        rate = sound.rate
        hop = hop_of(rate)
        self.fine = next(n for n in range(10, 0, -1) if hop % n == 0)
        self.clock = rate * self.fine / hop
        powers, peaks = [], []
        for plain, weighted in _weighted(sound, hop):
            powers.append(averaged(weighted.square().sum(1), hop)[0])
            peaks.append(plain.abs().amax(1).unflatten(-1, (-1, hop // self.fine)).amax(-1))
        channel = 1.0 if sound.channels > 1 else 2.0  # mono plays on both speakers
        self.power = channel * torch.cat(powers).double().cpu()
        self.peaks_db = db_from_gain(torch.cat(peaks, dim=-1)).cpu()

    def limited(self, gain_db: torch.Tensor, ceiling_dbtp: float, limiter: Mapping) -> torch.Tensor:
        """What is left of a gain (moments,) behind the limiter."""
        driven = self.peaks_db + gain_db.float().repeat_interleave(self.fine)
        blocks = [block for _, block in reduction_blocks(driven, self.clock, ceiling_dbtp, **limiter)]
        return gain_db - averaged(torch.cat(blocks, dim=-1)[0], self.fine)

    def loudness(self, gain_db: torch.Tensor) -> torch.Tensor:
        """Ungated, in dB: to compare one gain with another."""
        return 10 * (self.power * power_from_db(gain_db)).mean().clamp_min(1e-12).log10()

    def range_lu(self, gain_db: torch.Tensor) -> float:
        """Loudness range of the sound with this gain on it."""
        power = (self.power * power_from_db(gain_db))[None, None]
        window, step = round(_WINDOW_S / HOP_S), round(_READ_S / HOP_S)
        return range_of_trace(lufs(functional.avg_pool1d(power, min(window, power.shape[-1]), step)[0, 0]))


def _weighted(sound: Sound, hop: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The sound and its K-weighted self in whole hops."""
    weighting = KWeighting(sound.rate, hop)
    for block in sound.blocks():
        yield from weighting.add(block)
    yield from weighting.done()


def moved_by_sections(asks: Mapping[str, Ask], added_lu: float) -> dict[str, Ask]:
    """The asks of a master whose form is ridden: its range is wanted as much wider as the form makes it.

    For after the solver, which asks for the song's range as it stands still. A range the user set stays.
    """
    asks = dict(asks)
    ask = asks.get(RANGE)
    if ask is not None and added_lu and ask.why != "you set it":
        why = f"{ask.why}; the sections move it" if ask.by and ask.why else "the sections move it"
        asks[RANGE] = replace(ask, wanted=ask.wanted + added_lu, by=ask.by + added_lu, why=why)
    return asks
