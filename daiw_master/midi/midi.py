"""From a MIDI file to dry stereo sound: the mix, and the stems it is the sum of."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from daiw_master.audio import Audio
from daiw_master.errors import InputError
from daiw_master.formats import RATES
from daiw_master.midi.density import Density, density_of
from daiw_master.midi.parts import Action, Arrangement, Part, arrange
from daiw_master.midi.roles import Role
from daiw_master.midi.smf import read_midi_file
from daiw_master.midi.soundfont import BETTER, find_soundfont
from daiw_master.midi.synth import GRID, Synth
from daiw_master.midi.timeline import Section, sections

MAX_DURATION_S = 90 * 60.0
TIMEOUT_S = 900.0
#: The song is over when it stays this far below its own peak (dB) for this long ...
_SILENCE_DB, _SILENCE_S = -90.0, 0.5
#: ... and at the latest this long after the last key is up, faded over the last stretch.
_MAX_TAIL_S, _FADE_S = 8.0, 1.0
#: Beyond this, stems are kept one a role instead of one a part.
_MAX_STEM_BYTES = 6 * 2**30
#: Frames handled at once; the buses of twenty parts then fit the cache.
_BLOCK = 8192


@dataclass(frozen=True)
class Stem:
    """One part, or all parts of one role, exactly as it sounds in the mix.

    `detected` says what gave its role away ("by name"; several reasons where its parts had several).
    `program` is General MIDI's 0-127 (None where parts differ), `channel` counts 0-15 per MIDI port
    (None where parts differ), pitches are MIDI keys.
    """

    name: str
    audio: Audio
    role: Role
    is_drum: bool
    program: int | None
    channel: int | None
    pitch_low: int
    pitch_high: int
    detected: str = ""


@dataclass(frozen=True)
class Rendered:
    """A song as sound: the dry mix, its stems, and what the file told about itself.

    `notes` are one-line remarks for the user; `time_signature` is (4, 4) where the file has none.
    `detected` says who plays what and what gave it away: "lead: track 'Flute' (by name)", ...
    `last_note_s` is when the last key is let go; what follows is ringing.
    `density` is how much is played when, and the sections that shows, whatever the markers say.
    """

    mix: Audio
    stems: tuple[Stem, ...]
    sections: tuple[Section, ...]
    tempo_bpm: float
    time_signature: tuple[int, int]
    duration_s: float
    soundfont: Path
    notes: tuple[str, ...]
    detected: tuple[str, ...] = ()
    last_note_s: float | None = None
    density: Density | None = None


def render_midi(
    path: str | os.PathLike,
    *,
    rate: int = 44100,
    soundfont: str | os.PathLike | None = None,
    stems: bool | Literal["roles"] = False,
    max_duration_s: float = MAX_DURATION_S,
    timeout_s: float = TIMEOUT_S,
    progress: Callable[[float], None] | None = None,
) -> Rendered:
    """Play a MIDI file through a soundfont, dry, until its last note has rung out.

    `stems`: False for the mix alone, True for one stem a part (track and channel; drums split into
    kick with low toms, and the rest), "roles" for one a role, which needs far less memory on long
    songs. Stems sum to the mix, and the mix is the same bytes either way. `progress` is called with
    0..1. Raises InputError (unreadable, no notes, too long, too slow) and MissingDependencyError.
    """
    if rate not in RATES:
        raise InputError(f"sample rate {rate} Hz; it must be one of {', '.join(map(str, RATES))} Hz")
    path = Path(path)
    arrangement = arrange(read_midi_file(path), max_duration_s)
    font = find_soundfont(soundfont)
    remarks = list(arrangement.notes)
    stem_bytes = 8 * rate * arrangement.release_s * len(arrangement.parts)
    if stems is True and stem_bytes > _MAX_STEM_BYTES:
        stems = "roles"
        remarks.append("the song is too long for a stem per part in memory; there is one per role")
    grouping = _grouping(arrangement.parts, stems)
    mix, sounds = _play(arrangement, font.path, rate, list(grouping.values()), timeout_s, progress)
    if not mix.any():
        raise InputError(f"{path.name} renders to silence with {font.path.name}")
    if font.source == "bundled" or (font.source == "system" and font.small):
        remarks.append(f"played with the small soundfont {font.path.name}; {BETTER}")
    audio = Audio(torch.from_numpy(mix), rate)
    beats, unit = arrangement.time_signature
    bar_s = 60.0 / arrangement.tempo_bpm * beats * 4.0 / unit
    return Rendered(
        mix=audio,
        stems=tuple(
            _stem(name, [arrangement.parts[i] for i in indices], Audio(torch.from_numpy(sound), rate))
            for (name, indices), sound in zip(grouping.items(), sounds, strict=True)
        ),
        sections=sections(arrangement.markers, audio.duration_s),
        tempo_bpm=arrangement.tempo_bpm,
        time_signature=arrangement.time_signature,
        duration_s=audio.duration_s,
        soundfont=font.path,
        notes=tuple(remarks),
        detected=arrangement.detected,
        density=density_of(arrangement.parts, audio.duration_s, bar_s),
        last_note_s=arrangement.release_s,
    )


def _grouping(parts: tuple[Part, ...], stems: bool | str) -> dict[str, list[int]]:
    """Which parts (by index) share a stem, under its name."""
    grouping: dict[str, list[int]] = {}
    if stems:
        for index, part in enumerate(parts):
            grouping.setdefault(part.role if stems == "roles" else part.name, []).append(index)
    return grouping


def _stem(name: str, parts: list[Part], audio: Audio) -> Stem:
    keys = [note.key for part in parts for note in part.notes]
    programs, channels = {part.program for part in parts}, {part.channel % 16 for part in parts}
    return Stem(
        name=name,
        audio=audio,
        role=parts[0].role,
        is_drum=all(part.is_drum for part in parts),
        program=programs.pop() if len(programs) == 1 else None,
        channel=channels.pop() if len(channels) == 1 else None,
        pitch_low=min(keys),
        pitch_high=max(keys),
        detected=", ".join(dict.fromkeys(f"by {part.found.how}" for part in parts)),
    )


def _play(
    song: Arrangement,
    soundfont: Path,
    rate: int,
    members: list[list[int]],
    timeout_s: float,
    progress: Callable[[float], None] | None,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Perform the song: the mix (2, frames) and each group of parts, float32."""
    deadline = time.monotonic() + timeout_s
    release = _on_grid(song.release_s, rate)
    total = -(-(release + round((_MAX_TAIL_S + _SILENCE_S) * rate)) // _BLOCK) * _BLOCK
    mix = np.zeros((2, total), np.float32)  # the system commits pages as they are written
    groups = [np.zeros((2, total), np.float32) for _ in members]
    buses = np.zeros((2 * len(song.parts), _BLOCK), np.float32)
    planes = buses.reshape(len(song.parts), 2, _BLOCK)
    peak = 0.0
    position = audible = 0
    with Synth(soundfont, song.parts, rate, song.xg_banks) as synth:
        synth.attach(buses)
        conductor = _Conductor(song.actions, release, rate, synth)
        while position < total:
            if time.monotonic() > deadline:
                at = f"{position / rate:.0f} of {song.release_s:.0f} s"
                raise InputError(f"rendering took longer than {timeout_s:g} s and was stopped at {at}")
            buses.fill(0.0)
            conductor.play_block(position, _BLOCK)
            block = slice(position, position + _BLOCK)
            # Summed in float64 and rounded once, so that any grouping of stems adds up to it.
            np.sum(planes, axis=0, dtype=np.float64, out=(wide := np.empty((2, _BLOCK))))
            mix[:, block] = wide
            for group, indices in zip(groups, members, strict=True):
                group[:, block] = (
                    planes[indices].sum(axis=0, dtype=np.float64) if len(indices) > 1 else planes[indices[0]]
                )
            level = np.abs(wide).max(axis=0)
            peak = max(peak, float(level.max()))
            heard = np.flatnonzero(level > peak * 10 ** (_SILENCE_DB / 20))
            audible = position + int(heard[-1]) + 1 if len(heard) else audible
            position += _BLOCK
            if progress is not None:
                progress(min(1.0, position / max(release, 1)))
            over = position - audible > _SILENCE_S * rate or not synth.voices
            if position > release and over:
                break
    end = audible + round(_SILENCE_S * rate)
    latest = release + round(_MAX_TAIL_S * rate)
    if end > latest:
        end = latest
        fade = round(_FADE_S * rate)
        ramp = (0.5 + 0.5 * np.cos(np.linspace(0.0, np.pi, fade))).astype(np.float32)
        for sound in (mix, *groups):
            sound[:, end - fade : end] *= ramp
    return _trimmed(mix, end), [_trimmed(group, end) for group in groups]


def _trimmed(sound: np.ndarray, frames: int) -> np.ndarray:
    """The first frames of (2, total) as (2, frames), moved in place: an hour is not held twice."""
    flat, total = sound.reshape(-1), sound.shape[1]
    for start in range(0, frames, _BLOCK):
        stop = min(start + _BLOCK, frames)
        flat[frames + start : frames + stop] = flat[total + start : total + stop]
    return flat[: 2 * frames].reshape(2, frames)


def _on_grid(time_s: float, rate: int) -> int:
    """The frame nearest to a time on fluidsynth's own grid."""
    return round(time_s * rate / GRID) * GRID


class _Conductor:
    """Gives each action its cue, on the grid, and lets go of everything at the release."""

    def __init__(self, actions: tuple[Action, ...], release: int, rate: int, synth: Synth):
        self._actions, self._release, self._rate, self._synth = actions, release, rate, synth
        self._next = 0
        self._released = False

    def play_block(self, start: int, frames: int) -> None:
        """Sound one block of the song into the synth's buses."""
        now, end = start, start + frames
        while now < end:
            until = min(self._cue(now), end)
            self._synth.run(now - start, until - now)
            now = until

    def _cue(self, now: int) -> int:
        """Perform what is due; the frame of what comes next."""
        actions = self._actions
        while self._next < len(actions):
            frame = _on_grid(actions[self._next].time_s, self._rate)
            if frame > now:
                return frame
            self._synth.perform(actions[self._next])
            self._next += 1
        if not self._released:
            if self._release > now:
                return self._release
            self._synth.release_everything()
            self._released = True
        return now + _BLOCK
