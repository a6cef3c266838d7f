"""Songs written by mido (not by us) and the small soundfont every installation has."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import mido
import pytest

from daiw_master.errors import MissingDependencyError

TICKS = 480
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"no test data at {DATA}")
    return DATA


@pytest.fixture(scope="session")
def font() -> Path:
    from daiw_master.midi.synth import library

    try:
        library()
    except MissingDependencyError as error:
        pytest.skip(str(error))
    return Path(importlib.util.find_spec("pretty_midi").submodule_search_locations[0]) / "TimGM6mb.sf2"


@pytest.fixture
def write_song(tmp_path):
    """write_song([track, ...]) -> path; a track is a list of (tick, message), a tuple's tick absolute."""

    def write(tracks, name="song.mid", kind=1, ticks=TICKS):
        song = mido.MidiFile(type=kind, ticks_per_beat=ticks)
        for events in tracks:
            track, now = mido.MidiTrack(), 0
            for tick, message in sorted(events, key=lambda event: event[0]):
                track.append(message.copy(time=tick - now))
                now = tick
            song.tracks.append(track)
        path = tmp_path / name
        song.save(path)
        return path

    return write


def note(tick, length, key, velocity=100, channel=0):
    """A note as two (tick, message) events."""
    return [
        (tick, mido.Message("note_on", note=key, velocity=velocity, channel=channel)),
        (tick + length, mido.Message("note_off", note=key, channel=channel)),
    ]


def message(tick, kind, **values):
    return (tick, mido.Message(kind, **values))


def meta(tick, kind, **values):
    return (tick, mido.MetaMessage(kind, **values))
