"""The end of a run, in about six lines an engineer would say."""

from __future__ import annotations

from daiw_master.report.model import Report, StyleSection, TargetRow
from daiw_master.report.names import BAND_WORDS, DYNAMICS_WORDS, WIDTH_WORDS, name_of
from daiw_master.targets import FIELDS

#: What a search says that was neither stopped nor done before its time.
WHOLE_SEARCH = "all generations heard"


def summary(report: Report) -> list[str]:
    """What moved, why, what could not be done."""
    minutes, seconds = divmod(round(report.duration_s), 60)
    rules = dict.fromkeys(
        m.source.removeprefix("rule ") for m in report.moves if m.source.startswith("rule ")
    )
    feeling = f"{report.emotion}, breaking {' and '.join(rules)}" if rules else report.emotion
    lines = [f"{report.source} · {feeling} · {minutes}:{seconds:02d} at {report.rate / 1000:g} kHz"]
    if not report.chain:
        heard = report.shown
        lines.append(
            f"{'loudness':<10} {heard['loudness_lufs']:.1f} LUFS, peak {heard['true_peak_dbtp']:.2f} dBTP"
        )
        return [*lines, f"{'bypassed':<10} the input as it came"]
    loudness, peak = report.row("loudness_lufs"), report.row("true_peak_dbtp")
    lines.append(
        f"loudness   {loudness.after:.1f} LUFS (asked {loudness.asked:g}), "
        f"peak {peak.after:.2f} dBTP under {peak.asked:g}{_tail(loudness.why)}"
    )
    for title, words in (("tone", BAND_WORDS), ("width", WIDTH_WORDS), ("dynamics", DYNAMICS_WORDS)):
        line = _moves(report, words)
        if line:
            lines.append(f"{title:<10} {line}")
    lines.append(f"{'space':<10} {_space(report)}")
    if report.style is not None:
        lines.append(f"{'style':<10} {style_line(report.style)}")
    undone = [f"{name_of(row.target)}: {row.cut}" for row in report.targets if row.cut]
    undone += [
        f"{name_of(row.target)}: wanted {row.asked:.1f}, got {row.after:.1f} {row.unit}"
        for row in report.missed
    ]
    if undone:
        lines.append(f"{'not done':<10} {'; '.join(undone[:3])}{_more(undone)}")
    lost = [guard for guard in report.guards if not guard.holds]
    broken = [
        f"{g.about} {g.measured:.1f} {g.unit} (limit {g.hard:g})"
        for g in lost
        if g.guard not in report.lifted
    ]
    held = f"BROKEN: {'; '.join(broken)}" if broken else "all held"
    return [*lines, f"{'limits':<10} {held}{_relaxed(report)}{_lifted(report)}"]


def style_line(style: StyleSection) -> str:
    """How near the master came to the sound it was to have, and what went that way."""
    cost = f"{style.candidates} settings heard in {style.seconds:.0f} s"
    if not style.kept:
        return f"{style.after:.2f} like {style.toward}, and left there: {style.stopped} ({cost})"
    nearer = [
        f"{name_of(row.target)} {row.after - row.before:+.1f} {FIELDS[row.target].unit}"
        for row in style.differences
        if (row.after - row.before) * (row.wanted - row.before) > 0
        and abs(row.after - row.before) >= FIELDS[row.target].tolerance
    ]
    moved = f": {', '.join(nearer[:3])}" if nearer else ""
    early = "" if style.stopped == WHOLE_SEARCH else f"; {style.stopped}"
    return f"{style.before:.2f} to {style.after:.2f} like {style.toward}{moved} ({cost}{early})"


def _tail(why: str) -> str:
    return f"; {why}" if why else ""


def _more(items: list[str]) -> str:
    return f" (and {len(items) - 3} more in the report)" if len(items) > 3 else ""


def _relaxed(report: Report) -> str:
    relaxed = [guard.about for guard in report.guards if guard.beyond_default and guard.holds]
    return f"; beyond taste, within the hard limit: {', '.join(relaxed)}" if relaxed else ""


def _lifted(report: Report) -> str:
    """Limits that were broken because breaking them was the point."""
    lifted = [g.about for g in report.guards if not g.holds and g.guard in report.lifted]
    return f"; lifted, as asked: {', '.join(lifted)}" if lifted else ""


def _moves(report: Report, words: dict[str, str]) -> str:
    rows: list[TargetRow] = [row for row in report.targets if row.target in words and row.shift]
    rows = [row for row in rows if abs(row.shift) >= row.tolerance]
    if not rows:
        return ""
    rows.sort(key=lambda row: -abs(row.shift) / row.tolerance)
    parts = [f"{words[row.target]} {row.after - row.neutral:+.1f} {row.unit}" for row in rows[:3]]
    return f"{', '.join(parts)}: {rows[0].why.partition(';')[0]}"


def _space(report: Report) -> str:
    rows = {row.target: row for row in report.targets}
    if "reverb_decay_s" not in rows:
        return "none added"
    wet, decay = rows["reverb_wet_db"], rows["reverb_decay_s"]
    return f"{decay.after:.1f} s at {wet.after:.0f} dB: {wet.why}"
