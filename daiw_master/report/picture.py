"""The picture of a master: tone, loudness over time, and asked against got, drawn from its report."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from daiw_master.errors import InputError
from daiw_master.files import staged
from daiw_master.report.curves import WINDOW_S
from daiw_master.report.digits import fitting, signed
from daiw_master.report.model import Curve, Report, TargetRow
from daiw_master.targets import BAND_EDGES_HZ, FIELDS, HEARD

if TYPE_CHECKING:  # drawing is asked for last, if at all; nobody else waits for matplotlib
    from matplotlib.axes import Axes

#: Okabe & Ito 2008: told apart with any kind of colour vision, and in print by lightness.
CAME, NEUTRAL, MASTER = "#a3a3a3", "#0072b2", "#d55e00"
#: As it came lies broad underneath: where nothing changed, it still shows.
LINES = {"as it came": (CAME, 5.0), "neutral": (NEUTRAL, 2.0), "master": (MASTER, 2.6)}
PAPER, INK, FAINT, GRID = "#fcfbf8", "#222222", "#6b6b6b", "#e4e1da"
ASKED = "#f6d5bd"
WIDE_IN, HIGH_IN, DPI = 14.0, 10.0, 100
#: How far down tone and loudness are drawn: below lies what nobody hears.
TONE_DEPTH_DB, LOUDNESS_DEPTH_LU = 42.0, 24.0
STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters everywhere
    "font.size": 12.5,
    "axes.titlesize": 13.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": FAINT,
    "axes.facecolor": PAPER,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "figure.facecolor": PAPER,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "text.parse_math": False,  # a song may be called $$$
}
_WORDS = {
    "loudness_range_lu": "loudness range",
    "crest_db": "crest",
    "onset_db": "attacks",
}


def draw(report: Report, path: str | Path) -> Path:
    """Before and after of one master as a PNG, 1400 pixels wide; the same report gives the same bytes.

    Raises `InputError` for a bypass (nothing to compare), `WriteError` where it cannot be written.
    """
    curves = {curve.of: curve for curve in report.curves}
    if len(curves) < 3:
        raise InputError("nothing to draw: a bypass has no before and after")
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **STYLE, "backend": "agg"}):
        figure = Figure(figsize=(WIDE_IN, HIGH_IN), dpi=DPI)
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(
            3, 2, width_ratios=(1.42, 1), height_ratios=(1.55, 1.0, 1.45),
            left=0.052, right=0.92, top=0.875, bottom=0.055, hspace=0.42, wspace=0.3,
        )  # fmt: skip
        _title(figure, report)
        tone = figure.add_subplot(grid[0, 0])
        _tone(tone, report, curves)
        _moved(figure.add_subplot(grid[1, 0], sharex=tone), report, curves)
        _rows(figure.add_subplot(grid[0:2, 1]), report)
        _loudness(figure.add_subplot(grid[2, :]), report, curves)
        with staged(path) as part:
            figure.savefig(part, format="png", metadata={"Software": None})
    return Path(path)


def _title(figure, report: Report) -> None:
    loudness, peak = report.row("loudness_lufs"), report.row("true_peak_dbtp")
    figure.text(0.018, 0.957, _drawable(f"{report.source} · {report.emotion}"), size=19, weight="bold")
    said = (
        f"{signed(loudness.after, 1, plus='')} LUFS (asked {signed(loudness.asked, 1, plus='')}), peak "
        f"{signed(peak.after, 2, plus='')} dBTP (ceiling {signed(peak.asked, 1, plus='')})"
    )
    room = {row.target: row.after for row in report.targets if row.target.startswith("reverb_")}
    if "reverb_decay_s" in room:
        wet = signed(room["reverb_wet_db"], 0, plus="")
        said += f", room {room['reverb_decay_s']:.1f} s at {wet} dB"
    figure.text(0.018, 0.925, said, size=13, color=FAINT)
    x = 0.985
    for name, colour in (("master", MASTER), ("neutral master", NEUTRAL), ("as it came", CAME)):
        label = figure.text(x, 0.957, name, size=13.5, color=colour, weight="bold", ha="right")
        x = figure.transFigure.inverted().transform(label.get_window_extent())[0, 0] - 0.045
        line = (x + 0.012, x + 0.04)
        figure.add_artist(_line(figure, line, 0.9635, colour))


def _line(figure, xs: tuple[float, float], y: float, colour: str):
    from matplotlib.lines import Line2D

    return Line2D(xs, (y, y), color=colour, lw=3, transform=figure.transFigure)


def _octaves(axes: Axes) -> None:
    """Frequency as musicians read it, with the eight bands' borders as a faint ruler."""
    axes.set_xscale("log")
    axes.set_xlim(20, 20000)
    axes.set_xticks((20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000), minor=False)
    axes.set_xticklabels(("20", "50", "100", "200", "500", "1k", "2k", "5k", "10k", "20k Hz"))
    axes.minorticks_off()
    for low, _ in BAND_EDGES_HZ.values():
        axes.axvline(low, color=GRID, lw=1, zorder=0)


