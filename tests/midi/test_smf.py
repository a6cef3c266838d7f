"""Reading MIDI bytes: mido agrees where the file is sound; where it is not, the music survives."""

from __future__ import annotations

import mido
import pytest

from daiw_master.errors import InputError
from daiw_master.midi import smf
from daiw_master.midi.timeline import Section, Timeline, sections

HEADER = b"MThd\0\0\0\6\0\0\0\1\0\x60"
END = b"\0\xff\x2f\0"
NOTE = b"\0\x90\x3c\x7f\x60\x80\x3c\x40"


def track(body: bytes, declared: int | None = None) -> bytes:
    return b"MTrk" + (len(body) if declared is None else declared).to_bytes(4, "big") + body


def notes_on(midi: smf.MidiFile) -> list[int]:
    return [m.data[0] for t in midi.tracks for m in t if m.kind == smf.NOTE_ON and m.data[1]]


def test_same_channel_messages_as_mido_on_every_sound_file(data):
    compared = 0
    for path in sorted(data.glob("midi/*/*.mid"))[::3]:
        try:
            theirs = mido.MidiFile(path)
        except (OSError, ValueError):  # mido refuses; test_render_broken renders it
            continue
        ours = smf.read_midi_file(path)
        for their_track, our_track in zip(theirs.tracks, ours.tracks, strict=True):
            now, wanted = 0, []
            for m in their_track:
                now += m.time
                if not m.is_meta and m.type != "sysex":
                    wanted.append((now, bytes(m.bytes())))
            got = [(m.tick, bytes((m.status,)) + m.data) for m in our_track if m.status < smf.SYSEX]
            assert got == wanted, path.name
        compared += 1
    assert compared >= 8


@pytest.mark.parametrize(
    ("blob", "keys", "damaged"),
    [
        (HEADER + track(NOTE + END), [60], False),
        (b"RIFF\0\0\0\0RMIDdata\0\0\0\0" + HEADER + track(NOTE + END), [60], False),
        (HEADER + b"XFIH\0\0\0\2ab" + track(NOTE + END), [60], False),
        (HEADER + track(b"\0\xff\x59\x02\x63\x07" + NOTE + END), [60], False),  # 99 sharps
        (HEADER + track(b"\0\x90\x3c\x7f\x10\xff\x01\1a\0\x3e\x7f" + END), [60, 62], False),  # running status
        (HEADER + track(b"\0\x90\x3c\x7f\x10\xf0\2\1\xf7\0\x3e\x7f" + END), [60, 62], False),
        (HEADER + track(b"\0\x90\x3c\xff\0\x3e\x7f" + END), [60, 62], True),  # velocity 255
        (HEADER + track(NOTE), [60], True),  # no end of track
        (HEADER + track(NOTE + b"\0\x90\x40", 500), [60], True),  # cut short
        (HEADER + track(NOTE + END, 2**31 - 1) + track(NOTE + END), [60, 60], True),
        (HEADER + track(NOTE + END, 5) + track(NOTE + END), [60, 60], True),
        (HEADER + track(NOTE + END) + b"*", [60], False),  # a byte too many
    ],
)
def test_what_players_accept_is_read(blob, keys, damaged):
    midi = smf.parse(blob)
    assert notes_on(midi) == keys
    assert bool(midi.damaged) == damaged


@pytest.mark.parametrize("blob", [b"", b"MThd", b"hello world, this is no music", b"RIFF\0\0\0\0WAVEfmt "])
def test_no_midi_is_refused_in_one_line(blob, tmp_path):
    (tmp_path / "x.mid").write_bytes(blob)
    with pytest.raises(InputError) as error:
        smf.read_midi_file(tmp_path / "x.mid")
    assert "\n" not in str(error.value) and "x.mid" in str(error.value)


def test_every_truncation_and_bit_flip_is_read_or_refused(data):
    blob = (data / "midi" / "short" / "emidi_coin.mid").read_bytes()
    for cut in range(len(blob)):
        broken = [blob[:cut], blob[:cut] + bytes((blob[cut] ^ 0x80,)) + blob[cut + 1 :]]
        for candidate in broken:
            try:
                smf.parse(candidate)
            except InputError:
                continue


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.mid", tmp_path):
        with pytest.raises(InputError, match="cannot read"):
            smf.read_midi_file(path)


def test_tempo_map_follows_the_standard():
    # 1 beat at 120, 2 beats at 60, then 240 bpm: beat 4 falls on 0.5 + 2 + 0.25 s.
    timeline = Timeline(480, [(480, 1_000_000), (3 * 480, 250_000)])
    assert [timeline.seconds(480 * beat) for beat in range(5)] == pytest.approx([0, 0.5, 1.5, 2.5, 2.75])
    assert timeline.main_tempo_bpm(2.75) == pytest.approx(60)
    assert timeline.main_tempo_bpm(100.0) == pytest.approx(240)


def test_smpte_division_ignores_tempo():
    timeline = Timeline(((256 - 25) << 8) | 40, [(0, 123_456)])  # 25 frames of 40 ticks: 1 ms a tick
    assert timeline.seconds(1500) == pytest.approx(1.5)
    for division in (0, 0xFFFF, (256 - 25) << 8):
        with pytest.raises(InputError):
            Timeline(division, [])


def test_sections_run_from_marker_to_marker():
    markers = [(8.0, "Chorus"), (0.0, "Intro"), (4.0, ""), (99.0, "after the end"), (10.0, "Chorus")]
    assert sections(markers, 20.0) == (Section("Intro", 0.0, 8.0), Section("Chorus", 8.0, 20.0))
    assert sections([(2.0 * bar, f"C {bar}") for bar in range(40)], 80.0) == ()  # chord symbols
    assert sections([], 5.0) == ()
