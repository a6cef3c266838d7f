"""What the encoder is taught: the same chain is the same style, whatever it was played on."""

from __future__ import annotations

import torch

__all__ = ["contrastive"]


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
    count = len(flat)
    chain = torch.arange(blocks * chains, device=flat.device).reshape(blocks, 1, chains)
    chain = chain.expand(-1, contents, -1).reshape(-1)
    itself = torch.eye(count, dtype=torch.bool, device=flat.device)
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
    return torch.nn.functional.cross_entropy(logits.transpose(1, 2), asked)
