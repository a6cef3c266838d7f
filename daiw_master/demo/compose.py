"""Writes "The Last Ferry" as a MIDI file: who plays what in `score.py`, bar by bar.

    python -m daiw_master.demo.compose [FILE]

Nothing is random: the same script writes the same bytes. Touch comes from small fixed patterns
of velocity, swells (CC11) and tempo, so that soft is soft because it is played softly.
"""

from __future__ import annotations

import sys
from pathlib import Path

import mido

from daiw_master.demo import SONG, TITLE
from daiw_master.demo.band import (
    CRASH,
    EXPRESSION,
    HAT,
    HAT_OPEN,
    KICK,
    RIDE,
    SNARE,
    TICKS_PER_BEAT,
    TOM_HIGH,
    TOM_LOW,
    TOM_MID,
    Band,
    Part,
    bass_note,
    write_track,
)
from daiw_master.demo.score import (
    BEATS_PER_BAR,
    RITARDANDO_BARS,
    RITARDANDO_BPM,
    SECTIONS,
    Chord,
    Section,
    chord,
    melody,
)


class Scene:
    """A section placed in time: knows how loud a beat is and which chord sounds."""

    def __init__(self, section: Section, start: float):
        self.section, self.start = section, start
        self.beats = len(section.chords) * BEATS_PER_BAR
        self.end = start + self.beats
        self.last_bar = self.end - BEATS_PER_BAR
        self.stop = self.end - section.rest

    def loudness(self, beat: float) -> float:
        """Velocity on the section's line at a beat counted from the song's start."""
        low, high = self.section.velocity
        return low + (high - low) * (beat - self.start) / self.beats

    def harmonies(self) -> list[tuple[float, float, Chord]]:
        """(start beat, beats, chord) in order; a bar's chords share it, and all end at the stop."""
        found = []
        for bar, text in enumerate(self.section.chords):
            symbols = [] if text == "-" else text.split()
            for i, symbol in enumerate(symbols):
                share = BEATS_PER_BAR / len(symbols)
                at = self.start + bar * BEATS_PER_BAR + i * share
                found.append((at, min(share, self.stop - at), chord(symbol)))
        return found

    def sing(self, part: Part, transpose: int = 0, softer: float = 0.0, from_bar: int = 0) -> None:
        """The section's tune: higher notes lean in a little, as a voice does."""
        for beat, beats, note in melody(self.section.name):
            if beat >= from_bar * BEATS_PER_BAR:
                at = self.start + beat
                part.play(at, beats, note + transpose, self.loudness(at) + (note - 65) / 2 - softer)


def hold(part: Part, scene: Scene, band: Band, softer: float = 0.0, octave: int = 0) -> None:
    """Sustained chords, each voice moving as little as it can."""
    for beat, beats, harmony in scene.harmonies():
        for note in band.voice(harmony):
            part.play(beat, beats, note + 12 * octave, scene.loudness(beat) - softer)


def broken_chords(band: Band, scene: Scene, order: tuple[int | None, ...], softer: float = 0.0) -> None:
    """Piano: the bass, then the voices in `order`, one each half beat; None rests."""
    for beat, beats, harmony in scene.harmonies():
        voices = band.voice(harmony)
        band.piano.pedal(beat, beat + beats)
        band.piano.play(beat, beats, bass_note(harmony) + 12, scene.loudness(beat) - softer)
        for step, voice in enumerate(order[: round(beats * 2)]):
            if voice is not None:
                at = beat + step / 2
                accent = 4 if step % 4 == 0 else -3
                band.piano.play(
                    at, min(1, beat + beats - at), voices[voice] + 12, scene.loudness(at) + accent - softer
                )


def intro(band: Band, scene: Scene) -> None:
    broken_chords(band, scene, (None, 0, 1, 2, 3, 2, 1, None))
    hold_from = scene.start + 2 * BEATS_PER_BAR
    for beat, beats, harmony in scene.harmonies():
        if beat >= hold_from:
            for note in band.voice(harmony):
                band.choir.play(beat, beats, note, scene.loudness(beat) + 4)
    band.choir.swell(hold_from, scene.end, 60, 92)


def verse(band: Band, scene: Scene) -> None:
    broken_chords(band, scene, (None, 1, 2, None, 3, None, 2, None), softer=4)
    hold(band.strings, scene, band, softer=6)
    scene.sing(band.cello)
    for half in range(2):
        start = scene.start + half * scene.beats / 2
        band.strings.arch(start, start + scene.beats / 2, 68, 92)
        band.cello.arch(start, start + scene.beats / 2, 84, 116)
    for beat, beats, harmony in scene.harmonies():
        if beat >= scene.start + 2 * BEATS_PER_BAR:
            band.bass.play(beat, beats * 0.75, bass_note(harmony), scene.loudness(beat))


