"""`daiw-master style`: styles saved, compared and found; refusals are one line and exit 2."""

from __future__ import annotations

import json

import pytest
import torch

from daiw_master.audio import Audio
from daiw_master.files import write_audio
from daiw_master.neural import bank as banks
from daiw_master.neural.bank import Bank
from daiw_master.neural.style import read_style, style_of
from tests import signals
from tests.test_cli import refused, run

RATE = 44100


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two takes of different music alike in sound, one that is another world, and a text file."""
    place = tmp_path_factory.mktemp("sounds")
    for name, seed in (("a", 1), ("b", 2)):
        write_audio(Audio(0.3 * signals.music(4.0, seed=seed)[0], RATE), place / f"{name}.wav")
    write_audio(Audio(signals.noise(3.0, level_db=-30)[0], RATE), place / "hiss.flac")
    (place / "notes.txt").write_text("not a sound")
    return place


@pytest.fixture
def two_feelings(folder, monkeypatch) -> Bank:
    """A bank whose neutral sounds like a.wav and whose grief sounds like hiss."""
    music, hiss = style_of(folder / "a.wav"), style_of(folder / "hiss.flac")
    found = Bank(music, {"grief": hiss, "hope": music}, {})
    monkeypatch.setattr(banks, "emotion_bank", lambda: found)
    return found


def test_several_recordings_become_one_style(folder, tmp_path):
    out = tmp_path / "mine.style"
    done = run("style", "embed", folder / "a.wav", folder / "hiss.flac", "-o", out)
    assert done.exit_code == 0 and str(out) in done.stdout
    assert "a.wav: 4.0 s, 1 windows" in done.stdout and "hiss.flac: 3.0 s" in done.stdout
    assert [source.name for source in read_style(out).sources] == ["a.wav", "hiss.flac"]


def test_the_style_lands_beside_its_sound_and_prints_as_json(tmp_path):
    take = write_audio(Audio(0.3 * signals.music(1.0)[0], RATE), tmp_path / "take.wav")
    printed = json.loads(run("style", "embed", take, "--json").stdout)
    assert printed == json.loads((tmp_path / "take.style").read_text())
    assert len(printed["embedding"]) == len(read_style(tmp_path / "take.style").embedding)


def test_compare_says_how_alike_and_what_differs_most(folder):
    same = run("style", "compare", folder / "a.wav", folder / "a.wav").stdout
    assert "alike      1.000 (mid 1.000, side 1.000" in same
    assert "nothing the meters would tell apart" in same
    other = run("style", "compare", folder / "a.wav", folder / "hiss.flac").stdout.splitlines()
    assert float(other[0].split()[1]) < 0.9
    # white noise against a band: as wide at the bottom as anywhere, and no bottom to speak of
    assert any("hiss.flac has" in line and "more width of the lows" in line for line in other), other
    assert any("less sub" in line for line in other)
    assert len(other) <= 5


def test_compare_as_json_holds_every_number(folder):
    told = json.loads(run("style", "compare", folder / "a.wav", folder / "hiss.flac", "--json").stdout)
    assert {"cosine", "mid", "side"} <= told.keys() and told["b"] == "hiss.flac"
    row = told["differences"]["band_air_db"]
    assert row["b"] - row["a"] > 5 and row["unit"] == "dB"


def test_a_feeling_is_compared_by_its_name(folder, two_feelings):
    said = run("style", "compare", folder / "hiss.flac", "grief").stdout
    assert float(said.split()[1]) == pytest.approx(1.0, abs=1e-3)
    half = run("style", "compare", folder / "hiss.flac", "grief:0.5,hope:0.5").stdout
    assert float(half.split()[1]) < 0.999


def test_nearest_sorts_files_and_folders_best_first(folder):
    lines = run("style", "nearest", folder / "a.wav", folder).stdout.splitlines()
    names = [line.split("/")[-1] for line in lines]
    assert names == ["a.wav", "b.wav", "hiss.flac"]
    values = [float(line.split()[0]) for line in lines]
    assert values == sorted(values, reverse=True) and values[0] == 1.0


def test_nearest_looks_through_the_bank_where_nothing_else_is_named(folder, two_feelings):
    found = json.loads(run("style", "nearest", folder / "hiss.flac", "--json").stdout)
    assert found[0]["name"] == "grief" and {row["name"] for row in found[1:]} == {"hope", "neutral"}
    assert found[0]["cosine"] == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("embed", "{}/none.wav"), "none.wav"),
        (("embed", "{}/notes.txt"), "not a sound file"),
        (("embed", "{}/a.wav", "-o", "{}/a.json"), "ends in .style"),
        (("embed", "{}/a.wav", "-o", "{}/nowhere/a.style"), "does not exist"),
        (("compare", "{}/a.wav", "{}/none.style"), "none.style"),
        (("compare", "{}/a.wav", "greif"), "did you mean grief"),
        (("nearest", "{}/a.wav", "{}/empty"), "no recordings and no styles"),
    ],
)
def test_refusals_are_one_line_and_write_nothing(folder, two_feelings, arguments, said):
    (folder / "empty").mkdir(exist_ok=True)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert said in refused("style", *(argument.format(folder) for argument in arguments))
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_midi_has_no_sound_yet(tiny_song, tmp_path):
    assert "is a MIDI file" in refused("style", "embed", tiny_song, "-o", tmp_path / "a.style")


def test_a_style_is_not_written_over_its_source(tmp_path):
    take = write_audio(Audio(0.3 * signals.music(1.0)[0], RATE), tmp_path / "take.wav")
    run("style", "embed", take)
    style = tmp_path / "take.style"
    old = style.read_bytes()
    assert "one of the sources" in refused("style", "embed", take, style, "-o", style)
    assert style.read_bytes() == old


def test_mono_and_stereo_of_the_same_sound_differ_in_the_side(tmp_path):
    x = 0.3 * signals.music(4.0)[0]
    wide = write_audio(Audio(x, RATE), tmp_path / "wide.wav")
    narrow = write_audio(Audio(x.mean(0, keepdim=True).expand(2, -1).clone(), RATE), tmp_path / "mono.wav")
    assert torch.isfinite(torch.from_numpy(style_of(narrow).embedding)).all()
    told = json.loads(run("style", "compare", wide, narrow, "--json").stdout)
    assert told["side"] < told["mid"]


CHAIN = """
chain:
  - effect: pedalboard_low_shelf_filter
    name: shelf
    search: {gain_db: [-18, 18]}
    pin: {cutoff_frequency_hz: 300}
  - effect: pedalboard_reverb
    name: room
    search: [damping]
    pin: {wet_level: 0, dry_level: 0.5}
