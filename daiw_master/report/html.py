"""The report people look at: one page that holds everything, sound included, and asks nobody for more."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from daiw_master.audio import Audio
from daiw_master.report import charts, sheet
from daiw_master.report.chart import Chart
from daiw_master.report.digits import brief, clock, plain, printed
from daiw_master.report.excerpts import CODEC, KBITS, Excerpt, excerpts_of
from daiw_master.report.model import Report
from daiw_master.report.names import spoken
from daiw_master.report.words import style_line
from daiw_master.sounds import Sound

_TEMPLATES = Path(__file__).parent / "templates"
_SOUNDS = (("before", "before"), ("neutral", "neutral"), ("after", "after"), ("asked", "asked ± tolerance"))


@dataclass(frozen=True)
class Figure:
    """One or more charts under a heading, with the key to their lines."""

    id: str
    title: str
    key: tuple[tuple[str, str], ...]
    charts: list[tuple[str, Chart]]
    note: str = ""


def html_report(
    report: Report,
    before: Audio | Sound,
    after: Audio | Sound,
    *,
    master_file: str | None = None,
    original_file: str | None = None,
) -> str:
    """The whole page as text: intent, verdict, player, table, charts, chain, limits, log.

    `before` is the sound before mastering and `after` the master; stretches of both are encoded into
    the page. `master_file` and `original_file`, where given, are linked as they are named, relative to
    the page. A bypass has no player, no table and no charts.
    """
    compared = bool(report.chain)
    blocks = sheet.groups(report)
    excerpts = excerpts_of(before, after) if compared else []
    style, script = _asset("report.css"), _asset("player.js")
    return _environment().get_template("report.html.j2").render(
        report=report,
        facts=_facts(report),
        verdict=sheet.verdict(report) if compared else ["Bypassed: the input as it came."],
        blocks=blocks,
        reach=sheet.reach_of(blocks),
        figures=_figures(report, excerpts) if compared and report.curves else [],
        stages=sheet.stages(report),
        style_line=style_line(report.style) if report.style else "",
        style_lines=sheet.style_lines(report),
        style_moves=sheet.style_moves(report),
        guards=[(guard, sheet.guard_state(guard, report.lifted)) for guard in report.guards],
        lifted=sheet.lifted(report),
        silenced=sheet.silenced(report),
        ledger=sheet.ledger(report),
        excerpts=excerpts,
        rate=excerpts[0].rate if excerpts else 0,
        codec=CODEC,
        kbits=KBITS,
        whole_files=[
            (side, name, _link(name))
            for side, name in (("before", original_file), ("after", master_file))
            if name
        ],
        style=Markup(style),
        style_hash=_hash(style),
        script=Markup(script),
        script_hash=_hash(script),
    )  # fmt: skip


def _figures(report: Report, excerpts: list[Excerpt]) -> list[Figure]:
    width, correlation = charts.width(report), charts.correlation(report)
    form, reduction = charts.form(report), charts.reduction(report)
    times = [("LUFS, windows of 3 s", charts.loudness(report, excerpts))]
    lines = (*_SOUNDS[:3], ("asked dashed", "asked over all"))
    if form is not None:
        times.append(("Automation, dB", form))
        lines = (*lines, ("brightness", "brightness"))
    figures = [
        Figure("tone", "Tone", _SOUNDS, [("", charts.tone(report))]),
        Figure("loudness", "Loudness and form", (*lines, ("excerpt", "excerpts")), times),
    ]
    if width is not None:
        shown = [("Side against mid, by frequency", width)]
        shown += [("Correlation of left and right, over time", correlation)] if correlation else []
        figures.append(Figure("stereo", "Stereo", _SOUNDS, shown))
    if reduction is None:
        note = "Limiter and compressor had nothing to take away."
        return [*figures, Figure("reduction", "Gain reduction", (), [], note)]
    key = (("limiter", "limiter"), ("compressor", "compressor"))
    taken = f"The most taken in each {brief(report.reduction.hop_s)} s"
    return [*figures, Figure("reduction", "Gain reduction", key, [(taken, reduction)])]


def _facts(report: Report) -> list[str]:
    facts = [clock(report.duration_s), f"{report.rate / 1000:g} kHz"]
    if report.intensity != 1.0:
        facts.append(f"intensity {report.intensity:g}")
    if report.soundfont:
        facts.append(Path(report.soundfont).name)
    return [*facts, f"seed {report.seed}"]


def _link(name: str) -> str:
    """A file name as a relative link: no letter in it may mean anything, no name may be a scheme."""
    return "./" + quote(name.replace("\\", "/"))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for write in (brief, clock, plain, printed, spoken, sheet.amount):
        environment.filters[write.__name__] = write
    return environment


@cache
def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """What a content security policy knows an inline style or script by (CSP level 3, 2.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
