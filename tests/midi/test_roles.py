"""Who plays what: presets for nameless channels, drums in disguise, roles for the sends."""

from __future__ import annotations

import random

import mido
import pytest

from daiw_master.errors import InputError
from daiw_master.midi import gm, smf, sysex
from daiw_master.midi.parts import arrange
from daiw_master.midi.roles import Note, default_preset, is_drums_in_disguise, part_role
from daiw_master.midi.smf import read_midi_file

from .conftest import message, meta, note


def cast(path):
    return arrange(read_midi_file(path), 5400.0)


def test_gm_table_agrees_with_pretty_midi():
    pytest.importorskip("pretty_midi")
    from pretty_midi.constants import INSTRUMENT_MAP

    assert len(gm.INSTRUMENTS) == len(set(gm.INSTRUMENTS)) == 128
    for ours, theirs in (
        (33, "Electric Bass (finger)"),
        (47, "Timpani"),
        (73, "Flute"),
        (89, "Pad 2 (warm)"),
    ):
        assert INSTRUMENT_MAP[ours] == theirs
    same = sum(a.split()[0] == b.split()[0] for a, b in zip(gm.INSTRUMENTS, INSTRUMENT_MAP, strict=True))
    assert same >= 60  # most start with the same word at the same number


def test_daiw_grooves_on_channel_0_become_drums(data):
    grooves = sorted((data / "daiw/shipped/midi/groove").glob("*.mid"))
    assert grooves
    for path in grooves:
        song = cast(path)
        assert {p.role for p in song.parts} == {"kick", "drums"}, path.name
        assert any("drum kit" in remark for remark in song.notes)


def test_daiw_chords_and_every_other_song_stay_melodic(data):
    for path in [*sorted((data / "daiw").rglob("*.mid")), *sorted((data / "midi").glob("[bcop]*/*.mid"))]:
        if "groove" in path.name or path.stat().st_size > 60_000:
            continue
        assert not any("drum kit" in remark for remark in cast(path).notes), path.name


def test_low_piano_and_bass_lines_are_no_drums():
    octaves = [Note(k, 80, 0.25 * i, 0.25 * i + 0.2) for i in range(32) for k in (36 + i % 5, 48 + i % 5)]
    riff = [Note(k, 80, 0.2 * i, 0.2 * i + 0.1) for i, k in enumerate([36, 38, 40, 42, 43, 45] * 6)]
    chords = [Note(k, 80, 2.0 * i, 2.0 * i + 2) for i in range(8) for k in (36, 38, 42)]
    seventh = [Note(k, 80, 0.2 * i, 0.2 * i + 0.1) for i, k in enumerate([38, 42, 36, 38, 38, 42] * 6)]
    for notes in (octaves, riff, chords, seventh):
        assert not is_drums_in_disguise(notes, "", 0)
    beat = [Note(k, 80, 0.25 * i, 0.25 * i + 0.1) for i in range(16) for k in ((36, 42) if i % 2 else (42,))]
    assert is_drums_in_disguise(beat, "", 0)
    assert not is_drums_in_disguise(beat, "", 1)
    assert not is_drums_in_disguise(beat, "Piano", 0)
    assert is_drums_in_disguise(riff, "My Drums", 3)


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("Harmony", 0),
        ("melody", 73),
        ("Bass", 33),
        ("Warm Pad", 89),
        ("Strings", 48),
        ("bassoon", 70),
        ("", 0),
    ],
)
def test_nameless_presets_come_from_the_track_name(name, program):
    assert default_preset([Note(60, 80, 0.0, 1.0)], name, others_above=True) == program


def test_a_low_single_line_under_others_gets_a_bass():
    line = [Note(36 + i % 5, 80, 0.5 * i, 0.5 * i + 0.4) for i in range(16)]
    assert default_preset(line, "", others_above=True) == 33
    assert default_preset(line, "", others_above=False) == 0
    chords = [n for note in line for n in (note, note._replace(key=note.key + 7))]
    assert default_preset(chords, "", others_above=True) == 0


def test_roles():
    high, low = [Note(72, 80, 0.0, 1.0)], [Note(30, 80, float(i), i + 0.9) for i in range(9)]
    assert part_role(high, "", 33, False, False).role == "bass"
    assert part_role(low, "", 0, False, False).role == "bass"
    assert part_role(high, "Lead vocal", 0, False, False).role == "lead"
    assert part_role(high, "Bassoon", 70, False, False).role == "lead"
    assert part_role(low, "Bass Drum", 117, False, False).role == "kick"
    assert part_role(high, "", 0, True, True).role == "kick"
    assert part_role(high, "", 0, True, False).role == "drums"
    assert part_role(high, "", 89, False, False).role == "pad"


def test_kick_and_low_toms_stand_apart_and_tracks_of_one_kit_stay_one_kit(write_song):
    kit = [n for i, key in enumerate((36, 38, 42, 41, 46)) for n in note(480 * i, 60, key, channel=9)]
    more = note(0, 60, 35, channel=9) + note(960, 60, 49, channel=9)
    song = cast(write_song([[], kit, more]))
    assert [(p.role, sorted({n.key for n in p.notes})) for p in song.parts] == [
        ("drums", [38, 42, 46, 49]),
        ("kick", [35, 36, 41]),
    ]


