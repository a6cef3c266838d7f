"""The style encoder: how a recording was produced, as a direction; what was played, as little as possible."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from daiw_master.neural.descriptor import MID, describe, layout
from daiw_master.neural.descriptor.hearing import RATE as STYLE_RATE
from daiw_master.neural.weights_file import read_weights

__all__ = ["STYLE_RATE", "STYLE_WINDOW", "WEIGHTS", "StyleEncoder", "load_encoder", "style_encoder"]

#: 5.46 s: long enough for a bar or two and the release of any compressor.
STYLE_WINDOW = 262_144
WEIGHTS = Path(__file__).with_name("weights") / "style.safetensors"
#: A number further than this from the corpus' mean, in standard deviations, says no more than this.
FARTHEST = 5.0


class Perceptron(nn.Sequential):
    """Two hidden layers over standardised numbers."""

    def __init__(self, inputs: int, hidden: int, outputs: int, dropout: float):
        super().__init__(
            nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.GELU(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), nn.BatchNorm1d(hidden), nn.GELU(), nn.Dropout(dropout),
            nn.Linear(hidden, outputs),
        )  # fmt: skip


class StyleEncoder(nn.Module):
    """How sounds were produced: (batch, 2, time) at 48 kHz in, unit vectors (batch, size) out.

    What the mid tells comes first, what the side tells after it. `members` networks look at the same
    numbers, each against what was usual in its own training, and stand side by side in each half: their
    errors differ, what they agree on adds up.
    Level is not heard: the descriptor normalises each sound by its peak.
    """

    def __init__(
        self,
        *,
        members: int = 1,
        hidden: int = 768,
        mid_size: int = 96,
        side_hidden: int = 256,
        side_size: int = 32,
        dropout: float = 0.3,
    ):
        super().__init__()
        self.shape = {
            "members": members, "hidden": hidden, "mid_size": mid_size,
            "side_hidden": side_hidden, "side_size": side_size,
        }  # fmt: skip
        parts = layout()
        heard_mid = parts[MID[-1].__name__].stop
        heard = max(part.stop for part in parts.values())
        self.split = heard_mid
        self.register_buffer("mean", torch.zeros(members, heard))
        self.register_buffer("scale", torch.ones(members, heard))
        self.mid = nn.ModuleList(Perceptron(heard_mid, hidden, mid_size, dropout) for _ in range(members))
        self.side = nn.ModuleList(
            Perceptron(heard - heard_mid, side_hidden, side_size, dropout) for _ in range(members)
        )
        self.digest = ""

    @property
    def size(self) -> int:
        """Length of an embedding."""
        return self.mid_size + self.shape["members"] * self.shape["side_size"]

    @property
    def mid_size(self) -> int:
        """How much of an embedding the mid tells; the side tells the rest."""
        return self.shape["members"] * self.shape["mid_size"]

    def describe(self, x: torch.Tensor) -> torch.Tensor:
        """The numbers the networks read: `descriptor.describe`."""
        return describe(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.describe(x))

    def head(self, described: torch.Tensor) -> torch.Tensor:
        """Unit vectors (batch, size) of described sounds (batch, D)."""
        return nn.functional.normalize(torch.cat(self.parts(described), -1), dim=-1)

    def parts(self, described: torch.Tensor) -> list[torch.Tensor]:
        """What each network makes of described sounds: mids first, then sides, not yet of unit length."""
        return [net(own) for net, own in self._fed(described)]

    def noticed(self, described: torch.Tensor) -> torch.Tensor:
        """All that is noticed on the way to an embedding, (batch, count): the numbers themselves, then each

        network's two hidden layers. An embedding forgets what was the music's more often than the
        production's (how large the room was where musicians played); this has not forgotten it yet.
        """
        found = [described]
        for net, own in self._fed(described):
            for layer in list(net)[:-1]:
                own = layer(own)
                if isinstance(layer, nn.GELU):
                    found.append(own)
        return torch.cat(found, -1)

    def _fed(self, described: torch.Tensor) -> list[tuple[Perceptron, torch.Tensor]]:
        """Each network with its share of the numbers, as far from usual as they were in its training."""
        against = zip(self.mean, self.scale, strict=True)
        z = [((described - mean) * scale).clamp(-FARTHEST, FARTHEST) for mean, scale in against]
        mids = [(net, own[:, : self.split]) for net, own in zip(self.mid, z, strict=True)]
        return mids + [(net, own[:, self.split :]) for net, own in zip(self.side, z, strict=True)]


def load_encoder(path: Path) -> StyleEncoder:
    """An encoder from its file, ready to listen. InputError where the file is none of ours."""
    encoder = read_weights(path, StyleEncoder, "style encoder")
    encoder.digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return encoder


def style_encoder(weights: Path | None = None) -> StyleEncoder:
    """The encoder that ships with the package, or another one's `weights`; loaded once."""
    return _loaded_once(WEIGHTS if weights is None else Path(weights))


_loaded_once = lru_cache(load_encoder)