def _tone(axes: Axes, report: Report, curves: dict[str, Curve]) -> None:
    """Third octaves of all three sounds, level taken out; the asked bands as short bars."""
    _octaves(axes)
    for name, (colour, width) in LINES.items():
        axes.plot(curves[name].hz, curves[name].third_octave_db, color=colour, lw=width)
    hz = curves["master"].hz
    for low, high, row in _bands(report):
        inside = sum(low < centre < high for centre in hz)
        # A band's power is the sum of its third octaves: spread evenly, each holds its share.
        level = row.asked - 10 * math.log10(inside)
        axes.plot((low * 1.03, high / 1.03), (level, level), color=INK, lw=1.6, solid_capstyle="butt")
    top = max(max(curve.third_octave_db) for curve in curves.values()) + 3
    lowest = min(min(curve.third_octave_db) for curve in curves.values()) - 2
    axes.set_ylim(max(lowest, top - TONE_DEPTH_DB), top)
    axes.grid(axis="y", color=GRID, lw=1)
    axes.set_title("Tone, dB in third octaves at equal level")
    axes.text(0.985, 0.965, "bars: asked, band by band", transform=axes.transAxes, ha="right", va="top",
              size=12, color=INK)  # fmt: skip


def _moved(axes: Axes, report: Report, curves: dict[str, Curve]) -> None:
    """The same, under a magnifier: what the feeling moved against neutral, and what was asked."""
    _octaves(axes)
    # Where neutral holds nothing there is no difference worth a line.
    audible = max(curves["neutral"].third_octave_db) - 60
    moved = [
        after - neutral if neutral > audible else math.nan
        for after, neutral in zip(
            curves["master"].third_octave_db, curves["neutral"].third_octave_db, strict=True
        )
    ]
    reach = 2.0
    for low, high, row in _bands(report):
        by, got = row.asked - row.neutral, row.after - row.neutral
        reach = max(reach, abs(by) + row.tolerance, abs(got))
        axes.fill_between(
            (low * 1.03, high / 1.03), by - row.tolerance, by + row.tolerance, color=ASKED, lw=0
        )
        middle = math.sqrt(low * high)
        axes.plot(middle, got, "o", ms=8, color=MASTER, zorder=4)
    axes.axhline(0, color=NEUTRAL, lw=2)
    axes.plot(curves["master"].hz, moved, color=MASTER, lw=1.4, alpha=0.75)
    axes.set_ylim(-reach * 1.2, reach * 1.2)
    axes.grid(axis="y", color=GRID, lw=1)
    axes.set_title("Tone against neutral, dB (shaded: asked ± tolerance)")
    for name, (low, high) in BAND_EDGES_HZ.items():
        middle = math.sqrt(low * high)
        axes.text(middle, -reach * 1.16, _BAND_LABELS[name], ha="center", va="bottom", size=10.5, color=FAINT)


_BAND_LABELS = {
    "sub": "sub",
    "bass": "bass",
    "low_mid": "low mid",
    "mid": "mid",
    "high_mid": "hi mid",
    "presence": "pres.",
    "brilliance": "brill.",
    "air": "air",
}


def _bands(report: Report) -> list[tuple[float, float, TargetRow]]:
    rows = {row.target: row for row in report.targets}
    return [
        (low, high, rows[f"band_{name}_db"])
        for name, (low, high) in BAND_EDGES_HZ.items()
        if f"band_{name}_db" in rows and rows[f"band_{name}_db"].asked is not None
    ]


