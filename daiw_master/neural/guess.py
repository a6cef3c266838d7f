"""A first guess at what was done to a recording: which stages of a chain, and where their knobs stood."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from daiw_master.neural.descriptor import describe
from daiw_master.neural.weights_file import read_weights

WEIGHTS = Path(__file__).with_name("weights") / "guess.safetensors"
#: A number further than this from the corpus' mean, in standard deviations, says no more than this.
FARTHEST = 5.0
#: No knob is guessed more surely than this, in turns of the knob.
SUREST = 0.03


class Guesser(nn.Module):
    """Which stages a sound went through and how their knobs stood: sounds (batch, 2, time) at 48 kHz in.

    `stages` and `knobs` are the names its numbers stand for. It hears the sound once, through the style
    encoder's descriptor, and answers with what it has met most often behind such numbers: where they say
    little, it keeps to the middle.
    """

    def __init__(
        self, inputs: int, stages: list[str], knobs: list[str], *, hidden: int = 640, dropout: float = 0.3
    ):
        super().__init__()
        self.stages, self.knobs = tuple(stages), tuple(knobs)
        self.shape = {"inputs": inputs, "stages": list(stages), "knobs": list(knobs), "hidden": hidden}
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))
        self.net = nn.Sequential(
            nn.Dropout(0.1 if dropout else 0.0),
            nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.GELU(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), nn.BatchNorm1d(hidden), nn.GELU(), nn.Dropout(dropout),
            nn.Linear(hidden, len(stages) + 2 * len(knobs)),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return self.head(describe(x))

    def head(self, described: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Of described sounds (batch, D): log odds of each stage (batch, stages), and where each knob

        stands, in turns of its range, with the logarithm of its variance (batch, knobs).
        """
        z = ((described - self.mean) * self.scale).clamp(-FARTHEST, FARTHEST)
        count = len(self.knobs)
        odds, place, spread = self.net(z).split([len(self.stages), count, count], -1)
        return odds, 0.5 + place, spread.clamp(-7.0, 1.0)


@lru_cache
def guesser(weights: Path | None = None) -> Guesser:
    """The guesser that ships with the package, or another one's `weights`; InputError where it is none."""
    return read_weights(WEIGHTS if weights is None else Path(weights), Guesser, "guesser")
