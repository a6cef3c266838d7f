"""What compressor and limiter did over time, and the ledger of what was asked, as report rows."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.nn import functional

from daiw_master.params import Space
from daiw_master.plan import Plan
from daiw_master.refine.automation import ridden_gains_db
from daiw_master.refine.bench import Bench, Take
from daiw_master.refine.compressor import compressor_work
from daiw_master.report.curves import hop_for
from daiw_master.report.model import Automation, MoveRow, Reduction
from daiw_master.stack.automation import HOP_S
from daiw_master.targets import FIELDS

#: Automation moves over seconds: half of one draws it well.
AUTOMATION_HOP_S = 0.5
#: A difference between two levels on a scale with a fixed zero is counted in plain steps of it.
_RELATIVE = {"LUFS": "LU", "dBTP": "dB"}


@torch.no_grad()
def reduction_of(bench: Bench, take: Take, duration_s: float) -> Reduction:
    """The most that compressor and limiter take in each hop of a written master."""
    hop_s = hop_for(duration_s)
    hops = max(1, round(duration_s / hop_s))
    limiter = _most(take.delivered.reduction_db, take.delivered.hop_s, hop_s, hops)
    work = compressor_work(bench, take.settings)
    compressor = [] if work is None else _most(work.most_db, work.hop_s, hop_s, hops)
    return Reduction(hop_s=hop_s, limiter_db=limiter, compressor_db=compressor)


def _most(trace: torch.Tensor, step_s: float, hop_s: float, hops: int) -> list[float]:
    """The largest value of a trace (steps,) within each of so many hops; nothing reads 0."""
    hop_of = (torch.arange(len(trace), device=trace.device) * step_s / hop_s + 1e-6).long()
    inside = hop_of < hops
    most = trace.new_zeros(hops).scatter_reduce(0, hop_of[inside], trace[inside], "amax")
    return [round(value, 2) for value in most.tolist()]


def automation_of(bench: Bench, settings: Mapping[str, float]) -> Automation | None:
    """How the form moved the master, in the middle of each half second; None where nothing moved."""
    low, high = ridden_gains_db(bench, settings)
    if not low.any() and not high.any():
        return None
    step = round(AUTOMATION_HOP_S / HOP_S)
    level = functional.avg_pool1d(low[None, None], step, ceil_mode=True)[0, 0]
    bright = functional.avg_pool1d((high - low)[None, None], step, ceil_mode=True)[0, 0]
    rows = ([round(value, 3) for value in line.tolist()] for line in (level, bright))
    return Automation(hop_s=AUTOMATION_HOP_S, level_db=next(rows), brightness_db=next(rows))


def move_rows(plan: Plan, space: Space) -> list[MoveRow]:
    """The plan's ledger, each number with its unit."""
    rows = []
    for move in plan.moves:
        known = FIELDS.get(move.what) or (space[move.what] if move.what in space else None)
        unit = known.unit if known else "dB" if move.what.endswith("_db") else ""
        rows.append(
            MoveRow(
                kind=move.kind,
                what=move.what,
                value=_value(move.value),
                unit=_RELATIVE.get(unit, unit) if move.kind == "shift" else unit,
                why=move.why,
                source=move.source,
                word=move.word,
                voice=move.voice,
            )
        )
    return rows


def _value(value: float | str | tuple) -> float | str:
    """A number stays one; explicit section energies become "Verse 0.5, Chorus 0.9"."""
    if isinstance(value, tuple):
        return ", ".join(f"{name} {energy:g}" for name, _, energy in value)
    return value if isinstance(value, str) else float(value)