"""


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Six pieces, a click too short for a style, and a chain of which one knob sounds, one not."""
    place = tmp_path_factory.mktemp("music")
    (place / "songs").mkdir()
    for seed in range(6):
        write_audio(Audio(0.3 * signals.music(4.0, seed=seed)[0], RATE), place / "songs" / f"{seed}.wav")
    write_audio(Audio(0.3 * signals.music(0.7, seed=9)[0], RATE), place / "songs" / "click.wav")
    write_audio(Audio(0.3 * signals.music(4.0, seed=12)[0], RATE), place / "record.wav")
    (place / "strip.yaml").write_text(CHAIN)
    return place


def test_a_chain_is_rehearsed_and_read_off_a_record(music):
    out = music / "strip.rehearsal"
    done = run(
        "style",
        "rehearse",
        music / "strip.yaml",
        music / "songs",
        "-o",
        out,
        "--sounds",
        "120",
        "--seed",
        "3",
    )
    assert done.exit_code == 0, done.output
    assert "120 sounds of 6 pieces" in done.stdout and "hears      shelf.gain_db: give or take" in done.stdout
    assert "left out   click.wav: shorter than" in done.stderr
    told = run("style", "read", music / "record.wav", out)
    assert told.exit_code == 0 and "reads      shelf.gain_db" in told.stdout
    assert "--set shelf.gain_db=" in told.stdout and "unheard    room.damping" in told.stdout
    printed = json.loads(run("style", "read", music / "record.wav", out, "--json").stdout)
    knob = printed["knobs"]["shelf.gain_db"]
    assert -18 <= knob["value"] <= 18 and knob["told"] > 0.5 and 0 < knob["spread"] < 0.5
    assert printed["settings"]["shelf.cutoff_frequency_hz"] == 300


def test_what_cannot_be_rehearsed_or_read_is_one_line(music, folder, tmp_path):
    chain, songs = music / "strip.yaml", music / "songs"
    rehearse = ("style", "rehearse")
    assert "ends in .rehearsal" in refused(*rehearse, chain, songs, "-o", tmp_path / "strip.txt")
    assert "no MIDI and no recordings" in refused(*rehearse, chain, tmp_path, "-o", tmp_path / "a.rehearsal")
    out = tmp_path / "a.rehearsal"
    assert "notes.txt: music is" in refused(*rehearse, chain, folder / "notes.txt", "-o", out)
    assert "1 piece to rehearse on" in refused(*rehearse, chain, songs / "0.wav", "-o", out)
    assert "0.wav" in refused(*rehearse, songs / "0.wav", songs, "-o", out)
    assert "7 sounds to rehearse with" in refused(*rehearse, chain, songs, "-o", out, "--sounds", "7")
    assert "holds no rehearsal" in refused("style", "read", music / "record.wav", chain)
    assert not list(tmp_path.iterdir())
