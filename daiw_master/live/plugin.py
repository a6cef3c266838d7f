"""pedalboard's effects while they play: one instance that remembers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from daiw_master.stack.flow import Flow

#: For so long a plugin is fed silence, to see how much it holds back.
TRIAL_S = 1.0


class LivePlugin(Flow):
    """One of pedalboard's own effects, its state kept from block to block.

    Latency: what the plugin holds back by itself, tried out on silence.
    """

    def __init__(self, plugin: Callable[..., np.ndarray], rate: int, channels: int, block: int):
        self._plugin, self._rate = plugin, rate
        silence, waiting = np.zeros((channels, block), np.float32), 0
        for _ in range(round(TRIAL_S * rate / block)):
            waiting += block - plugin(silence, rate, reset=False).shape[-1]
            self.latency = max(self.latency, waiting)
        plugin.reset()

    @torch.no_grad()
    def push(self, x: torch.Tensor, **beside: torch.Tensor) -> torch.Tensor:
        if not x.shape[-1]:
            return x
        return torch.from_numpy(self._plugin(x[0].numpy(), self._rate, reset=False)).unsqueeze(0)
