"""The page's five charts: tone, width, loudness and form over time, correlation, gain reduction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from daiw_master.report.chart import Axis, Chart, round_steps
from daiw_master.report.curves import WINDOW_S
from daiw_master.report.digits import clock, plain, signed
from daiw_master.report.excerpts import Excerpt
from daiw_master.report.model import Curve, Report, TargetRow
from daiw_master.report.names import BAND_WORDS
from daiw_master.targets import BAND_EDGES_HZ, WIDTH_EDGES_HZ

#: The report's names for its three sounds, and the page's kinds of line for them, back to front.
KINDS = {"as it came": "before", "neutral": "neutral", "master": "after"}
#: How far down is drawn: below lies what nobody hears.
TONE_DEPTH_DB, LOUDNESS_DEPTH_LU, WIDTH_DEPTH_DB = 42.0, 24.0, 36.0
_OCTAVES = ((20, "20"), (50, "50"), (100, "100"), (200, "200"), (500, "500"), (1000, "1k"), (2000, "2k"),
            (5000, "5k"), (10000, "10k"), (20000, "20k Hz"))  # fmt: skip
_SHORT = {"low mids": "low mid", "high mids": "hi mid", "brilliance": "brill."}


def tone(report: Report) -> Chart:
    """Third octaves of all three sounds with the level taken out, and the asked bands."""
    curves = _curves(report)
    top = max(max(curve.third_octave_db) for curve in curves.values()) + 5
    lowest = min(min(curve.third_octave_db) for curve in curves.values()) - 2
    bottom = max(lowest, top - TONE_DEPTH_DB)
    rows = _rows(report, "band", BAND_EDGES_HZ)
    moved = [f"{BAND_WORDS[row.target]} {signed(row.after - row.before, 1)} dB" for _, _, row in rows]
    chart = Chart(
        "tone",
        f"Tone in third octaves at equal level. Before to after: {', '.join(moved)}.",
        Axis(20, 20000, log=True),
        Axis(bottom, top),
        260,
    )
    _bands(chart)
    chart.y_ticks(round_steps(bottom + 2, top - 3, 5), "dB")
    for low, high, row in rows:
        # A band's power is the sum of its third octaves: spread evenly, each holds its share.
        inside = sum(low < hz < high for hz in curves["master"].hz)
        level = row.asked - 10 * math.log10(inside)
        chart.box("slack", low * 1.02, high / 1.02, level - row.tolerance, level + row.tolerance)
    for name, kind in KINDS.items():
        chart.line(kind, curves[name].hz, curves[name].third_octave_db)
    for low, high, row in rows:
        inside = sum(low < hz < high for hz in curves["master"].hz)
        chart.level("asked", row.asked - 10 * math.log10(inside), low * 1.02, high / 1.02)
    return chart


def width(report: Report) -> Chart | None:
    """Side against mid by third octave; None for a mono song."""
    curves = {name: curve for name, curve in _curves(report).items() if curve.width_db}
    if "master" not in curves:
        return None
    top = max(6.0, max(max(curve.width_db) for curve in curves.values()) + 4)
    bottom = top - WIDTH_DEPTH_DB
    rows = _rows(report, "width", WIDTH_EDGES_HZ)
    said = [f"from {low:g} to {high:g} Hz {plain(row.after, 1)} dB" for low, high, row in rows]
    chart = Chart(
        "width",
        f"Side against mid by frequency. After: {', '.join(said)}.",
        Axis(20, 20000, log=True),
        Axis(bottom, top),
        180,
    )
    chart.x_ticks(_OCTAVES, wide=(50, 500, 5000, 10000))
    for low, _ in WIDTH_EDGES_HZ.values():
        chart.border("ruler", low)
    chart.y_ticks(round_steps(bottom + 3, top - 3, 4), "dB side/mid")
    for low, high, row in rows:
        chart.box("slack", low * 1.02, high / 1.02, row.asked - row.tolerance, row.asked + row.tolerance)
    for name, kind in KINDS.items():
        if name in curves:
            chart.line(kind, curves[name].hz, curves[name].width_db)
    for low, high, row in rows:
        chart.level("asked", row.asked, low * 1.02, high / 1.02)
    return chart


def loudness(report: Report, excerpts: Sequence[Excerpt] = ()) -> Chart:
    """Short-term loudness from start to end, each point in the middle of its 3 s, with the sections."""
    curves = _curves(report)
    asked = report.row("loudness_lufs").asked
    loudest = max(asked, *(value for curve in curves.values() for value in curve.short_term_lufs))
    came = sorted(curves["as it came"].short_term_lufs)
    top = loudest + 3
    bottom = max(top - 2 * LOUDNESS_DEPTH_LU, min(top - LOUDNESS_DEPTH_LU, came[len(came) // 25] - 1))
    after = curves["master"].short_term_lufs
    chart = Chart(
        "loudness",
        f"Loudness over time in windows of 3 s. After: between {plain(min(after), 1)} and "
        f"{plain(max(after), 1)} LUFS, {plain(report.row('loudness_lufs').after, 1)} over all.",
        _time(report),
        Axis(bottom, top),
        250,
    )
    _sections(chart, report)
    chart.y_ticks(round_steps(bottom + 2, top - 2, 5), "LUFS")
    for number, excerpt in enumerate(excerpts, 1):
        left, right = excerpt.start_s, excerpt.start_s + excerpt.duration_s
        depth = (top - bottom) / chart.height
        chart.box("excerpt", left, right, bottom, bottom + 4 * depth)
        chart.name_stretch(str(number), left, max(right, left + 0.1 * chart.x.high), chart.height - 8)
    for name, kind in KINDS.items():
        chart.line(kind, _middles(curves[name]), curves[name].short_term_lufs)
    chart.level("asked dashed", asked)
    _clock_ticks(chart)
    return chart


def form(report: Report) -> Chart | None:
    """How the form moved level and brightness over time; None where it did not."""
    moved = report.automation
    if moved is None or not any((*moved.level_db, *moved.brightness_db)):
        return None
    reach = max(1.0, *(abs(value) for value in (*moved.level_db, *moved.brightness_db))) * 1.15
    said = [
        f"{name} between {signed(min(values), 1)} and {signed(max(values), 1)} dB"
        for name, values in (("level", moved.level_db), ("brightness", moved.brightness_db))
        if values
    ]
    chart = Chart("form", f"Automation: {', '.join(said)}.", _time(report), Axis(-reach, reach), 110)
    _sections(chart, report, names=False)
    chart.y_ticks(round_steps(-reach, reach, 3), "dB", 1, plus="+")
    for kind, values in (("brightness", moved.brightness_db), ("after", moved.level_db)):
        chart.line(kind, [(index + 0.5) * moved.hop_s for index in range(len(values))], values)
    _clock_ticks(chart)
    return chart


def correlation(report: Report) -> Chart | None:
    """Left against right over time; None for a mono song."""
    curves = {name: curve for name, curve in _curves(report).items() if curve.correlation}
    if "master" not in curves:
        return None
    after = curves["master"].correlation
    low = -1.0 if min(min(curve.correlation) for curve in curves.values()) < -0.3 else -0.3
    chart = Chart(
        "correlation",
        f"Correlation of left and right over time: after, between {plain(min(after), 2)} and "
        f"{plain(max(after), 2)}.",
        _time(report),
        Axis(low, 1.25),
        120,
    )
    _sections(chart, report, names=False)
    chart.y_ticks([value for value in (-1.0, -0.5, 0.0, 0.5, 1.0) if value >= low], "", 1)
    for name, kind in KINDS.items():
        if name in curves and kind != "neutral":
            chart.line(kind, _middles(curves[name]), curves[name].correlation)
    _clock_ticks(chart)
    return chart


def reduction(report: Report) -> Chart | None:
    """What limiter and compressor took, hanging from the top; None where neither did anything."""
    taken = report.reduction
    if taken is None or max((*taken.limiter_db, *taken.compressor_db), default=0.0) < 0.05:
        return None
    most = max((*taken.limiter_db, *taken.compressor_db))
    said = [f"limiter at most {plain(max(taken.limiter_db, default=0.0), 1)} dB"]
    if taken.compressor_db:
        said.append(f"compressor at most {plain(max(taken.compressor_db), 1)} dB")
    depth = max(3.0, most * 1.15)
    chart = Chart(
        "reduction", f"Gain reduction over time: {', '.join(said)}.", _time(report), Axis(-depth, 0.0), 120
    )
    _sections(chart, report, names=False)
    steps = [value for value in round_steps(-depth, 0, 5) if value < 0]
    chart.y_ticks(steps, "dB", 0 if all(value == int(value) for value in steps) else 1)
    for kind, values in (("compressor", taken.compressor_db), ("limiter", taken.limiter_db)):
        if values:
            xs = [(index + 0.5) * taken.hop_s for index in range(len(values))]
            chart.area(kind, xs, [-value for value in values], 0.0)
    _clock_ticks(chart)
    return chart


def _curves(report: Report) -> dict[str, Curve]:
    return {curve.of: curve for curve in report.curves}


def _rows(report: Report, kind: str, edges: dict) -> list[tuple[float, float, TargetRow]]:
    """The rows of one kind of target that were asked for, with their band."""
    rows = {row.target: row for row in report.targets}
    named = ((low, high, rows.get(f"{kind}_{name}_db")) for name, (low, high) in edges.items())
    return [(low, high, row) for low, high, row in named if row is not None and row.asked is not None]


def _bands(chart: Chart) -> None:
    """Frequency as musicians read it, the eight bands named over it."""
    chart.x_ticks(_OCTAVES, wide=(50, 500, 5000, 10000))
    for (low, high), name in zip(BAND_EDGES_HZ.values(), BAND_WORDS.values(), strict=True):
        chart.border("ruler", low)
        chart.name_stretch(_SHORT.get(name, name), low * 1.03, high * 1.1, 11, cut=False)


def _time(report: Report) -> Axis:
    return Axis(0.0, max(report.duration_s, WINDOW_S))


def _middles(curve: Curve) -> list[float]:
    return [WINDOW_S / 2 + index * curve.hop_s for index in range(len(curve.short_term_lufs))]


def _sections(chart: Chart, report: Report, names: bool = True) -> None:
    """Section borders always, their names where there is room."""
    for section in report.sections:
        start, end = min(section["start_s"], chart.x.high), min(section["end_s"], chart.x.high)
        if start > 0:
            chart.border("ruler", start)
        if names and end > start:
            chart.name_stretch(section["name"], start + 0.005 * chart.x.high, end, 11)


def _clock_ticks(chart: Chart) -> None:
    """Whole, half or quarter minutes, about ten of them; every other one on a phone."""
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
    step = next((step for step in steps if chart.x.high / step <= 12), 7200)
    times = [step * n for n in range(int(chart.x.high // step) + 1)]
    crowded = [b for a, b in pairwise(times) if (b // step) % 2]
    chart.x_ticks([(time, clock(time)) for time in times], wide=crowded if len(times) > 6 else ())
