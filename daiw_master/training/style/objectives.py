"""What the encoder is taught: the same chain is the same style, whatever it was played on.

Beside it, as a variant to measure against, AFx-Rep's pretext: which effect was it, at which preset.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import nn

from daiw_master.neural.encoder import StyleEncoder
from daiw_master.training.style.shards import Blocks

__all__ = ["Contrast", "Lesson", "Pretext", "contrastive"]


class Lesson(Protocol):
    """Something to learn from described blocks; `modules` are what is thrown away after learning."""

    features: np.ndarray
    modules: nn.Module

    def loss(self, encoder: StyleEncoder, chosen: torch.Tensor) -> torch.Tensor:
        """How badly the encoder does on the chosen blocks."""
        ...


class Contrast:
    """Equal chains find each other: `features` (blocks, contents, chains, numbers)."""

    def __init__(self, features: np.ndarray, temperature: float = 0.1):
        self.features, self.temperature, self.modules = features, temperature, nn.ModuleList()

    def loss(self, encoder: StyleEncoder, chosen: torch.Tensor) -> torch.Tensor:
        rows = _rows(self.features, chosen)
        return contrastive(encoder.head(rows.flatten(0, 2)).unflatten(0, rows.shape[:3]), self.temperature)


class Pretext:
    """Which effect, at which of its presets, told from the sound before and after (Steinmetz et al. 2024).

    Takes the blocks of single effects; heads over the pair of embeddings name the effect, then the
    preset given the effect, and both errors count alike.
    """

    def __init__(self, blocks: Blocks, size: int, hidden: int = 1024):
        taught = (blocks.effects >= 0).all(1)
        self.features, self.dry = blocks.by_content[taught], blocks.dry[taught]
        self.effects = torch.from_numpy(blocks.effects[taught]).long()
        self.presets = torch.from_numpy(blocks.presets[taught]).long()
        effects, presets = int(self.effects.max()) + 1, int(self.presets.max()) + 1
        self.modules = nn.ModuleList(
            [
                nn.Sequential(nn.Linear(2 * size, hidden), nn.GELU(), nn.Linear(hidden, effects)),
                nn.Sequential(nn.Linear(2 * size + effects, hidden), nn.GELU(), nn.Linear(hidden, presets)),
            ]
        )

    def loss(self, encoder: StyleEncoder, chosen: torch.Tensor) -> torch.Tensor:
        wet, dry = _rows(self.features, chosen), _rows(self.dry, chosen)
        blocks, contents, chains, _ = wet.shape
        both = encoder.head(torch.cat([wet.flatten(0, 2), dry.flatten(0, 1)]))
        wet, dry = both[: -blocks * contents], both[-blocks * contents :]
        pairs = torch.cat([dry.repeat_interleave(chains, 0), wet], -1)
        which, at = self.modules
        named = which(pairs)
        placed = at(torch.cat([pairs, named], -1))
        asked = [
            labels[chosen.sort().values][:, None].expand(-1, contents, -1).flatten()
            for labels in (self.effects, self.presets)
        ]
        return nn.functional.cross_entropy(named, asked[0]) + nn.functional.cross_entropy(placed, asked[1])


def _rows(features: np.ndarray, chosen: torch.Tensor) -> torch.Tensor:
    """Some blocks' numbers as floats, in the order they lie in."""
    return torch.from_numpy(np.asarray(features[np.sort(chosen.numpy())], np.float32))


def contrastive(embedded: torch.Tensor, temperature: float) -> torch.Tensor:
    """How badly equal chains find each other, averaged: supervised contrast plus retrieval inside blocks.

    `embedded`: unit vectors (blocks, contents, chains, size). Every chain of a block was heard on
    every content of it. Supervised contrast (Khosla et al. 2020, eq. 2) looks at the whole batch; the
    second part asks, for each pair of contents, which of the block's chains is the one: there content
    cannot help, since all answers share it.
    """
    return _over_the_batch(embedded, temperature) + _inside_blocks(embedded, temperature)


def _over_the_batch(embedded: torch.Tensor, temperature: float) -> torch.Tensor:
    blocks, contents, chains, _ = embedded.shape
    flat = embedded.flatten(0, 2)
    chain = torch.arange(blocks * chains, device=flat.device).reshape(blocks, 1, chains)
    chain = chain.expand(-1, contents, -1).reshape(-1)
    itself = torch.eye(len(flat), dtype=torch.bool, device=flat.device)
    logits = (flat @ flat.T / temperature).masked_fill(itself, -torch.inf)
    log_share = logits - logits.logsumexp(1, keepdim=True)
    same = (chain[:, None] == chain) & ~itself
    return -log_share[same].mean()


def _inside_blocks(embedded: torch.Tensor, temperature: float) -> torch.Tensor:
    blocks, contents, chains, _ = embedded.shape
    logits = torch.einsum("bicd,bjed->bijce", embedded, embedded) / temperature
    others = ~torch.eye(contents, dtype=torch.bool, device=embedded.device)
    logits = logits[:, others].flatten(0, 1)  # (pairs, chains, chains)
    asked = torch.arange(chains, device=embedded.device).expand(len(logits), -1)
    return nn.functional.cross_entropy(logits.transpose(1, 2), asked)
