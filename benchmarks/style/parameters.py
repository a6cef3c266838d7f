"""How far is the knob turned? One effect, one free knob, found again by what each method hears.

A target sound is one piece of music through the effect at a known position; another piece goes through the
same effect at 129 positions, and each method says where it sounds most like the target. Since only one knob
is free, that grid is the exact answer; what CMA-ES finds of it in 5 generations of 128 is told beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from benchmarks.style.clips import Clip, Shelf
from benchmarks.style.trial_list import Job, TrialList, drawn_from, one_clip_a_work

GRID = 129
TARGETS = (0.0, 1 / 3, 2 / 3, 1.0)
POPULATION, GENERATIONS, START, SIGMA = 128, 5, 0.5, 0.33


@dataclass(frozen=True)
class Knob:
    """A row: the effect, what it holds still, the free setting and its linear range, the positions asked."""

    effect: str
    free: str
    low: float
    high: float
    held: dict[str, float]
    targets: tuple[float, ...] = TARGETS

    def chain(self, position: float) -> list:
        """The effect with its free setting at a position in [0, 1]."""
        return [(self.effect, {**self.held, self.free: self.low + (self.high - self.low) * position})]


#: ST-ITO's six pedalboard effects with its fixed values and ranges.
KNOBS: dict[str, Knob] = {
    "compressor threshold": Knob(
        "Compressor", "threshold_db", -80, 0, {"ratio": 4.0, "attack_ms": 1.0, "release_ms": 100.0}
    ),
    # the dry sound comes down as the wet one goes up, as there
    "reverb room": Knob(
        "Reverb", "room_size", 0, 1, {"damping": 0.4, "wet_level": 0.4, "dry_level": 0.6, "width": 0.8}
    ),
    "delay mix": Knob("Delay", "mix", 0, 1, {"delay_seconds": 0.1, "feedback": 0.5}),
    "chorus mix": Knob(
        "Chorus", "mix", 0, 1, {"rate_hz": 1.0, "centre_delay_ms": 7.0, "depth": 0.1, "feedback": 0.5}
    ),
    "low shelf gain": Knob("LowShelfFilter", "gain_db", -24, 24, {"cutoff_frequency_hz": 120.0, "q": 0.707}),
    "distortion drive": Knob("Distortion", "drive_db", -48, 48, {}, (0.5, 2 / 3, 5 / 6, 1.0)),
}
#: Zam's plugins, where they are installed: knobs that mastering turns.
VST3_KNOBS: dict[str, Knob] = {
    "ZamEQ2 low shelf gain": Knob("ZamEQ2.vst3", "boost_cut_l_db", -20, 20, {"frequency_l_hz": 120.0}),
    "ZamEQ2 peak gain": Knob("ZamEQ2.vst3", "boost_cut_1_db", -20, 20, {"frequency_1_hz": 1000.0}),
    "ZamCompX2 threshold": Knob(
        "ZamCompX2.vst3", "threshold_db", -80, 0, {"ratio": 4.0, "attack_ms": 1.0, "release_ms": 100.0}
    ),
}


@dataclass(frozen=True)
class Parameters(TrialList):
    """body: `knobs` names of rows; `pairs` rows [clip to be matched, clip of the target].

    One clip may be matched to several: its grid is made once.
    """

    kind: ClassVar[str] = "parameters"

    def knobs(self) -> dict[str, Knob]:
        return {name: (KNOBS | VST3_KNOBS)[name] for name in self.body["knobs"]}

    def _own(self) -> list[int]:
        """The clips that are matched, each once."""
        return list(dict.fromkeys(own for own, _ in self.body["pairs"]))

    def jobs(self) -> list[Job]:
        """Knob by knob: the grid over every clip that is matched, then pair by pair the targets."""
        jobs = []
        for knob in self.knobs().values():
            for own in self._own():
                jobs += [Job(own, knob.chain(place)) for place in np.linspace(0, 1, GRID)]
            for _, other in self.body["pairs"]:
                jobs += [Job(other, knob.chain(target)) for target in knob.targets]
        return jobs

    def similarity(self, embeddings: np.ndarray) -> np.ndarray:
        """(knobs, pairs, targets, GRID) from (jobs, size) unit rows; -1 where a sound is silent."""
        sounds = embeddings.reshape(len(self.body["knobs"]), -1, embeddings.shape[-1])
        grids, targets = self.parted(sounds)
        return np.nan_to_num(np.einsum("kpte,kpge->kptg", targets, grids), nan=-1.0)

    def parted(self, sounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What is told of each sound (knobs, sounds, ...) by pairs: grids (knobs, pairs, GRID, ...) of the

        clips that are matched, and targets (knobs, pairs, targets, ...).
        """
        owns, pairs, rest = self._own(), self.body["pairs"], sounds.shape[2:]
        grids = sounds[:, : len(owns) * GRID].reshape(len(sounds), len(owns), GRID, *rest)
        targets = sounds[:, len(owns) * GRID :].reshape(len(sounds), len(pairs), len(TARGETS), *rest)
        return grids[:, [owns.index(own) for own, _ in pairs]], targets

    def faults(self) -> list[str]:
        """What is wrong with this list, in words; nothing, if it may be used."""
        found = []
        for number, (own, other) in enumerate(self.body["pairs"]):
            own, other = self.clips[own], self.clips[other]
            if own.work == other.work:
                found.append(f"pair {number}: both clips are of one work")
            if own.collection != other.collection:
                found.append(f"pair {number}: {own.collection} is to be matched to {other.collection}")
        return found


