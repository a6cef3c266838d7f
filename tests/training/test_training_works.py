"""Splits: a work stands on one side, whoever asks; what a test will hear is never learnt from."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from daiw_master.errors import InputError
from daiw_master.training.style import slots, works
from daiw_master.training.style.sentences import SENTENCES
from daiw_master.training.style.speech_clip import sentences, voices

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
needs_shared = pytest.mark.skipif(
    not (SHARED / "midi-train" / "manifest.csv").is_file(), reason="the shared MIDI corpus is not here"
)


def test_sides_come_in_the_shares_asked_for():
    counted = Counter(works.split_of("midi", f"work {n}") for n in range(4000))
    for split, share in zip(works.SPLITS, works.SHARES["midi"], strict=True):
        assert counted[split] / 4000 == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(
    ("repo", "one", "other", "same"),
    [
        ("MutopiaProject/MutopiaProject", "ftp/BachJS/BWV1/a/a.ly", "ftp/BachJS/BWV1/b/b.ly", True),
        ("MutopiaProject/MutopiaProject", "ftp/BachJS/BWV1/a/a.ly", "ftp/BachJS/BWV2/a/a.ly", False),
        ("OpenScore/Lieder", "scores/Abbott/_/One/x.mxl", "scores/Abbott/_/Two/y.mxl", False),
        ("OpenScore/Lieder", "scores/Wolf/Op.1/One/x.mxl", "scores/Wolf/Op.1/Two/y.mxl", True),
        ("zharry29/x", "groove/drummer1/session2/1_a.mid", "groove/drummer1/session2/9_b.mid", True),
        ("freedoom/freedoom", "musics/d_e1m5.mid", "musics/d_e1m5.mid (old version, blob a0)", True),
        ("freedoom/freedoom", "musics/d_e1m5.mid", "musics/d_e1m6.mid", False),
    ],
)
def test_movements_takes_and_versions_are_one_work(repo, one, other, same):
    assert (works.midi_group(repo, one) == works.midi_group(repo, other)) is same


def corpus_of(tmp_path: Path, rows: list[tuple[str, str, str]], kept: str = "") -> list[works.Work]:
    """A corpus of (file, repo, path), with one test song beside it."""
    (tmp_path / "midi-train").mkdir()
    (tmp_path / "midi").mkdir()
    (tmp_path / "unpacked").mkdir()
    with open(tmp_path / "midi-train" / "manifest.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "repo", "path", "licence", "seconds"))
        writer.writerows((*row, "CC0", "60.0") for row in rows)
    table = (
        f"| file | repo @ commit | path in repo | licence |\n| band/x.mid | {kept} | CC0 |\n" if kept else ""
    )
    (tmp_path / "midi" / "SOURCES.md").write_text(table)
    return works.midi_corpus(tmp_path, tmp_path / "unpacked")


def test_the_whole_work_of_a_test_song_is_kept_for_tests(tmp_path):
    rows = [(f"{n}.mid", "OpenScore/Lieder", f"scores/Wolf/Op.{n}/One/x.mxl") for n in range(40)]
    learnt = next(int(w.name[:-4]) for w in corpus_of(tmp_path, rows) if w.split == "train")
    other = tmp_path / "again"
    other.mkdir()
    found = corpus_of(other, rows, f"OpenScore/Lieder @ 123 | scores/Wolf/Op.{learnt}/Two/y.mxl")
    assert next(w.split for w in found if w.name == f"{learnt}.mid") == "test"


def test_a_folder_without_the_corpus_is_refused_in_words(tmp_path):
    with pytest.raises(InputError, match="manifest.csv does not exist"):
        works.midi_corpus(tmp_path, tmp_path / "unpacked")
    with pytest.raises(InputError, match="no midi files"):
        works.folder_corpus(tmp_path, "midi", "test")


@needs_shared
def test_no_work_of_the_corpus_stands_on_two_sides(tmp_path):
    unpacked = tmp_path / "midi"
    unpacked.mkdir()  # the names are enough here
    found = works.midi_corpus(SHARED, unpacked) + works.audio_corpus(SHARED)
    sides = defaultdict(set)
    for work in found:
        sides[work.domain, work.group].add(work.split)
    assert all(len(split) == 1 for split in sides.values())
    for domain in ("midi", "audio"):
        assert {w.split for w in found if w.domain == domain} == set(works.SPLITS)
    kept = works._groups_of_test_songs(SHARED / "midi" / "SOURCES.md")
    assert len(kept) > 20 and all(w.split == "test" for w in found if w.group in kept)
    # stems and rough mix of one song are one group
    assert len({w.group for w in found if "efree_potassium" in w.name}) == 1


def test_more_soundtracks_are_for_training_alone_and_versions_of_a_piece_are_one_work(tmp_path, monkeypatch):
    names = ["lava.ogg", "lava_fast.ogg", "lava2.ogg", "ingame_01.ogg", "ingame_02.ogg", "jingle.ogg"]
    for name in names:
        (tmp_path / name).write_bytes(b"x" * (1 if name == "jingle.ogg" else 10))
    monkeypatch.setattr(works, "SHORTEST_SOUNDTRACK", 10)
    monkeypatch.setattr(works, "MORE_GAME_MUSIC", {"kart": (str(tmp_path), "kart-data")})
    found = works.more_games()
    assert {w.group for w in found} == {"kart/lava", "kart/ingame_01", "kart/ingame_02"} and len(found) == 5
    assert {(w.domain, w.split) for w in found} == {("games", "train")}
    assert found[0].licence == "free (copyright file of Debian's kart-data)"
    monkeypatch.setattr(works, "MORE_GAME_MUSIC", {"kart": (str(tmp_path / "none"), "kart-data")})
    assert works.more_games() == []


def test_only_songs_of_the_training_side_are_recast():
    corpus = [
        works.Work(domain, "g", f"{domain} {split}", Path("x"), "", split)
        for domain in works.DOMAINS
        for split in works.SPLITS
    ]
    (again,) = works.recast(corpus)
    assert (again.domain, again.split, again.name) == ("recast", "train", "midi train")


def test_soundfonts_voices_and_sentences_are_not_shared_between_sides():
    fonts = [set(slots.SOUNDFONTS[split]) for split in works.SPLITS]
    speakers = [{v.name for v in voices(split)} for split in works.SPLITS]
    said = [{s for language in SENTENCES for s in sentences(language, split)} for split in works.SPLITS]
    for sides in (fonts, speakers, said):
        assert all(sides) and sum(map(len, sides)) == len(set.union(*sides))


def some_works(count: int = 9) -> list[works.Work]:
    return [
        works.Work("midi", f"group {n % 3}", f"{n}.mid", Path(f"{n}.mid"), "", "train", 30.0)
        for n in range(count)
    ]


def test_slots_are_dealt_in_turn_and_the_same_for_one_seed():
    fonts = {Path("a.sf2"): 0.5, Path("b.sf2"): 0.5}
    dealt = slots.deal(some_works(), 18, 4, fonts)
    assert [slot.row for slot in dealt] == list(range(18))
    assert Counter(slot.work.group for slot in dealt) == {f"group {n}": 6 for n in range(3)}
    assert {slot.soundfont for slot in dealt} == set(fonts)
    assert dealt == slots.deal(some_works(), 18, 4, fonts) != slots.deal(some_works(), 18, 5, fonts)
    for slot in dealt:  # every clip of a work has a stretch of its own
        assert 0 <= slot.part < slot.parts
    assert len({(slot.work.name, slot.part) for slot in dealt}) == 18


def test_a_short_work_gives_no_more_clips_than_fit():
    short = [works.Work("audio", "one", "one.wav", Path("one.wav"), "", "dev", 15.0)]
    assert len(slots.deal(short, 50, 0)) == 2
