"""A sound in about a thousand numbers that tell how it was produced, whatever was played."""

from __future__ import annotations

from collections.abc import Callable

import torch

from daiw_master.errors import InputError
from daiw_master.neural.descriptor import bands, envelope, spectrum, stereo, waveform
from daiw_master.neural.descriptor.hearing import RATE, Hearing, hear

#: What is told of the mid, and of the side beside it, in order.
MID: tuple[Callable[[Hearing], torch.Tensor], ...] = (
    bands.tone, bands.flux, bands.modulation, bands.dynamics,
    envelope.envelope, envelope.band_envelopes, envelope.echoes, envelope.after_onsets,
    envelope.loudness_spread,
    waveform.waveform, spectrum.combs, spectrum.noisiness, spectrum.weight,
)  # fmt: skip
SIDE: tuple[Callable[[Hearing], torch.Tensor], ...] = (bands.side_tone, stereo.stereo)
#: Shorter sounds have no room for the longest statistic, the one over whole seconds.
SHORTEST = 2 * RATE
#: Sounds described together: enough to pay for the small steps, few enough to stay near the processor.
AT_ONCE = 2


def describe(x: torch.Tensor) -> torch.Tensor:
    """What a mastering engineer could measure of each sound, level aside: (batch, D).

    `x`: sounds (batch, 2, time) at 48 kHz, two seconds or longer. Each is normalised by the peak of its
    mid, so that gain cannot be heard. Finite for every finite sound, silence too; differentiable wherever
    x has a say (counts of crossings and roll-off bins are steps and pass nothing on). InputError for
    other shapes.
    """
    if x.ndim != 3 or x.shape[1] != 2 or x.shape[-1] < SHORTEST:
        raise InputError(
            f"the style of shape {tuple(x.shape)} cannot be told; needed: (batch, 2, time) "
            f"with at least {SHORTEST / RATE:.0f} s at {RATE // 1000} kHz"
        )
    return torch.cat([_described(part) for part in x.split(AT_ONCE)])


def _described(x: torch.Tensor) -> torch.Tensor:
    heard = hear(x)
    return torch.cat([part(heard) for part in (*MID, *SIDE)], -1)


def layout() -> dict[str, slice]:
    """Which of the numbers each part of the descriptor told, by the part's name."""
    heard = hear(torch.zeros(1, 2, SHORTEST))
    found, start = {}, 0
    for part in (*MID, *SIDE):
        stop = start + part(heard).shape[-1]
        found[part.__name__] = slice(start, stop)
        start = stop
    return found
