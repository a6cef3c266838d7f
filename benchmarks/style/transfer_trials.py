"""Pairs for the transfer benchmark: a dry piece, and another piece that went through a chain.

The ground truth of a pair is the same chain on the dry piece. The reference is heard in up to four
excerpts of its work, one after the other, as somebody would hand over a song and not five seconds of it.
All stand at `DRY_LUFS` before the chain. After it comes a fixed gain, chosen so that the reference is as
loud as somebody once wanted it; the ground truth gets the same gain, so its loudness is its own.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from benchmarks.style.clips import RATE, WARM_UP, Shelf
from benchmarks.style.transfer_chains import CHAINS, DRY_LUFS, Step, played
from benchmarks.style.trial_list import TrialList, drawn_from, one_clip_a_work
from daiw_master.meters.loudness import integrated_loudness
from daiw_master.units import gain_from_db

PAIRS = 60
#: Excerpts of a reference, at most.
EXCERPTS = 4
#: How loud references are left, LUFS.
LOUDEST_LUFS, SOFTEST_LUFS = -12.0, -18.0


@dataclass(frozen=True)
class Pair:
    """One trial as sounds, (2, time) each; `truth` is what the dry piece should become."""

    chain: str
    dry: torch.Tensor
    reference: torch.Tensor
    truth: torch.Tensor


@dataclass(frozen=True)
class Transfer(TrialList):
    """body: `trials`, rows of [chain, dry clip's place, places of the reference's clips, gain_db, steps]."""

    kind: ClassVar[str] = "transfer"

    def __len__(self) -> int:
        return len(self.body["trials"])

    def chains(self) -> list[str]:
        """The chain of every pair."""
        return [row[0] for row in self.body["trials"]]

    def pair(self, number: int, shelf: Shelf) -> Pair:
        """One pair's sounds, made anew."""
        chain, dry, models, gain_db, steps = self.body["trials"][number]
        gain = gain_from_db(gain_db)
        x = at_dry_level(shelf.load(self.clips[dry].key)[:, WARM_UP:])
        reference = _reference(steps, [shelf.load(self.clips[place].key) for place in models]) * gain
        return Pair(chain, x, reference, played(steps, x, RATE) * gain)

    def faults(self) -> list[str]:
        """What is wrong with this list, in words; nothing, if it may be used."""
        found = []
        for number, (chain, dry, models, _, steps) in enumerate(self.body["trials"]):
            works = {self.clips[place].work for place in models}
            if len(works) != 1:
                found.append(f"trial {number}: the reference is {len(works)} works")
            if self.clips[dry].work in works:
                found.append(f"trial {number}: the reference is the same work as the dry piece")
            if chain not in CHAINS or not steps:
                found.append(f"trial {number}: {chain!r} is none of {', '.join(CHAINS)}")
        return found


def at_dry_level(clip: np.ndarray) -> torch.Tensor:
    """A clip (2, time) at the loudness at which chains expect it."""
    x = torch.from_numpy(np.ascontiguousarray(clip, np.float32))
    return x * gain_from_db(DRY_LUFS - float(integrated_loudness(x[None], RATE)))


def _reference(steps: list[Step], clips: list[np.ndarray]) -> torch.Tensor:
    """From the middle of a piece: what rings and pumps there has begun before."""
    return torch.cat([played(steps, at_dry_level(clip), RATE)[:, WARM_UP:] for clip in clips], dim=-1)


def draw(
    shelf: Shelf, domain: str, split: str, *, trials: int = PAIRS, seed: int = 5, most_clips: int = 300
) -> Transfer:
    """As many pairs of each chain as of any other. ValueError below two works: a pair needs two."""
    clips = one_clip_a_work(shelf.clips, np.random.default_rng((seed, 5)), most_clips)
    works: dict[str, list[int]] = {}
    for place, clip in enumerate(clips):
        works.setdefault(clip.work, []).append(place)
    if len(works) < 2:
        raise ValueError(f"{domain}: one work; dry piece and reference must come from two")
    rng = random.Random(f"transfer-{seed}")
    queue: list[str] = []
    rows = []
    for number in range(trials):
        chain = list(CHAINS)[number % len(CHAINS)]
        steps = [[name, _rounded(settings)] for name, settings in CHAINS[chain][1](rng)]
        if not queue:
            queue = rng.sample(sorted(works), len(works))
        work = queue.pop()
        dry = rng.choice(works[work])
        models = works[rng.choice([other for other in sorted(works) if other != work])][:EXCERPTS]
        reference = _reference(steps, [shelf.load(clips[place].key) for place in models])
        wanted_lufs = rng.uniform(SOFTEST_LUFS, LOUDEST_LUFS)
        gain_db = wanted_lufs - float(integrated_loudness(reference[None], RATE))
        rows.append([chain, dry, models, round(gain_db, 3), steps])
    return Transfer(domain, split, seed, **drawn_from(shelf, clips), body={"trials": rows})


def _rounded(settings: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in settings.items()}