def rise(band: Band, scene: Scene) -> None:
    hold(band.strings, scene, band)
    hold(band.choir, scene, band, softer=4, octave=1)
    scene.sing(band.cello)
    scene.sing(band.brass, softer=8, from_bar=2)
    for part, low in ((band.strings, 70), (band.choir, 64), (band.cello, 92), (band.brass, 70)):
        part.swell(scene.start, scene.end, low, 120)
    broken_chords(band, scene, (0, 1, 2, 3, 0, 1, 2, 3))
    for beat, beats, harmony in scene.harmonies():
        for step in range(round(beats * 2)):
            at = beat + step / 2
            band.bass.play(at, 0.45, bass_note(harmony), scene.loudness(at) - (0 if step % 2 == 0 else 8))
    toms = (TOM_LOW, TOM_LOW, TOM_MID, TOM_LOW)
    for eighth in range(round(scene.beats * 2)):
        at = scene.start + eighth / 2
        band.drums.play(at, 0.25, toms[eighth % 4], scene.loudness(at) - 14)
    for sixteenth in range(2 * BEATS_PER_BAR * 4):
        at = scene.end - 2 * BEATS_PER_BAR + sixteenth / 4
        band.drums.play(at, 0.2, SNARE, 56 + 2 * sixteenth)


def chorus(band: Band, scene: Scene) -> None:
    """Everyone; three hits on the last bar's dominant, then the floor is gone."""
    for part in (band.strings, band.choir, band.cello, band.brass):
        part.control(scene.start, EXPRESSION, 120)
    scene.sing(band.brass, softer=6)
    scene.sing(band.strings, transpose=12, softer=14)
    scene.sing(band.cello, transpose=-12)
    for beat, beats, harmony in scene.harmonies():
        voices, low = band.voice(harmony), bass_note(harmony)
        velocity = scene.loudness(beat)
        for note in voices:
            band.choir.play(beat, beats, note + 12, velocity - 12)
        for step in range(0, round(beats * 2), 2 if beat == scene.last_bar else 1):
            at = beat + step / 2
            heavy = velocity - (0 if step % 4 == 0 else 12)
            band.bass.play(at, 0.45, low, heavy)
            for guitar in (band.guitar_left, band.guitar_right):
                for note in (low + 12, low + 19, low + 24):
                    guitar.play(at, 0.46, note, heavy - 6)
            band.piano.play(at, 0.5, voices[-1] + 12, heavy - 8)
            band.piano.play(at, 0.5, voices[-1] + 24, heavy - 12)
    for bar in range(len(scene.section.chords) - 1):
        start = scene.start + bar * BEATS_PER_BAR
        fill = bar == 3
        _rock_bar(band.drums, start, scene.loudness(start), crash=bar % 4 == 0, fill=fill)
    for hit in range(3):
        for drum in (KICK, SNARE, TOM_LOW):
            band.drums.play(scene.last_bar + hit, 0.2, drum, 124)


def _rock_bar(drums: Part, start: float, velocity: float, crash: bool, fill: bool) -> None:
    if crash:
        drums.play(start, 1, CRASH, velocity)
    for at in (0, 1.5, 2, 2.5):
        drums.play(start + at, 0.2, KICK, velocity - (0 if at in (0, 2) else 14))
    for at in (1,) if fill else (1, 3):
        drums.play(start + at, 0.2, SNARE, velocity + 2)
    for eighth in range(4 if fill else 8):
        hat = HAT_OPEN if eighth == 7 else HAT
        drums.play(start + eighth / 2, 0.2, hat, velocity - (18 if eighth % 2 else 6))
    if fill:
        for pair, drum in enumerate((SNARE, TOM_HIGH, TOM_MID, TOM_LOW)):
            drums.play(start + 2 + pair / 2, 0.2, drum, velocity - 10 + 2 * pair)
            drums.play(start + 2.25 + pair / 2, 0.2, drum, velocity - 9 + 2 * pair)


def bridge(band: Band, scene: Scene) -> None:
    broken_chords(band, scene, (None, 0, None, 2, 3, None, 1, None), softer=2)
    hold(band.choir, scene, band, softer=2)
    scene.sing(band.clarinet, softer=-8)
    band.clarinet.arch(scene.start, scene.end, 80, 108)
    band.choir.arch(scene.start, scene.end, 64, 90)


