"""A preset in three lines: where it delivers, what it moves, what it does to the chain."""

from __future__ import annotations

from daiw_master.plan import plan_of
from daiw_master.presets.model import Preset


def summary(preset: Preset) -> list[str]:
    """What a preset asks for, counted and named; what it does not ask for has no line."""
    plan = plan_of(preset.moves, preset.name)
    lines = [f"delivered at {plan.loudness_lufs:g} LUFS under {plan.ceiling_dbtp:g} dBTP"]
    counted = {
        "shifts": plan.shifts,
        "targets set": plan.wanted,
        "knobs set": plan.settings,
        "starting points": plan.character,
        "parts edited": plan.parts,
    }
    lines.append(", ".join(f"{what}: {len(rows)}" for what, rows in counted.items() if rows))
    named = {
        "in": plan.added,
        "out": sorted(plan.removed),
        "form": [plan.form] if plan.form else [],
        "sections": [name for name, *_ in plan.energies],
        "tail": ["cut"] if plan.tail == "cut" else [],
        "relaxed": sorted(plan.relaxed),
        "lifted": sorted(plan.lifted),
        "not judged": sorted(plan.silenced),
    }
    lines += [f"{what}: {', '.join(names)}" for what, names in named.items() if names]
    return [line for line in lines if line]
