"""A first guess at what was done to a recording: which stages of a chain, and where their knobs stood."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from daiw_master.errors import InputError
from daiw_master.neural.descriptor import describe

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


def save_guesser(guesser: Guesser, path: Path, told: dict[str, str]) -> None:
    """Write a guesser's matrices in half precision, with its shape and what is `told` of its making."""
    from safetensors.torch import save_file

    tensors = {
        name: (value.half() if value.ndim == 2 else value.float()).contiguous()
        for name, value in guesser.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    save_file(tensors, path, metadata={**told, "shape": json.dumps(guesser.shape)})


@lru_cache
def guesser(weights: Path | None = None) -> Guesser:
    """The guesser that ships with the package, or another one's `weights`; InputError where it is none."""
    from safetensors import SafetensorError, safe_open

    path = WEIGHTS if weights is None else Path(weights)
    try:
        with safe_open(path, "pt") as file:
            shape = json.loads((file.metadata() or {})["shape"])
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        made = Guesser(**shape, dropout=0.0)
        missing, unexpected = made.load_state_dict(tensors, strict=False)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{path} holds no guesser of this version: {error}") from error
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise InputError(f"{path} holds another guesser: {(missing + unexpected)[0]} does not fit")
    return made.eval().requires_grad_(False)
