"""An effect is a row: a name, its knobs and one function from sound to sound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from daiw_master.errors import InputError
from daiw_master.params import Param, Space
from daiw_master.stack.flow import Flow

#: A knob's value: one number, or one number per batch item.
Setting = float | torch.Tensor


@dataclass(frozen=True)
class Effect:
    """One stage of a chain: torch module, pedalboard plugin or VST3 alike.

    `process(x, rate, **settings)` takes x (batch, channels, time) and physical settings (a float
    or a (batch,) tensor each), leaves x untouched and returns the same shape. `takes` names the
    extra keyword arguments it understands beyond its knobs (a reverb takes `send`).
    `probe` names the signal in tests/signals.py on which each of its knobs must be audible;
    `engaged` holds settings under which they all are (a peak's q is silent while its gain is 0).
    `flow(rate, channels, block=, length=, **settings, **extras)` makes the same effect as a line of
    `Flow`s for a sound that comes in blocks: `block` samples at a time or fewer, `length` in all (None
    where nobody knows yet). Settings are floats or (batch,) tensors, all of them given.
    """

    name: str
    about: str
    params: tuple[Param, ...]
    process: Callable[..., torch.Tensor]
    differentiable: bool = True
    identity_at_default: bool = True
    takes: tuple[str, ...] = ()
    probe: str = "music"
    engaged: Mapping[str, float] = field(default_factory=dict, hash=False)
    flow: Callable[..., Sequence[Flow]] | None = None

    @property
    def space(self) -> Space:
        return Space(self.params, kind=f"{self.name} setting")

    def rests_at(self, settings: Mapping[str, Setting]) -> bool:
        """Whether these settings leave every sound as it is, so that a chain may pass the stage by."""
        default = self.space.defaults()
        return self.identity_at_default and not any(
            isinstance(value, torch.Tensor) or value != default[name] for name, value in settings.items()
        )

    def __call__(self, x: torch.Tensor, rate: int, **settings: Setting | torch.Tensor) -> torch.Tensor:
        """The effect at these settings; missing knobs rest at their defaults."""
        check_batch(x, self.name)
        extras = {key: settings.pop(key) for key in self.takes if key in settings}
        known = self.space
        values = {**known.defaults(), **known.check(settings)}
        return self.process(x, rate, **values, **extras)


def check_batch(x: torch.Tensor, name: str) -> None:
    """Refuse anything that is not a batch of sounds; `name` says who refuses."""
    if x.ndim != 3:
        raise InputError(f"{name}: audio has shape {tuple(x.shape)}; it must be (batch, channels, time)")


def per_item(setting: Setting, x: torch.Tensor) -> torch.Tensor:
    """A setting as (batch or 1, 1, 1) in x's dtype and device, ready to broadcast against x."""
    value = torch.as_tensor(setting, dtype=x.dtype, device=x.device)
    return value.reshape(-1, 1, 1)


def at_rest(x: torch.Tensor, settings: Mapping[str, Setting]) -> torch.Tensor:
    """A copy of the untouched sound, once for each item of the settings' batch."""
    return x.expand(max(batch_of(settings), x.shape[0]), -1, -1).clone()


def batch_of(settings: Mapping[str, Setting]) -> int:
    """How many sounds a set of settings asks for: 1 unless one of them is a (batch,) tensor."""
    return max((value.numel() for value in settings.values() if isinstance(value, torch.Tensor)), default=1)


def turned(setting: Setting, rest: float) -> bool:
    """Whether a knob has left its rest for any sound, or somebody wants to know which way to turn it."""
    if isinstance(setting, torch.Tensor):
        return setting.requires_grad or bool((setting != rest).any())
    return setting != rest
