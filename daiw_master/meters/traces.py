"""One walk through the sound, kept as a few numbers every 3.3 ms: all meters of time read from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from daiw_master.errors import InputError
from daiw_master.meters.weighting import k_weighted_blocks

#: 3 1/3 ms is a whole number of samples at 44.1, 48, 88.2, 96 and 192 kHz, and divides 10 ms.
TICKS_PER_S = 300

#: BS.1770-4 table 3: left, right, centre 1.0; surrounds 1.41 (+1.5 dB). No LFE channel here.
CHANNEL_WEIGHTS = (1.0, 1.0, 1.0, 1.41, 1.41)


@dataclass(frozen=True)
class Scan:
    """A sound in ticks of 1/300 s, all float64: energies are sums of squares within the tick.

    `loud` (batch, ticks): K-weighted, channels weighted and summed. `loud_mid`: the same of the
    mono fold-down played on both speakers. `energy` (batch, channels, ticks): plain. `cross`
    (batch, ticks): left times right. `peak` (batch, ticks): largest sample of any channel.
    """

    rate: int
    samples: int
    tick: int
    loud: torch.Tensor
    loud_mid: torch.Tensor
    energy: torch.Tensor
    cross: torch.Tensor
    peak: torch.Tensor

    @property
    def whole_ticks(self) -> int:
        """Ticks that are full of sound; the last one may not be."""
        return self.samples // self.tick

    def louder(self, gain: float) -> Scan:
        """What a walk through the same sound would find at `gain` times its amplitude."""
        scaled = {name: getattr(self, name) * gain**2 for name in ("loud", "loud_mid", "energy", "cross")}
        return replace(self, peak=self.peak * abs(gain), **scaled)

    def until(self, samples: int) -> Scan:
        """What a walk through the first `samples` would find, but for a part of a tick at the end."""
        ticks = -(-samples // self.tick)
        traces = ("loud", "loud_mid", "energy", "cross", "peak")
        return replace(self, samples=samples, **{name: getattr(self, name)[..., :ticks] for name in traces})

    def windows(self, energy: torch.Tensor, window_s: float, hop_s: float) -> torch.Tensor:
        """Mean power in sliding windows: (..., ticks) -> (..., windows).

        Only whole windows count (BS.1770-4); a sound shorter than one is a single window over
        what is there.
        """
        window, hop = round(window_s * TICKS_PER_S), max(1, round(hop_s * TICKS_PER_S))
        if self.whole_ticks < window:
            return energy.sum(-1, keepdim=True) / max(1, self.samples)
        ahead = torch.nn.functional.pad(energy[..., : self.whole_ticks].cumsum(-1), (1, 0))
        sums = ahead[..., window::hop]
        sums = sums - ahead[..., :-window:hop][..., : sums.shape[-1]]
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


def scan(x: torch.Tensor, rate: int) -> Scan:
    """Walk once through x (batch, channels, time), 1 to 5 channels (L R C Ls Rs); differentiable."""
    check_sound(x, len(CHANNEL_WEIGHTS))
    tick = max(1, round(rate / TICKS_PER_S))
    weights = torch.tensor(CHANNEL_WEIGHTS[: x.shape[1]], dtype=torch.float64, device=x.device)
    stereo = x.shape[1] == 2
    parts: list[tuple[torch.Tensor, ...]] = []
    for plain, weighted in k_weighted_blocks(x, rate, tick):
        plain, weighted = plain.unflatten(-1, (-1, tick)), weighted.unflatten(-1, (-1, tick))
        loud = (weighted.square().sum(-1).double() * weights[:, None]).sum(1)
        # (L + R)/2 on both speakers: 2 * ((L + R) / 2)^2
        loud_mid = (weighted[:, 0] + weighted[:, 1]).square().sum(-1).double() / 2 if stereo else loud
        energy = plain.square().sum(-1).double()
        cross = (plain[:, 0] * plain[:, 1]).sum(-1).double() if stereo else energy[:, 0]
        parts.append((loud, loud_mid, energy, cross, plain.abs().amax(-1).amax(1).double()))
    return Scan(rate, x.shape[-1], tick, *(torch.cat(part, dim=-1) for part in zip(*parts, strict=True)))
