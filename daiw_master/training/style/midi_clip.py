"""Six seconds out of the middle of a MIDI song, dry: what sounds there is struck, the rest is skipped."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from daiw_master.midi import smf
from daiw_master.midi.parts import Action, Arrangement, arrange
from daiw_master.midi.play import GRID
from daiw_master.midi.stream import BANK_LSB, BANK_MSB
from daiw_master.midi.synth import Synth
from daiw_master.training.style.clips import CLIP, RATE

#: Played before the clip begins, so that what was struck earlier has its sustain, not its attack.
LEAD_IN_S = 1.5
#: The longest song worth laying out here.
_LONGEST_S = 3600.0
#: fluidsynth's reverb and chorus sends: dropped, dry is dry.
_SENDS = (91, 93)
#: Programs a lone instrument may be exchanged for: those that play notes.
PITCHED_PROGRAMS = 112


@lru_cache(maxsize=4)
def arrangement(path: Path) -> Arrangement:
    """The song's parts and actions. InputError where it cannot be played."""
    return arrange(smf.read_midi_file(path), _LONGEST_S)


def lone_program(song: Arrangement) -> int | None:
    """The program where one melodic instrument plays the whole song, else None."""
    programs = {(part.program, part.is_drum) for part in song.parts}
    if len(programs) == 1:
        program, is_drum = programs.pop()
        return None if is_drum else program
    return None


def play_clip(
    song: Arrangement,
    soundfont: Path,
    start_s: float,
    programs: Sequence[int] | None = None,
    length: int = CLIP,
) -> np.ndarray:
    """(2, length) float32 from `start_s` on, at 48 kHz, without reverb or chorus, bank 0 throughout.

    `programs`, one a part, replace every melodic instrument. Notes that sound already begin `LEAD_IN_S`
    early.
    """
    from_s = max(start_s - LEAD_IN_S, 0.0)
    actions = [_exchanged(a, programs) for a in song.actions if _wanted(a)]
    before, after = _chased(actions, from_s)
    origin = round(from_s * RATE)
    skip = round((start_s - from_s) * RATE)
    total = skip + length
    blocks = -(-total // GRID) * GRID
    buses = np.zeros((2 * len(song.parts), blocks), np.float32)
    with Synth(soundfont, song.parts, RATE) as synth:
        synth.attach(buses)
        if programs is not None:
            for index, part in enumerate(song.parts):
                if not part.is_drum:
                    synth.perform(Action(0.0, index, smf.PROGRAM, programs[index], 0))
        for action in before:
            synth.perform(action)
        now = 0
        for action in after:
            due = round((action.time_s * RATE - origin) / GRID) * GRID
            if due >= blocks:
                break
            if due > now:
                synth.run(now, due - now)
                now = due
            synth.perform(action)
        if now < blocks:
            synth.run(now, blocks - now)
    mix = buses.reshape(len(song.parts), 2, blocks).sum(axis=0)
    return np.ascontiguousarray(mix[:, skip:total])


def _wanted(action: Action) -> bool:
    return not (action.kind == smf.CONTROL and action.a in (*_SENDS, BANK_MSB, BANK_LSB))


def _exchanged(action: Action, programs: Sequence[int] | None) -> Action:
    if programs is not None and action.kind == smf.PROGRAM:
        return action._replace(a=programs[action.part])
    return action


def _chased(actions: list[Action], from_s: float) -> tuple[list[Action], list[Action]]:
    """What to do at once at `from_s` (controllers as they stand, keys that are down), and what follows."""
    controls: list[Action] = []
    held: dict[tuple[int, int], Action] = {}
    for number, action in enumerate(actions):
        if action.time_s >= from_s:
            return [*controls, *held.values()], actions[number:]
        if action.kind == smf.NOTE_ON:
            held[action.part, action.a] = action
        elif action.kind == smf.NOTE_OFF:
            held.pop((action.part, action.a), None)
        else:
            controls.append(action)
    return controls, []
