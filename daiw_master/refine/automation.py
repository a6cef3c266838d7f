"""The last hand before delivery: the finished mix ridden along the song's form.

The solver works on the song as it stands still, so that it neither fights the hand nor counts on it;
then the form is ridden once, in front of loudness and limiter, which still guard every peak.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch.nn import functional

from daiw_master.form import Form, energy_curve
from daiw_master.meters.loudness import momentary, short_term
from daiw_master.refine.asks import Ask
from daiw_master.refine.bench import Bench, range_of_trace
from daiw_master.refine.song import Song
from daiw_master.stack.automation import HOP_S, automation_gains_db, hop_of
from daiw_master.units import power_from_db

RANGE = "loudness_range_lu"
#: Short-term loudness is read over this (EBU Tech 3341), one value every `_READ_S`.
_WINDOW_S, _READ_S = 3.0, 0.1


def with_form(song: Song, form: Form, start_s: float = 0.0) -> Song:
    """The same song with its form's energy curve at hand; `start_s` where it is an excerpt.

    A form that does not move is a line at nought: nothing will be ridden.
    """
    hop, skipped, length = hop_of(song.rate), round(start_s * song.rate), song.x.shape[-1] - song.tail
    music = song.x[..., :length]
    power = power_from_db(momentary(music, song.rate, hop_ms=1000 * _READ_S)[0])
    before = torch.zeros(round(len(power) * skipped / max(1, length)), device=power.device)
    curve = energy_curve(form, skipped + length, song.rate, hop, torch.cat([before, power]))
    return replace(song, energy=curve[skipped // hop :])


def ridden_gains_db(bench: Bench, settings: Mapping[str, float]) -> tuple[torch.Tensor, torch.Tensor]:
    """What automation does to lows and highs over the song, in dB, one value every 10 ms (moments,) each.

    Nought throughout where the chain has no automation, or it rests.
    """
    song = bench.song
    low = high = torch.zeros(-(-song.x.shape[-1] // hop_of(song.rate)))
    for place in bench.moving:
        own = {k.partition(".")[2]: v for k, v in settings.items() if k.partition(".")[0] == place}
        gains = automation_gains_db(song.x[:1, :1], song.rate, **own, energy=song.energy, tail=song.tail)
        low, high = (so_far + gain[0].cpu() for so_far, gain in zip((low, high), gains, strict=True))
    return low, high


def automation_reach_db(bench: Bench, settings: Mapping[str, float]) -> float:
    """How far the level is moved from rest at most, dB; brightness and drift left out."""
    level_alone = {k: 0.0 if k.endswith(("brightness_db", "drift_db")) else v for k, v in settings.items()}
    return float(ridden_gains_db(bench, level_alone)[0].abs().max())


def added_range_lu(bench: Bench, settings: Mapping[str, float]) -> float:
    """Loudness range the automation adds to the song at these settings, foretold from its loudness trace.

    The gain is averaged over each 3 s window as the meter does it, then laid on the trace of the still
    song; negative where soft sections are lifted.
    """
    song = bench.song
    low_db, high_db = ridden_gains_db(bench, settings)
    if not low_db.any() and not high_db.any():
        return 0.0
    bed = any(effect.name == "noise" for effect in bench.placed.values())
    still = song.rung_out(bench.shaped(settings), over_noise=bed)
    trace = short_term(still, song.rate, hop_ms=1000 * _READ_S)[0].cpu()
    power = 10 ** (low_db.double() / 10)
    window, step = round(_WINDOW_S / HOP_S), round(_READ_S / HOP_S)
    means = functional.avg_pool1d(power[None, None], min(window, len(power)), step)[0, 0]
    count = min(len(trace), len(means))
    gain_db = 10 * means[:count].log10()
    return range_of_trace(trace[:count] + gain_db) - range_of_trace(trace[:count])


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
