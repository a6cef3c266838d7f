"""Right answers, ranks, and how far to trust them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_Z95 = 1.959963984540054


def wilson(right: int, count: int) -> tuple[float, float]:
    """95 % interval of a share of right answers (Wilson 1927, eq. for z = 1.96)."""
    if count == 0:
        return 0.0, 1.0
    share, z2 = right / count, _Z95**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z95 / (1 + z2 / count) * np.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def sign_test(ours: np.ndarray, theirs: np.ndarray) -> tuple[int, int, float]:
    """(trials only we got right, trials only they got right, two-sided p) of paired answers (count,)."""
    from scipy.stats import binomtest

    wins, losses = int((ours > theirs).sum()), int((ours < theirs).sum())
    if wins + losses == 0:
        return 0, 0, 1.0
    return wins, losses, float(binomtest(wins, wins + losses).pvalue)


def ranks(similarity: np.ndarray) -> np.ndarray:
    """Place of the first of each row's candidates (count, candidates), 1 is best; ties share their places."""
    first, rest = similarity[:, :1], similarity[:, 1:]
    return 1 + (rest > first).sum(1) + 0.5 * (rest == first).sum(1)


def mean_reciprocal_rank(similarity: np.ndarray) -> float:
    return float((1 / ranks(similarity)).mean())


def accuracy_at(similarity: np.ndarray, candidates: int) -> float:
    """How often the first of each row wins among the first `candidates` of it; a tie shares the point."""
    among = similarity[:, :candidates]
    best = among.max(1, keepdims=True)
    winners = among == best
    return float((winners[:, 0] / winners.sum(1)).mean())


def chance_reciprocal_rank(candidates: int) -> float:
    return float((1 / np.arange(1, candidates + 1)).mean())


def bootstrap(
    groups: np.ndarray, statistic: Callable[[np.ndarray], float], *, draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of statistic(indices) when whole groups (one label per item) are drawn again."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    values = []
    for _ in range(draws):
        picked = rng.integers(len(members), size=len(members))
        values.append(statistic(np.concatenate([members[i] for i in picked])))
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return float(low), float(high)
