"""Training sounds for the baselines that learn: train clips under random chains, each chain on four works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from benchmarks.style.clips import WARM_UP, WINDOW, Shelf, peak_normalised
from benchmarks.style.trial_list import TrialList, drawn_from, one_clip_a_work
from daiw_master.errors import DaiwMasterError

#: Contents under one chain.
CONTENTS = 4


@dataclass(frozen=True)
class ChainJob:
    """One clip through a chain of the encoder's own training, at a level below full scale."""

    clip: int
    chain: Mapping
    level_db: float

    def sound(self, dry: np.ndarray) -> np.ndarray:
        """(2, WINDOW) float32 at a peak of 1, or all NaN."""
        from daiw_master.training.style.chains import render

        x = peak_normalised(dry) * np.float32(10 ** (self.level_db / 20))
        try:
            y = render(self.chain, x)[:, WARM_UP:]
        except DaiwMasterError:  # a plugin that is not installed or does not answer: this sound is left out
            return np.full((2, WINDOW), np.nan, np.float32)
        peak = float(np.abs(y).max())
        if not np.isfinite(peak) or peak < 1e-6:
            return np.full_like(y, np.nan)
        return (y / peak).astype(np.float32)


@dataclass(frozen=True)
class TrainingSounds(TrialList):
    """body: `chains` as the encoder's training draws them, `sounds` rows [chain, clip, level in dB]."""

    kind: ClassVar[str] = "training"

    def jobs(self) -> list[ChainJob]:
        chains = self.body["chains"]
        return [ChainJob(clip, chains[chain], level_db) for chain, clip, level_db in self.body["sounds"]]

    def labels(self) -> np.ndarray:
        """(sounds,): which chain."""
        return np.array([row[0] for row in self.body["sounds"]])


def draw(shelf: Shelf, domain: str, *, chains: int, seed: int = 5, most_clips: int = 400) -> TrainingSounds:
    """`chains` random chains, each on CONTENTS clips of different works. ValueError below that many works."""
    from daiw_master.training.style.chains import draw as random_chain

    rng = np.random.default_rng((seed, 4))
    clips = one_clip_a_work(shelf.clips, rng, most_clips)
    works = sorted({clip.work for clip in clips})
    if len(works) < CONTENTS:
        raise ValueError(f"{domain}: {len(works)} works; a chain is heard on {CONTENTS}")
    of_work = {work: [i for i, clip in enumerate(clips) if clip.work == work] for work in works}
    rows = []
    for chain in range(chains):
        for work in rng.permutation(len(works))[:CONTENTS]:
            clip = int(rng.choice(of_work[works[work]]))
            rows.append([chain, clip, round(-9 * rng.random(), 2)])
    drawn = [random_chain(rng) for _ in range(chains)]
    body = {"chains": drawn, "sounds": rows}
    return TrainingSounds(domain, "train", seed, **drawn_from(shelf, clips), body=body)
