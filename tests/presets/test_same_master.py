"""Editing nothing changes nothing: a song mastered with an authored preset is the same, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from daiw_master.brief import briefs_of
from daiw_master.options import Options
from daiw_master.pipeline import render, render_many
from daiw_master.presets import author, known_presets

DATA = Path(__file__).resolve().parents[2] / "../shared/data/daiw/generated"


def authored(path, emotions, **asked):
    """What is asked, as a preset file."""
    (brief,), options = briefs_of(emotions, Options(**asked))
    path.write_text(author(brief.plan(options), name="mine", about="as asked"))
    return path


def test_a_feeling_as_a_preset_is_the_same_master(tiny_song, masters, tmp_path):
    path = authored(tmp_path / "mine.yaml", ["grief"])
    again = render(tiny_song, presets=(path,))
    assert torch.equal(again.audio.samples, masters["grief"].audio.samples)


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked",
    [
        {"rules": ("PRODUCTION_LoFiDegradation", "ARRANGEMENT_BuriedVocals"), "strength": "0.7"},
        {"rules": ("ARRANGEMENT_PrematureClimax", "TEMPORAL_AbruptEnding"), "platform": "apple"},
        {"settings": ("eq.peak_2_gain_db=0.7", "onset_db=14", "loudness_lufs=-11"), "relaxed": ("ride_db",)},
        {"presets": ("worn_vinyl",), "lufs": -20.0},
    ],
)
def test_whatever_is_asked_is_the_same_as_a_preset_until_edited(tiny_song, tmp_path, asked):
    path = authored(tmp_path / "mine.yaml", ["overwhelming grief"], **asked)
    first = render(tiny_song, "overwhelming grief", **asked)
    again = render(tiny_song, presets=(path,))
    assert torch.equal(first.audio.samples, again.audio.samples)
    text = path.read_text()
    assert "\n  band_bass_db: " in text
    path.write_text(text.replace("\n  band_bass_db: ", "\n  band_bass_db: -1.5 # was "))
    edited = render(tiny_song, presets=(path,))
    assert not torch.equal(first.audio.samples, edited.audio.samples)


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="DAiW's sample files are not beside this checkout")
def test_an_intent_as_a_preset_is_the_same_master_sections_and_all(tmp_path):
    intent, song = DATA / "intent_grief_modal.json", DATA / "therapy_grief_marked.mid"
    path = authored(tmp_path / "mine.yaml", [], intent=intent)
    assert "\nform: " in path.read_text()
    (first,) = render_many(song, [], Options(intent=intent, preview=True))
    again = render(song, presets=(path,), preview=True)
    assert torch.equal(first.audio.samples, again.audio.samples)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n, info in known_presets().items() if info.kind == "lofi"])
def test_every_lofi_preset_is_delivered_where_it_says(tiny_song, name):
    result = render(tiny_song, presets=(name,))
    loudness = result.report.row("loudness_lufs")
    assert abs(loudness.after - loudness.asked) <= 0.1 and result.report.row("true_peak_dbtp").after <= -1.0
