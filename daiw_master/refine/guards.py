"""The house limits, measured on the master that is about to be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from daiw_master import house
from daiw_master.meters.stereo import correlation_p5, fold_down_loss_lu, side_db, widths_db
from daiw_master.meters.tone import Spectrum
from daiw_master.meters.traces import Scan
from daiw_master.refine.automation import automation_reach_db
from daiw_master.refine.bench import Bench, Take
from daiw_master.refine.compressor import compressor_work, dynamics_of
from daiw_master.refine.done import measured_decay_s, measured_drive_db, measured_wet_db
from daiw_master.stack.eq import eq_response_db
from daiw_master.stack.rider import REACH_DB
from daiw_master.targets import BAND_EDGES_HZ

#: Meters and filters agree to about this much; a guard is not broken by rounding.
SLACK_DB = 0.05


@dataclass(frozen=True)
class Guard:
    """One house limit as found on the master; `relaxed` where it lies between default and hard."""

    name: str
    measured: float
    default: float
    hard: float
    holds: bool
    relaxed: bool
    about: str
    unit: str


def check_guards(bench: Bench, take: Take) -> list[Guard]:
    """Every limit against what was measured on the master."""
    guards = []
    for name, value in measured_guards(bench, take).items():
        limit = house.limits()[name]
        holds, inside_default = (limit.holds(value, relaxed, SLACK_DB) for relaxed in (True, False))
        guards.append(
            Guard(name, value, limit.default, limit.hard, holds, not inside_default, limit.about, limit.unit)
        )
    return guards


def measured_guards(bench: Bench, take: Take) -> dict[str, float]:
    """The measured value behind every house limit."""
    settings, rate = take.settings, bench.song.rate
    found = {
        **eq_guards(settings, rate),
        **dynamics_guards(bench, settings),
        "limiter_p99_db": float(take.delivered.reduction_p99_db),
        **stereo_guards(take.seen, take.tones),
    }
    reach = automation_reach_db(bench, settings)
    if reach:
        found["ride_db"] = max(reach, found.get("ride_db", 0.0))  # two hands, one limit for each
    widths = [settings[k] for k in settings if k.startswith("imager.") and k.endswith("_width_db")]
    if widths:
        found["side_gain_db"] = max(0.0, *widths)
    wet = measured_wet_db(bench, settings)
    if wet > -60.0:
        kind = "send" if bench.song.send is not None else "bus"
        found[f"reverb_{kind}_wet_db"] = wet
        found[f"reverb_{kind}_decay_s"] = measured_decay_s(bench, settings)
    drive = measured_drive_db(bench, settings)
    if drive > -60.0:
        found["exciter_db"] = drive
    return found


def stereo_guards(seen: Scan, tones: Spectrum) -> dict[str, float]:
    """Width, phase and mono compatibility of the finished sound, read off the walks through it."""
    if seen.energy.shape[1] != 2:
        return {}
    return {
        "side_to_mid_db": float(side_db(tones)),
        "side_low_db": float(widths_db(tones)[0, 0]),
        "correlation_p5": float(correlation_p5(seen)),
        "fold_down_loss_lu": float(fold_down_loss_lu(seen)),
    }


def eq_guards(settings: Mapping[str, float], rate: int) -> dict[str, float]:
    """Net EQ: the furthest band move from the flat line, and any boost below 40 Hz."""
    own = {k.partition(".")[2]: v for k, v in settings.items() if k.startswith("eq.")}
    if not own:
        return {}
    worst = 0.0
    for low, high in BAND_EDGES_HZ.values():
        freqs = torch.logspace(*torch.tensor([low, high]).log10().tolist(), 24)
        worst = max(worst, abs(float(eq_response_db(own, freqs, rate).mean())))
    lows = eq_response_db(own, torch.tensor([20.0, 25.0, 30.0, 35.0]), rate)
    return {"eq_band_db": worst, "eq_below_40_hz_db": max(0.0, float(lows.max()))}


def dynamics_guards(bench: Bench, settings: Mapping[str, float]) -> dict[str, float]:
    """Compressor reduction while there is music, its attack, and the rider's and shaper's reach."""
    place = dynamics_of(bench)
    if place is None:
        return {}
    own = {k.partition(".")[2]: v for k, v in settings.items() if k.startswith(f"{place}.")}
    found = {
        "shaper_db": max(abs(own["attack_db"]), abs(own["sustain_db"])),
        "ride_db": REACH_DB * abs(own["ride"]),
    }
    if own["ratio"] > 1.0:
        reduction = compressor_work(bench, settings).over_music_db
        found["compressor_mean_db"] = float(reduction.mean())
        found["compressor_p95_db"] = float(reduction.quantile(0.95))
        found["compressor_attack_ms"] = own["attack_ms"]
    return found
