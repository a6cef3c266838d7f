"""Dry clips: what is cut, from where, what is refused, and that a stopped run goes on to the same bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from daiw_master.audio import Audio
from daiw_master.demo import SONG
from daiw_master.errors import InputError
from daiw_master.files import write_audio
from daiw_master.midi import find_soundfont, render_midi
from daiw_master.training.style import clips, contents, midi_clip, slots
from daiw_master.training.style.__main__ import main
from daiw_master.training.style.audio_clip import cut_clip
from daiw_master.training.style.slots import deal
from daiw_master.training.style.works import Work, folder_corpus
from tests.conftest import write_tiny_song

RATE = clips.RATE
FONT = find_soundfont().path


def noise_file(path: Path, seconds: float, rate: int = RATE, loud: float = 0.2) -> Path:
    samples = torch.randn(2, round(seconds * rate), generator=torch.Generator().manual_seed(len(path.name)))
    write_audio(Audio(samples.clamp(-4, 4) * loud / 4, rate), path)
    return path


def test_a_clip_with_a_silent_second_is_refused():
    clip = np.random.default_rng(0).normal(size=(2, clips.CLIP)).astype(np.float32)
    assert clips.sounding(clip) and clips.sounding(clip * 1e-3)
    clip[:, 2 * RATE : 3 * RATE] = 0.0
    assert not clips.sounding(clip)
    assert not clips.sounding(np.zeros_like(clip)) and not clips.sounding(clip * np.nan)


def test_sixteen_bits_keep_the_clip():
    clip = np.random.default_rng(0).normal(size=(2, 1000)).astype(np.float32)
    kept = clips.to_float(clips.to_int16(clip))
    assert np.abs(kept).max() == pytest.approx(clips.PEAK, abs=1e-4)
    assert np.abs(kept / np.abs(kept).max() - clip / np.abs(clip).max()).max() < 5e-5


def test_a_clip_from_the_beginning_is_what_the_song_renderer_plays(tmp_path):
    path = write_tiny_song(tmp_path / "tiny.mid")
    whole = render_midi(path, soundfont=FONT, rate=RATE).mix.samples.numpy()
    song = midi_clip.arrangement(path)
    clip = midi_clip.play_clip(song, FONT, 0.0, length=2 * RATE)
    assert np.abs(whole).max() > 0.01
    assert np.abs(clip - whole[:, : 2 * RATE]).max() < 1e-6  # parts are summed in another order


def test_a_clip_from_the_middle_holds_the_notes_that_sound_there(tmp_path):
    path = write_tiny_song(tmp_path / "tiny.mid")
    whole = render_midi(path, soundfont=FONT, rate=RATE).mix.samples.numpy()
    song = midi_clip.arrangement(path)
    clip = midi_clip.play_clip(song, FONT, 3.0, length=RATE)
    there = whole[:, 3 * RATE : 4 * RATE]
    likeness = (clip * there).sum() / np.sqrt((clip**2).sum() * (there**2).sum())
    assert likeness > 0.9


def test_another_program_plays_every_melodic_part(tmp_path):
    song = midi_clip.arrangement(write_tiny_song(tmp_path / "tiny.mid"))
    assert midi_clip.lone_program(song) is None  # strings, bass and drums
    usual = midi_clip.play_clip(song, FONT, 0.0, length=RATE)
    organ = midi_clip.play_clip(song, FONT, 0.0, [16] * len(song.parts), length=RATE)
    assert np.abs(usual - organ).max() > 0.01


def test_a_recast_song_has_other_instruments_and_follows_from_its_slot(tmp_path):
    path = write_tiny_song(tmp_path / "tiny.mid")
    work = Work("recast", "tiny", "tiny.mid", path, "", "train")
    usual, _ = contents.render(slots.Slot(0, replace(work, domain="midi"), 0, 1, FONT, 3))
    made = [contents.render(slots.Slot(0, work, 0, 1, FONT, seed)) for seed in (3, 3, 4, 5, 6, 7)]
    assert np.array_equal(made[0][0], made[1][0]) and made[0][1] == made[1][1]
    assert all(np.abs(clip - usual).max() > 0.01 for clip, _ in made)
    told = {entry.program for _, entry in made}
    assert -1 in told and any(program >= 0 for program in told), "each for another, or one for all"


def test_a_recording_is_cut_where_it_was_asked(tmp_path):
    samples = torch.zeros(2, 8 * 44100)
    samples[:, 5 * 44100] = 0.5  # one click after five seconds
    write_audio(Audio(samples, 44100), tmp_path / "click.wav")
    clip = cut_clip(tmp_path / "click.wav", 1.5, length=4 * RATE)
    assert clip.shape == (2, 4 * RATE)
    assert abs(int(np.abs(clip[0]).argmax()) - round(3.5 * RATE)) <= 1


def test_a_short_recording_goes_round(tmp_path):
    clip = cut_clip(noise_file(tmp_path / "loop.wav", 1.5), 0.0)
    assert np.array_equal(clip[:, : round(1.5 * RATE)], clip[:, round(1.5 * RATE) : 3 * RATE])


def slots_of(tmp_path: Path, seed: int = 3):
    """Two clips of the demo song, two of a recording, one of silence."""
    noise_file(tmp_path / "noise.wav", 14.0)
    noise_file(tmp_path / "silence.wav", 8.0, loud=0.0)
    song = Work("midi", "ferry", SONG.name, SONG, "GPL", "train", 120.0)
    dealt = deal([song], 2, seed, {FONT: 1.0})
    recorded = deal(folder_corpus(tmp_path, "audio", "train"), 3, seed)
    rows = [*dealt, *recorded]
    return [slot.__class__(**{**vars(slot), "row": row}) for row, slot in enumerate(rows)]


def quiet(line: str) -> None:
    pass


def test_contents_are_the_same_bytes_and_a_stopped_run_goes_on(tmp_path):
    slots = slots_of(tmp_path)
    contents.make(tmp_path / "a", "train", "midi", slots, 1, quiet)
    store = contents.Store(tmp_path / "a", "train", "midi")
    assert {entry.work for entry in store.entries} == {SONG.name, "noise.wav"}, "silence is refused"
    for index in range(len(store)):
        clip = store.clip(index)
        assert clip.shape == (2, clips.CLIP) and clips.sounding(clip)
        assert np.abs(clip).max() == pytest.approx(clips.PEAK, abs=1e-3)
    assert store.groups["ferry"] == [0, 1]

    contents.make(tmp_path / "b", "train", "midi", slots[:2] + slots[2:], 1, quiet)
    listed = tmp_path / "b" / "contents" / "train-midi.jsonl"
    whole = listed.read_text()
    listed.write_text(whole[: whole.rstrip().rfind("\n") + 20])  # killed while the last line was written
    contents.make(tmp_path / "b", "train", "midi", slots, 1, quiet)
    arrays = [(tmp_path / d / "contents" / "train-midi.npy").read_bytes() for d in "ab"]
    assert arrays[0] == arrays[1]
    assert contents.Store(tmp_path / "b", "train", "midi").entries == store.entries

    with pytest.raises(InputError, match="another seed"):
        contents.make(tmp_path / "b", "train", "midi", slots_of(tmp_path, seed=4), 1, quiet)


def test_a_store_that_was_never_made_says_how(tmp_path):
    with pytest.raises(InputError, match="training.style contents"):
        contents.Store(tmp_path, "dev", "midi")


def test_the_command_refuses_in_one_line(tmp_path, capsys):
    assert main(["contents", "--data", str(tmp_path), "--sources", str(tmp_path / "none")]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "manifest.csv" in told
    assert main(["blocks", "--data", str(tmp_path), "--count", "1"]) == 2
    assert "no train contents" in capsys.readouterr().err
    assert main(["blocks", "--data", str(tmp_path), "--until", "soon"]) == 2
    assert "18:50" in capsys.readouterr().err