@dataclass(frozen=True)
class Vst3Parameters(Parameters):
    """The same for knobs of VST3 plugins, which must be installed: lists of their own."""

    kind: ClassVar[str] = "parameters-vst3"


def by_grid(similarity: np.ndarray) -> np.ndarray:
    """Positions (...,) of the greatest of (..., GRID); of several equal ones their middle."""
    best = similarity >= similarity.max(-1, keepdims=True) - 1e-12
    return (best * np.linspace(0, 1, GRID)).sum(-1) / best.sum(-1)


def by_search(similarity: np.ndarray, seed: int) -> float:
    """Where CMA-ES ends on one curve (GRID,), straight between its points; the same seed for every method.

    pycma searches no single dimension; like the published search it carries idle ones along: one here.
    """
    import cma

    grid = np.linspace(0, 1, GRID)
    options = {"bounds": [0, 1], "popsize": POPULATION, "seed": seed + 1, "verbose": -9}
    search = cma.CMAEvolutionStrategy([START, START], SIGMA, options)
    best, found = -np.inf, START
    for _ in range(GENERATIONS):
        candidates = search.ask()
        values = np.interp([candidate[0] for candidate in candidates], grid, similarity)
        if values.max() > best:
            best, found = float(values.max()), float(candidates[int(values.argmax())][0])
        search.tell(candidates, list(-values))
    return found


def draw(
    shelf: Shelf,
    domain: str,
    split: str,
    *,
    matched: int = 10,
    targets: int = 2,
    seed: int = 5,
    vst3: bool = False,
) -> Parameters:
    """`matched` clips of different works, each beside `targets` clips of other works of its collection.

    Like with like, as published: a drummer is matched to drummers. Collections take turns, works as far
    as they go round. Every pair is asked at every target of every knob. ValueError where no collection
    has two works.
    """
    rng = np.random.default_rng((seed, 3))
    hands = _by_collection(one_clip_a_work(shelf.clips, rng, len(shelf.clips)))
    if not hands:
        raise ValueError(f"{domain}: a pair needs two works of one collection")
    turns = range(max(map(len, hands)))
    owns = [hand[turn] for turn in turns for hand in hands if turn < len(hand)][:matched]
    taken, pairs = {clip.work for clip in owns}, []
    for own in owns:
        hand = next(hand for hand in hands if own in hand)
        others = [clip for clip in hand if clip.work != own.work]
        fresh = [clip for clip in others if clip.work not in taken] or others
        pairs += [(own, fresh[place]) for place in rng.permutation(len(fresh))[:targets]]
        while len(pairs) % targets:  # a collection of two works has one other to give
            pairs.append((own, others[rng.integers(len(others))]))
    clips = list(dict.fromkeys(clip for pair in pairs for clip in pair))
    rows = [[clips.index(own), clips.index(other)] for own, other in pairs]
    kind, knobs = (Vst3Parameters, VST3_KNOBS) if vst3 else (Parameters, KNOBS)
    return kind(domain, split, seed, **drawn_from(shelf, clips), body={"knobs": list(knobs), "pairs": rows})


def _by_collection(clips: Sequence[Clip]) -> list[list[Clip]]:
    """Clips of each collection that has two works or more, in the order they came."""
    hands: dict[str, list[Clip]] = {}
    for clip in clips:
        hands.setdefault(clip.collection, []).append(clip)
    return [hand for hand in hands.values() if len({clip.work for clip in hand}) > 1]
