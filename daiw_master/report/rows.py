"""From a finished master to the report's rows: verdicts, reasons, who set which knob."""

from __future__ import annotations

from collections.abc import Mapping

from daiw_master.house import limits
from daiw_master.plan import Plan
from daiw_master.refine.asks import Ask
from daiw_master.refine.bench import Bench
from daiw_master.refine.done import DONE_KNOBS, measured_decay_s, measured_drive_db, measured_wet_db
from daiw_master.refine.guards import Guard
from daiw_master.refine.master import Master
from daiw_master.report.model import GuardRow, SettingRow, StepRow, TargetRow
from daiw_master.targets import FIELDS

#: A target asked to stay, or only to lean (less than two tolerances), may drift this many tolerances and
#: is still "kept".
KEPT_TOLERANCES = 2.0


def target_rows(
    master: Master, bench: Bench, before: Mapping[str, float], final: Mapping[str, float]
) -> list[TargetRow]:
    """Delivery, heard and done targets, each with a verdict.

    `before` are the material's own measures, `final` those of the written samples.
    """
    return [
        *_delivery_rows(master, before, final),
        *_heard_rows(master, before, final),
        *_done_rows(master, bench),
    ]


def _delivery_rows(master: Master, before, final) -> list[TargetRow]:
    plan, take = master.plan, master.take
    loudness, peak = final["loudness_lufs"], final["true_peak_dbtp"]
    # Other meters read up to 0.05 LU away from ours: what we call met, they must call met too.
    met = abs(loudness - plan.loudness_lufs) <= FIELDS["loudness_lufs"].tolerance / 2
    why = ""
    if not met:
        why = (
            f"{plan.loudness_lufs:g} LUFS would take more than {limits()['limiter_p99_db'].hard:g} dB of "
            f"limiting; {loudness:.1f} LUFS is the loudest clean value"
        )
    elif take.delivered.reduction_p99_db > limits()["limiter_p99_db"].default:
        hard = f"{take.delivered.reduction_p99_db:.1f} dB at its 99th percentile"
        why = f"the limiter works harder than usual: {hard}"
    return [
        _row("loudness_lufs", plan.loudness_lufs, before, None, loudness, "met" if met else "missed", why),
        _row(
            "true_peak_dbtp", plan.ceiling_dbtp, before, None, peak,
            "met" if peak <= plan.ceiling_dbtp else "missed", "ceiling",
        ),
    ]  # fmt: skip


def _row(name, asked, before, neutral, after, verdict, why="", shift=0.0, cut="", planned=0.0) -> TargetRow:
    field = FIELDS[name]
    return TargetRow(
        target=name,
        unit=field.unit,
        asked=asked,
        shift=shift,
        planned=planned,
        before=before.get(name) if before else None,
        neutral=neutral,
        after=after,
        tolerance=field.tolerance,
        verdict=verdict,
        why=why,
        cut=cut,
    )


def verdict_of(ask: Ask, heard: float) -> str:
    """What became of an ask, by what was heard: met, missed, kept or drifted."""
    off = abs(ask.error(heard))
    if ask.claimed:
        return "met" if off <= 1.0 else "missed"
    if ask.by and off <= 1.0:
        return "met"
    return "kept" if off <= KEPT_TOLERANCES else "drifted"


def _heard_rows(master: Master, before, final) -> list[TargetRow]:
    rows = []
    for name, ask in master.asks.items():
        verdict, why = verdict_of(ask, final[name]), ask.why
        if verdict in ("missed", "drifted") and name in master.plan.silenced:
            verdict, why = "as asked", master.plan.silenced[name]
        elif verdict in ("missed", "drifted"):
            why = f"{why}; {_reason(master)}" if why else _reason(master)
        rows.append(
            _row(
                name,
                ask.wanted,
                before,
                master.neutral_heard[name],
                final[name],
                verdict,
                why,
                ask.by,
                ask.cut,
                _planned(master, name),
            )
        )
    return rows


def _planned(master: Master, name: str) -> float:
    """The shift as the plan had it, before this song cut it."""
    shift = master.plan.shifts.get(name)
    return shift.by if shift and name not in master.plan.wanted else 0.0


def _reason(master: Master) -> str:
    """Why a target was missed, in terms of what stood in the way."""
    names = sorted(set(master.at_limit.values()))
    if names:
        return (
            "the house limit on " + ", ".join(limits()[name].about for name in names) + " stands in the way"
        )
    return "the targets pull against each other on this song; this is the best joint compromise"


def _done_rows(master: Master, bench: Bench) -> list[TargetRow]:
    settings = master.take.settings
    wet = measured_wet_db(bench, settings)
    measured = {
        "reverb_wet_db": wet,
        "reverb_decay_s": measured_decay_s(bench, settings) if wet > -60 else 0.0,
        "drive_db": measured_drive_db(bench, settings),
    }
    rows = []
    for name, ask in master.done.items():
        field, knob = FIELDS[name], DONE_KNOBS[name]
        if knob not in settings or (name == "reverb_decay_s" and wet <= -60):
            continue  # no such effect in this chain; no reverb, no time
        after = measured[name]
        if knob in master.plan.settings:
            who = who_set(master.plan, knob)
            why = f"you set {knob}" if who == "you" else f"{knob} set by {who}"
            rows.append(_row(name, None, None, None, after, "kept", why))
            continue
        off = abs(field.error(ask.wanted, after))
        verdict = "met" if off <= 1.0 else "missed"
        rows.append(_row(name, ask.wanted, None, None, after, verdict, ask.why, cut=ask.cut))
    reduction = next((g.measured for g in master.guards if g.name == "compressor_mean_db"), 0.0)
    rows.append(_row("gain_reduction_db", None, None, None, reduction, "kept", "what the compressor needed"))
    return rows


def guard_rows(guards: list[Guard]) -> list[GuardRow]:
    return [
        GuardRow(
            guard=g.name, about=g.about, unit=g.unit, measured=g.measured, default=g.default,
            hard=g.hard, holds=g.holds, beyond_default=g.relaxed,
        )
        for g in guards
    ]  # fmt: skip


def setting_rows(master: Master, bench: Bench, neutral: Mapping[str, float]) -> list[SettingRow]:
    """Every knob that left its rest, with who moved it."""
    rows = []
    for name, value in master.take.settings.items():
        param = bench.space[name]
        if name in master.plan.settings:
            who = who_set(master.plan, name)
        elif name in master.plan.character and value == master.plan.character[name][0]:
            who = who_set(master.plan, name)
        elif value == param.default:
            who = "rest"
        elif value == neutral.get(name):
            who = "neutral"
        else:
            who = "solver"
        rows.append(SettingRow(setting=name, value=float(value), unit=param.unit, set_by=who))
    return rows


def who_set(plan: Plan, knob: str) -> str:
    """Whose word a knob follows: "you", a word of the intent, or the plan's own name."""
    said = [move for move in plan.moves if move.what == knob and move.kind in ("set", "lean")]
    if not said or (said[-1].source == "feeling" and not said[-1].word):
        return plan.name
    return "you" if said[-1].voice == "user" else said[-1].word or said[-1].source


def step_rows(master: Master) -> list[StepRow]:
    return [StepRow(step=e.step, target=e.target, wanted=e.wanted, old=e.old, new=e.new) for e in master.log]
