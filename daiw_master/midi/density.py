"""How full a song is at each moment, and where it changes: its form, read off the notes.

Markers tell a song's form best; where there are none, players still play more, louder, higher or with
drums in one part than in another. Sections are found by optimal segmentation: among all ways to cut
the song into at most eight, the one that leaves the least variance inside its sections after paying a
price for each cut (Jackson et al. 2005, "An algorithm for optimal partitioning of data on an
interval", IEEE Signal Processing Letters 12(2)).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np

from daiw_master.midi.roles import Note
from daiw_master.midi.timeline import Section

#: One value of the trace every so often, averaged over this long.
HOP_S, SMOOTH_S = 0.5, 4.0
#: At most this many sections, none shorter than this.
MOST_SECTIONS, SHORTEST_S = 8, 7.0
#: Features are read once a bar, but never finer or coarser than this.
_BAR_S = (1.0, 4.0)
#: Onsets are averaged over this many bars: a chord every other bar is no change of form.
_ONSET_BARS = 4
#: What counts as one unit of change: 3 dB of density or of sound held, a fourth of register, half a kit.
_DENSITY_DB, _REGISTER_KEYS, _DRUM_SHARE = 3.0, 5.0, 0.5
#: Price of a cut, in squared units times bars: about four bars that differ by one unit.
_CUT = 4.0
#: Silence counts as this little of the song's median density.
_FLOOR = 0.05


@dataclass(frozen=True)
class Density:
    """How much is played when.

    `values` (frames,): note onsets per second weighted by velocity (127 = 1), averaged over 4 s, one
    value every `hop_s` seconds. `sections`: the stretches the song falls into, named A, B, C, ...; one
    alone where nothing changes.
    """

    values: np.ndarray
    hop_s: float
    sections: tuple[Section, ...]


def density_of(parts: Sequence, end_s: float, bar_s: float = 2.0) -> Density:
    """The density of a song and the sections it falls into.

    `parts` have `notes` (key, velocity, start_s, end_s) and `is_drum`; `end_s` is where the sound ends,
    `bar_s` how long a bar is.
    """
    notes = [(note, part.is_drum) for part in parts for note in part.notes]
    frames = max(1, int(np.ceil(end_s / HOP_S)))
    struck = _struck([note for note, _ in notes], frames, HOP_S) / HOP_S
    values = _averaged(struck, round(SMOOTH_S / HOP_S))
    return Density(values, HOP_S, _sections(notes, end_s, min(max(bar_s, _BAR_S[0]), _BAR_S[1])))


def _struck(notes: Sequence[Note], frames: int, hop_s: float) -> np.ndarray:
    """Velocity-weighted onsets per frame."""
    at = np.array([note.start_s for note in notes], dtype=np.float64)
    weight = np.array([note.velocity for note in notes], dtype=np.float64) / 127
    # + 1e-6: a note on the bar line belongs to the bar it opens, rounding or not
    where = np.clip(((at + 1e-6) / hop_s).astype(np.int64), 0, frames - 1)
    return np.bincount(where, weight, frames)[:frames]


def _held(notes: Sequence[Note], frames: int, hop_s: float) -> np.ndarray:
    """How much sounds in each frame on average: velocity times the share of the frame it is held."""
    held = np.zeros(frames)
    for note in notes:
        first, last = int(note.start_s / hop_s), min(int(note.end_s / hop_s), frames - 1)
        for frame in range(first, last + 1):
            overlap = min(note.end_s, (frame + 1) * hop_s) - max(note.start_s, frame * hop_s)
            held[frame] += max(0.0, overlap) / hop_s * note.velocity / 127
    return held


def _averaged(values: np.ndarray, width: int) -> np.ndarray:
    """Centred moving average; near the ends over what there is."""
    kernel = np.ones(min(width, 2 * len(values) - 1))
    return (
        np.convolve(values, kernel, "same")[: len(values)]
        / np.convolve(np.ones(len(values)), kernel, "same")[: len(values)]
    )


def _sections(notes: list[tuple[Note, bool]], end_s: float, bar_s: float) -> tuple[Section, ...]:
    """The song cut where what is played changes, each cut on the first note of what is new."""
    starts = np.unique([note.start_s for note, _ in notes])
    bars = int(starts[-1] / bar_s) + 1 if len(starts) else 1  # how the last chord dies away is no form
    shortest = max(1, int(np.ceil(SHORTEST_S / bar_s)))
    cuts = best_cuts(_features(notes, bars, bar_s, _ONSET_BARS), shortest, _CUT)
    cuts_s = [0.0]
    for cut in _nudged(cuts, _features(notes, bars, bar_s, 1), _ONSET_BARS // 2, shortest):
        # the nearest onset to the bar's clock, within half a bar: the clock knows only one tempo
        near = starts[np.abs(starts - cut * bar_s).argmin()]
        cuts_s.append(float(near) if abs(near - cut * bar_s) <= bar_s / 2 else cut * bar_s)
    ends = [*cuts_s[1:], end_s]
    return tuple(
        Section(name, start, end) for name, start, end in zip(ascii_uppercase, cuts_s, ends, strict=False)
    )


def _features(notes: list[tuple[Note, bool]], bars: int, bar_s: float, average: int) -> np.ndarray:
    """(bars, 4) in units of change: onsets, sound held, register, share of drums.

    What is struck is averaged over so many bars: a chord every other bar is no change of form.
    """
    everyone = [note for note, _ in notes]
    pitched = [note for note, is_drum in notes if not is_drum]
    struck = _averaged(_struck(everyone, bars, bar_s), average)
    drums = _averaged(_struck([note for note, is_drum in notes if is_drum], bars, bar_s), average)
    tunes = _struck(pitched, bars, bar_s)
    keys = np.zeros(bars)
    for note in pitched:
        keys[min(int((note.start_s + 1e-6) / bar_s), bars - 1)] += note.key * note.velocity / 127
    middle = keys.sum() / max(tunes.sum(), 1e-9)
    weight = _averaged(tunes, average)
    register = np.where(weight > 1e-9, _averaged(keys, average) / np.maximum(weight, 1e-9), middle)
    loud = (_db(struck) / _DENSITY_DB, _db(_held(pitched, bars, bar_s)) / _DENSITY_DB)
    share = drums / np.maximum(struck, 1e-9)
    return np.stack([*loud, register / _REGISTER_KEYS, share / _DRUM_SHARE], axis=1)


def _nudged(cuts: list[int], features: np.ndarray, reach: int, shortest: int) -> list[int]:
    """Each cut moved by up to `reach` bars to where the bars themselves, not their average, change most."""
    edges = [0, *cuts, len(features)]
    for i in range(1, len(edges) - 1):
        before, after = edges[i - 1], edges[i + 1]
        places = [
            place
            for place in range(edges[i] - reach, edges[i] + reach + 1)
            if place - before >= shortest and after - place >= shortest
        ]

        def left_over(place: int, before: int = before, after: int = after) -> float:
            pieces = (features[before:place], features[place:after])
            return sum(float(((piece - piece.mean(0)) ** 2).sum()) for piece in pieces)

        edges[i] = min(places, key=left_over, default=edges[i])
    return edges[1:-1]


def _db(values: np.ndarray) -> np.ndarray:
    """Decibels against the song's own median, silence held at a floor."""
    sounding = values[values > 0]
    middle = np.median(sounding) if len(sounding) else 1.0
    return 10 * np.log10(np.maximum(values / middle, _FLOOR))


