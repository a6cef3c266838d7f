"""Which of five styles is this? One example of each is known, every one another piece of music.

A trial is a clip to be told and, per style, prototypes; none of these share a work. Every trial is asked
five times, with its clip in each of the five styles, and for both kinds of `warm`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from benchmarks.style import styles
from benchmarks.style.clips import Shelf
from benchmarks.style.trial_list import Job, TrialList, drawn_from, one_clip_a_work

#: Prototypes a style, at most; scores are given for one, three and five.
SHOTS = 5
SHOWN_SHOTS = (1, 3, 5)


@dataclass(frozen=True)
class ZeroShot(TrialList):
    """body: `settings` style -> one row of `styles.FIELDS` per clip; `trials` rows of clip places:

    the query, then five prototypes a style, style by style.
    """

    kind: ClassVar[str] = "zero-shot"

    def jobs(self) -> list[Job]:
        """Clip by clip, each in all of `styles.RENDERED`."""
        jobs = []
        for clip in range(len(self.clips)):
            for style in styles.RENDERED:
                level_db, chain = styles.chain(self.body["settings"][style][clip])
                jobs.append(Job(clip, chain, level_db))
        return jobs

    def answers(self, embeddings: np.ndarray, warm: str, shots: int = 1) -> np.ndarray:
        """(trials, 5): the style chosen for the query of each trial in each style; -1 where a sound is NaN.

        embeddings: (jobs, size), unit rows. Prototypes are averaged, the mean brought to
        their own length.
        """
        rendered = [*range(4), styles.RENDERED.index(f"warm_{warm}")]
        by_clip = embeddings.reshape(len(self.clips), len(styles.RENDERED), -1)[:, rendered]
        trials = np.array(self.body["trials"])
        prototypes = trials[:, 1:].reshape(len(trials), len(styles.STYLES), SHOTS)[:, :, :shots]
        style = np.arange(len(styles.STYLES))
        each = by_clip[prototypes, style[:, None]]
        known = each.mean(2)
        length = np.linalg.norm(each, axis=-1).mean(2)
        known *= (length / np.maximum(np.linalg.norm(known, axis=-1), 1e-12))[..., None]
        similarity = np.einsum("tqe,tse->tqs", by_clip[trials[:, 0]], known)
        chosen = similarity.argmax(-1)
        return np.where(np.isnan(similarity).any(-1), -1, chosen)

    def query_works(self) -> np.ndarray:
        """(trials,): the work each query is taken from, as a number."""
        works = sorted({clip.work for clip in self.clips})
        return np.array([works.index(self.clips[trial[0]].work) for trial in self.body["trials"]])

    def faults(self) -> list[str]:
        """What is wrong with this list, in words; nothing, if it may be used."""
        found = []
        for number, trial in enumerate(self.body["trials"]):
            works = [self.clips[place].work for place in trial]
            if len(trial) != 1 + len(styles.STYLES) * SHOTS:
                found.append(f"trial {number} names {len(trial)} clips")
            firsts = [works[0], *works[1::SHOTS]]
            if len(set(firsts)) != len(firsts):
                found.append(f"trial {number}: query and first prototypes share a work")
            if works[0] in works[1:]:
                found.append(f"trial {number}: the query's work is among the prototypes")
            for style in range(len(styles.STYLES)):
                own = works[1 + style * SHOTS : 1 + (style + 1) * SHOTS]
                if len(set(own)) != len(own):
                    found.append(f"trial {number}: one work twice among the prototypes of a style")
        for style, rows in self.body["settings"].items():
            if len(rows) != len(self.clips):
                found.append(f"{style}: {len(rows)} settings for {len(self.clips)} clips")
        return found


def draw(
    shelf: Shelf, domain: str, split: str, *, trials: int = 400, seed: int = 5, most_clips: int = 240
) -> ZeroShot:
    """Trials over the clips of a shelf. ValueError below six works: query and prototypes need one each.

    Prototypes beyond the first of each style come from other works too while there are enough.
    """
    rng = np.random.default_rng((seed, 1))
    clips = one_clip_a_work(shelf.clips, rng, most_clips)
    of_work: dict[str, list[int]] = {}
    for place, clip in enumerate(clips):
        of_work.setdefault(clip.work, []).append(place)
    works = sorted(of_work)
    if len(works) < 1 + len(styles.STYLES):
        raise ValueError(
            f"{domain}: {len(works)} works; zero-shot trials need 6, one for the query and one a style"
        )
    settings = {style: [styles.draw(style, rng) for _ in clips] for style in styles.RENDERED}
    queries = [works[i] for _ in range(-(-trials // len(works))) for i in rng.permutation(len(works))]
    rows = []
    for query in queries[:trials]:
        others = [work for work in works if work != query]
        row = [query] + [""] * (len(styles.STYLES) * SHOTS)
        shuffled = [others[i] for i in rng.permutation(len(others))]
        for shot in range(SHOTS):
            for style in range(len(styles.STYLES)):
                start = 1 + style * SHOTS
                place = shot * len(styles.STYLES) + style
                work = shuffled[place % len(shuffled)]
                if work in row[start : start + shot]:  # few works: at least never twice in one style
                    left = [w for w in others if w not in row[start : start + shot]]
                    work = left[rng.integers(len(left))]
                row[start + shot] = work
        rows.append([int(rng.choice(of_work[work])) for work in row])
    return ZeroShot(
        domain, split, seed, **drawn_from(shelf, clips), body={"settings": settings, "trials": rows}
    )
