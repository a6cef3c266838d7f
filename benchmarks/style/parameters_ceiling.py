"""What an ear could know: each knob learnt by itself from train clips, which no method of the table is.

Beside the five styles' classifier this is the ceiling of the parameter task. Ridge regression tells the
position from the descriptor, one line a knob, and is asked in two ways: as every method is, by comparing
(where does my clip sound as the target does? what it gets wrong of both clips counts), and outright, from
the target alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from benchmarks.style import fits
from benchmarks.style.cache import DESCRIPTION
from benchmarks.style.clips import Shelf
from benchmarks.style.parameters import GRID, KNOBS, Parameters
from benchmarks.style.trial_list import Job, TrialList, drawn_from, one_clip_a_work

#: Names of the fits, one a knob.
NAME = "knob {}"
#: A third of the sounds learnt from stand where the trials' targets do.
AT_TARGETS = 1 / 3


@dataclass(frozen=True)
class KnobSounds(TrialList):
    """body: `sounds` rows [knob's name, clip, position]."""

    kind: ClassVar[str] = "knobs"

    def jobs(self) -> list[Job]:
        return [Job(clip, KNOBS[knob].chain(position)) for knob, clip, position in self.body["sounds"]]


def draw(shelf: Shelf, domain: str, *, each: int, seed: int = 5) -> KnobSounds:
    """`each` sounds of every knob, clips of different works first, at random positions of the asked range."""
    rng = np.random.default_rng((seed, 6))
    clips = one_clip_a_work(shelf.clips, rng, each)
    rows = []
    for name, knob in KNOBS.items():
        for number in range(each):
            free = rng.uniform(min(knob.targets), max(knob.targets))
            position = rng.choice(knob.targets) if rng.random() < AT_TARGETS else free
            rows.append([name, number % len(clips), round(float(position), 4)])
    rows.sort(key=lambda row: row[1])
    return KnobSounds(domain, "train", seed, **drawn_from(shelf, clips), body={"sounds": rows})


def learn(
    described: np.ndarray, knobs: Sequence[str], positions: np.ndarray, decay: float
) -> dict[str, fits.Linear]:
    """One regression a knob from (sounds, size), each row's knob and its position."""
    named = np.asarray(knobs)
    return {
        NAME.format(name): fits.regression(described[named == name], positions[named == name], decay)
        for name in KNOBS
    }


def told(trials: Parameters, features: Mapping[str, np.ndarray], learnt: Mapping) -> dict[str, np.ndarray]:
    """Positions found (knobs, pairs, targets), "compared" and "outright"; none where one was not learnt."""
    knobs = trials.knobs()
    if DESCRIPTION not in features or any(NAME.format(name) not in learnt for name in knobs):
        return {}
    described = features[DESCRIPTION].reshape(len(knobs), -1, features[DESCRIPTION].shape[-1])
    read = np.stack(
        [learnt[NAME.format(name)](rows)[:, 0] for name, rows in zip(knobs, described, strict=True)]
    )
    own, target = trials.parted(read)
    off = np.abs(own[:, :, None] - target[..., None])
    nearest = np.nan_to_num(off, nan=np.inf).argmin(-1) / (GRID - 1)
    return {"compared": nearest, "outright": np.nan_to_num(target, nan=0.5)}
