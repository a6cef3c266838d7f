"""A recursive filter without a loop: short stretches as products of matrices, their states one level up.

Within 32 samples the output is a triangular matrix times the input, plus what rings on from the state
before. The states themselves follow the same kind of recursion, 32 times slower, and so on. In balanced
coordinates (every state equally excited by noise) no matrix is larger than one, and float32 keeps its
seven digits even with poles at 38 Hz.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import pad

#: Samples in a row, and rows or groups of rows that are worked out together.
ROW, GROUP = 32, 16
#: Levels of groups upon groups: enough for 32 * 16^6 samples.
_LEVELS = 6


@dataclass(frozen=True)
class StateSpace:
    """s' = A s + B x, y = C s + D x, for one input and output."""

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    d: float

    @classmethod
    def of_biquads(cls, biquads: Sequence[tuple[Sequence[float], Sequence[float]]]) -> StateSpace:
        """Biquads (b, a) one after another, a[0] = 1, balanced."""
        a, b, c, d = np.zeros((0, 0)), np.zeros((0, 1)), np.zeros((1, 0)), 1.0
        for (b0, b1, b2), (_, a1, a2) in biquads:
            above = np.zeros((len(a), 2))
            below = np.concatenate([c, np.zeros_like(c)])
            a = np.block([[a, above], [below, np.array([[-a1, -a2], [1.0, 0.0]])]])
            b = np.concatenate([b, [[d], [0.0]]])
            c, d = np.concatenate([b0 * c, [[b1 - a1 * b0, b2 - a2 * b0]]], axis=1), b0 * d
        # The states' covariance under white noise solves P = A P A' + B B'; its root is the new base.
        square = np.eye(len(a) ** 2) - np.kron(a, a)
        covariance = np.linalg.solve(square, (b @ b.T).ravel()).reshape(a.shape)
        root = np.linalg.cholesky((covariance + covariance.T) / 2)
        return cls(np.linalg.solve(root, a @ root), np.linalg.solve(root, b), c @ root, d)


class Recursion:
    """The matrices of one filter: `run` it over rows of samples, from state to state.

    `dtype` is that of the sounds it will be given.
    """

    def __init__(self, space: StateSpace, dtype: type[np.floating]):
        a, n = space.a, len(space.a)
        powers = [np.eye(n)]
        for _ in range(ROW):
            powers.append(a @ powers[-1])
        self.order = n
        ringing = [space.d, *((space.c @ power @ space.b).item() for power in powers)]
        inside = np.zeros((ROW, ROW))
        for sample in range(ROW):
            inside[sample, sample:] = ringing[: ROW - sample]
        into = np.concatenate([(powers[ROW - 1 - i] @ space.b).T for i in range(ROW)])
        #: (ROW, ROW + order): a row's own output, and what it adds to the state behind it.
        self.forward = np.concatenate([inside, into], axis=1).astype(dtype)
        #: (order, ROW): what rings on from the state before a row.
        self.after = np.concatenate([(space.c @ powers[i]).T for i in range(ROW)], axis=1).astype(dtype)
        #: For each level: states inside a group, the group's own sum, and what comes from before it.
        self.levels = []
        step, zero = powers[ROW], np.zeros((n, n))
        for _ in range(_LEVELS):
            steps = [np.linalg.matrix_power(step, i).T for i in range(GROUP)]
            within = [[steps[j - 1 - i] if i < j else zero for j in range(GROUP)] for i in range(GROUP)]
            level = np.block(within), np.concatenate(steps[::-1]), np.concatenate(steps, axis=1)
            self.levels.append(tuple(matrix.astype(dtype) for matrix in level))
            step = np.linalg.matrix_power(step, GROUP)

    def run(self, x: torch.Tensor, state: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """x (..., n), n a multiple of `ROW`, and the state before it -> the same filtered, the state behind.

        Differentiable.
        """
        rows = x.unflatten(-1, (-1, ROW))
        made = rows @ _like(self.forward, x)
        added = made[..., ROW:]
        before = added.new_zeros(*added.shape[:-2], 1, self.order) if state is None else state.unsqueeze(-2)
        states = self._states(torch.cat([before, added, torch.zeros_like(before)], dim=-2), 0)
        filtered = states[..., 1:-1, :] @ _like(self.after, x) + made[..., :ROW]
        return filtered.flatten(-2), states[..., -1, :]

    def _states(self, added: torch.Tensor, level: int) -> torch.Tensor:
        """The state before each step: what each added (..., steps, order), all earlier ones faded."""
        within, whole, onward = (_like(matrix, added) for matrix in self.levels[level])
        steps = added.shape[-2]
        groups = pad(added, (0, 0, 0, -steps % GROUP)).unflatten(-2, (-1, GROUP)).flatten(-2)
        states = groups @ within
        if groups.shape[-2] > 1:
            states = states + self._states(groups @ whole, level + 1) @ onward
        return states.unflatten(-1, (GROUP, self.order)).flatten(-3, -2)[..., :steps, :]


def _like(matrix: np.ndarray, x: torch.Tensor) -> torch.Tensor:
    # Only arrays are kept: a tensor first made in inference mode could never meet autograd.
    return torch.from_numpy(matrix).to(x.device)
