"""The exciter with 9 ms to look ahead in place of 67: shorter windows, each sample worked on once."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from daiw_master.live.short import ShortFir
from daiw_master.stack.effect import Setting
from daiw_master.stack.exciter import Exciter, Windows, raw_harmonics, shares
from daiw_master.stack.flow import Flow, Nearby
from daiw_master.stack.hops import Lines
from daiw_master.stack.oversample import REACH

#: The envelope sees 1.5 ms ahead; the level of the harmonics is that of the last 50 ms. The high-pass is
#: over within 2.7 ms: -84 dB at the lowest cutoff.
WINDOWS = Windows(filter_ms=2.0, hop_ms=0.5, envelope_hops=3, level_hops=100, level_ahead_hops=0)


class LiveExciter(Flow):
    """The exciter with `WINDOWS`, sample for sample, in steps that each look only a little around themselves.

    The band, then what the curve makes of it, then the level that gives it, then the high-pass again.
    Latency: both filters' halves, the envelope's and the resampling's reach and half a hop for the
    line to the next level (8.9 ms at 48 kHz). State: those reaches, and 100 hops of moments.
    """

    def __init__(self, rate: int, settings: Mapping[str, Setting], block: int):
        exciter = Exciter(rate, settings, torch.zeros(0), WINDOWS)
        self.hop, hop = exciter.hop, exciter.hop
        centre = exciter.centre
        self._shaper = exciter.shaper
        taps = exciter.high_pass.flatten()
        self._band, self._again = ShortFir(taps, centre), ShortFir(exciter.mix.flatten() * taps, centre)
        # Peaks within the envelope's reach, its average, and the lines drawn through it.
        hops = WINDOWS.envelope_hops // 2 + 1 + WINDOWS.envelope_hops // 2
        reach = (hops + math.ceil((REACH + hop / 2) / hop)) * hop
        self._make = Nearby(self._made, back=reach, ahead=reach, step=hop, size=block)
        self._make.size = 2 * block  # all that a block completes in one go
        self._lines = Lines(hop)
        self._moments: torch.Tensor | None = None
        self._waiting: torch.Tensor | None = None  # what the curve made, and the band, before their level
        self._dry: torch.Tensor | None = None
        self.latency = 2 * centre + reach + hop - math.gcd(hop, block) + hop - hop // 2

    @torch.no_grad()
    def push(self, x: torch.Tensor, **beside: torch.Tensor) -> torch.Tensor:
        self._dry = x if self._dry is None else torch.cat([self._dry, x], dim=-1)
        harmonics = self._again.push(self._levelled(self._make.push(self._band.push(x))))
        count = harmonics.shape[-1]
        dry, self._dry = self._dry[..., :count], self._dry[..., count:]
        return dry + harmonics

    def _made(self, part: torch.Tensor, first: int) -> torch.Tensor:
        """Rows: what the curve made, the band, and, laid out over its hop, all that is known per hop."""
        missing = -part.shape[-1] % self.hop
        band = torch.nn.functional.pad(part, (0, missing))
        made, envelope, moments = raw_harmonics(band, self._shaper, self.hop, WINDOWS)
        known = torch.cat([envelope, *moments], dim=1).repeat_interleave(self.hop, dim=-1)
        return torch.cat([made, band, known], dim=1)[..., : part.shape[-1]]

    def _levelled(self, rows: torch.Tensor) -> torch.Tensor:
        """The next harmonics, as loud as they are to be, as far as the lines to their levels are drawn."""
        channels = self._dry.shape[1]
        if not rows.shape[-1]:
            return rows[:, :channels]
        envelope, *moments = rows[:, 2 * channels :, :: self.hop].split(channels, dim=1)
        new = torch.stack(moments)
        if self._moments is None:
            self._moments = new[..., :1].expand(*new.shape[:-1], WINDOWS.level_hops - 1)
        heard = torch.cat([self._moments, new], dim=-1)
        self._moments = heard[..., 1 - WINDOWS.level_hops :].clone()
        padded = torch.nn.functional.pad(envelope, (heard.shape[-1] - envelope.shape[-1], 0))
        levels = torch.cat(shares(padded, heard, WINDOWS), dim=1)[..., -envelope.shape[-1] :]
        sound = rows[:, : 2 * channels]
        self._waiting = sound if self._waiting is None else torch.cat([self._waiting, sound], dim=-1)
        lines = self._lines.push(levels)
        count = lines.shape[-1]
        made, band = (self._waiting[..., :count] * lines).split(channels, dim=1)
        self._waiting = self._waiting[..., count:]
        return made - band
