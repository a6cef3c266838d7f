"""The demo song is what its script writes, and offers what a master needs to be judged on."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import mido
import numpy as np
import pyloudnorm
import pytest

from daiw_master.demo import SONG
from daiw_master.demo.compose import compose, main
from daiw_master.demo.score import SECTIONS, chord, melody, pitch

RATE = 44100
SOUNDFONTS = (
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/soundfonts/FluidR3_GM.sf2",
    "/usr/share/sounds/sf2/default-GM.sf2",
)


@pytest.fixture(scope="module")
def timed() -> list[tuple[float, mido.Message]]:
    """Every message of the shipped file with its time in seconds, tempo map applied."""
    now, found = 0.0, []
    for message in mido.MidiFile(SONG):
        now += message.time
        found.append((now, message))
    return found


@pytest.fixture(scope="module")
def notes(timed) -> list[tuple[float, float, int, int, int]]:
    """(start s, end s, channel, note, velocity)."""
    open_notes, found = {}, []
    for now, message in timed:
        if message.type == "note_on" and message.velocity > 0:
            assert (message.channel, message.note) not in open_notes, f"{message} struck while it sounds"
            open_notes[message.channel, message.note] = (now, message.velocity)
        elif message.type in ("note_off", "note_on"):
            start, velocity = open_notes.pop((message.channel, message.note))
            found.append((start, now, message.channel, message.note, velocity))
    assert not open_notes
    return found


@pytest.fixture(scope="module")
def marks(timed) -> dict[str, tuple[float, float]]:
    """Section name -> (start s, end s)."""
    starts = [(now, message.text) for now, message in timed if message.type == "marker"]
    ends = [now for now, _ in starts[1:]] + [timed[-1][0]]
    return {text.partition(":")[0]: (start, end) for (start, text), end in zip(starts, ends, strict=True)}


def test_the_script_writes_the_shipped_file(tmp_path):
    main(tmp_path / "again.mid")
    assert (tmp_path / "again.mid").read_bytes() == SONG.read_bytes()


def test_lasts_about_two_minutes_in_several_tracks(timed, notes):
    assert 90 <= timed[-1][0] <= 130
    assert {channel for _, _, channel, _, _ in notes} == set(range(10))
    assert len({message.program for _, message in timed if message.type == "program_change"}) >= 8
    song = compose()
    assert song.type == 1 and len(song.tracks) == 11


def test_markers_name_a_part_and_a_feeling(timed):
    markers = [message.text for _, message in timed if message.type == "marker"]
    assert markers == [section.marker for section in SECTIONS]
    assert all(len(text.split(": ")) == 2 for text in markers)


def test_tempo_moves_and_slows_before_the_end(timed, marks):
    tempi = [(now, mido.tempo2bpm(message.tempo)) for now, message in timed if message.type == "set_tempo"]
    assert len({round(bpm) for _, bpm in tempi}) >= 6
    rising = [bpm for now, bpm in tempi if marks["Rise"][0] <= now < marks["Rise"][1]]
    assert rising == sorted(rising) and rising[-1] > rising[0] + 10
    last = [bpm for _, bpm in tempi[-8:]]
    assert last == sorted(last, reverse=True) and last[-1] == pytest.approx(58, abs=0.01)


def test_one_full_bar_is_silent(notes, marks):
    start, end = marks["Silence"]
    assert end - start == pytest.approx(4 * 60 / 92, abs=0.01)
    assert not [note for note in notes if note[1] > start and note[0] < end]


def test_loud_is_played_loud(notes, marks):
    def velocity(section):
        start, end = marks[section]
        return np.mean([note[4] for note in notes if start <= note[0] < end])

    assert velocity("Chorus") > velocity("Intro") + 15
    assert velocity("Chorus") > velocity("Bridge") + 20
    rise = [note for note in notes if marks["Rise"][0] <= note[0] < marks["Rise"][1]]
    assert np.polyfit([note[0] for note in rise], [note[4] for note in rise], 1)[0] > 1  # velocity per second


def test_players_sit_apart_and_swell(timed):
    pans = {message.channel: message.value for _, message in timed if message.is_cc(10)}
    assert len(pans) == 10 and min(pans.values()) < 20 and max(pans.values()) > 110
    swells = {}
    for _, message in timed:
        if message.is_cc(11):
            swells.setdefault(message.channel, set()).add(message.value)
    assert sum(max(values) - min(values) > 25 for values in swells.values()) >= 4


def test_ends_with_one_stroke(notes):
    """Everyone strikes together, nobody after, nobody holds on."""
    last = max(note[0] for note in notes)
    stroke = [note for note in notes if note[0] == last]
    assert {note[2] for note in stroke} == set(range(10))
    assert min(note[4] for note in stroke) >= 110
    ends = {round(note[1], 3) for note in notes if note[1] > last}
    assert len(ends) == 1 and ends.pop() - last < 0.6


def test_held_chords_move_by_small_steps():
    """Strings in the verse: each voice takes the nearest note of the next chord."""
    strings = [track for track in compose().tracks if track.name == "Strings"][0]
    now, chords = 0, {}
    for message in strings:
        now += message.time
        if message.type == "note_on" and now < 48 * 480:
            chords.setdefault(now, []).append(message.note)
    voicings = [sorted(voices) for _, voices in sorted(chords.items())]
    steps = [
        abs(a - b)
        for one, two in zip(voicings, voicings[1:], strict=False)
        for a, b in zip(one, two, strict=True)
    ]
    assert len(voicings) == 9 and max(steps) <= 5 and np.mean(steps) <= 2


def test_names_of_notes_and_chords():
    assert pitch("C4") == 60 and pitch("A4") == 69 and pitch("Bb3") == 58 and pitch("C#5") == 73
    assert chord("F/A") == (9, (5, 9, 0)) and chord("Em7b5") == (4, (4, 7, 10, 2))
    assert melody("rise")[0] == (0.0, 1.0, 65)


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> np.ndarray:
    """(time, 2) float32, dry, by the fluidsynth command line: a renderer that is not ours."""
    soundfont = next((path for path in SOUNDFONTS if Path(path).exists()), None)
    if shutil.which("fluidsynth") is None or soundfont is None:
        pytest.skip("needs the fluidsynth program and a General MIDI soundfont")
    out = tmp_path_factory.mktemp("demo") / "song.raw"
    quiet = ["-ni", "-q", "-R", "0", "-C", "0", "-g", "0.3", "-r", str(RATE)]
    command = ["fluidsynth", *quiet, "-O", "float", "-T", "raw", "-F", str(out), soundfont, str(SONG)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return np.fromfile(out, dtype="<f4").reshape(-1, 2)


def _level_db(sound: np.ndarray, start: float, end: float) -> float:
    part = sound[round(start * RATE) : round(end * RATE)].astype(np.float64)
    return 10 * np.log10(max(np.mean(part**2), 1e-14))


def test_soft_and_loud_are_far_apart_in_sound(sound, marks):
    meter = pyloudnorm.Meter(RATE)
    assert 8 <= meter.loudness_range(sound) <= 20
    assert _level_db(sound, *marks["Chorus"]) > _level_db(sound, *marks["Bridge"]) + 8


def test_silence_is_silence_in_sound(sound, marks):
    """The releases have died by the middle of the bar; the sea is gone until the piano returns."""
    start, end = marks["Silence"]
    assert _level_db(sound, start + 0.9, end - 0.02) < -80
    assert _level_db(sound, end, end + 1) > -60


def test_stop_is_hard_in_sound(sound, notes):
    end = max(note[1] for note in notes)
    assert _level_db(sound, end - 0.3, end) > -25
    assert _level_db(sound, end + 1, end + 2) < _level_db(sound, end - 0.3, end) - 50
