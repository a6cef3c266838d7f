"""Loudness while it plays: a slow hand on the fader, towards the target."""

from __future__ import annotations

from collections import deque

import numpy as np
import torch

from daiw_master.meters.recursion import ROW, Recursion, StateSpace
from daiw_master.meters.weighting import k_coefficients
from daiw_master.stack.flow import Flow
from daiw_master.units import db_from_power, gain_from_db, power_from_db

#: How fast the gain may move, and the time in which it would cover 63 % of a small difference.
FASTEST_DB_PER_S, TIME_S = 0.5, 6.0
#: Short-term loudness is that of the last 3 s, momentary of 0.4 s (EBU Tech 3341), read ten times a second.
SHORT_TERM_S, MOMENTARY_S, READ_S = 3.0, 0.4, 0.1
#: What is softer than this, or by so much softer than the last half minute, does not move the fader.
SILENCE_LUFS, GATE_LU, MEMORY_S = -70.0, 10.0, 30.0
#: The fader's way up and down.
MOST_DB = 24.0
#: BS.1770-4 eq. 2: loudness is -0.691 + 10 log10 of the weighted power.
OFFSET_DB = -0.691


class LiveLoudness(Flow):
    """A gain that follows the music at most 0.5 dB a second, or stands still where `gain_db` is given.

    It compares the short-term loudness of what it plays with the target; in silence and in passages
    10 LU below what was heard lately it holds, so that a quiet ending stays quiet. Latency: none.
    """

    def __init__(self, rate: int, channels: int, loudness_lufs: float, gain_db: float | None = None):
        self.loudness_lufs, self.follows = loudness_lufs, gain_db is None
        #: Where the fader stands.
        self.gain_db = 0.0 if gain_db is None else gain_db
        self._rate = rate
        self._weighting = Recursion(StateSpace.of_biquads(k_coefficients(rate)), np.float32)
        self._state: torch.Tensor | None = None
        self._unread = torch.zeros(channels, 0)  # less than the weighting's row
        self._energy = self._samples = 0.0
        self._momentary: deque[float] = deque(maxlen=round(MOMENTARY_S / READ_S))
        self._heard: deque[float] = deque(maxlen=round(SHORT_TERM_S / READ_S))
        self._lately: float | None = None

    @torch.no_grad()
    def push(self, x: torch.Tensor, **beside: torch.Tensor) -> torch.Tensor:
        before = self.gain_db
        if self.follows and x.shape[-1]:
            self._hear(x[0])
            if self._samples >= READ_S * self._rate:
                self._read(self._energy / self._samples, self._samples / self._rate)
                self._energy = self._samples = 0.0
        if self.gain_db == before:
            return x * gain_from_db(before)
        return x * torch.linspace(gain_from_db(before), gain_from_db(self.gain_db), x.shape[-1])

    def _hear(self, x: torch.Tensor) -> None:
        """Weigh the next samples (channels, n), whole rows of them."""
        unread = torch.cat([self._unread, x], dim=-1)
        whole = unread.shape[-1] // ROW * ROW
        self._unread = unread[..., whole:]
        if whole:
            weighted, self._state = self._weighting.run(unread[..., :whole], self._state)
            self._energy += float(weighted.square().sum())
            self._samples += whole

    def _read(self, power: float, seconds: float) -> None:
        """One reading of the K-weighted power, summed over the channels, of the sound that came in."""
        self._momentary.append(power)
        now = sum(self._momentary) / len(self._momentary)
        if now <= power_from_db(SILENCE_LUFS - OFFSET_DB):
            return
        if self._lately is None:
            self._lately = now
        self._lately += (now - self._lately) * min(seconds / MEMORY_S, 1.0)
        if now < self._lately * power_from_db(-GATE_LU):
            return
        self._heard.append(power)
        short_term_lufs = OFFSET_DB + db_from_power(sum(self._heard) / len(self._heard))
        away_db = self.loudness_lufs - short_term_lufs - self.gain_db
        most_db = FASTEST_DB_PER_S * seconds
        step_db = min(max(away_db * seconds / TIME_S, -most_db), most_db)
        self.gain_db = min(max(self.gain_db + step_db, -MOST_DB), MOST_DB)

    def resume(self, before: LiveLoudness) -> None:
        """Go on from what another one has heard, and from where its fader stands, towards this target."""
        own = (self.loudness_lufs,)
        self.__dict__.update(before.__dict__)
        (self.loudness_lufs,) = own
        self._momentary, self._heard = self._momentary.copy(), self._heard.copy()
