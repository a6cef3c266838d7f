"""One walk through the sound, kept as a few numbers every 3.3 ms: all meters of time read from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

import torch

from daiw_master.errors import InputError
from daiw_master.meters.pages import Pages
from daiw_master.meters.walk import walked
from daiw_master.meters.weighting import KWeighting
from daiw_master.sounds import Sound

#: 3 1/3 ms is a whole number of samples at 44.1, 48, 88.2, 96 and 192 kHz, and divides 10 ms.
TICKS_PER_S = 300

#: BS.1770-4 table 3: left, right, centre 1.0; surrounds 1.41 (+1.5 dB). No LFE channel here.
CHANNEL_WEIGHTS = (1.0, 1.0, 1.0, 1.41, 1.41)

#: What a walk can keep.
TRACES = ("loud", "loud_mid", "energy", "cross", "peak")


@dataclass(frozen=True)
class Scan:
    """A sound in ticks of 1/300 s, all float64: energies are sums of squares within the tick.

    `loud` (batch, ticks): K-weighted, channels weighted and summed. `loud_mid`: the same of the
    mono fold-down played on both speakers. `energy` (batch, channels, ticks): plain. `cross`
    (batch, ticks): left times right. `peak` (batch, ticks): largest sample of any channel. A walk may
    have been asked to keep only some of them: the others are None.
    """

    rate: int
    samples: int
    tick: int
    loud: torch.Tensor | None
    loud_mid: torch.Tensor | None
    energy: torch.Tensor | None
    cross: torch.Tensor | None
    peak: torch.Tensor | None

    @property
    def whole_ticks(self) -> int:
        """Ticks that are full of sound; the last one may not be."""
        return self.samples // self.tick

    def louder(self, gain: float) -> Scan:
        """What a walk through the same sound would find at `gain` times its amplitude."""
        factors = {name: gain**2 for name in TRACES} | {"peak": abs(gain)}
        return replace(self, **{name: trace * factors[name] for name, trace in self._kept()})

    def until(self, samples: int) -> Scan:
        """What a walk through the first `samples` would find, but for a part of a tick at the end."""
        ticks = -(-samples // self.tick)
        return replace(self, samples=samples, **{name: trace[..., :ticks] for name, trace in self._kept()})

    def _kept(self) -> list[tuple[str, torch.Tensor]]:
        return [(name, getattr(self, name)) for name in TRACES if getattr(self, name) is not None]

    def windows(self, energy: torch.Tensor, window_s: float, hop_s: float) -> torch.Tensor:
        """Mean power in sliding windows: (..., ticks) -> (..., windows).

        Only whole windows count (BS.1770-4); a sound shorter than one is a single window over
        what is there.
        """
        window, hop = round(window_s * TICKS_PER_S), max(1, round(hop_s * TICKS_PER_S))
        if self.whole_ticks < window:
            return energy.sum(-1, keepdim=True) / max(1, self.samples)
        step = math.gcd(window, hop)
        steps = energy[..., : self.whole_ticks // step * step].unflatten(-1, (-1, step)).sum(-1)
        ahead = torch.nn.functional.pad(steps.cumsum(-1), (1, 0))
        sums = ahead[..., window // step :: hop // step]
        sums = sums - ahead[..., : -window // step : hop // step][..., : sums.shape[-1]]
        return sums.clamp_min(0.0) / (window * self.tick)

    def window_peaks(self, window_s: float, hop_s: float) -> torch.Tensor:
        """Largest sample in the same sliding windows: (batch, windows)."""
        window, hop = round(window_s * TICKS_PER_S), max(1, round(hop_s * TICKS_PER_S))
        if self.whole_ticks < window:
            return self.peak.amax(-1, keepdim=True)
        return torch.nn.functional.max_pool1d(self.peak[..., : self.whole_ticks], window, hop)


def check_sound(x: torch.Tensor, most_channels: int) -> None:
    """Refuse what no meter can read: a wrong shape, no samples, too many channels."""
    if x.ndim != 3 or 0 in x.shape or x.shape[1] > most_channels:
        raise InputError(
            f"audio has shape {tuple(x.shape)}; a meter reads (batch, channels, time) with 1 to "
            f"{most_channels} channels and at least one sample"
        )


class ScanWalk:
    """One walk through a sound that comes in blocks (batch, channels, n): `add` them all, then `done`.

    The cutting changes nothing. It keeps 8 bytes a tick and trace, 8.6 MB an hour (stereo `energy`
    twice that): ask for the traces you will read with `keep`; the others are None. `beside` is shown
    the sound itself, ticks in order: (batch, channels, ticks, tick). Differentiable.
    """

    def __init__(
        self,
        rate: int,
        keep: Collection[str] = TRACES,
        beside: Callable[[torch.Tensor], None] | None = None,
    ):
        self.rate, self.samples, self._beside = rate, 0, beside
        self.tick = max(1, round(rate / TICKS_PER_S))
        self._weighting = KWeighting(rate, self.tick)
        self._traces = {name: Pages() for name in TRACES if name in keep}

    def add(self, x: torch.Tensor) -> None:
        """The next block."""
        if x.shape[-1]:
            check_sound(x, len(CHANNEL_WEIGHTS))
            self.samples += x.shape[-1]
            self._note(self._weighting.add(x))

    def done(self) -> Scan:
        """What the walk found. Raises `InputError` where it met no sample."""
        self._note(self._weighting.done())
        if not self.samples:
            raise InputError("a meter reads at least one sample; none came")
        found = {name: trace.joined() for name, trace in self._traces.items()}
        return Scan(self.rate, self.samples, self.tick, *(found.get(name) for name in TRACES))

    def _note(self, blocks: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> None:
        for plain, weighted in blocks:
            plain, weighted = plain.unflatten(-1, (-1, self.tick)), weighted.unflatten(-1, (-1, self.tick))
            for name, trace in self._traces.items():
                trace.add(_TRACE_OF[name](plain, weighted))
            if self._beside is not None:
                self._beside(plain)


def _loud(plain: torch.Tensor, weighted: torch.Tensor) -> torch.Tensor:
    weights = torch.tensor(CHANNEL_WEIGHTS[: weighted.shape[1]], dtype=torch.float64, device=weighted.device)
    return (weighted.square().sum(-1).double() * weights[:, None]).sum(1)


def _loud_mid(plain: torch.Tensor, weighted: torch.Tensor) -> torch.Tensor:
    if weighted.shape[1] != 2:
        return _loud(plain, weighted)
    # (L + R)/2 on both speakers: 2 * ((L + R) / 2)^2
    return (weighted[:, 0] + weighted[:, 1]).square().sum(-1).double() / 2


def _energy(plain: torch.Tensor, weighted: torch.Tensor) -> torch.Tensor:
    return plain.square().sum(-1).double()


def _cross(plain: torch.Tensor, weighted: torch.Tensor) -> torch.Tensor:
    return (plain[:, 0] * plain[:, 1 if plain.shape[1] == 2 else 0]).sum(-1).double()


def _peak(plain: torch.Tensor, weighted: torch.Tensor) -> torch.Tensor:
    return plain.abs().amax(-1).amax(1).double()


#: From sound and weighted sound (batch, channels, ticks, tick) to the trace.
_TRACE_OF = {"loud": _loud, "loud_mid": _loud_mid, "energy": _energy, "cross": _cross, "peak": _peak}


def scan(x: torch.Tensor, rate: int, keep: Collection[str] = TRACES) -> Scan:
    """Walk once through x (batch, channels, time), 1 to 5 channels (L R C Ls Rs); differentiable."""
    check_sound(x, len(CHANNEL_WEIGHTS))
    walk = ScanWalk(rate, keep)
    walk.add(x)
    return walk.done()


def loudness_scan(sound: Sound) -> Scan:
    """The loudness of a sound of any length over time, and nothing else: 8.6 MB an hour."""
    return walked(ScanWalk(sound.rate, keep=("loud",)), sound.blocks())
