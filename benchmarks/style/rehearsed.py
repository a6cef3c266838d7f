"""The parameter task's effects, rehearsed: their one knob turned on train clips, then read off a sound.

What `daiw-master style rehearse` does with a user's own music is done here with train clips, once for what
our encoder notices of a sound and once for MFCC, so that what rehearsing is worth is told apart from what
hearing is worth. No trial's clip is among them, and positions are drawn as there: nothing is known of where
the trials ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from benchmarks.style import command
from benchmarks.style.cache import DESCRIPTION, features
from benchmarks.style.clips import Shelf
from benchmarks.style.parameters import KNOBS, Parameters
from benchmarks.style.sources import shelf
from benchmarks.style.trial_list import Job, TrialList, drawn_from, one_clip_a_work
from daiw_master.neural.encoder import style_encoder
from daiw_master.refine.ito import ear
from daiw_master.refine.ito.ear import Ear
from daiw_master.refine.ito.rehearsal import drawn_turns

#: Sounds of every knob, by domain.
EACH = {"midi": 3000, "audio": 2000, "speech": 1000}


def _noticed(described: np.ndarray, weights: Path | None = None) -> np.ndarray:
    """What the encoder notices of described sounds (count, D), (count, F); rows of NaN stay NaN."""
    encoder = style_encoder(weights)
    with torch.inference_mode():
        parts = torch.from_numpy(np.asarray(described, np.float32)).split(1024)
        return torch.cat([encoder.noticed(part) for part in parts]).numpy()


@dataclass(frozen=True)
class Listener:
    """Who rehearses: the row's title, the feature it hears and what it makes of that."""

    title: str
    feature: str
    hear: Callable[..., np.ndarray]


LISTENERS = {
    "ours": Listener("ours, rehearsed", DESCRIPTION, _noticed),
    "mfcc": Listener("MFCC-75, rehearsed", "mfcc", lambda numbers, weights=None: numbers),
}
#: The ears as they were learnt, by listener and knob, and which encoder's notice ours take.
KEPT = Path(__file__).resolve().parent / "rehearsed.npz"
#: (listener, knob) -> ear.
Ears = Mapping[tuple[str, str], Ear]


@dataclass(frozen=True)
class Rehearsed(TrialList):
    """body: `sounds` rows [knob's name, clip, position]."""

    kind: ClassVar[str] = "rehearsed"

    def jobs(self) -> list[Job]:
        return [Job(clip, KNOBS[knob].chain(position)) for knob, clip, position in self.body["sounds"]]


def draw(clips_of: Shelf, domain: str, *, each: int, seed: int = 5) -> Rehearsed:
    """`each` sounds of every knob, clips of different works first, positions as a rehearsal draws them."""
    rng = np.random.default_rng((seed, 6))
    clips = one_clip_a_work(clips_of.clips, rng, each)
    rows = [
        [name, number % len(clips), round(turn, 4)]
        for name in KNOBS
        for number, turn in enumerate(drawn_turns(rng, np.zeros(1), np.ones(1), each)[:, 0].tolist())
    ]
    rows.sort(key=lambda row: row[1])
    return Rehearsed(domain, "train", seed, **drawn_from(clips_of, clips), body={"sounds": rows})


def learn(
    heard: Mapping[str, np.ndarray], sounds: Sequence[tuple[str, str, float]], seed: int = 0
) -> dict[tuple[str, str], Ear]:
    """One ear a listener and knob, as the product learns it.

    `heard`: a listener's numbers (sounds, size); `sounds`: knob, work, position.
    """
    knobs, works, positions = (np.array(column) for column in zip(*sounds, strict=True))
    learnt = {}
    for listener, numbers in heard.items():
        row = LISTENERS[listener]
        for knob in KNOBS:
            rows = np.flatnonzero((knobs == knob) & np.isfinite(numbers).all(1))
            turns = positions[rows].astype(float)[:, None]
            noticed = row.hear(numbers[rows])  # the feature's own numbers come first in it
            learnt[listener, knob] = ear.learn(noticed, turns, works[rows], numbers.shape[-1], seed)
    return learnt


def read(
    trials: Parameters, features: Mapping[str, np.ndarray], ears: Ears, weights: Path | None = None
) -> dict[str, np.ndarray]:
    """Positions (knobs, pairs, targets) that each listener who rehearsed the knobs reads off the targets.

    `features`: name -> (jobs, size), of all the trials' sounds.
    """
    knobs, found = list(trials.knobs()), {}
    for listener, row in LISTENERS.items():
        if row.feature not in features or any((listener, knob) not in ears for knob in knobs):
            continue
        numbers = features[row.feature]
        _, targets = trials.parted(numbers.reshape(len(knobs), -1, numbers.shape[-1]))
        heard = row.hear(targets.reshape(-1, numbers.shape[-1]), weights)
        heard = heard.reshape(*targets.shape[:3], -1)
        told = [ears[listener, knob](rows)[..., 0] for knob, rows in zip(knobs, heard, strict=True)]
        found[listener] = np.clip(np.nan_to_num(np.stack(told), nan=0.5), 0.0, 1.0)
    return found


def write(ears: Ears, encoder: str, path: Path = KEPT) -> None:
    arrays = {
        f"{who}/{knob}/{name}": a for (who, knob), one in ears.items() for name, a in one.arrays().items()
    }
    np.savez_compressed(path, encoder=np.array(encoder), **arrays)


def kept(encoder: str, path: Path = KEPT) -> dict[tuple[str, str], Ear]:
    """The ears that were kept; without ours, if they took notice with another encoder than `encoder`."""
    parts: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    with np.load(path) as arrays:
        same = str(arrays["encoder"]) == encoder
        for key in arrays.files:
            who, _, rest = key.partition("/")
            if rest and (same or who != "ours"):
                knob, _, name = rest.partition("/")
                parts.setdefault((who, knob), {})[name] = arrays[key]
    return {key: Ear.of(told) for key, told in parts.items()}


def main(arguments: Sequence[str]) -> int:
    """Turn the six knobs on train clips, once for all listeners, and keep their ears."""
    given = command.learner("rehearse", main.__doc__ or "", KEPT).parse_args(arguments)
    parts, rows = [], []
    for domain, each in EACH.items():
        store = partial(shelf, given.data, "train", domain)
        sounds = draw(store(), domain, each=max(20, round(given.share * each)), seed=given.seed)
        wanted = [row.feature for row in LISTENERS.values()]
        cache = command.cache_of(given)
        parts.append(features(sounds, store, wanted, cache, processes=given.processes, say=command.progress))
        rows += [(knob, f"{domain}/{sounds.clips[c].work}", turn) for knob, c, turn in sounds.body["sounds"]]
    heard = {name: np.concatenate([part[row.feature] for part in parts]) for name, row in LISTENERS.items()}
    ears = learn(heard, rows, given.seed)
    write(ears, style_encoder().digest, given.output)
    for name, row in LISTENERS.items():
        shares = ", ".join(f"{knob} {ears[name, knob].line.told[0]:.2f}" for knob in KNOBS)
        print(f"{row.title}, the line's share of the variance of works left out: {shares}")
    return 0
