"""Who leads: one part of every song that has parts, and the sentence that says how it was found."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from daiw_master.midi import smf
from daiw_master.midi.melody import lines, melody_score
from daiw_master.midi.parts import arrange
from daiw_master.midi.roles import Note, part_role
from daiw_master.midi.smf import read_midi_file
from daiw_master.parts import SEND_WEIGHTS

from .conftest import message, meta, note

#: A tune, block chords under it, long held chords, a low line; (start beat, beats, key) in C.
TUNE = [
    (i * 1.0, 0.9, key)
    for i, key in enumerate((72, 74, 76, 79, 77, 76, 74, 71, 72, 76, 81, 79, 77, 74, 76, 72))
]
CHORDS = [(i * 2.0, 1.8, key) for i in range(8) for key in ((60, 64, 67), (59, 62, 67), (57, 60, 65))[i % 3]]
HELD = [(i * 4.0, 4.0, key) for i in range(4) for key in ((55, 60, 64), (57, 60, 65))[i % 2]]
LOW = [(i * 1.0, 0.9, (36, 36, 43, 41)[i % 4]) for i in range(16)]
BEAT = [(i * 0.5, 0.2, (36, 42, 38, 42)[i % 4]) for i in range(32)]


def track(line, channel=0, name="", program=None, velocity=90):
    events = [meta(0, "track_name", name=name)] if name else []
    if program is not None:
        events.append(message(0, "program_change", program=program, channel=channel))
    for start, beats, key in line:
        events += note(round(480 * start), round(480 * beats), key, velocity, channel)
    return events


def cast(path):
    return arrange(read_midi_file(path), 5400.0)


def roles(song):
    return [part.role for part in song.parts]


def unnamed(midi):
    """The same file with nobody's name on it."""
    kept = [
        tuple(m for m in events if not (m.status == smf.META and m.data[0] == smf.TRACK_NAME))
        for events in midi.tracks
    ]
    return replace(midi, tracks=tuple(kept))


def test_the_tune_leads_whatever_order_the_tracks_come_in(write_song):
    """No names, no programs: the notes alone tell lead, chords, pad and bass apart."""
    cast_as = {"lead": TUNE, "keys": CHORDS, "pad": HELD, "bass": LOW}
    for order in (list(cast_as), list(cast_as)[::-1]):
        tracks = [track(cast_as[role], channel=i) for i, role in enumerate(order)]
        song = cast(write_song([[], *tracks]))
        assert roles(song) == order
        (told,) = [line for line in song.detected if line.startswith("lead")]
        assert "by density" in told and "one voice" in told and "100% of its time" in told


def test_a_name_beats_the_notes(write_song):
    song = cast(write_song([[], track(CHORDS, 0, "Lead"), track(TUNE, 1, "Chords", program=73)]))
    assert roles(song) == ["lead", "keys"]
    assert song.detected[0] == "lead: track 'Lead' (by name)"


def test_a_program_speaks_where_no_name_does(write_song):
    song = cast(write_song([[], track(TUNE, 0, program=73), track(CHORDS, 1, program=0)]))
    assert roles(song) == ["lead", "keys"]
    assert song.detected == (
        "lead: channel 1 'Flute' (by program)",
        "keys: channel 2 'Acoustic Grand Piano' (by program)",
    )


def test_four_string_players_are_one_lead_and_three_others(write_song):
    quartet = [
        track([(s, b, key - 7 * i) for s, b, key in TUNE], i, program=40 + min(i, 2)) for i in range(4)
    ]
    assert roles(cast(write_song([[], *quartet]))) == ["lead", "other", "other", "other"]


@pytest.mark.parametrize(
    "tracks",
    [
        [track(TUNE + CHORDS, 0)],
        [track(TUNE, 0, "up:"), track(CHORDS, 1, "down:")],
        [track(TUNE, 0, program=0), track(CHORDS, 0, program=0)],
    ],
    ids=["one track", "two hands by name", "two staves by program"],
)
def test_a_solo_piano_has_no_lead_and_says_so(write_song, tracks):
    song = cast(write_song([[], *tracks]))
    assert set(roles(song)) == {"keys"}
    assert song.detected[0] == "no lead: a single piano carries everything"


def test_a_named_melody_over_its_own_piano_leads_all_the_same(write_song):
    song = cast(write_song([[], track(TUNE, 0, "mel", program=0), track(CHORDS, 0, "rh", program=0)]))
    assert roles(song) == ["lead", "keys"] and not any("no lead" in line for line in song.detected)


def test_melody_and_drums(write_song):
    song = cast(write_song([[], track(TUNE, 0), track(BEAT, 9)]))
    assert roles(song) == ["lead", "drums", "kick"]
    song = cast(write_song([[], track(CHORDS, 0), track(BEAT, 9)]))
    assert roles(song) == ["keys", "drums", "kick"]
    assert "plays melody and chords at once" in song.detected[0]
    assert cast(write_song([[], track(BEAT, 9)])).detected[0] == "no lead: only drums and bass play here"


def test_daiw_files(data):
    generated = data / "daiw/generated"
    assert roles(cast(generated / "therapy_grief.mid")) == ["keys"]
    assert roles(cast(generated / "harmony_rage_clipping.mid")) == ["keys"]
    song = cast(generated / "humanized_grief.mid")
    assert roles(song) == ["lead", "drums", "kick"]
    assert song.detected[0] == "lead: track 'melody' (by name)"


