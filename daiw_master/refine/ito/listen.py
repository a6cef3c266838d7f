"""What the search listens with: how alike a candidate's sound and the reference are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from daiw_master.errors import InputError

#: Sounds (batch, 2, time) to embeddings (batch, E).
Hear = Callable[[torch.Tensor], torch.Tensor]
#: Candidates (count, windows, channels, time) to what is added to the objective, (count,).
Penalty = Callable[[torch.Tensor], torch.Tensor]
#: A candidate whose loudest sample stays below this has gone silent: the encoder would make it as loud
#: as any other, and praise what nobody hears.
SILENCE = 1e-5


@dataclass(frozen=True)
class Encoder:
    """The style encoder as something to listen with: small enough to be sent to other processes.

    The weights are read where they are used, once in each process.
    """

    weights: Path | None = None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        from daiw_master.neural.encoder import style_encoder

        return style_encoder(self.weights)(x)


@dataclass(frozen=True)
class Likeness:
    """How like the target candidates sound, and what they are to be charged for.

    Called with sounds (count, windows, channels, time), it gives (count, 2): the similarity (cosine),
    and the penalty. A sound that is silent or not finite has similarity NaN.

    The windows' embeddings are averaged and normalised before they are compared, as a saved style is the
    mean of its windows: what is this window's notes and not the production cancels, and the number is the
    one that comparing two styles would give. (The mean of the cosines would also reward candidates whose
    windows agree with each other.)
    """

    target: np.ndarray
    hear: Hear = field(default_factory=Encoder)
    penalty: Penalty | None = None

    def __call__(self, sounds: torch.Tensor) -> torch.Tensor:
        found = self.embeddings(sounds)
        likeness = found @ torch.as_tensor(self.target, dtype=found.dtype, device=found.device)
        charged = torch.zeros_like(likeness) if self.penalty is None else self.penalty(sounds).to(likeness)
        return torch.stack([torch.where(self._audible(sounds), likeness, torch.nan), charged], dim=-1)

    def embeddings(self, sounds: torch.Tensor) -> torch.Tensor:
        """One embedding a candidate, (count, E), of length 1."""
        count, windows, channels, _ = sounds.shape
        flat = sounds.flatten(0, 1)
        found = self.hear(flat.expand(-1, 2, -1) if channels == 1 else flat)
        if found.shape[-1] != len(self.target):
            raise InputError(
                f"the target has {len(self.target)} numbers, this encoder's styles have {found.shape[-1]}: "
                "embed the reference again"
            )
        return functional.normalize(found.unflatten(0, (count, windows)).mean(1), dim=-1)

    @staticmethod
    def _audible(sounds: torch.Tensor) -> torch.Tensor:
        """(count,) whether there is something to hear in every candidate, all of it finite."""
        peak = sounds.detach().abs().flatten(1).amax(1)
        return (peak > SILENCE) & peak.isfinite()  # the largest of numbers with a NaN among them is NaN


@dataclass(frozen=True)
class Cost:
    """What the gradient route walks down: 1 - similarity + penalty, (count,)."""

    likeness: Likeness

    def __call__(self, sounds: torch.Tensor) -> torch.Tensor:
        similarity, penalty = self.likeness(sounds).unbind(-1)
        return 1.0 - similarity + penalty


def target_of(target: object) -> np.ndarray:
    """A style, an array or a tensor as an embedding (E,) of length 1."""
    value = getattr(target, "embedding", target)
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    found = np.asarray(value, dtype=np.float32)
    length = float(np.linalg.norm(found))
    if found.ndim != 1 or not np.isfinite(length) or length == 0.0:
        raise InputError(
            f"the target has shape {found.shape} and length {length:g}; it must be one style embedding, (E,)"
        )
    return found / length
