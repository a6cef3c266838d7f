"""The columns of every table: what each method makes of what it hears, as a vector, mostly of length 1.

Two sounds are as alike as the dot product of their vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.style import fits
from benchmarks.style.cache import DESCRIPTION
from benchmarks.style.features.mfcc import COEFFICIENTS

#: What the baselines learnt from training sounds; made by `python -m benchmarks.style fit-baselines`.
FITS = Path(__file__).resolve().parent / "fits.npz"
#: Untrained encoders averaged in the column of random weights, by their seeds.
RANDOM_SEEDS = (0, 1, 2)

Embed = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Method:
    """One column: its name, the feature it reads, its vectors (count, size) -> (count, size').

    `family`: "ours"; "plain", nothing learnt from pairs of sounds; or "trained" on our labels.
    """

    name: str
    title: str
    feature: str
    embed: Embed
    family: str = "plain"


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def without_c0(x: np.ndarray) -> np.ndarray:
    """MFCC-75 without the three numbers of coefficient 0, which is the level."""
    return np.delete(x, [0, COEFFICIENTS, 2 * COEFFICIENTS], axis=-1)


def methods(head: Embed | None, untrained: list[Embed], learnt: Mapping[str, fits.Linear]) -> list[Method]:
    """All columns, ours first. `head`: descriptions to embeddings; none leaves our column out."""

    def by(name: str) -> Embed:
        return lambda x: unit(learnt[name](x))

    table = [
        Method("mfcc", "MFCC-75", "mfcc", unit),
        Method("mfcc_no_c0", "MFCC without c0", "mfcc", lambda x: unit(without_c0(x))),
        Method("mfcc_whitened", "MFCC, PCA-whitened", "mfcc", by("mfcc_whitened")),
        Method("mir_published", "MIR as published", "mir_published", lambda x: x),
        Method("mir", "MIR repaired", "mir", by("mir")),
        Method("log_mel", "log-mel mean/std", "log_mel", unit),
        Method("descriptor", "descriptor, z-scored", DESCRIPTION, by("descriptor")),
        Method("descriptor_whitened", "descriptor, PCA-whitened", DESCRIPTION, by("descriptor_whitened")),
        Method("lda_mfcc", "LDA on MFCC", "mfcc", by("lda_mfcc"), "trained"),
        Method("lda_descriptor", "LDA on the descriptor", DESCRIPTION, by("lda_descriptor"), "trained"),
    ]
    needed = {"mfcc_whitened", "mir", "descriptor", "descriptor_whitened", "lda_mfcc", "lda_descriptor"}
    table = [method for method in table if method.name not in needed or method.name in learnt]
    if untrained:
        table.append(
            Method("random", "random weights, our shape", DESCRIPTION, lambda x: _stacked(untrained, x))
        )
    if head is not None:
        table.insert(0, Method("ours", "ours", DESCRIPTION, lambda x: unit(head(x)), "ours"))
    return table


def _stacked(heads: list[Embed], x: np.ndarray) -> np.ndarray:
    """Several untrained encoders side by side: their dot product is the mean of their similarities."""
    return np.concatenate([unit(head(x)) for head in heads], axis=-1) / np.sqrt(len(heads))


def encoder_head(weights: Path | None) -> Embed:
    """The encoder's way from descriptions to embeddings; its own weights, or the file's."""
    from daiw_master.neural.encoder import style_encoder

    return _head(style_encoder(weights))


def untrained_heads(weights: Path | None) -> list[Embed]:
    """Encoders of our shape whose matrices are random; what they read is scaled like the trained one's."""
    import copy

    import torch

    from daiw_master.neural.encoder import style_encoder

    heads = []
    for seed in RANDOM_SEEDS:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            encoder = copy.deepcopy(style_encoder(weights))
            for module in encoder.modules():
                if hasattr(module, "reset_parameters"):
                    module.reset_parameters()
        heads.append(_head(encoder.eval()))
    return heads


def _head(encoder) -> Embed:
    import torch

    def embed(described: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            parts = torch.from_numpy(np.asarray(described, np.float32)).split(1024)
            return torch.cat([encoder.head(part) for part in parts]).numpy()

    return embed


def embedded(method: Method, features: Mapping[str, np.ndarray]) -> np.ndarray:
    """(count, size) unit rows of a method; rows of NaN stay NaN."""
    values = features[method.feature]
    broken = np.isnan(values).any(1)
    vectors = method.embed(np.where(broken[:, None], 0.0, values))
    return np.where(broken[:, None], np.nan, vectors)