def test_controllers_reach_every_part_on_their_channel(write_song):
    left = [message(0, "program_change", program=5, channel=2), *note(0, 480, 60, channel=2)]
    right = [*note(0, 480, 72, channel=2), message(240, "control_change", control=7, value=9, channel=2)]
    song = cast(write_song([[], left, right, note(0, 480, 50, channel=3)]))
    assert [p.program for p in song.parts] == [5, 5, 0]
    assert sorted(a.part for a in song.actions if a.kind == 0xB0) == [0, 1]
    assert sorted(a.part for a in song.actions if a.kind == 0xC0) == [0, 1]


def test_a_note_off_on_another_track_ends_the_note(write_song):
    on, off = note(0, 480, 60)
    song = cast(write_song([[on], [off, *note(960, 480, 64)]]))
    assert not any("never end" in remark for remark in song.notes)
    assert song.parts[0].notes[0].end_s == pytest.approx(0.5)


def test_ports_are_separate_channels(write_song):
    ported = [meta(0, "midi_port", port=1), *note(0, 480, 60)]
    song = cast(write_song([note(0, 480, 60), ported]))
    assert [part.channel for part in song.parts] == [0, 16]


def test_format_2_plays_its_sequences_one_after_another(write_song):
    tempo = meta(0, "set_tempo", tempo=1_000_000)
    song = cast(write_song([[tempo, *note(0, 480, 60)], note(0, 480, 62)], kind=2))
    assert [n.start_s for p in song.parts for n in p.notes] == pytest.approx([0.0, 1.0])
    assert song.release_s == pytest.approx(1.5)  # the second sequence starts at its own 120 bpm


def test_gs_and_xg_can_make_a_channel_drums(write_song):
    body = [0x41, 0x10, 0x42, 0x12, 0x40, 0x1B, 0x15, 0x01, 0x00]
    gs = mido.Message("sysex", data=body)
    song = cast(write_song([[(0, gs), *note(0, 480, 38, channel=11)]]))
    assert song.parts[0].is_drum
    xg = mido.Message("sysex", data=[0x43, 0x10, 0x4C, 0, 0, 0x7E, 0])
    bank = message(10, "control_change", control=0, value=127, channel=3)
    assert cast(write_song([[(0, xg), bank, *note(20, 480, 38, channel=3)]])).parts[0].is_drum
    assert not cast(write_song([[bank, *note(20, 480, 38, channel=3)]])).parts[0].is_drum


def test_sysex_bodies():
    assert sysex.drum_part(bytes([0x41, 0x10, 0x42, 0x12, 0x40, 0x10, 0x15, 0, 0])) == (9, False)
    assert sysex.drum_part(bytes([0x41, 0x10, 0x42, 0x12, 0x40, 0x11, 0x15, 2, 0])) == (0, True)
    assert sysex.is_reset(bytes([0x7E, 0x7F, 0x09, 0x01, 0xF7]))
    assert sysex.is_reset(bytes([0x41, 0x10, 0x42, 0x12, 0x40, 0x00, 0x7F, 0x00, 0x41, 0xF7]))
    assert sysex.master_volume(bytes([0x7F, 0x7F, 0x04, 0x01, 0x00, 0x40, 0xF7])) == 0x40
    assert sysex.master_volume(b"\x7f") is None and not sysex.is_reset(b"") and sysex.drum_part(b"") is None


def test_remarks_say_what_was_assumed(write_song):
    song = cast(write_song([[n for i in range(12) for n in note(480 * i, 240, 60, 80)]]))
    assert song.time_signature == (4, 4)
    assert any("time signature" in remark for remark in song.notes)
    assert any("velocity 80" in remark for remark in song.notes)
    metre = meta(0, "time_signature", numerator=6, denominator=8)
    song = cast(write_song([[metre, *note(0, 480, 60)]]))
    assert song.time_signature == (6, 8) and not song.notes


def test_random_damage_never_ends_in_a_traceback(data):
    chance = random.Random(7)
    songs = ["midi/band/freedoom_dark_fear.mid", "midi/short/emidi_coin.mid"]
    songs.append("midi/piano/emidi_joplin-maple-leaf-rag.mid")
    arranged = 0
    for song_name in songs:
        sound = (data / song_name).read_bytes()[:3000]
        for _ in range(40):
            blob = bytearray(sound)
            for _ in range(chance.randrange(1, 12)):
                blob[chance.randrange(8, len(blob))] = chance.randrange(256)
            try:
                song = arrange(smf.parse(bytes(blob)), 5400.0)
            except InputError as error:
                assert "\n" not in str(error)
                continue
            arranged += 1
            assert all(0 <= a.a < 128 and 0 <= a.b < 128 for a in song.actions)
            assert max(n.end_s for p in song.parts for n in p.notes) <= song.release_s <= 5410.0
    assert arranged > 40
