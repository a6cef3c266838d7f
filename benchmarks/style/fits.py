"""What a baseline may learn from training sounds: deviations, principal axes, discriminants, a classifier.

All closed forms or convex; nothing here hears a dev or test sound.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

#: Beyond this many deviations a number says no more.
FARTHEST = 5.0


@dataclass(frozen=True)
class Linear:
    """(x - mean) / deviation, kept within `farthest`; then @ matrix + bias where there is one."""

    mean: np.ndarray
    deviation: np.ndarray
    matrix: np.ndarray | None = None
    bias: np.ndarray | None = None
    farthest: float = FARTHEST

    def __call__(self, x: np.ndarray) -> np.ndarray:
        z = np.clip((x - self.mean) / self.deviation, -self.farthest, self.farthest)
        if self.matrix is not None:
            z = z @ self.matrix
        return z if self.bias is None else z + self.bias


def z_score(x: np.ndarray) -> Linear:
    """Every number in its own deviations over (count, size); one that never changes says nothing."""
    x = x.astype(np.float64)
    mean, deviation = x.mean(0), x.std(0)
    return Linear(mean, np.where(deviation > 1e-6 * (1 + np.abs(mean)), deviation, np.inf))


def whitening(x: np.ndarray, components: int, *, scored: bool = True) -> Linear:
    """The strongest principal axes, each brought to deviation 1; of z-scored numbers, if `scored`."""
    first = (
        z_score(x) if scored else Linear(x.mean(0, dtype=np.float64), np.ones(x.shape[1]), farthest=np.inf)
    )
    values, axes = np.linalg.eigh(np.cov(first(x), rowvar=False))
    strongest = np.argsort(values)[::-1][:components]
    matrix = axes[:, strongest] / np.sqrt(values[strongest])
    return Linear(first.mean, first.deviation, matrix, farthest=first.farthest)


def discriminants(x: np.ndarray, labels: np.ndarray, components: int, shrinkage: float = 1e-2) -> Linear:
    """Fisher's linear discriminants: directions in which sounds of one label differ least among themselves.

    Within-label scatter is brought to 1; `shrinkage` of its mean eigenvalue is added to its diagonal.
    """
    from scipy.linalg import eigh

    first = z_score(x)
    z = first(x)
    _, places = np.unique(labels, return_inverse=True)
    counts = np.bincount(places).astype(float)
    means = np.zeros((len(counts), z.shape[1]))
    np.add.at(means, places, z)
    means /= counts[:, None]
    rest, centred = z - means[places], means - z.mean(0)
    within = rest.T @ rest / len(z)
    between = centred.T @ (centred * (counts / len(z))[:, None])
    within += shrinkage * np.trace(within) / len(within) * np.eye(len(within))
    _, axes = eigh(between, within)
    return Linear(first.mean, first.deviation, axes[:, ::-1][:, :components])


def classifier(x: np.ndarray, labels: np.ndarray, decay: float = 1e-2) -> Linear:
    """Multinomial logistic regression; what comes out are logits of the labels 0, 1, ..."""
    import torch

    first = z_score(x)
    z, y = torch.from_numpy(first(x)), torch.from_numpy(labels.astype(np.int64))
    outputs = int(y.max()) + 1
    matrix = torch.zeros(z.shape[1], outputs, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(outputs, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([matrix, bias], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        solver.zero_grad()
        value = torch.nn.functional.cross_entropy(z @ matrix + bias, y) + decay / 2 * matrix.square().sum()
        value.backward()
        return value

    solver.step(loss)
    return Linear(first.mean, first.deviation, matrix.detach().numpy(), bias.detach().numpy())


def write(path: Path, fits: dict[str, Linear]) -> None:
    """Keep fits in a small file: float16 matrices, float32 for the rest."""
    arrays = {}
    for name, fit in fits.items():
        for field in fields(Linear):
            value = getattr(fit, field.name)
            if value is not None:
                kind = np.float16 if field.name == "matrix" and np.abs(value).max() < 6e4 else np.float32
                arrays[f"{name}.{field.name}"] = np.asarray(value, kind)
    with open(path, "wb") as file:
        np.savez_compressed(file, **arrays)


def read(path: Path) -> dict[str, Linear]:
    """Fits by name, as `write` kept them."""
    parts: dict[str, dict] = {}
    with np.load(path) as arrays:
        for key in arrays.files:
            name, _, field = key.rpartition(".")
            value = arrays[key].astype(np.float64)
            parts.setdefault(name, {})[field] = float(value) if value.ndim == 0 else value
    return {name: Linear(**values) for name, values in parts.items()}
