"""Playing an arrangement: blocks of the mix and of whatever else is wanted, one after another.

Nothing here needs torch, so a song can sound while torch is still being imported.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from daiw_master.errors import InputError
from daiw_master.midi.parts import Action, Arrangement
from daiw_master.midi.synth import GRID, Synth

#: The song is over when it stays this far below its own peak (dB) for this long ...
_SILENCE_DB, _SILENCE_S = -90.0, 0.5
#: ... and at the latest this long after the last key is up, faded over the last stretch.
_MAX_TAIL_S, _FADE_S = 8.0, 1.0
#: Frames handled at once; the buses of twenty parts then fit the cache.
BLOCK = 8192

#: A weighted sum of parts: part index -> weight.
Strand = Mapping[int, float]


class Performance:
    """A song being played, dry: `blocks()` once, from its first frame to where the last note has rung out.

    `strands` are weighted sums of parts that are wanted beside the mix. `longest` is how many frames
    may come, `sure` how many from the front certainly belong to the song, `end` (when all have come)
    how many do; frames after `end` are to be thrown away. Raises InputError when it takes longer than
    `timeout_s`; `stop()` (from any thread) ends it within a block.
    """

    def __init__(
        self,
        song: Arrangement,
        soundfont: Path,
        rate: int,
        strands: Sequence[Strand],
        timeout_s: float,
        progress: Callable[[float], None] | None = None,
    ):
        self._song, self._soundfont, self._rate = song, soundfont, rate
        self._strands = _Strands(strands, len(song.parts))
        self._timeout_s, self._progress = timeout_s, progress
        self._release = _on_grid(song.release_s, rate)
        self._latest = self._release + round(_MAX_TAIL_S * rate)
        self._fade, self._rest = round(_FADE_S * rate), round(_SILENCE_S * rate)
        self.longest = -(-(self._latest + self._rest) // BLOCK) * BLOCK
        self.end: int | None = None
        self._audible = 0  # frames up to the last that was heard
        self._stopped = False

    @property
    def heard(self) -> bool:
        """Whether anything but silence has come so far."""
        return self._audible > 0

    @property
    def sure(self) -> int:
        """Frames from the front that belong to the song whatever comes, and will not be faded."""
        return min(self._audible + self._rest, self._latest - self._fade)

    def stop(self) -> None:
        self._stopped = True

    def blocks(self) -> Iterator[list[np.ndarray | None]]:
        """(2, BLOCK) float32 of the mix and of every strand in turn; None where one of them is silent."""
        late: list[list[np.ndarray | None]] = []  # what may yet be faded: two seconds at most
        position = 0
        for sounds in self._all():
            if position + BLOCK <= self._latest - self._fade:
                yield sounds
            else:
                late.append(sounds)
            position += BLOCK
        position -= len(late) * BLOCK
        self.end = min(self._audible + self._rest, self._latest)
        fades = self._audible + self._rest > self._latest
        for sounds in late:
            if fades:
                ramp = self._ramp(position)
                sounds = [sound if sound is None else sound * ramp for sound in sounds]
            yield sounds
            position += BLOCK
        while position < self.end:  # nobody sounded any more, so nobody was asked
            yield [None] * len(self._strands)
            position += BLOCK

    def _all(self) -> Iterator[list[np.ndarray | None]]:
        """The performance itself, until nothing has been heard for a while after the release."""
        song, rate = self._song, self._rate
        deadline = time.monotonic() + self._timeout_s
        buses = np.zeros((2 * len(song.parts), BLOCK), np.float32)
        planes = buses.reshape(len(song.parts), 2, BLOCK)
        peak, position = 0.0, 0
        with Synth(self._soundfont, song.parts, rate, song.xg_banks) as synth:
            synth.attach(buses)
            conductor = _Conductor(song.actions, self._release, rate, synth)
            while position < self.longest and not self._stopped:
                if time.monotonic() > deadline:
                    at = f"{position / rate:.0f} of {song.release_s:.0f} s"
                    raise InputError(
                        f"rendering took longer than {self._timeout_s:g} s and was stopped at {at}"
                    )
                buses.fill(0.0)
                conductor.play_block(position, BLOCK)
                wide, sounds = self._strands.summed(planes)
                level = np.abs(wide, out=wide).max(axis=0)
                loudest = float(level.max())
                peak = max(peak, loudest)
                threshold = peak * 10 ** (_SILENCE_DB / 20)
                if loudest > threshold:
                    self._audible = position + int(np.flatnonzero(level > threshold)[-1]) + 1
                position += BLOCK
                yield sounds
                if self._progress is not None:
                    self._progress(min(1.0, position / max(self._release, 1)))
                over = position - self._audible > self._rest or not synth.voices
                if position > self._release and over:
                    break

    def _ramp(self, start: int) -> np.ndarray:
        """What a block from `start` on is multiplied with where the song has to be faded."""
        fall = (0.5 + 0.5 * np.cos(np.linspace(0.0, np.pi, self._fade))).astype(np.float32)
        first = start - (self._latest - self._fade)
        ramp = np.ones(BLOCK, np.float32)
        part = fall[max(first, 0) : max(first + BLOCK, 0)]
        begin = max(-first, 0)
        ramp[begin : begin + len(part)] = part
        return ramp


class _Strands:
    """Sums parts to the mix and to every strand, each in float64 and rounded once, so that any grouping
    of parts adds up to the mix. Parts that rest are not summed."""

    def __init__(self, strands: Sequence[Strand], parts: int):
        self._count = len(strands)
        members: list[list[tuple[int, float]]] = [[] for _ in range(parts)]
        for number, strand in enumerate(strands):
            for part, weight in strand.items():
                members[part].append((number, weight))
        self._members = members
        self._alone = [len(strand) == 1 and set(strand.values()) == {1.0} for strand in strands]
        self._wide = np.empty((2, BLOCK))
        self._sums = [None if alone else np.empty((2, BLOCK)) for alone in self._alone]

    def __len__(self) -> int:
        """The mix and the strands."""
        return 1 + self._count

    def summed(self, planes: np.ndarray) -> tuple[np.ndarray, list[np.ndarray | None]]:
        """The mix in float64 (overwritten by the next call), and mix and strands in float32."""
        wide = self._wide
        wide.fill(0.0)
        sounds: list[np.ndarray | None] = [None] * self._count
        heard = [False] * self._count
        playing = False
        for plane, members in zip(planes, self._members, strict=True):
            if not plane.any():
                continue
            playing = True
            np.add(wide, plane, out=wide)
            for number, weight in members:
                if self._alone[number]:
                    sounds[number] = plane.copy()
                    continue
                total = self._sums[number]
                if not heard[number]:
                    total.fill(0.0)
                    heard[number] = True
                weighted = plane if weight == 1.0 else np.multiply(plane, weight, dtype=np.float64)
                np.add(total, weighted, out=total)
        for number, sound in enumerate(self._sums):
            if heard[number]:
                sounds[number] = sound.astype(np.float32)
        return wide, [wide.astype(np.float32) if playing else None, *sounds]


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
        return now + BLOCK
