"""The hand-over script, run as a composer would, on what DAiW really wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daiw_master.files import read_audio

ROOT = Path(__file__).resolve().parents[1]
DAIW = ROOT.parent / "shared" / "data" / "daiw" / "generated"
needs_samples = pytest.mark.skipif(not DAIW.is_dir(), reason="DAiW's sample files are not here")
sys.path.insert(0, str(ROOT / "examples"))


@needs_samples
def test_the_script_turns_daiws_files_into_a_master(tmp_path):
    midi = tmp_path / "song.mid"
    midi.write_bytes((DAIW / "harmony_rage_clipping.mid").read_bytes())
    files = [DAIW / f"{name}_rage_clipping.json" for name in ("intent", "processed")]
    run = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "after_daiw.py"), str(midi), *map(str, files)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "moves asked" in run.stdout and "LUFS" in run.stdout
    report = json.loads((tmp_path / "song.report.json").read_text())
    sources = {move["source"] for move in report["moves"]}
    assert {"mood_primary", "rule PRODUCTION_ClippingPeaks"} <= sources
    assert "clipper" in report["chain"]
    assert (tmp_path / "song.report.html").stat().st_size > 50_000
    assert read_audio(tmp_path / "song.wav").duration_s == pytest.approx(report["duration_s"], abs=0.001)


@dataclass
class Root:
    core_event: str = "It rained on the day."
    core_longing: str = "To have said it."


@dataclass
class Feeling:
    mood_primary: str = "Nostalgia"
    mood_secondary_tension: float = 0.4
    imagery_texture: str = "Hazy/Dreamy"
    vulnerability_scale: str = "Medium"
    narrative_arc: str = ""


@dataclass
class Technical:
    technical_genre: str = ""
    technical_rule_to_break: str = ""


@dataclass
class CompleteSongIntent:
    """As DAiW's own object looks from outside: three sheets with their fields as attributes."""

    title: str = "Rain"
    song_root: Root = field(default_factory=Root)
    song_intent: Feeling = field(default_factory=Feeling)
    technical_constraints: Technical = field(default_factory=Technical)


def test_daiws_own_objects_are_taken_as_they_are(tiny_song):
    from after_daiw import hand_over

    result, report = hand_over(tiny_song, CompleteSongIntent(), lufs=-18.0)
    assert report.emotion == "nostalgia" and report.row("loudness_lufs").asked == -18.0
    assert {move.source for move in report.moves} >= {"mood_primary", "imagery_texture", "you"}
    assert result.audio.duration_s >= 5.0


def test_the_demo_songs_intent_has_nothing_to_warn_of():
    from daiw_master.intent.check import check_intent
    from daiw_master.intent.shapes import read_intent

    intent = read_intent(ROOT / "examples" / "the_last_ferry.yaml")
    assert [notice for notice in check_intent(intent) if notice.level != "note"] == []
