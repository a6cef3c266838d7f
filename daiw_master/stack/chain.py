"""A chain is a list of effects; a stack is that list as an nn.Module a generator can train through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import torch

from daiw_master.params import Space
from daiw_master.sounds import BLOCK
from daiw_master.stack.effect import Effect, Setting, check_batch
from daiw_master.stack.flow import AtOnce, Flow, merged


def qualified(effects: Sequence[Effect], names: Sequence[str] | None = None) -> dict[str, Effect]:
    """Each effect under its place name: a second `eq` in one chain is `eq_2`.

    `names` are what the places are to be called (default: as their effects).
    """
    placed: dict[str, Effect] = {}
    for wanted, effect in zip(names or [effect.name for effect in effects], effects, strict=True):
        name, copy = wanted, 2
        while name in placed:
            name, copy = f"{wanted}_{copy}", copy + 1
        placed[name] = effect
    return placed


def chain_space(placed: Mapping[str, Effect]) -> Space:
    """Every knob of a chain by full name, in chain order."""
    return Space(
        {f"{place}.{param.name}": param for place, effect in placed.items() for param in effect.params}
    )


class Stack(torch.nn.Module):
    """The mastering chain: effects in order, knobs by name, gradients to all of it.

    `Stack()` is the house chain; `Stack(["eq", "limiter"])` a subset; any `Effect` (a pedalboard
    plugin, a VST3) may stand in the list. `settings` are physical values by full name
    (`{"eq.tilt_db": 1.0}`); the rest sit at their defaults. With `trainable=True` the knobs of the
    differentiable effects become one parameter `position`, in [0, 1] per knob, which an optimiser
    may move; values beyond the ends are held at the ends.

    forward(x, rate): x (batch, channels, time) -> the same shape.
    """

    def __init__(
        self,
        effects: Iterable[str | Effect] | None = None,
        settings: Mapping[str, float] | None = None,
        trainable: bool = False,
    ):
        super().__init__()
        from daiw_master.stack import HOUSE_CHAIN, effect_named

        rows = HOUSE_CHAIN if effects is None else effects
        self.placed = qualified([effect_named(row) if isinstance(row, str) else row for row in rows])
        self.space = chain_space(self.placed)
        self.settings: dict[str, Setting] = {**self.space.defaults(), **self.space.check(settings or {})}
        self.trainable_names = tuple(
            f"{place}.{param.name}"
            for place, effect in self.placed.items()
            if effect.differentiable and trainable
            for param in effect.params
        )
        start = [self.space[name].normalised(float(self.settings[name])) for name in self.trainable_names]
        self.position = torch.nn.Parameter(torch.tensor(start)) if trainable else None

    def current(self) -> dict[str, Setting]:
        """The physical settings as they stand, learnt ones included (as tensors with gradient)."""
        settings = dict(self.settings)
        if self.position is not None:
            held = self.position.clamp(0.0, 1.0)
            for i, name in enumerate(self.trainable_names):
                settings[name] = self.space[name].physical(held[i])
        return settings

    def forward(
        self,
        x: torch.Tensor,
        rate: int,
        settings: Mapping[str, Setting] | None = None,
        **extras: torch.Tensor,
    ) -> torch.Tensor:
        """Run the chain. `settings` override by full name; extras (`send`) go to who takes them."""
        values = {**self.current(), **self.space.check(settings or {})}
        y = run_chain(self.placed, x, rate, values, **extras)
        return x.clone() if y is x else y


def run_chain(
    placed: Mapping[str, Effect], x: torch.Tensor, rate: int, settings: Mapping[str, Setting], **extras
) -> torch.Tensor:
    """Sound through effects in order; a knob absent from `settings` rests at its default.

    An effect wholly at its defaults is passed by; if all of them are, x itself comes back.
    """
    for place, effect in placed.items():
        own = {
            param.name: settings[f"{place}.{param.name}"]
            for param in effect.params
            if f"{place}.{param.name}" in settings
        }
        taken = {name: extras[name] for name in effect.takes if name in extras}
        check_batch(x, place)
        if taken or not effect.rests_at(own):
            x = effect(x, rate, **own, **taken)
    return x


def flows_of(
    placed: Mapping[str, Effect],
    rate: int,
    channels: int,
    settings: Mapping[str, Setting],
    *,
    block: int = BLOCK,
    length: int | None = None,
    **extras,
) -> list[Flow]:
    """`run_chain` as a line of flows, for a sound that comes in blocks; neighbouring filters are one.

    `length`: samples the whole sound will have, where that is known.
    """
    line: list[Flow] = []
    for place, effect in placed.items():
        own = effect.space.defaults() | {
            param.name: settings[f"{place}.{param.name}"]
            for param in effect.params
            if f"{place}.{param.name}" in settings
        }
        taken = {name: extras[name] for name in effect.takes if name in extras}
        if not taken and effect.rests_at(own):
            continue
        if effect.flow is None:
            line.append(AtOnce(partial(effect, rate=rate, **own, **taken)))
        else:
            line += effect.flow(rate, channels, block=block, length=length, **own, **taken)
    return merged(line)
