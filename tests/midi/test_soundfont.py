"""Which instruments play: the order in which soundfonts are looked for."""

from __future__ import annotations

import pytest

from daiw_master.errors import InputError, MissingDependencyError
from daiw_master.midi import soundfont
from daiw_master.midi.soundfont import ENVIRONMENT, find_soundfont

SF2 = b"RIFF\0\0\0\0sfbk"


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """An empty system folder and a threshold small enough to fake large fonts."""
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setattr(soundfont, "FOLDERS", (str(tmp_path / "system"), "~nobody-at-all/fonts"))
    monkeypatch.setattr(soundfont, "SMALL_BYTES", 100)
    (tmp_path / "system").mkdir()

    def put(name, size=200, head=SF2):
        path = tmp_path / "system" / name
        path.write_bytes(head.ljust(size, b"\0"))
        return path

    return put


def test_argument_beats_environment_beats_system(shelf, tmp_path, monkeypatch):
    system = shelf("FluidR3_GM.sf2")
    assert find_soundfont() == soundfont.SoundFont(system, "system")
    other, third = shelf("zzz.sf2"), shelf("yyy.sf3")
    monkeypatch.setenv(ENVIRONMENT, str(other))
    assert find_soundfont() == soundfont.SoundFont(other, "environment")
    assert find_soundfont(third) == soundfont.SoundFont(third, "argument")
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "gone.sf2"))
    with pytest.raises(InputError, match=ENVIRONMENT):
        find_soundfont()


def test_the_best_known_font_wins_and_supplements_never_do(shelf):
    shelf("aaa.sf2")
    shelf("FluidR3_GS.sf2")
    shelf("broken_FluidR3_GM.sf2", head=b"not a font")
    assert find_soundfont().path.name == "aaa.sf2"
    shelf("MuseScore_General_Full.sf3")
    assert find_soundfont().path.name == "MuseScore_General_Full.sf3"
    shelf("FluidR3_GM.sf2")
    assert find_soundfont().path.name == "FluidR3_GM.sf2"


def test_without_a_large_font_the_bundled_one_plays(shelf, monkeypatch):
    shelf("tiny.sf2", size=20)
    found = find_soundfont()
    assert found.source == "bundled" and found.path.name == "TimGM6mb.sf2"
    monkeypatch.setattr(soundfont, "_bundled", lambda: None)
    assert find_soundfont().path.name == "tiny.sf2"
    monkeypatch.setattr(soundfont, "FOLDERS", ())
    with pytest.raises(MissingDependencyError, match="apt install fluid-soundfont-gm"):
        find_soundfont()


def test_the_small_font_is_said_once(shelf, write_song, font):
    from daiw_master.midi import render_midi

    from .conftest import note

    rendered = render_midi(write_song([note(0, 240, 60)]))
    assert sum("small soundfont" in remark for remark in rendered.notes) == 1
    assert not any(
        "soundfont" in remark for remark in render_midi(write_song([note(0, 240, 60)]), soundfont=font).notes
    )