def best_cuts(features: np.ndarray, shortest: int, price: float) -> list[int]:
    """Where to cut (frames, n) so that squared deviation inside plus `price` a cut is least.

    No piece is shorter than `shortest` frames and there are at most eight; exact, by dynamic programming.
    """
    count = len(features)
    sums = np.concatenate([np.zeros((1, features.shape[1])), features.cumsum(0)])
    squares = np.concatenate([[0.0], (features**2).sum(1).cumsum()])

    def inside(starts: np.ndarray, end: int) -> np.ndarray:
        total = ((sums[end] - sums[starts]) ** 2).sum(1)
        return squares[end] - squares[starts] - total / (end - starts)

    most = min(MOST_SECTIONS, max(1, count // shortest))
    cost = np.full((most + 1, count + 1), np.inf)
    cost[0, 0] = 0.0
    came_from = np.zeros((most + 1, count + 1), dtype=np.int64)
    for end in range(shortest, count + 1):
        starts = np.arange(0, end - shortest + 1)
        own = inside(starts, end)
        for pieces in range(1, most + 1):
            paths = cost[pieces - 1, starts] + own
            best = int(paths.argmin())
            cost[pieces, end], came_from[pieces, end] = paths[best], best
    if count < shortest:
        return []
    pieces = 1 + int((cost[1:, count] + price * np.arange(most)).argmin())
    cuts, end = [], count
    while pieces:
        end = int(came_from[pieces, end])
        pieces -= 1
        cuts.append(end)
    return sorted(cut for cut in cuts if cut)
