"""Neighbouring linear stages of a chain as one: what a population pays for once in place of twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

from daiw_master.stack import eq, reverb
from daiw_master.stack.effect import Setting
from daiw_master.stack.linear import Linear

#: Effects that are linear, by name: each makes its stage of complete settings.
LINEAR_EFFECTS = {"reverb": reverb.response, "eq": eq.response}


def linear_response(
    stages: Iterable[tuple[str, Mapping[str, Setting]]], x: torch.Tensor, rate: int
) -> Linear | None:
    """Consecutive linear effects as one stage: `linear_response([("reverb", ...), ("eq", ...)], x, rate)(x)`.

    Settings are complete, physical and by knob name, floats or (batch,) each; `x` (batch, channels,
    time) only says how many channels there are and in which dtype. All of them at rest are `Linear()`,
    which changes nothing; None means that they do not go into one (two rooms). For many settings over
    one sound give the result the same `kept` dict every time: `one(x, kept=kept)`.
    """
    whole: Linear | None = Linear()
    for name, settings in stages:
        stage = LINEAR_EFFECTS[name](settings, rate, x.shape[1], like=x)
        if stage is not None and whole is not None:
            whole = whole.then(stage)
    return whole