def _rows(axes: Axes, report: Report) -> None:
    """Every heard target as a dumbbell: ring asked, dot got, in tolerances from neutral."""
    rows = [row for row in report.targets if row.target in HEARD and row.asked is not None]
    reach = 2.5
    for y, row in enumerate(reversed(rows)):
        field = FIELDS[row.target]
        asked, got = ((value - row.neutral) / field.tolerance for value in (row.asked, row.after))
        reach = max(reach, abs(asked) + 1.2, abs(got) + 0.3)
        fails = row.verdict in ("missed", "drifted")
        axes.barh(y, 2, left=asked - 1, height=0.62, color=ASKED, lw=0)
        axes.plot((asked, got), (y, y), color=INK, lw=1.6)
        axes.plot(asked, y, "o", ms=9, mfc=PAPER, mec=INK, mew=1.6)
        mark, size, colour = ("X", 9, INK) if fails else ("o", 7, MASTER)
        axes.plot(got, y, mark, ms=size, color=colour, zorder=4)
        text = f"{signed(row.after - row.neutral, 1)} {field.unit}"
        axes.text(1.17, y, text, transform=axes.get_yaxis_transform(), ha="right", va="center", size=12,
                  weight="bold" if fails else "normal")  # fmt: skip
    axes.axvline(0, color=NEUTRAL, lw=2, zorder=1.5)
    axes.set_yticks(range(len(rows)), [_plain(row.target) for row in reversed(rows)], color=INK)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_xlim(-reach, reach)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GRID, lw=1)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("tolerances from neutral")
    axes.set_title("Asked (ring, ± 1 tolerance) and got (dot)")


def _loudness(axes: Axes, report: Report, curves: dict[str, Curve]) -> None:
    """Short-term loudness from start to end, each point in the middle of its 3 s, with the sections."""
    loudest = -math.inf
    for name, (colour, _) in LINES.items():
        curve = curves[name]
        times = [WINDOW_S / 2 + index * curve.hop_s for index in range(len(curve.short_term_lufs))]
        # a song shorter than a window is one point, and a line through one point is nothing
        dot = "o" if len(times) == 1 else None
        axes.plot(times, curve.short_term_lufs, color=colour, lw=2.2 if name == "master" else 1.7, marker=dot)
        loudest = max(loudest, *curve.short_term_lufs)
    asked = report.row("loudness_lufs").asked
    axes.axhline(asked, color=INK, lw=1.4, ls=(0, (5, 3)))
    top = max(loudest, asked) + 2
    came = sorted(curves["as it came"].short_term_lufs)
    bottom = max(top - 2 * LOUDNESS_DEPTH_LU, min(top - LOUDNESS_DEPTH_LU, came[len(came) // 25] - 1))
    axes.set_ylim(bottom, top + 0.13 * (top - bottom))
    axes.set_xlim(0, max(report.duration_s, WINDOW_S))
    axes.text(1.006, asked, f"asked\n{signed(asked, 1, plus='')}", transform=axes.get_yaxis_transform(),
              ha="left", va="center", size=12)  # fmt: skip
    axes.xaxis.set_major_formatter(lambda seconds, _: f"{int(seconds) // 60}:{int(seconds) % 60:02d}")
    axes.xaxis.set_major_locator(_clock(report.duration_s))
    axes.grid(axis="y", color=GRID, lw=1)
    axes.set_title("Loudness over time, LUFS (3 s windows)")
    _sections(axes, report)


def _sections(axes: Axes, report: Report) -> None:
    """Section names where there is room for them, borders always."""
    length = max(report.duration_s, WINDOW_S)
    for section in report.sections:
        start, end = section["start_s"], min(section["end_s"], length)
        if start > 0:
            axes.axvline(start, color=GRID, lw=1.4, zorder=0)
        room = int(118 * (end - start) / length)
        name = fitting(_drawable(section["name"]), room)
        if name:
            axes.text(start + 0.004 * length, 0.985, name, transform=axes.get_xaxis_transform(), va="top",
                      size=11.5, color=FAINT)  # fmt: skip


def _clock(duration_s: float):
    """Ticks at whole, half or quarter minutes, whichever leaves about ten."""
    from matplotlib.ticker import MultipleLocator

    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
    return MultipleLocator(next((step for step in steps if duration_s / step <= 12), 7200))


def _plain(target: str) -> str:
    """`band_low_mid_db` as a reader says it: 'low mid'; widths keep their word."""
    if target in _WORDS:
        return _WORDS[target]
    kind, _, place = target.removesuffix("_db").partition("_")
    place = place.replace("_", " ")
    return f"width, {place}" if kind == "width" else place


def _drawable(text: str) -> str:
    """Text as the font can draw it: letters it lacks become '?' rather than a warning."""
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont("DejaVu Sans"))
    return "".join(letter if font.get_char_index(ord(letter)) else "?" for letter in text)
