"""How the emotion bank is made: which songs, what is kept of them, and what is averaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from daiw_master.intent.categories import categories
from daiw_master.neural.bank import BANK_FILE, emotion_bank
from daiw_master.neural.style import Style, StyleSource, unit
from daiw_master.training import bank as made
from daiw_master.training.style.works import Work


def work(name: str, group: str = "", split: str = "train", seconds: float = 60.0) -> Work:
    return Work("midi", group or name, name, Path(name), "CC0", split, seconds)


def style(*direction: float, air: float = 0.0) -> Style:
    source = StyleSource("x.flac", "0" * 64, 14.0, 4)
    return Style(unit(np.array(direction)), 0.05, 4, "0123456789ab", (source,), {"band_air_db": air})


def test_songs_come_from_every_collection_in_turn_one_of_a_group():
    works = [work(f"a/{n}.mid") for n in range(5)] + [work(f"b/{n}.mid", group="one") for n in range(5)]
    works += [
        work("c/long.mid", seconds=900),
        work("c/short.mid", seconds=3),
        work("c/kept.mid", split="test"),
    ]
    fonts = [Path("x.sf2"), Path("y.sf2")]
    songs = made.songs_of(works, "train", 4, fonts)
    assert [song.work.name[0] for song in songs].count("b") == 1
    assert len({song.work.name for song in songs}) == 4
    assert [song.soundfont for song in songs] == [fonts[0], fonts[1]] * 2
    assert made.songs_of(list(reversed(works)), "train", 4, fonts) == songs, "whatever the order they come in"
    assert made.songs_of(works, "dev", 4, fonts) == []
    assert songs[0].name == songs[0].work.name.replace("/", "-").removesuffix(".mid")


def test_every_song_weighs_the_same_in_the_bank():
    songs = [
        {"neutral": style(1, 0, air=-20.0), "up": style(1, 1, air=-18.0)},
        {"neutral": style(1, 0, air=-22.0), "up": style(1, 0.5, air=-20.0)},
    ]
    found = made.bank_of(songs, {"seconds": 14})
    assert np.allclose(found.neutral.embedding, [1, 0], atol=1e-6) and list(found.styles) == ["up"]
    between = unit(unit(np.array([1, 1])) + unit(np.array([1, 0.5])))
    assert np.allclose(found["up"].embedding, between, atol=1e-6)
    assert found.heard_step({"up": 1.0}) == pytest.approx({"band_air_db": 2.0})
    assert found["up"].sources == () and found["up"].windows == 8


def test_a_song_is_mastered_as_every_name_says_all_or_none(tiny_song, tmp_path, monkeypatch):
    song = made.Song(Work("midi", "x", "x/tiny.mid", tiny_song, "CC0", "train", 5.0), None)
    place = tmp_path / "deep" / "x-tiny"
    made.master_song(song, ["neutral"], 2.0, place)
    assert [path.name for path in place.iterdir()] == ["neutral.flac"]
    assert made.styles_of(place, ["neutral"])["neutral"].windows == 1
    monkeypatch.setattr(made, "write_sound", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        made.master_song(song, ["neutral"], 2.0, tmp_path / "broken")
    assert not (tmp_path / "broken").exists()


def test_without_songs_or_soundfonts_it_says_what_is_missing(tmp_path, capsys, monkeypatch):
    asked = ["--data", str(tmp_path), "--sources", str(tmp_path), "-o", str(tmp_path / "bank.json")]
    assert made.main(asked) == 2
    assert "midi-train" in capsys.readouterr().err
    monkeypatch.setattr(made, "SOUNDFONTS", (Path("nowhere/none.sf2"),))
    assert made.main(asked) == 2 and "none.sf2" in capsys.readouterr().err
    assert not (tmp_path / "bank.json").exists()


@pytest.mark.skipif(not BANK_FILE.is_file(), reason="no bank has been made for these weights yet")
def test_the_bank_that_ships_belongs_to_the_encoder_that_ships():
    bank = emotion_bank()
    assert set(bank.styles) == set(categories())
    assert all(0.2 < bank.neutral.similarity(style) < 0.9999 for style in bank.styles.values())
