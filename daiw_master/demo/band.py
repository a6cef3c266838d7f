"""The ten players of the demo song: MIDI channels with a place in the room and a touch of their own."""

from __future__ import annotations

from itertools import combinations

import mido

from daiw_master.demo.score import Chord

TICKS_PER_BEAT = 480
VOLUME, PAN, EXPRESSION, SUSTAIN = 7, 10, 11, 64
KICK, SNARE, TOM_LOW, TOM_MID, TOM_HIGH, HAT, HAT_OPEN, CRASH, RIDE = 36, 38, 41, 45, 48, 42, 46, 49, 51
#: A hand is never a machine: what is added to each velocity in turn.
TOUCH = (0, -4, 2, -6, 1, -3, 3, -5)


class Part:
    """One player: a MIDI channel with its program, place in the stereo field and what it plays."""

    def __init__(self, name: str, channel: int, program: int, pan: int, volume: int):
        self.name, self.channel = name, channel
        self._count = 0
        self._events: list[tuple[int, int, mido.Message]] = []
        self._add(0, 0, mido.Message("program_change", channel=channel, program=program))
        self.control(0, VOLUME, volume)
        self.control(0, PAN, pan)
        self.control(0, EXPRESSION, 110)

    def _add(self, beat: float, order: int, message: mido.Message) -> None:
        self._events.append((round(beat * TICKS_PER_BEAT), order, message))

    def control(self, beat: float, number: int, value: int) -> None:
        self._add(beat, 1, mido.Message("control_change", channel=self.channel, control=number, value=value))

    def play(self, beat: float, beats: float, note: int, velocity: float) -> None:
        """One note, let go a hair before its time is up, so that repeated notes speak."""
        velocity = min(127, max(1, round(velocity) + TOUCH[self._count % len(TOUCH)]))
        self._count += 1
        on = mido.Message("note_on", channel=self.channel, note=note, velocity=velocity)
        off = mido.Message("note_off", channel=self.channel, note=note)
        self._add(beat, 2, on)
        self._add(beat + beats - 0.02, 0, off)

    def swell(self, start: float, end: float, low: int, high: int) -> None:
        """The bow leans in: expression from `low` to `high`, a step every quarter beat."""
        steps = round((end - start) * 4)
        for step in range(steps + 1):
            self.control(start + step / 4, EXPRESSION, round(low + (high - low) * step / steps))

    def arch(self, start: float, end: float, low: int, high: int) -> None:
        """A phrase that breathes: up to its middle and back."""
        middle = (start + end) / 2
        self.swell(start, middle, low, high)
        self.swell(middle, end, high, low)

    def pedal(self, start: float, end: float) -> None:
        """Sustain pedal, down just after the chord and up just before the next."""
        self.control(start + 0.05, SUSTAIN, 127)
        self.control(end - 0.05, SUSTAIN, 0)

    def track(self) -> mido.MidiTrack:
        events = sorted(self._events, key=lambda event: event[:2])
        return write_track(self.name, [(tick, message) for tick, _, message in events])


class Band:
    """The ten players and the chord that was last voiced."""

    def __init__(self) -> None:
        self.piano = Part("Piano", 0, 0, 52, 100)
        self.strings = Part("Strings", 1, 48, 38, 88)
        self.choir = Part("Choir", 2, 52, 90, 78)
        self.cello = Part("Cello", 3, 42, 72, 108)
        self.clarinet = Part("Clarinet", 4, 71, 56, 104)
        self.bass = Part("Bass", 5, 33, 64, 104)
        self.guitar_left = Part("Guitar left", 6, 29, 14, 74)
        self.guitar_right = Part("Guitar right", 7, 30, 114, 70)
        self.brass = Part("Brass", 8, 61, 78, 92)
        self.drums = Part("Drums", 9, 0, 64, 112)
        self._voicing = (50, 57, 62, 65)

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(value for value in vars(self).values() if isinstance(value, Part))

    def voice(self, harmony: Chord) -> tuple[int, ...]:
        """The four voices nearest to the last four: every tone present, no gap over an octave."""
        pitches = [pitch for pitch in range(48, 75) if pitch % 12 in harmony.tones]
        needed = set(harmony.tones)

        def strain(voices: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
            steps = sum(abs(new - old) for new, old in zip(voices, self._voicing, strict=True))
            # a light pull to the middle register, or nearest motion drifts away over minutes
            return 4 * steps + abs(sum(voices) - 4 * 60), voices

        self._voicing = min(
            (
                voices
                for voices in combinations(pitches, 4)
                if {voice % 12 for voice in voices} == needed
                and all(high - low <= 12 for low, high in zip(voices, voices[1:], strict=False))
            ),
            key=strain,
        )
        return self._voicing


def bass_note(harmony: Chord, lowest: int = 28) -> int:
    """The chord's bass within an octave above the bass guitar's low E."""
    return lowest + (harmony.bass - lowest) % 12


def write_track(name: str, events: list[tuple[int, mido.Message]]) -> mido.MidiTrack:
    """A named track of (tick, message), ticks counted from the start."""
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name, time=0)])
    now = 0
    for tick, message in events:
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=0))
    return track
