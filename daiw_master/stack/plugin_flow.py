"""pedalboard's effects in the middle of a song: one instance that remembers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial

import numpy as np
import torch
from torch.nn import functional

from daiw_master.errors import InputError
from daiw_master.sounds import BLOCK
from daiw_master.stack.effect import Setting
from daiw_master.stack.flow import AtOnce, Flow

#: pedalboard hands a plugin pieces of at most this many samples.
LARGEST = 8192
#: For so long a plugin is fed silence, to see how much it holds back.
TRIAL_S = 1.0


def item_of(setting: Setting, i: int) -> float:
    """A setting as the i-th sound of a batch has it."""
    if not isinstance(setting, torch.Tensor):
        return float(setting)
    flat = setting.detach().reshape(-1)
    return float(flat[i] if flat.numel() > 1 else flat[0])


def plugin_flows(
    load: Callable[[int, Mapping[str, float]], Callable[..., np.ndarray]],
    process: Callable[..., torch.Tensor],
    title: str,
) -> Callable[..., tuple[Flow, ...]]:
    """An `Effect.flow` for a plugin: `load(rate, values)` makes one, `process` runs it over whole sounds."""

    def flow(rate: int, channels: int, block: int = BLOCK, length: int | None = None, **settings: Setting):
        if any(isinstance(value, torch.Tensor) and value.numel() > 1 for value in settings.values()):
            return (AtOnce(partial(process, rate=rate, **settings)),)  # one plugin remembers one sound
        values = {name: item_of(value, 0) for name, value in settings.items()}
        return (PluginFlow(partial(load, rate, values), title, rate, block),)

    return flow


class PluginFlow(Flow):
    """A plugin that keeps its state from block to block (1, channels, n); `load` makes one at its settings.

    It is handed pieces of one size, `block` or the largest that pedalboard takes: at a piece of another
    size some begin anew. What it holds back by itself comes out at the end.
    """

    def __init__(self, load: Callable[[], Callable[..., np.ndarray]], title: str, rate: int, block: int):
        self._load, self._title, self._rate, self._size = load, title, rate, min(block, LARGEST)
        self._plugin = load()
        self._rest: torch.Tensor | None = None  # less than a piece of sound
        self._owed = 0  # samples that went in and have not come out

    @cached_property
    def latency(self) -> int:
        """Samples held back where every push is a whole number of pieces: tried out on silence."""
        trial, most, waiting = self._load(), 0, 0
        silence = np.zeros((2, self._size), np.float32)
        for _ in range(max(1, round(TRIAL_S * self._rate / self._size))):
            waiting += self._size - trial(silence, self._rate, reset=False).shape[-1]
            most = max(most, waiting)
        return most if self._size < LARGEST else most + self._size - 1

    @torch.no_grad()
    def push(self, x: torch.Tensor, **beside: torch.Tensor) -> torch.Tensor:
        self._owed += x.shape[-1]
        sound = x if self._rest is None else torch.cat([self._rest, x], dim=-1)
        ready = sound.shape[-1] // self._size * self._size
        self._rest = sound[..., ready:].clone()
        return self._played(sound[..., :ready])

    @torch.no_grad()
    def finish(self) -> torch.Tensor | None:
        parts, sound = [], self._rest
        while self._owed:
            made = self._played(functional.pad(sound, (0, self._size - sound.shape[-1])))
            if not made.shape[-1] and not sound.shape[-1]:  # it keeps what it has: silence in its place
                made, self._owed = sound.new_zeros(*sound.shape[:-1], self._owed), 0
            parts.append(made)
            sound = sound[..., :0]
        return torch.cat(parts, dim=-1) if parts else None

    def _played(self, sound: torch.Tensor) -> torch.Tensor:
        """What comes out for whole pieces, and never more than went in."""
        wave = sound[0].to("cpu", torch.float32).contiguous().numpy()
        parts = [np.empty((wave.shape[0], 0), np.float32)]
        for start in range(0, wave.shape[-1], self._size):
            piece = np.ascontiguousarray(wave[:, start : start + self._size])
            try:
                parts.append(self._plugin(piece, self._rate, reset=False))
            except (ValueError, RuntimeError) as error:
                why = " ".join(str(error).split())
                raise InputError(f"{self._title} refuses this sound: {why}") from error
        made = np.concatenate(parts, axis=-1)[:, : self._owed]
        if not np.isfinite(made).all():
            raise InputError(f"{self._title} gave NaN or infinity")
        self._owed -= made.shape[-1]
        return torch.from_numpy(made).to(sound).unsqueeze(0)