def ending(band: Band, scene: Scene) -> None:
    """The call in major, louder each bar; it slows, holds its breath and is cut off with one stroke."""
    hold(band.strings, scene, band, softer=8)
    hold(band.choir, scene, band, softer=10, octave=1)
    scene.sing(band.cello)
    scene.sing(band.clarinet, softer=4)
    scene.sing(band.brass, softer=6, from_bar=4)
    for part, low in ((band.strings, 88), (band.choir, 80), (band.brass, 90), (band.cello, 104)):
        part.swell(scene.start, scene.stop, low, 122)
    broken_chords(band, scene, (0, 2, 1, 3, 0, 2, 1, 3), softer=4)
    for beat, beats, harmony in scene.harmonies():
        band.bass.play(beat, beats - 0.5, bass_note(harmony), scene.loudness(beat))
        if beat >= scene.last_bar - 3 * BEATS_PER_BAR:
            for guitar, tone in ((band.guitar_left, 12), (band.guitar_right, 19)):
                guitar.play(beat, beats, bass_note(harmony) + tone, scene.loudness(beat) - 14)
    for bar in range(len(scene.section.chords) - 1):
        start = scene.start + bar * BEATS_PER_BAR
        velocity = scene.loudness(start)
        if bar in (0, 4):
            band.drums.play(start, 1, CRASH, velocity)
        for at, drum, softer in ((0, KICK, 0), (2, SNARE, 0), (2.5, KICK, 14), (3.5, KICK, 18)):
            band.drums.play(start + at, 0.2, drum, velocity - softer)
        for eighth in range(8):
            band.drums.play(start + eighth / 2, 0.2, RIDE, velocity - (24 if eighth % 2 else 14))
    for part in band.parts:
        _stop(part, scene.stop)


def _stop(part: Part, beat: float) -> None:
    """The last stroke: half a beat, everyone, and nothing after it."""
    strokes = {
        "Drums": (KICK, SNARE, TOM_LOW),
        "Bass": (38,),
        "Piano": (38, 50, 62, 66, 69, 74),
        "Strings": (62, 69, 74, 78),
        "Choir": (66, 69, 74),
        "Cello": (50,),
        "Clarinet": (69,),
        "Guitar left": (50, 57, 62),
        "Guitar right": (50, 57, 62),
        "Brass": (57, 62, 66, 74),
    }
    for note in strokes[part.name]:
        part.play(beat, 0.5, note, 120)


ARRANGEMENT = {
    "intro": intro,
    "verse": verse,
    "rise": rise,
    "chorus": chorus,
    "bridge": bridge,
    "ending": ending,
}


def _conductor(scenes: list[Scene]) -> mido.MidiTrack:
    """Track 0: metre, key, markers and every change of tempo."""
    events: list[tuple[float, mido.MetaMessage]] = [
        (0, mido.MetaMessage("time_signature", numerator=BEATS_PER_BAR, denominator=4)),
        (0, mido.MetaMessage("key_signature", key="Dm")),
        (0, mido.MetaMessage("copyright", text="daiw-master contributors, GPL-3.0-or-later")),
    ]
    for scene in scenes:
        events.append((scene.start, mido.MetaMessage("marker", text=scene.section.marker)))
        first, last = scene.section.bpm
        steps = scene.beats if first != last else 1
        for beat in range(steps):
            bpm = first + (last - first) * beat / steps
            events.append((scene.start + beat, _tempo(bpm)))
    final = scenes[-1]
    slow_from, slow_beats = final.end - RITARDANDO_BARS * BEATS_PER_BAR, RITARDANDO_BARS * BEATS_PER_BAR
    for beat in range(1, slow_beats):
        bpm = final.section.bpm[1] + (RITARDANDO_BPM - final.section.bpm[1]) * beat / (slow_beats - 1)
        events.append((slow_from + beat, _tempo(bpm)))
    return write_track(TITLE, [(round(beat * TICKS_PER_BEAT), message) for beat, message in events])


def _tempo(bpm: float) -> mido.MetaMessage:
    return mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))


def compose() -> mido.MidiFile:
    """The whole song, format 1: a conductor's track and one for each player."""
    band, scenes, start = Band(), [], 0.0
    for section in SECTIONS:
        scene = Scene(section, start)
        scenes.append(scene)
        start = scene.end
        if section.name in ARRANGEMENT:
            ARRANGEMENT[section.name](band, scene)
    song = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT)
    song.tracks.append(_conductor(scenes))
    song.tracks.extend(part.track() for part in band.parts)
    return song


def main(path: Path = SONG) -> None:
    compose().save(path)
    print(path)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
