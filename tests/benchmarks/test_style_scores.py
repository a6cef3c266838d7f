"""Scores of the style benchmark against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.style.parameters_scores import pearson, spearman
from benchmarks.style.scores import (
    accuracy_at,
    bootstrap,
    chance_reciprocal_rank,
    mean_reciprocal_rank,
    ranks,
    sign_test,
    wilson,
)


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [
        # z2 = 3.8415; middle (p + z2/2n) / (1 + z2/n), half z / (1 + z2/n) sqrt(pq/n + z2/4n2)
        (10, 20, 0.2993, 0.7007),
        (0, 10, 0.0, 0.2775),
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I
        (1, 29, 0.0061, 0.1718),  # the same
    ],
)
def test_wilson(right, count, low, high):
    assert wilson(right, count) == pytest.approx((low, high), abs=1e-4)


def test_wilson_of_nothing_is_everything():
    assert wilson(0, 0) == (0.0, 1.0)


def test_sign_test_counts_only_where_they_differ():
    ours = np.array([1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0.0])
    theirs = np.array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0.0])
    wins, losses, p = sign_test(ours, theirs)
    assert (wins, losses) == (9, 1)
    assert p == pytest.approx(2 * (10 + 1) / 2**10)  # both tails of 9 or 10 heads in 10
    assert sign_test(ours, ours) == (0, 0, 1.0)


def test_ranks_and_reciprocal():
    similarity = np.array([[0.9, 0.1, 0.2], [0.5, 0.7, 0.6], [0.5, 0.7, 0.1], [0.5, 0.5, 0.1]])
    assert ranks(similarity).tolist() == [1, 3, 2, 1.5]
    assert mean_reciprocal_rank(similarity) == pytest.approx((1 + 1 / 3 + 1 / 2 + 1 / 1.5) / 4)
    # among the first two: right, wrong, wrong, half
    assert accuracy_at(similarity, 2) == pytest.approx(1.5 / 4)
    assert accuracy_at(similarity, 3) == pytest.approx(1.5 / 4)
    assert accuracy_at(similarity[:, [0, 2, 1]], 2) == pytest.approx((1 + 0 + 1 + 1) / 4)


def test_chance_reciprocal_rank():
    assert chance_reciprocal_rank(25) == pytest.approx(0.1526, abs=1e-4)
    random = np.random.default_rng(0).random((20_000, 25))
    assert mean_reciprocal_rank(random) == pytest.approx(chance_reciprocal_rank(25), abs=0.005)


def test_bootstrap_draws_whole_groups():
    values = np.array([0.0, 0.0, 1.0, 1.0])
    statistic = lambda chosen: float(values[chosen].mean())  # noqa: E731
    # two groups of two: half of all draws mix them, a quarter holds one of them twice
    assert bootstrap(np.array([0, 0, 1, 1]), statistic) == (0.0, 1.0)
    assert bootstrap(np.array([0, 1, 0, 1]), statistic) == (0.5, 0.5)


def test_correlations():
    wanted = np.array([0.0, 1 / 3, 2 / 3, 1.0])
    assert pearson(wanted**3, wanted) == pytest.approx(np.corrcoef(wanted**3, wanted)[0, 1])
    assert spearman(wanted**3, wanted) == pytest.approx(1)
    assert pearson(1 - wanted, wanted) == pytest.approx(-1)
    assert pearson(np.full(4, 0.5), wanted) == 0
