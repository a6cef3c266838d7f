"""When things happen: ticks to seconds, tempo and metre, and the sections a song's markers name."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median

from daiw_master.errors import InputError

#: SMF: 120 beats a minute and 4/4 hold until the file says otherwise.
DEFAULT_TEMPO_US = 500_000
#: A note faster than this tempo is a damaged file, not music.
MAX_TEMPO_BPM = 2000.0
#: SMF: negative SMPTE codes and the frames per second they mean (29 is 30 drop frame).
_SMPTE_FPS = {24: 24.0, 25: 25.0, 29: 30000 / 1001, 30: 30.0}
#: A marker that only says where a section was over, as DAiW writes them: "[End verse]".
_CLOSES = re.compile(r"\[end\b.*\]$", re.IGNORECASE)
#: More markers than this, typically closer than this, are chord symbols or lyrics.
_MANY_MARKERS, _SHORTEST_TYPICAL_SECTION_S = 8, 5.0


@dataclass(frozen=True)
class Section:
    """A named stretch of the song, from its marker to the next one (seconds)."""

    name: str
    start_s: float
    end_s: float


class Timeline:
    """The song's clock: seconds of any tick, and what tempo and metre rule where."""

    def __init__(self, division: int, tempos: list[tuple[int, int]]):
        """`tempos` holds (tick, microseconds per quarter note), sorted by tick."""
        if division & 0x8000:  # SMF: bit 15 set means SMPTE frames, and tempo events do not count
            frames = 256 - (division >> 8)
            ticks_per_frame = division & 0xFF
            if frames not in _SMPTE_FPS or not ticks_per_frame:
                raise InputError(
                    f"the MIDI header claims {frames} SMPTE frames of {ticks_per_frame} ticks; "
                    f"it must be 24, 25, 29 or 30 frames"
                )
            ticks_per_second = _SMPTE_FPS[frames] * ticks_per_frame
            tempos, division = [(0, 1_000_000)], ticks_per_second
        elif not division:
            raise InputError("the MIDI header claims 0 ticks per beat")
        self._per_tick_us = 1.0 / division
        self._ticks, self._tempos_us, self._starts_s = [0], [DEFAULT_TEMPO_US], [0.0]
        for tick, tempo_us in tempos:
            if tick > self._ticks[-1]:
                self._starts_s.append(self.seconds(tick))
                self._ticks.append(tick)
                self._tempos_us.append(tempo_us)
            else:
                self._tempos_us[-1] = tempo_us

    def _segment(self, tick: int) -> int:
        return bisect_right(self._ticks, tick) - 1

    def seconds(self, tick: int) -> float:
        """The time of a tick."""
        i = self._segment(tick)
        elapsed = (tick - self._ticks[i]) * self._per_tick_us * self._tempos_us[i]
        return self._starts_s[i] + elapsed * 1e-6

    def check_tempo(self, tick: int) -> None:
        """Refuse a note that stands under an impossible tempo."""
        tempo_us = self._tempos_us[self._segment(tick)]
        if tempo_us * MAX_TEMPO_BPM < 60e6:
            bpm = f"{60e6 / tempo_us:.0f}" if tempo_us else "infinite"
            raise InputError(
                f"the tempo at {self.seconds(tick):.1f} s is {bpm} bpm; "
                f"it must not exceed {MAX_TEMPO_BPM:.0f} bpm"
            )

    def main_tempo_bpm(self, end_s: float) -> float:
        """The median tempo over time: half of the song before `end_s` is no faster."""
        ends = [*self._starts_s[1:], float("inf")]
        held = sorted(
            (60e6 / tempo_us, max(0.0, min(end, end_s) - start))
            for tempo_us, start, end in zip(self._tempos_us, self._starts_s, ends, strict=True)
            if tempo_us
        )
        half = 0.5 * sum(seconds for _, seconds in held)
        reached = accumulate(seconds for _, seconds in held)
        return next((bpm for (bpm, _), so_far in zip(held, reached, strict=True) if so_far >= half), 120.0)


def sections(markers: Sequence[tuple[float, str]], end_s: float) -> tuple[Section, ...]:
    """Markers as sections: each lasts until the next, the last until the end of the sound.

    Nameless markers and those after the end are left out; of several at one time the last counts,
    neighbours of one name are one section. Markers as dense as chord symbols name no sections.
    """
    named = {
        time_s: name
        for time_s, name in sorted(markers, key=lambda m: m[0])
        if name and time_s < end_s and not _CLOSES.match(name)
    }
    ends = [*named, end_s][1:]
    lengths = [end - start for start, end in zip(named, ends, strict=False)]
    if len(lengths) > _MANY_MARKERS and median(lengths) < _SHORTEST_TYPICAL_SECTION_S:
        return ()
    joined: list[Section] = []
    for (start, name), end in zip(named.items(), ends, strict=False):
        if joined and joined[-1].name == name:
            start = joined.pop().start_s
        joined.append(Section(name, start, end))
    return tuple(joined)
