"""What the encoder is taught: the same chain is the same style, whatever it was played on, and what it does.

Beside it, as a variant to measure against, AFx-Rep's pretext: which effect was it, at which preset.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import nn

from daiw_master.neural.encoder import FARTHEST, StyleEncoder
from daiw_master.training.style.shards import Blocks

#: Blocks whose changes are measured before the fit begins.
MEASURED = 1500
#: On a rail: how far a place is from one that is nearly as right, and the temperature of the choice.
NEIGHBOURS, RAIL_TEMPERATURE = 0.1, 0.04

__all__ = ["Contrast", "Lesson", "Pretext", "contrastive"]


class Lesson(Protocol):
    """Something to learn from described blocks; `modules` are what is thrown away after learning."""

    features: np.ndarray
    modules: nn.Module

    def loss(self, encoder: StyleEncoder, chosen: torch.Tensor) -> torch.Tensor:
        """How badly the encoder does on the chosen blocks."""
        ...


class Contrast:
    """Equal chains find each other, and every embedding tells what its chain does to sounds.

    `features` (blocks, contents, chains, numbers), `dry` (blocks, contents, numbers) the same contents
    untouched. What a chain does is what it changes in the descriptor, on average over the block's
    contents; its main directions are read off the embedding by a linear map, before it is of unit length.
    `places` (blocks, chains): on a rail, how far its knob is turned; NaN elsewhere.
    """

    def __init__(
        self,
        features: np.ndarray,
        dry: np.ndarray,
        size: int,
        places: np.ndarray | None = None,
        *,
        temperature: float = 0.1,
        told: float = 4.0,
        directions: int = 64,
    ):
        self.features, self.dry, self.temperature, self.told = features, dry, temperature, told
        unplaced = np.full((len(features), features.shape[2]), np.nan)
        self.places = torch.from_numpy(unplaced if places is None else places).float()
        every = np.linspace(0, len(features) - 1, min(len(features), MEASURED)).astype(int)
        numbers = torch.from_numpy(features[every].astype(np.float32)).flatten(0, 2)
        spread = numbers.std(0)
        self.scale = torch.where(spread > 1e-4, 1.0 / spread.clamp_min(1e-4), 0.0)
        done = self._done(torch.from_numpy(every)).flatten(0, 1)
        self.usual = done.mean(0)
        variance, ways = torch.linalg.eigh(torch.cov((done - self.usual).T).double())
        # largest first; half-way to whitened, so that loud changes do not drown all others
        ways = (ways * variance.clamp_min(1e-6) ** -0.25).flip(-1)[:, :directions].float()
        self.ways = ways / ((done - self.usual) @ ways).std()
        self.modules = nn.ModuleList([nn.Linear(size, self.ways.shape[-1])])

    def loss(self, encoder: StyleEncoder, chosen: torch.Tensor) -> torch.Tensor:
        rows = _rows(self.features, chosen)
        parts = torch.cat(encoder.parts(rows.flatten(0, 2)), -1)
        embedded = nn.functional.normalize(parts, dim=-1).unflatten(0, rows.shape[:3])
        asked = (self._done(chosen) - self.usual) @ self.ways
        off = self.modules[0](parts).unflatten(0, rows.shape[:3]) - asked[:, None]
        found = contrastive(embedded, self.temperature, self.places[chosen.sort().values])
        return found + self.told * off.square().mean()

    def _done(self, chosen: torch.Tensor) -> torch.Tensor:
        """What each chain of some blocks changes (blocks, chains, numbers), in spreads of every number."""
        changed = _rows(self.features, chosen) - _rows(self.dry, chosen)[:, :, None]
        return (changed * self.scale).clamp(-FARTHEST, FARTHEST).mean(1)


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


def contrastive(
    embedded: torch.Tensor, temperature: float, places: torch.Tensor | None = None
) -> torch.Tensor:
    """How badly equal chains find each other, averaged: supervised contrast plus retrieval inside blocks.

    `embedded`: unit vectors (blocks, contents, chains, size). Every chain of a block was heard on
    every content of it. Supervised contrast (Khosla et al. 2020, eq. 2) looks at the whole batch; the
    second part asks, for each pair of contents, which of the block's chains is the one: there content
    cannot help, since all answers share it. On a rail (`places` (blocks, chains), NaN elsewhere) its
    neighbours are nearly right, by a Gaussian of their distance, and finer differences count.
    """
    blocks, contents, chains, _ = embedded.shape
    itself = torch.eye(chains, device=embedded.device).expand(blocks, -1, -1)
    inside = _inside_blocks(embedded, temperature, itself)
    if places is not None and not places.isnan().all():
        railed = ~places.isnan().any(1)
        away = (places[:, :, None] - places[:, None]) / NEIGHBOURS
        nearly = (-0.5 * away[railed].square()).softmax(-1)
        inside[railed] = _inside_blocks(embedded[railed], RAIL_TEMPERATURE, nearly)
    return _over_the_batch(embedded, temperature) + inside.mean()


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


def _inside_blocks(embedded: torch.Tensor, temperature: float, asked: torch.Tensor) -> torch.Tensor:
    """For each block, how badly its chains are found from one content to another: (blocks,).

    `asked` (blocks, chains, chains): how right each answer is, rows that sum to one.
    """
    logits = torch.einsum("bicd,bjed->bijce", embedded, embedded) / temperature
    others = ~torch.eye(embedded.shape[1], dtype=torch.bool, device=embedded.device)
    found = logits[:, others].log_softmax(-1)  # (blocks, pairs, chains, chains)
    return -(asked[:, None] * found).sum(-1).mean((1, 2))
