"""Dev scores in a second, for choosing between models: everything but the model is read from the cache."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache as remembered
from pathlib import Path

import numpy as np

from benchmarks.style.cache import DESCRIPTION, kept
from benchmarks.style.retrieval import LENGTHS, Retrieval
from benchmarks.style.scores import mean_reciprocal_rank
from benchmarks.style.sources import DOMAINS
from benchmarks.style.styles import STYLES, WARMS
from benchmarks.style.trial_list import FOLDER
from benchmarks.style.zero_shot import ZeroShot

Head = Callable[[np.ndarray], np.ndarray]


def score(head: Head, cache: Path, feature: str = DESCRIPTION, split: str = "dev") -> dict[str, float]:
    """`{"s2_midi", "s2_audio", "s2_speech", "s2_midi_neutral", ..., "mrr_midi", ..., "mrr"}`.

    `head` takes descriptions (count, size), a float32 array, and gives embeddings as an array or a tensor;
    s2 is zero-shot accuracy over both warms with one prototype, `mrr` the mean over the domains'.
    Lists whose sounds are not in the cache (`python -m benchmarks.style prepare`) are left out.
    """
    scores: dict[str, float] = {}
    for trials, described in _lists(Path(cache), feature, split):
        broken = np.isnan(described).any(1)
        vectors = np.asarray(head(np.where(broken[:, None], 0, described).astype(np.float32)), np.float64)
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        vectors[broken] = np.nan
        if isinstance(trials, ZeroShot):
            scores |= _zero_shot(trials, vectors)
        else:
            similarity = trials.similarity(vectors)[trials.where("uniform")]
            heard = ~np.isnan(similarity).any(1)
            scores[f"mrr_{trials.domain}"] = mean_reciprocal_rank(similarity[heard])
            if trials.domain == "midi":
                for length in LENGTHS:
                    one = trials.similarity(vectors)[trials.where("uniform", length)]
                    scores[f"rank_midi_{length}"] = mean_reciprocal_rank(one[~np.isnan(one).any(1)])
    ranks = [value for name, value in scores.items() if name.startswith("mrr_")]
    if ranks:
        scores["mrr"] = float(np.mean(ranks))
    return scores


def _zero_shot(trials: ZeroShot, vectors: np.ndarray) -> dict[str, float]:
    scores = {}
    for shots, ending in ((1, ""), (5, "_5")):
        answers = np.concatenate([trials.answers(vectors, warm, shots) for warm in WARMS])
        heard = answers >= 0
        right = answers == np.arange(len(STYLES))
        scores[f"s2_{trials.domain}{ending}"] = float(right[heard].mean())
        if shots == 1:
            for place, style in enumerate(STYLES[:2]):
                scores[f"{style}_{trials.domain}"] = float(right[:, place][heard[:, place]].mean())
    return scores


@remembered
def _lists(cache: Path, feature: str, split: str) -> list[tuple[ZeroShot | Retrieval, np.ndarray]]:
    found = []
    for kind in (ZeroShot, Retrieval):
        for path in (FOLDER / f"{kind.kind}-{domain}-{split}.json" for domain in DOMAINS):
            if path.exists():
                trials = kind.read(path)
                values = kept(trials, feature, cache)
                if values is not None:
                    found.append((trials, values))
    return found
