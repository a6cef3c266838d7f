"""A song before and after, its report with every field filled, its page, and a browser to open it in."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from daiw_master.audio import Audio
from daiw_master.meters import measure
from daiw_master.report.curves import curve_of
from daiw_master.report.html import html_report
from daiw_master.report.model import (
    Automation,
    GuardRow,
    IntentLine,
    MoveRow,
    Reduction,
    Report,
    SettingRow,
    StepRow,
    StyleDifference,
    StyleMove,
    StyleSection,
    TargetRow,
)
from daiw_master.targets import FIELDS, HEARD
from tests.signals import music

RATE = 44100
SONG_S = 64.0
BROWSER_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Song:
    """What came, what was made of it, and the report between them."""

    before: Audio
    after: Audio
    report: Report

    def page(self, **names: str) -> str:
        names = {"master_file": "song.wav", "original_file": "song-before.wav", **names}
        return html_report(self.report, self.before, self.after, **names)


def louder_and_brighter(x: torch.Tensor) -> torch.Tensor:
    """8 dB up, highs more than lows, no delay: a symmetric filter around its middle tap."""
    taps = torch.tensor([-0.1, -0.2, 1.6, -0.2, -0.1]) * 10 ** (8 / 20)
    return torch.nn.functional.conv1d(x[:, None], taps.reshape(1, 1, -1), padding=2)[:, 0]


def report_of(before: Audio, after: Audio, **changes) -> Report:
    """A report as a run writes it, with something in every field."""
    heard, came = measure(after).targets, measure(before).targets
    rows = [
        TargetRow(
            target=name, unit=FIELDS[name].unit, asked=heard[name] - 0.3, shift=0.8, planned=1.0,
            before=came[name], neutral=came[name] if name in HEARD else None, after=heard[name],
            tolerance=FIELDS[name].tolerance, verdict="missed" if name == "crest_db" else "met",
            why=f"why {name}", cut="half of it: no room" if name == "band_air_db" else "",
        )
        for name in ("loudness_lufs", "true_peak_dbtp", *HEARD)
    ]  # fmt: skip
    curves = [curve_of(n, a) for n, a in (("as it came", before), ("neutral", before), ("master", after))]
    hops = len(curves[2].short_term_lufs)
    filled = {
        "source": "song.mid", "emotion": "longing", "about": "a lamp left on for nobody",
        "intensity": 1.5, "duration_s": after.duration_s, "rate": after.rate, "targets": rows,
        "guards": [
            GuardRow(guard=name, about=about, unit="dB", measured=1.25, default=3, hard=6, holds=holds,
                     beyond_default=not holds)
            for name, about, holds in (("eq_band_db", "net EQ in any band", True),
                                       ("side_gain_db", "gain on the side", False))
        ],
        "settings": [
            SettingRow(setting="eq.tilt_db", value=0.75, unit="dB", set_by="solver"),
            SettingRow(setting="eq.low_shelf_gain_db", value=0.0, unit="dB", set_by="rest"),
            SettingRow(setting="exciter.mix_db", value=-60.0, unit="dB", set_by="rest"),
            SettingRow(setting="limiter.ceiling_dbtp", value=-1.0, unit="dBTP", set_by="rest"),
        ],
        "chain": ["eq", "exciter", "limiter"],
        "log": [StepRow(step="step 1", target="band_air_db", wanted=-1.0, old=0.0, new=-0.9)],
        "notes": ["the last bar is shorter than the others"],
        "sections": [{"name": "Verse: first light", "start_s": 0.0, "end_s": 30.0},
                     {"name": "Chorus", "start_s": 30.0, "end_s": 64.0}],
        "versions": {"daiw-master": "0.1.0", "python": "3.11.7"}, "curves": curves,
        "intent": [IntentLine(field="core_event", text="the ferry left without her"),
                   IntentLine(field="imagery_texture", text="Muffled & close")],
        "moves": [
            MoveRow(kind="shift", what="band_air_db", value=-1.5, unit="dB", why="fog takes the far shore",
                    source="imagery_texture", word="Muffled"),
            MoveRow(kind="switch", what="tail", value="ring", why="nobody closes the lid", source="rule"),
        ],
        "lifted": {"side_gain_db": "falling apart is the point"}, "silenced": {"crest_db": "flat was asked"},
        "reduction": Reduction(hop_s=0.5, limiter_db=([0.0, 2.5] * hops)[:hops], compressor_db=[1.0] * hops),
        "style": StyleSection(
            toward="a & b.wav", sources=["a & b.wav"], encoder="0123456789ab", before=0.31, after=0.62,
            kept=True, candidates=384, seconds=21.5, stopped="all generations heard",
            moves=[StyleMove(setting="eq.tilt_db", unit="dB", before=0.0, after=-1.25, why="dark to bright")],
            differences=[StyleDifference(target="band_air_db", wanted=-22.0, before=-18.0, after=-20.5)],
        ),
        "automation": Automation(hop_s=0.5, level_db=([-1.0, 1.0] * hops)[:hops], brightness_db=[0.5] * hops),
    }  # fmt: skip
    return Report(**{**filled, **changes})


@pytest.fixture(scope="session")
def song() -> Song:
    before = Audio(0.3 * music(SONG_S)[0].float(), RATE)
    after = before.with_samples(louder_and_brighter(before.samples))
    return Song(before, after, report_of(before, after))


@pytest.fixture(scope="session")
def page_text(song) -> str:
    return song.page()


@pytest.fixture(scope="module")
def browser() -> Iterator:
    """Chromium without a window and with nothing remembered."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no chromium here: apt-get install chromium")
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("no playwright here: pip install 'daiw-master[dev]'")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=executable, args=BROWSER_ARGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def page_file(page_text, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "song.report.html"
    path.write_text(page_text, encoding="utf-8")
    return path