@pytest.mark.parametrize(
    ("name", "program", "role"),
    [
        ("Lead Vocal", 52, "lead"),
        ("GuitarLead", 30, "lead"),
        ("lead_synth", 81, "lead"),
        ("Melody2", 0, "lead"),
        ("Backing Vocals", 52, "other"),
        ("Rhythm Guitar", 30, "other"),
        ("Keys", 89, "keys"),
        ("Warm Pad", 0, "pad"),
        ("Harmony - Keys", 0, "keys"),
        ("Bass2", 38, "bass"),
        ("Contrabajo", 45, "bass"),
    ],
)
def test_job_names_are_firm(name, program, role):
    found = part_role([Note(72, 80, 0.0, 1.0)], name, program, False, False)
    assert (found.role, found.how, found.firm) == (role, "name", True)


@pytest.mark.parametrize(
    ("name", "program", "role"),
    [
        ("Lead 2 (sawtooth)", 81, "lead"),
        ("Square Lead", 80, "lead"),
        ("Pad 2 (warm)", 89, "pad"),
        ("Synth Voice", 54, "pad"),
        ("Voice2", 52, "pad"),
        ("Strings", 48, "pad"),
        ("Violin", 0, "lead"),
        ("bass", 52, "pad"),
    ],
)
def test_patch_and_instrument_names_may_be_given_another_job(name, program, role):
    """The last one: a bass in a choir is a singer, and stands in the same room."""
    found = part_role([Note(60, 80, 0.0, 1.0)], name, program, False, False)
    assert found.role == role and not found.firm


def test_a_songs_title_on_its_only_track_names_no_part(write_song):
    """Format 0: one track, many channels; "Lead Me Home" makes nobody a lead."""
    everyone = [
        *track(TUNE, 0, "Lead Me Home", program=73),
        *track(CHORDS, 1, program=0),
        *track(HELD, 2, program=48),
        *track(LOW, 3, program=33),
    ]
    song = cast(write_song([everyone], kind=0))
    assert roles(song) == ["lead", "keys", "pad", "bass"]
    assert song.parts[1].name == "Acoustic Grand Piano"


def test_a_visitor_does_not_lead(write_song):
    bell = [(0.0, 0.5, 96), (1.0, 0.5, 98)]
    song = cast(write_song([[], track(bell, 0, program=14), track(TUNE, 1, program=11)]))
    assert roles(song)[1] == "lead"


def test_how_a_part_plays():
    def played(line):
        return [Note(key, 90, start * 0.5, (start + beats) * 0.5) for start, beats, key in line]

    tune, chords, held = lines([played(TUNE), played(CHORDS), played(HELD)])
    assert tune.is_melodic and tune.one_voice == 1.0 and tune.on_top == 1.0 and tune.chords == 0.0
    assert tune.pace_hz == pytest.approx(2.2, abs=0.2)
    assert not chords.is_melodic and chords.chords == pytest.approx(2 / 3)
    assert held.is_sustained and not tune.is_sustained and held.hold_s == pytest.approx(2.0)
    assert melody_score(tune, 0) > max(melody_score(chords, 0), melody_score(held, 0)) + 1.0


@pytest.fixture(scope="module")
def songs(data):
    """Real songs of up to 80 kB by name: as read, and who plays what."""
    paths = [*sorted((data / "midi").glob("[bcop]*/*.mid")), *sorted((data / "midi-emotion").glob("*.mid"))]
    read = {path.name: read_midi_file(path) for path in paths if path.stat().st_size < 80_000}
    return {name: (midi, arrange(midi, 5400.0)) for name, midi in read.items()}


def test_every_song_with_parts_has_a_lead(songs):
    checked = 0
    for name, (_, song) in songs.items():
        sings = [p for p in song.parts if p.role not in ("bass", "kick", "drums") and p.program < 120]
        led = [p for p in song.parts if p.role == "lead"]
        assert {part.role for part in song.parts} == {
            line.partition(":")[0] for line in song.detected if not line.startswith("no lead")
        }
        if len(sings) >= 2 and "no lead: a single" not in song.detected[0]:
            checked += 1
            assert led, name
            assert len(led) == 1 or all(part.found.how == "name" for part in led), name
    assert checked >= 30


def test_leads_are_found_again_without_their_names(songs):
    """Names hold the truth; programs and notes alone must find it again in three of four songs."""
    found = []
    for midi, song in songs.values():
        led = [part for part in song.parts if part.role == "lead"]
        melodic = sum(role not in SEND_WEIGHTS for role in roles(song))
        if len(led) == 1 and led[0].found.how == "name" and melodic >= 2:
            found.append(roles(arrange(unnamed(midi), 5400.0)).index("lead") == roles(song).index("lead"))
    assert len(found) >= 7
    assert sum(found) >= 0.75 * len(found)


def test_relabelling_among_melodic_roles_leaves_the_sends_alone(songs):
    """Lead, keys, pad and other all go to the reverb whole; only the ground of a song stays dry."""
    for name, (_, song) in songs.items():
        for part in song.parts:
            alone = part_role(
                part.notes, part.name if part.titled else "", part.program, part.is_drum, part.low_drums
            )
            assert SEND_WEIGHTS.get(part.role, 1.0) == SEND_WEIGHTS.get(alone.role, 1.0), (
                name,
                part.name,
            )


def test_long_casts_are_told_in_a_line_each(data):
    song = cast(next((data / "midi/orchestral").glob("*symphony-no-9*")))
    assert len(song.parts) > 30 > len(song.detected)
    assert any(re.search(r"and \d+ more \(by ", line) for line in song.detected)
