"""Which of 25 sounds went through the same chain as this one?

The reference is one piece of music through a chain of one to N effects. The 25 candidates are all one
other piece, so that what is played tells nothing: one of them went through the reference's very chain,
24 through others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from benchmarks.style.clips import Shelf
from benchmarks.style.effects import DISCRETE, chain_of, spelled
from benchmarks.style.trial_list import Job, TrialList, drawn_from, one_clip_a_work

CANDIDATES = 25
LENGTHS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Retrieval(TrialList):
    """body: `examples` rows [variant, N, reference clip, candidates' clip, 25 chains in short].

    The first of the chains is the reference's. Variant `uniform` has chains of one to N effects, as in the
    paper, `exact` of N, always.
    """

    kind: ClassVar[str] = "retrieval"

    def jobs(self) -> list[Job]:
        """Example by example: the reference, then its 25 candidates."""
        jobs = []
        for _, _, reference, content, chains in self.body["examples"]:
            jobs.append(Job(reference, chain_of(chains[0]), between=True))
            jobs += [Job(content, chain_of(chain), between=True) for chain in chains]
        return jobs

    def similarity(self, embeddings: np.ndarray) -> np.ndarray:
        """(examples, 25) from (jobs, size) unit rows; NaN where a sound of the example is."""
        sounds = embeddings.reshape(len(self.body["examples"]), 1 + CANDIDATES, -1)
        similarity = np.einsum("ne,nce->nc", sounds[:, 0], sounds[:, 1:])
        similarity[np.isnan(similarity).any(1)] = np.nan
        return similarity

    def where(self, variant: str | None = None, length: int | None = None) -> np.ndarray:
        """(examples,) bool: those of a variant and a longest chain."""
        return np.array(
            [
                (variant is None or row[0] == variant) and (length is None or row[1] == length)
                for row in self.body["examples"]
            ]
        )

    def faults(self) -> list[str]:
        """What is wrong with this list, in words; nothing, if it may be used."""
        found = []
        for number, (variant, length, reference, content, chains) in enumerate(self.body["examples"]):
            if self.clips[reference].work == self.clips[content].work:
                found.append(f"example {number}: reference and candidates share a work")
            if len(chains) != CANDIDATES:
                found.append(f"example {number}: {len(chains)} candidates")
            if chains[0] in chains[1:]:
                found.append(f"example {number}: a distractor has the reference's chain")
            sizes = [len(chain_of(chain)) for chain in chains]
            if max(sizes) > length or (variant == "exact" and min(sizes) < length):
                found.append(
                    f"example {number}: chains of {min(sizes)} to {max(sizes)} effects for N = {length}"
                )
        return found


@dataclass(frozen=True)
class ExactRetrieval(Retrieval):
    """The same with exactly N effects in every chain, N = 2 to 5: a list of its own."""

    kind: ClassVar[str] = "retrieval-exact"


def draw(
    shelf: Shelf,
    domain: str,
    split: str,
    *,
    examples: int = 40,
    exact: bool = False,
    seed: int = 5,
    most_clips: int = 240,
) -> Retrieval:
    """`examples` for every N. ValueError below two works."""
    rng = np.random.default_rng((seed, 2))
    clips = one_clip_a_work(shelf.clips, rng, most_clips)
    if len({clip.work for clip in clips}) < 2:
        raise ValueError(
            f"{domain}: retrieval needs two works, one for the reference, one for the candidates"
        )
    rows = []
    variant, kind = ("exact", ExactRetrieval) if exact else ("uniform", Retrieval)
    for length in LENGTHS[1:] if exact else LENGTHS:
        for _ in range(examples):
            reference, content = _two_works(clips, rng)
            right = _chain(variant, length, rng)
            chains = [right]
            while len(chains) < CANDIDATES:
                chain = _chain(variant, length, rng)
                if chain != right:
                    chains.append(chain)
            rows.append([variant, length, reference, content, chains])
    return kind(domain, split, seed, **drawn_from(shelf, clips), body={"examples": rows})


def _two_works(clips: list, rng: np.random.Generator) -> tuple[int, int]:
    while True:
        first, second = (int(i) for i in rng.integers(len(clips), size=2))
        if clips[first].work != clips[second].work:
            return first, second


def _chain(variant: str, length: int, rng: np.random.Generator) -> str:
    """Effects in random order, none twice, each setting drawn from its list."""
    count = length if variant == "exact" else int(rng.integers(1, length + 1))
    names = [list(DISCRETE)[i] for i in rng.permutation(len(DISCRETE))[:count]]
    return spelled([(name, [int(rng.integers(len(v))) for v in DISCRETE[name].values()]) for name in names])
