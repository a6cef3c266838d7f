"""What we do ourselves and can therefore prove: the room's length and level, the drive.

Nobody can read these off a finished mix (evidence: 11 of 13 songs offer too few decays), so they
are measured where they happen: between a stage's input and its output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from daiw_master import house
from daiw_master.meters.loudness import integrated_loudness
from daiw_master.meters.probes import decay_time_s
from daiw_master.meters.probes import drive_db as residual_db
from daiw_master.meters.tone import band_mean_db, spectrum
from daiw_master.meters.traces import loudness_scan
from daiw_master.plan import Plan
from daiw_master.refine.bench import Bench
from daiw_master.sounds import difference
from daiw_master.stack.chain import run_chain
from daiw_master.stack.reverb import impulse_response, synced_predelay_ms
from daiw_master.targets import BANDS, FIELDS
from daiw_master.units import db_from_gain, gain_from_db

#: The knob behind each stage target: who turns it himself asks for nothing.
DONE_KNOBS = {
    "reverb_wet_db": "reverb.wet_db",
    "reverb_decay_s": "reverb.decay_s",
    "drive_db": "exciter.mix_db",
}
#: The floor of the wet and drive fields: none at all, and the stage is left alone.
NONE_DB = -60.0
#: Less drive than this is inaudible and cannot be told from a filter's rounding: none is added.
LEAST_DRIVE_DB = -48.0
#: Harmonics stay this far under the band they are made from, whatever the drive asks: beyond it the
#: band is replaced, not coloured.
MOST_MIX_DB = -16.0
#: How far harmonics may lift the mean that all bands are read against (half a tolerance), and in how
#: many rounds the drive is turned down to that.
MOST_FILLING_DB, FILLING_ROUNDS = 0.25, 4
#: Where a reverberation time is read.
MID_BAND_HZ = (500.0, 2000.0)


@dataclass(frozen=True)
class DoneAsk:
    """One stage target, absolute, with its reason and what was cut of it."""

    field: str
    wanted: float
    why: str
    cut: str = ""


def done_asks(plan: Plan, is_midi: bool, has_send: bool) -> dict[str, DoneAsk]:
    """Room and drive in absolute numbers: neutral plus shift, inside the house limits."""
    asks = {}
    wet, decay = _neutral_room(is_midi)
    shift_wet, shift_decay, shift_drive = (
        plan.shifts.get(name) for name in ("reverb_wet_db", "reverb_decay_s", "drive_db")
    )
    if is_midi:
        wet_db, wet_why = wet + (shift_wet.by if shift_wet else 0.0), "a small room for a dry render"
    else:
        wet_db, wet_why = (
            _wet_from_nothing(wet, shift_wet.by if shift_wet else 0.0),
            "a finished file keeps its own",
        )
    asks["reverb_wet_db"] = _limited(
        "reverb_wet_db", wet_db, shift_wet.why if shift_wet else wet_why,
        plan, "reverb_send_wet_db" if has_send else "reverb_bus_wet_db",
    )  # fmt: skip
    asks["reverb_decay_s"] = _limited(
        "reverb_decay_s", decay + (shift_decay.by if shift_decay else 0.0),
        shift_decay.why if shift_decay else wet_why,
        plan, "reverb_send_decay_s" if has_send else "reverb_bus_decay_s",
    )  # fmt: skip
    drive_db = NONE_DB + (shift_drive.by if shift_drive else 0.0)
    asks["drive_db"] = _limited(
        "drive_db", drive_db if drive_db >= LEAST_DRIVE_DB else NONE_DB,
        shift_drive.why if shift_drive else "none asked",
        plan, "exciter_db",
    )  # fmt: skip
    for name in asks:
        if name in plan.wanted:
            asks[name] = DoneAsk(name, plan.wanted[name], "you set it")
    return asks


def _neutral_room(is_midi: bool) -> tuple[float, float]:
    neutral = house.neutral()
    if is_midi:
        return neutral["midi"]["reverb_wet_db"], neutral["midi"]["reverb_decay_s"]
    return neutral["file_reverb_wet_db"], neutral["file_reverb_decay_s"]


def _wet_from_nothing(base_db: float, by_db: float) -> float:
    """A reverb that grows from none: its amplitude is what the shift adds to an inaudible base.

    A finished file's neutral has no reverb, and -60 + 6 would still be none; in amplitude the way
    from nothing to a touch of room is continuous.
    """
    added = gain_from_db(base_db + by_db) - gain_from_db(base_db)
    return max(NONE_DB, db_from_gain(added)) if added > 0 else NONE_DB


def _limited(name: str, wanted: float, why: str, plan: Plan, limit_name: str) -> DoneAsk:
    field = FIELDS[name]
    limit = plan.limit(limit_name)
    kept = min(max(wanted, field.low), min(limit, field.high))
    cut = f"wanted {wanted:.1f} {field.unit}, the house allows {limit:g}" if kept < wanted - 1e-9 else ""
    return DoneAsk(name, kept, why, cut)


def set_room(
    bench: Bench, plan: Plan, settings: dict[str, float], asks: Mapping[str, DoneAsk]
) -> dict[str, float]:
    """The room as asked: decay and level set, then the level corrected by what was measured."""
    place = _place(bench, "reverb")
    if place is None:
        return settings
    knobs = dict(settings)
    wet, decay = asks["reverb_wet_db"].wanted, asks["reverb_decay_s"].wanted
    knobs[f"{place}.wet_db"], knobs[f"{place}.decay_s"] = wet, decay
    if bench.song.tempo_bpm:
        wanted_ms = knobs.get(f"{place}.predelay_ms", bench.space[f"{place}.predelay_ms"].default)
        knobs[f"{place}.predelay_ms"] = _held(
            bench, f"{place}.predelay_ms", synced_predelay_ms(wanted_ms, bench.song.tempo_bpm)
        )
    knobs.update({k: v for k, v in plan.settings.items() if k.startswith(f"{place}.")})
    if wet > NONE_DB and f"{place}.wet_db" not in plan.settings:
        # The wet part is linear in its level: one correction is exact.
        heard = measured_wet_db(bench, knobs)
        knobs[f"{place}.wet_db"] = _held(bench, f"{place}.wet_db", knobs[f"{place}.wet_db"] + wet - heard)
    return knobs


def set_drive(
    bench: Bench, plan: Plan, settings: dict[str, float], asks: Mapping[str, DoneAsk]
) -> tuple[dict[str, float], dict[str, DoneAsk]]:
    """The exciter's level, corrected twice by the residual it really leaves, and the asks as they stand.

    Where a song has next to nothing up there to drive, the drive is what its own harmonics bear.
    """
    place = _place(bench, "exciter")
    if place is None or f"{place}.mix_db" in plan.settings or asks["drive_db"].wanted <= NONE_DB:
        return settings, dict(asks)
    ask, knob = asks["drive_db"], f"{place}.mix_db"
    most = bench.space[knob].high if "drive_db" in plan.wanted else MOST_MIX_DB
    start = settings[knob] if settings[knob] > NONE_DB else ask.wanted
    knobs = {**settings, knob: min(start, most)}
    for _ in range(2):
        off = ask.wanted - measured_drive_db(bench, knobs)
        knobs[knob] = min(_held(bench, knob, knobs[knob] + off), most)
    if "drive_db" in plan.wanted:
        return knobs, dict(asks)
    reason = "has little to drive"
    for _ in range(FILLING_ROUNDS):
        filling = filling_db(bench, place, knobs) - MOST_FILLING_DB
        if filling <= 0:
            break
        reason = "has no highs, and harmonics would invent them"
        knobs[knob] = _held(bench, knob, knobs[knob] - len(BANDS) * filling - 0.5)
    lowered = knobs[knob] == most or reason != "has little to drive"
    got = measured_drive_db(bench, knobs) if lowered else ask.wanted
    if got < ask.wanted - FIELDS["drive_db"].tolerance:
        why = f"wanted {ask.wanted:.0f} dB of drive: this song {reason}; {got:.0f} dB given"
        ask = replace(ask, wanted=got, cut=why)
    return knobs, {**asks, "drive_db": ask}


def filling_db(bench: Bench, place: str, settings: Mapping[str, float]) -> float:
    """How far harmonics lift the mean of the bands: next to nothing unless they fill an empty one."""
    rate = bench.song.rate
    with torch.no_grad():
        dry = bench.windows_before(place, settings)
        wet = run_chain({place: bench.placed[place]}, dry, rate, settings)
        lift = band_mean_db(spectrum(wet, rate)) - band_mean_db(spectrum(dry, rate))
        return float(lift[integrated_loudness(dry, rate).argmax()])


def measured_wet_db(bench: Bench, settings: Mapping[str, float]) -> float:
    """Loudness of what the reverb added against what went in."""
    place = _place(bench, "reverb")
    if place is None or settings.get(f"{place}.wet_db", NONE_DB) <= NONE_DB:
        return NONE_DB
    before = bench.before(place, settings)
    wet, dry = (
        integrated_loudness(loudness_scan(sound))
        for sound in (difference(bench.after_room(settings), before), before)
    )
    return max(NONE_DB, float(wet - dry))


def measured_decay_s(bench: Bench, settings: Mapping[str, float]) -> float:
    """Reverberation time of the reverb's own impulse response (Schroeder 1965)."""
    place = _place(bench, "reverb")
    own = {
        k.partition(".")[2]: v
        for k, v in settings.items()
        if k.startswith(f"{place}.") and not k.endswith(".wet_db")
    }
    response = impulse_response(bench.song.rate, **own)
    # ISO 3382-1 quotes a room by its mid frequencies; air and curtains shorten the highs on purpose.
    return float(decay_time_s(response, bench.song.rate, band_hz=MID_BAND_HZ))


def measured_drive_db(bench: Bench, settings: Mapping[str, float]) -> float:
    """What the exciter leaves after the best linear fit of its output on its input."""
    place = _place(bench, "exciter")
    if place is None or settings.get(f"{place}.mix_db", NONE_DB) <= NONE_DB:
        return NONE_DB
    rate = bench.song.rate
    with torch.no_grad():
        dry = bench.windows_before(place, settings)
        wet = run_chain({place: bench.placed[place]}, dry, rate, settings)
        loud = integrated_loudness(dry, rate).argmax()
        return max(NONE_DB, float(residual_db(dry, wet, rate)[loud]))


def _place(bench: Bench, name: str) -> str | None:
    return next((place for place, effect in bench.placed.items() if effect.name == name), None)


def _held(bench: Bench, knob: str, value: float) -> float:
    param = bench.space[knob]
    return min(max(value, param.low), param.high)
