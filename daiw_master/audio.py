"""Sound in memory: samples and their rate, nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from daiw_master.errors import InputError


@dataclass(frozen=True)
class Audio:
    """A piece of sound: `samples` (channels, time) float32, full scale ±1, at `rate` Hz."""

    samples: torch.Tensor
    rate: int
    tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.samples.ndim != 2:
            raise InputError(f"audio has shape {tuple(self.samples.shape)}; it must be (channels, time)")

    @property
    def duration_s(self) -> float:
        return self.samples.shape[-1] / self.rate

    @property
    def channels(self) -> int:
        return self.samples.shape[0]

    @property
    def batch(self) -> torch.Tensor:
        """The samples as a batch of one: (1, channels, time)."""
        return self.samples.unsqueeze(0)

    def with_samples(self, samples: torch.Tensor) -> Audio:
        """The same sound description around new samples ((C, T) or a batch of one)."""
        if samples.ndim == 3:
            samples = samples.squeeze(0)
        return Audio(samples, self.rate, self.tags)
