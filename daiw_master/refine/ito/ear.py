"""An ear for some knobs: a straight line and a small network, half each, over what was noticed of a sound.

The line is found in closed form and hears what lies along the encoder's own directions; the network bends
where a knob does (a drive that does nothing up to a point, an echo that wraps round). Their errors differ:
on development trials of the style benchmark the mean is better than either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import torch

from daiw_master.neural.encoder import Perceptron
from daiw_master.refine.ito.ridge import Ridge, ridge, standardised

#: The network: hidden numbers, dropout; how it is fitted: batch, passes over the sounds (but so many steps at
#: least), the highest learning rate, weight decay.
HIDDEN, DROPOUT = 64, 0.2
BATCH, PASSES, LEAST_STEPS, RATE, WEIGHT_DECAY = 256, 64, 300, 2e-3, 0.05
#: No position is told as further than this beyond the middle, in turns: a network far from what it has met
#: says anything.
HALF_TURN = 0.5


@dataclass(frozen=True)
class Ear:
    """Numbers (count, F) to positions (count, n) in turns. The network reads the first `described` of them.

    `line` also says how well it told groups left out; the ear as a whole tells them a little better.
    """

    line: Ridge
    weights: dict[str, np.ndarray]
    described: int

    def __call__(self, noticed: np.ndarray) -> np.ndarray:
        z = standardised(noticed, self.line.mean, self.line.deviation)[..., : self.described]
        with torch.inference_mode():
            bent = self._net(torch.from_numpy(z).reshape(-1, self.described)).numpy()
        bent = np.clip(bent, -HALF_TURN, HALF_TURN).reshape(*z.shape[:-1], -1) + HALF_TURN
        return 0.5 * (np.clip(self.line(noticed), 0.0, 1.0) + bent)

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it as arrays by name, the network's matrices in half precision: what a file keeps."""
        told = {f"line.{name}": np.array(value) for name, value in asdict(self.line).items()}
        for name, value in self.weights.items():
            told[f"net.{name}"] = value.astype(np.float16) if value.ndim == 2 else value
        return told | {"described": np.array(self.described)}

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Ear:
        """The ear that `arrays` told. KeyError or TypeError where something is missing or too much."""
        line = {name[5:]: value for name, value in arrays.items() if name.startswith("line.")}
        line["decay"] = line["decay"].item()
        net = {
            name[4:]: value.astype(np.float32) if value.ndim == 2 else value
            for name, value in arrays.items()
            if name.startswith("net.")
        }
        return cls(Ridge(**line), net, arrays["described"].item())

    @cached_property
    def _net(self) -> Perceptron:
        net = Perceptron(self.described, HIDDEN, len(self.line.bias), DROPOUT)
        net.load_state_dict({name: torch.from_numpy(value) for name, value in self.weights.items()})
        return net.eval().requires_grad_(False)


def learn(noticed: np.ndarray, turns: np.ndarray, pieces: np.ndarray, described: int, seed: int = 0) -> Ear:
    """The ear that positions (count, n) teach, of sounds noticed (count, F) and made of some pieces (count,).

    The same for the same seed. ValueError for one piece.
    """
    line = ridge(noticed, turns, pieces, seed)
    z = standardised(noticed[:, :described], line.mean[:described], line.deviation[:described])
    net = _fitted(torch.from_numpy(z), torch.from_numpy(turns).float() - HALF_TURN, seed)
    weights = {name: value.numpy().copy() for name, value in net.state_dict().items()}
    return Ear(line, weights, described)


def _fitted(x: torch.Tensor, y: torch.Tensor, seed: int) -> Perceptron:
    steps = max(LEAST_STEPS, PASSES * len(x) // BATCH)
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(seed)
        net = Perceptron(x.shape[-1], HIDDEN, y.shape[-1], DROPOUT).train()
        optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps)
        for _ in range(steps):
            batch = torch.randint(len(x), (min(BATCH, len(x)),))
            lost = (net(x[batch]) - y[batch]).square().mean()
            optimiser.zero_grad()
            lost.backward()
            optimiser.step()
            schedule.step()
    return net.eval()
