"""Windows of a song as they will be delivered: what a search on a master plays, hears and charges for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from daiw_master.meters import heard
from daiw_master.meters.loudness import integrated_loudness
from daiw_master.refine.asks import Ask
from daiw_master.stack.effect import Effect
from daiw_master.stack.lean import reduction_blocks
from daiw_master.stack.limiter import LIMITER, apply_reduction, untrimmed
from daiw_master.stack.peaks import peak_envelope_db
from daiw_master.targets import FIELDS
from daiw_master.units import gain_from_db

#: Of a window nobody can say how far the song's soft passages stand from its loud ones.
NOT_IN_A_WINDOW = ("loudness_range_lu",)
#: What a tolerance beyond the tolerance costs, in similarity: more than a style gains by it.
PER_TOLERANCE = 0.05
#: Of a tolerance this much is free to a window: the song as a whole is judged by the whole of it.
FREE_SHARE = 0.8


@dataclass(frozen=True)
class Delivery:
    """The end of the chain on windows: level as the song's, then the limiter.

    `level_db` is the power mean of the windows' loudness that the master had before its `gain_db`; every
    candidate is brought there first, all its windows by one gain, as the song will be. The first `lead`
    samples are left away. (batch, channels, time) with all `windows` of a candidate in a row.
    """

    windows: int
    level_db: float
    gain_db: float
    ceiling_dbtp: float
    lead: int = 0

    def __call__(self, x: torch.Tensor, rate: int) -> torch.Tensor:
        x = x[..., self.lead :]
        to_level = self.level_db - level_db(x, rate, self.windows)
        gain = gain_from_db(to_level.repeat_interleave(self.windows) + self.gain_db).to(x.dtype)
        driven = x * gain.reshape(-1, 1, 1)
        if not torch.is_grad_enabled():
            return untrimmed(driven, rate, self.ceiling_dbtp)
        knobs = {**LIMITER.space.defaults(), "ceiling_dbtp": self.ceiling_dbtp}
        return apply_reduction(driven, reduction_blocks(peak_envelope_db(driven), rate, **knobs))

    def effect(self) -> Effect:
        """This as the last row of a chain; it has no knobs."""
        return Effect("delivery", "the song's level and its limiter", (), self, identity_at_default=False)


def level_db(x: torch.Tensor, rate: int, windows: int) -> torch.Tensor:
    """The power mean of each candidate's windows (batch, channels, time), in LUFS, (candidates,)."""
    loudness = integrated_loudness(x, rate).reshape(-1, windows)
    return 10 * torch.log10(torch.mean(10 ** (loudness / 10), dim=1))


@dataclass(frozen=True)
class KeepsItsWord:
    """Charges candidates that leave what was asked: heard fields as differences from the solved master's.

    `still` are the solved master's own windows, per field; `missed` how far its song is from each ask, in
    tolerances, with its sign: what brings a candidate nearer is free, as is what stays inside tolerance.
    """

    rate: int
    still: Mapping[str, float]
    missed: Mapping[str, float]
    weights: Mapping[str, float]

    def __call__(self, sounds: torch.Tensor) -> torch.Tensor:
        count, windows = sounds.shape[:2]
        values = heard(sounds.flatten(0, 1), self.rate)
        charged = sounds.new_zeros(count)
        for name, weight in self.weights.items():
            here = values[name].reshape(count, windows).mean(1).to(sounds)
            off = self.missed[name] + (here - self.still[name]) / FIELDS[name].tolerance
            beyond = (off.abs() - max(FREE_SHARE, abs(self.missed[name]))).clamp_min(0.0)
            charged = charged + weight * (beyond + beyond.square())
        return PER_TOLERANCE * charged


def keeps_its_word(
    windows: torch.Tensor, rate: int, asks: Mapping[str, Ask], song_heard: Mapping[str, float]
) -> KeepsItsWord | None:
    """What holds a search to a master's asks; `windows` (windows, channels, time) are the master's own."""
    values = heard(windows, rate)
    held = {name: ask for name, ask in asks.items() if name not in NOT_IN_A_WINDOW and ask.weight > 0}
    if not held:
        return None
    return KeepsItsWord(
        rate,
        {name: float(values[name].mean()) for name in held},
        {name: ask.error(song_heard[name]) for name, ask in held.items()},
        {name: ask.weight for name, ask in held.items()},
    )
