"""One tiny song, rendered and mastered once for everybody: strings, bass and drums, soft then loud."""

from __future__ import annotations

from pathlib import Path

import mido
import pytest
from hypothesis import settings

# a busy machine is no failing test
settings.register_profile("calm", deadline=None)
settings.load_profile("calm")

#: Channel: (program, four notes that repeat). General MIDI: strings, fingered bass, drums on channel 10.
BAND = {0: (48, (60, 64, 67, 72)), 1: (33, (36, 36, 43, 41)), 9: (0, (36, 38, 42, 46))}
BEATS = 10


def write_tiny_song(path: Path) -> Path:
    """5 seconds in three parts at 120 beats a minute, 4/4, one marker."""
    song = mido.MidiFile(ticks_per_beat=480)
    conductor = song.add_track("conductor")
    conductor.append(mido.MetaMessage("set_tempo", tempo=500000))
    conductor.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    conductor.append(mido.MetaMessage("marker", text="verse"))
    for channel, (program, keys) in BAND.items():
        track = song.add_track(f"part {channel}")
        track.append(mido.Message("program_change", program=program, channel=channel))
        for beat in range(BEATS):
            key, velocity = keys[beat % 4], 60 if beat < BEATS // 2 else 110
            track.append(mido.Message("note_on", note=key, velocity=velocity, channel=channel))
            track.append(mido.Message("note_off", note=key, channel=channel, time=480))
    song.save(path)
    return path


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Tests neither read nor write what the user's own runs have kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAIW_MASTER_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny_song(tmp_path_factory) -> Path:
    from daiw_master.errors import MissingDependencyError
    from daiw_master.midi.synth import library

    try:
        library()
    except MissingDependencyError as error:
        pytest.skip(str(error))
    return write_tiny_song(tmp_path_factory.mktemp("song") / "tiny.mid")


@pytest.fixture(scope="session")
def masters(tiny_song) -> dict:
    """The tiny song as neutral, grief and rage, by feeling; nobody may change them."""
    from daiw_master.pipeline import Options, render_many

    feelings = ("neutral", "grief", "rage")
    return dict(zip(feelings, render_many(tiny_song, feelings, Options()), strict=True))
