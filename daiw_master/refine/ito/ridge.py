"""A straight line through many numbers: ridge regression that finds out how far it may be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from daiw_master.neural.encoder import FARTHEST

#: What is tried for the decay, as shares of a sound's own weight.
DECAYS = (0.1, 0.3, 1.0, 3.0)
#: The groups are dealt into so many hands; each hand is told by what the others teach.
HANDS = 5


@dataclass(frozen=True)
class Ridge:
    """What numbers (count, F) tell of positions (count, n), and how well that went on groups left out.

    `spread` (n,) is the root of the mean squared error there, `told` (n,) the share of the variance that
    is told. Hoerl & Kennard 1970, section 2, in its dual form: there are more numbers than sounds.
    """

    mean: np.ndarray
    deviation: np.ndarray
    matrix: np.ndarray
    bias: np.ndarray
    spread: np.ndarray
    told: np.ndarray
    decay: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return standardised(x, self.mean, self.deviation) @ self.matrix + self.bias


def ridge(x: np.ndarray, y: np.ndarray, groups: np.ndarray, seed: int = 0) -> Ridge:
    """The regression of y (count, n) on x (count, F), its decay chosen where whole groups were left out.

    `groups` (count,): what hangs together, as sounds of one piece do. Two groups at the least, and
    ValueError below that.
    """
    _, place = np.unique(groups, return_inverse=True)
    count = int(place.max()) + 1
    if count < 2:
        raise ValueError("one group: nothing can be left out")
    hands = np.random.default_rng(seed).permutation(count)[place] % min(HANDS, count)
    mean, deviation = usual(x)
    z = standardised(x, mean, deviation)
    kernel = (z @ z.T).astype(np.float64)
    weight = float(kernel.trace()) / len(kernel)  # of a sound
    y = y.astype(np.float64)
    errors = {}
    for decay in DECAYS:
        off = np.empty_like(y)
        for hand in range(int(hands.max()) + 1):
            out = hands == hand
            middle = y[~out].mean(0)
            dual = _solved(kernel[np.ix_(~out, ~out)], y[~out] - middle, decay * weight)
            off[out] = kernel[np.ix_(out, ~out)] @ dual + middle - y[out]
        errors[decay] = np.square(off).mean(0)
    varied = np.maximum(y.var(0), 1e-12)
    decay = min(errors, key=lambda one: float((errors[one] / varied).mean()))
    bias = y.mean(0)
    matrix = z.T @ _solved(kernel, y - bias, decay * weight).astype(np.float32)
    told = np.clip(1.0 - errors[decay] / varied, 0.0, 1.0)
    return Ridge(mean, deviation, matrix, bias.astype(np.float32), np.sqrt(errors[decay]), told, decay)


def usual(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of every number (F,); the deviation of one that never changes is infinite."""
    mean, deviation = x.mean(0, dtype=np.float64), x.std(0, dtype=np.float64)
    moving = deviation > 1e-6 * (1 + np.abs(mean))
    return mean.astype(np.float32), np.where(moving, deviation, np.inf).astype(np.float32)


def standardised(x: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """x (..., F) in deviations from the mean, float32, none further than FARTHEST."""
    return np.clip((x - mean) / deviation, -FARTHEST, FARTHEST).astype(np.float32)


def _solved(kernel: np.ndarray, y: np.ndarray, decay: float) -> np.ndarray:
    from scipy.linalg import solve

    return solve(kernel + decay * np.eye(len(kernel)), y, assume_a="pos", overwrite_a=True)
