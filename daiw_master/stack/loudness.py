"""Loudness: one gain that puts the whole song at its level."""

from __future__ import annotations

from dataclasses import replace

import torch

from daiw_master.knobs.loudness import ROW
from daiw_master.meters.loudness import integrated_loudness
from daiw_master.meters.traces import Scan, ScanWalk, scan
from daiw_master.sounds import BLOCK
from daiw_master.stack.effect import Effect, Setting, per_item
from daiw_master.stack.flow import Flow
from daiw_master.units import gain_from_db, power_from_db

#: The noise of a 16-bit file that plays nothing; what lies below is silence, and is left alone.
SILENCE_LUFS = -90.0
#: Turning a song up lifts passages over the absolute gate, which lowers the mean: settled in a few rounds.
_ROUNDS = 4


def gain_to_loudness_db(heard: Scan, loudness_lufs: Setting) -> torch.Tensor:
    """The gain that puts each item at a gated loudness, (batch,) dB in float64; 0 for silence.

    `loudness_lufs` float or (batch,). Differentiable, the measurement included.
    """
    wanted = torch.as_tensor(loudness_lufs, dtype=heard.loud.dtype, device=heard.loud.device)
    first_lufs = integrated_loudness(heard)
    gain_db = wanted - first_lufs
    for _ in range(_ROUNDS):
        turned = replace(heard, loud=heard.loud * power_from_db(gain_db.detach()).unsqueeze(-1))
        gain_db = gain_db.detach() + wanted - integrated_loudness(turned)
    return torch.where(first_lufs > SILENCE_LUFS, gain_db, torch.zeros_like(gain_db))


def _process(x: torch.Tensor, rate: int, loudness_lufs: Setting) -> torch.Tensor:
    """x at the wanted integrated loudness."""
    return x * gain_from_db(per_item(gain_to_loudness_db(scan(x, rate, keep=("loud",)), loudness_lufs), x))


class LevelFlow(Flow):
    """One gain that puts a sound in blocks (batch, channels, n) at its loudness: it hears all of it first.

    It keeps 8.6 MB for an hour.
    """

    hears_first = True

    def __init__(self, rate: int, loudness_lufs: Setting):
        self.loudness_lufs = loudness_lufs
        self._walk = ScanWalk(rate, keep=("loud",))
        self._gain: torch.Tensor | None = None

    @torch.no_grad()
    def hear(self, x: torch.Tensor) -> None:
        self._walk.add(x)

    @torch.no_grad()
    def push(self, x: torch.Tensor, **beside: torch.Tensor) -> torch.Tensor:
        if not x.shape[-1]:
            return x
        if self._gain is None:
            self._gain = gain_from_db(gain_to_loudness_db(self._walk.done(), self.loudness_lufs))
        return x * self._gain.to(x.dtype).reshape(-1, 1, 1)


def _flow(
    rate: int, channels: int, block: int = BLOCK, length: int | None = None, *, loudness_lufs: Setting
) -> tuple[Flow, ...]:
    return (LevelFlow(rate, loudness_lufs),)


LOUDNESS = Effect(
    *ROW,
    process=_process,
    identity_at_default=False,
    flow=_flow,
)
