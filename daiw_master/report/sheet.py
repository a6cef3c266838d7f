"""The page's rows: every number of a report as the words and figures a reader sees."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from daiw_master.report.digits import brief, plain, signed
from daiw_master.report.model import GuardRow, Report, SettingRow, TargetRow
from daiw_master.report.names import GROUPS, name_of, spoken
from daiw_master.stack import EFFECTS
from daiw_master.targets import FIELDS

#: A row's little drawing shows at least and at most this many tolerances to either side of neutral.
LEAST_REACH, MOST_REACH = 3.0, 8.0
#: What reads as "none" where a level in dB has a floor.
_NONE_DB = {"reverb_wet_db": -60.0, "drive_db": -60.0, "width_low_db": -80.0}
_DIGITS = {"true_peak_dbtp": 2, "reverb_decay_s": 2}


@dataclass(frozen=True)
class Line:
    """One target as the table prints it. A mark is (asked, got) in tolerances from neutral, or None."""

    name: str
    target: str
    unit: str
    asked: str
    shift: str
    before: str
    after: str
    moved: str
    tolerance: str
    verdict: str
    whys: tuple[str, ...]
    mark: tuple[float, float] | None


def groups(report: Report) -> list[tuple[str, list[Line]]]:
    """The table: blocks of lines, in the order an engineer asks."""
    rows = {row.target: row for row in report.targets}
    blocks = []
    for heading, names in GROUPS:
        lines = [_line(rows.pop(target), word) for target, word in names.items() if target in rows]
        blocks.append((heading, lines))
    blocks.append(("Other", [_line(row, row.target) for row in rows.values()]))
    return [(heading, lines) for heading, lines in blocks if lines]


def _line(row: TargetRow, word: str) -> Line:
    digits = _DIGITS.get(row.target, 1)

    def number(value: float | None) -> str:
        if value is None:
            return ""
        return "none" if value <= _NONE_DB.get(row.target, -1e9) else plain(value, digits)

    heard = row.neutral is not None
    whys = [row.why] if row.why else []
    if row.cut:
        whys.append(f"held back: {row.cut}")
    return Line(
        name=word,
        target=row.target,
        unit=row.unit,
        asked=number(row.asked),
        shift=signed(row.shift, 1) if heard and round(row.shift, 1) else "",
        before=number(row.before),
        after=number(row.after),
        moved=signed(row.after - row.neutral, 1) if heard and round(row.shift, 1) else "",
        tolerance=_tolerance(row),
        verdict=row.verdict,
        whys=tuple(whys),
        mark=_mark(row),
    )


def _tolerance(row: TargetRow) -> str:
    field = FIELDS.get(row.target)
    if row.asked is None:
        return ""
    if field is not None and field.relative_tolerance:
        return f"± {round(100 * row.tolerance)} %"
    return f"± {row.tolerance:g}" if row.tolerance else "at most"


def _mark(row: TargetRow) -> tuple[float, float] | None:
    if row.neutral is None or row.asked is None or not row.tolerance:
        return None
    asked, got = ((value - row.neutral) / row.tolerance for value in (row.asked, row.after))
    return tuple(round(max(-MOST_REACH, min(MOST_REACH, value)), 2) for value in (asked, got))


def reach_of(blocks: list[tuple[str, list[Line]]]) -> float:
    """How many tolerances every mark shows: one scale for the whole table."""
    ends = [abs(end) for _, lines in blocks for line in lines if line.mark for end in line.mark]
    return max(LEAST_REACH, *ends, 0.0) + 1.5


def verdict(report: Report) -> list[str]:
    """The master in three sentences: how loud, how much of what was asked, which limits."""
    loudness, peak = report.row("loudness_lufs"), report.row("true_peak_dbtp")
    asked = "as asked" if loudness.verdict == "met" else f"where {plain(loudness.asked, 1)} was asked"
    said = [
        f"{plain(loudness.after, 1)} LUFS, {asked}; true peak {plain(peak.after, 2)} dBTP under a ceiling "
        f"of {plain(peak.asked, 1)}."
    ]
    rows = [row for row in report.targets if row.asked is not None]
    met, kept, missed, drifted = (
        [row for row in rows if row.verdict == word] for word in ("met", "kept", "missed", "drifted")
    )
    tally = f"{len(met)} of {len(rows) - len(kept)} targets met"
    if kept:
        tally += f", {len(kept)} left as {'it was' if len(kept) == 1 else 'they were'}"
    for word, off in (("missed", missed), ("drifted", drifted)):
        if off:
            tally += f"; {word}: {', '.join(name_of(row.target) for row in off)}"
    broken = [guard.about for guard in report.guards if not guard.holds and guard.guard not in report.lifted]
    beyond = [guard.about for guard in report.guards if guard.holds and guard.beyond_default]
    limits = f"House limit broken: {', '.join(broken)}" if broken else "Every house limit holds"
    if beyond:
        limits += f"; beyond taste, within the hard line: {', '.join(beyond)}"
    if report.lifted:
        limits += f"; lifted on purpose: {', '.join(about for about, _ in lifted(report))}"
    return [*said, f"{tally}.", f"{limits}."]


def silenced(report: Report) -> list[tuple[str, str]]:
    """Verdicts that are not given, and why: (what would be called a fault, the reason)."""
    return [(spoken(what), why) for what, why in report.silenced.items()]


def lifted(report: Report) -> list[tuple[str, str]]:
    """Limits that were not enforced, and why: (what the limit keeps in bounds, the reason)."""
    about = {row.guard: row.about for row in report.guards}
    return [(about.get(name, name.replace("_", " ")), why) for name, why in report.lifted.items()]


@dataclass(frozen=True)
class Stage:
    """One effect of the chain: the knobs that were turned, and those at rest."""

    place: str
    about: str
    turned: list[tuple[str, str, str]]
    resting: list[tuple[str, str, str]]


@dataclass(frozen=True)
class StyleLine:
    """What the meters read of one field: as wanted, before and after the search."""

    name: str
    unit: str
    wanted: str
    before: str
    after: str


def style_lines(report: Report) -> list[StyleLine]:
    """What differed most from the wanted sound, and what became of it."""
    if report.style is None:
        return []
    rows = []
    for row in report.style.differences:
        numbers = (plain(value, 1) for value in (row.wanted, row.before, row.after))
        rows.append(StyleLine(name_of(row.target), FIELDS[row.target].unit, *numbers))
    return rows


def style_moves(report: Report) -> list[tuple[str, str, str]]:
    """Every knob the search turned: (name, from where to where, what it does)."""
    moves = report.style.moves if report.style else []
    return [
        (
            spoken(move.setting, move.unit),
            f"{brief(move.before)} → {brief(move.after)} {move.unit}".rstrip(),
            move.why,
        )
        for move in moves
    ]


def stages(report: Report) -> list[Stage]:
    """The chain in order, each knob as (name, value with unit, who set it)."""
    found = []
    for place in report.chain:
        own = [row for row in report.settings if row.setting.rpartition(".")[0] == place]
        effect = EFFECTS.get(re.sub(r"_\d+$", "", place))  # a second eq is eq_2
        # a limiter at its default ceiling is no limiter at rest
        works = effect is not None and not effect.identity_at_default
        turned = [_knob(row) for row in own if row.set_by != "rest" or works]
        resting = [] if works else [_knob(row) for row in own if row.set_by == "rest"]
        found.append(Stage(place, effect.about if effect else "", turned, resting))
    return found


def _knob(row: SettingRow) -> tuple[str, str, str]:
    name = row.setting.rpartition(".")[2]
    unit = f" {row.unit}" if row.unit else ""
    digits = 0 if abs(row.value) >= 100 or row.value == int(row.value) else 1 if abs(row.value) >= 10 else 2
    who = "" if row.set_by == "rest" else row.set_by
    return spoken(name, row.unit), f"{plain(row.value, digits)}{unit}", who


def guard_state(guard: GuardRow, lifted: Mapping[str, str]) -> str:
    """How a limit stands: holds, beyond taste, broken, or lifted because breaking it is the point."""
    if guard.guard in lifted:
        return "lifted"
    if not guard.holds:
        return "broken"
    return "beyond taste" if guard.beyond_default else "holds"


def ledger(report: Report) -> list[tuple[str, str, list]]:
    """Every move by who asked for it: (source, word, moves)."""
    rows: Iterable = sorted(report.moves, key=lambda row: _order(report, row))
    return [
        (source, word, list(own)) for (source, word), own in groupby(rows, lambda row: (row.source, row.word))
    ]


def _order(report: Report, row) -> int:
    """Where a move's source and word were first heard; what came together stays together."""
    seen = [(move.source, move.word) for move in report.moves]
    return seen.index((row.source, row.word))


def amount(move) -> str:
    """A move's value as it is read: a shift has its sign, a switch its word."""
    if isinstance(move.value, str):
        return move.value
    shown = (
        signed(move.value, 1 if abs(move.value) >= 0.1 else 2) if move.kind == "shift" else brief(move.value)
    )
    return f"{shown} {move.unit}".rstrip()
