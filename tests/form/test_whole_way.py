"""From an intent's arc to the written master, against the same master with the faders left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from scipy.stats import spearmanr

from daiw_master.errors import MissingDependencyError

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "daiw" / "generated"
STILL = [f"automation.{knob}=0" for knob in ("level_db", "brightness_db", "drift_db")]


@pytest.mark.slow
@pytest.mark.parametrize("arc", ["Climb-to-Climax", "Slow Reveal"])
def test_an_arc_is_heard_in_the_master_of_a_marked_song(arc):
    from daiw_master import house
    from daiw_master.form import form_of
    from daiw_master.intent.shapes import read_intent
    from daiw_master.meters.loudness import short_term
    from daiw_master.midi import render_midi
    from daiw_master.midi.synth import library
    from daiw_master.pipeline import render

    if not DATA.is_dir():
        pytest.skip("DAiW's sample songs are not here")
    try:
        library()
    except MissingDependencyError as error:
        pytest.skip(str(error))
    song = DATA / "therapy_grief_marked.mid"
    intent = read_intent(DATA / "intent_grief_modal.json")
    told = intent.song_intent.model_copy(update={"narrative_arc": arc})
    intent = intent.model_copy(update={"song_intent": told})
    moved, still = (render(song, intent=intent, settings=settings) for settings in ([], STILL))
    asked = form_of(arc.replace("-", " "), (), render_midi(song).sections, moved.audio.duration_s)
    assert any("laid over the song's 4 marked sections" in note for note in moved.report.notes)
    traces = [short_term(made.audio.batch, made.audio.rate, hop_ms=100.0)[0] for made in (moved, still)]
    count = min(map(len, traces))
    difference = traces[0][:count] - traces[1][:count]  # windows of 3 s, their middles 1.5 s later

    def heard(at_s: float) -> float:
        return float(difference[min(count - 1, round(10 * (at_s - 1.5)))])

    middles = [(p.start_s + p.end_s) / 2 for p in asked.points]
    energies = [p.energy for p in asked.points]
    assert spearmanr(energies, [heard(at_s) for at_s in middles]).statistic >= 0.9
    seconds = torch.arange(2, int(asked.points[-1].end_s) - 2).tolist()
    steps = [next(p.energy for p in asked.points if p.start_s <= t < p.end_s) for t in seconds]
    assert spearmanr(steps, [heard(t) for t in seconds]).statistic >= 0.9
    limit = house.limits()["ride_db"].default
    assert max(abs(heard(t)) for t in seconds) <= limit
    assert max(map(heard, middles)) - min(map(heard, middles)) >= 0.4, "and one can hear it"
    assert steepest_db(moved.audio, still.audio) <= 0.5


def steepest_db(moved, still) -> float:
    """The largest step of what was done to the sound from one 10 ms to the next, where there is sound."""
    hop, length = moved.rate // 100, min(moved.samples.shape[-1], still.samples.shape[-1])
    powers = [
        y.samples[:, : length // hop * hop].double().square().mean(0).unflatten(-1, (-1, hop)).mean(-1)
        for y in (moved, still)
    ]
    gain_db = 10 * (powers[0].clamp_min(1e-12) / powers[1].clamp_min(1e-12)).log10()
    heard = torch.minimum(*powers) > 1e-5
    return float(gain_db.diff().abs()[heard[1:] & heard[:-1]].max())
