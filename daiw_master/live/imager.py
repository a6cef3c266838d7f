"""The imager without look-ahead: the same width in every band, and a correlation floor that follows."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from daiw_master.stack.effect import Setting
from daiw_master.stack.filter_flow import Filter
from daiw_master.stack.flow import Flow
from daiw_master.stack.imager import FADE, KNOBS, QUIET_POWER, side_change, side_gain_for
from daiw_master.stack.linear import Fir, Linear
from daiw_master.units import gain_from_db, samples_from_ms

#: The side's minimum-phase filter is cut here: 65 ms is as long as the linear-phase one it is made from.
FILTER_MS = 65.0
#: Powers are read this often, over less than offline (110 ms), to be less late; the side comes back when
#: nothing has asked for less of it for as long as offline.
STEP_MS, WINDOW_STEPS, HOLD_STEPS = 1.0, 40, 110
#: The gain goes down within so many steps.
SMOOTH_STEPS = 5
#: What follows in place of foreseeing dips a little lower: so far above the floor it aims.
AIM_HIGHER = 0.03


def minimum_phase(taps: torch.Tensor, count: int) -> torch.Tensor:
    """A filter (taps,) float64 of the same magnitude whose energy comes as early as can be, `count` long.

    By the folded cepstrum (Oppenheim and Schafer, Discrete-Time Signal Processing, 13.5.2).
    """
    size = 1 << math.ceil(math.log2(16 * len(taps)))
    magnitude = torch.fft.rfft(taps, size).abs().clamp_min(1e-6)
    cepstrum = torch.fft.irfft(magnitude.log(), size)
    cepstrum[1 : size // 2] *= 2
    cepstrum[size // 2 + 1 :] = 0
    return torch.fft.irfft(torch.fft.rfft(cepstrum).exp(), size)[:count]


class LiveWidth(Flow):
    """The side (L - R)/2 re-weighted by band: the file's magnitudes, as a minimum-phase filter.

    Latency: none. Between the bands the side's phase turns where a file's would not; the mid never moves.
    """

    def __init__(self, rate: int, settings: Mapping[str, Setting], block: int):
        gains = [gain_from_db(torch.tensor(float(settings[name]), dtype=torch.float64)) for name in KNOBS[:4]]
        change = side_change(gains, rate)
        change[len(change) // 2] += 1.0
        taps = minimum_phase(change, math.ceil(FILTER_MS * rate / 1000))
        self._filter = Filter(Linear((Fir(taps.to(torch.float32).reshape(1, 1, -1)),)), block=block)

    @torch.no_grad()
    def push(self, x: torch.Tensor, **beside: torch.Tensor) -> torch.Tensor:
        left, right = x[:, :1], x[:, 1:]
        side = (left - right) / 2
        moved = self._filter.push(side) - side
        return torch.cat([left + moved, right - moved], dim=1)

    def resume(self, before: LiveWidth) -> None:
        """Go on from the sound another one has heard."""
        self._filter.resume(before._filter)


class LiveFloor(Flow):
    """The side turned down wherever the correlation of the last 40 ms would fall below the floor.

    The gain is worked out once per step (1 ms) from what has been, and reached at the end of the next.
    On eight recordings 1.0 % of all 0.4 s windows read below their floor (a file's: 0.7 %), by 0.09 at
    most. Latency: none. State: a window of powers and of gains.
    """

    def __init__(self, rate: int, floor: float):
        self.step = samples_from_ms(STEP_MS, rate)
        self._floor = torch.tensor(min(floor + AIM_HIGHER, 1.0), dtype=torch.float64)
        self._depth = min(max((floor + 1.0) / FADE, 0.0), 1.0)
        self._ramp = torch.arange(1, self.step + 1) / self.step
        self._unread = torch.zeros(3, 0)  # mid and side powers and their product, less than a step
        self._powers = torch.zeros(3, WINDOW_STEPS - 1)
        self._needed = torch.ones(1, HOLD_STEPS - 1, dtype=torch.float64)
        self._lowest = torch.ones(1, SMOOTH_STEPS - 1, dtype=torch.float64)
        self._last = torch.ones(1)
        self._gain = torch.ones(self.step)  # for the samples to come, as far as it is known

    @torch.no_grad()
    def push(self, x: torch.Tensor, **beside: torch.Tensor) -> torch.Tensor:
        count = x.shape[-1]
        if not count:
            return x
        left, right = x[0]
        mid, side = (left + right) / 2, (left - right) / 2
        unread = torch.cat([self._unread, torch.stack([mid * mid, side * side, mid * side])], dim=-1)
        steps = unread.shape[-1] // self.step
        if steps:
            self._listen(unread[:, : steps * self.step].unflatten(-1, (steps, self.step)).mean(-1))
        self._unread = unread[:, steps * self.step :]
        gain, self._gain = self._gain[:count], self._gain[count:]
        moved = gain * side - side
        return torch.stack([left + moved, right - moved]).unsqueeze(0)

    def _listen(self, powers: torch.Tensor) -> None:
        """New steps (3, steps): what gain they ask for, drawn over the steps after them."""
        powers = torch.cat([self._powers, powers], dim=-1)
        mid, side, cross = powers.double().unfold(-1, WINDOW_STEPS, 1).mean(-1)
        needed = side_gain_for(mid + QUIET_POWER, side, cross, self._floor)
        needed = torch.cat([self._needed, needed.unsqueeze(0)], dim=-1)
        lowest = torch.cat([self._lowest, -torch.nn.functional.max_pool1d(-needed, HOLD_STEPS, 1)], dim=-1)
        gain = 1.0 + self._depth * (lowest.unfold(-1, SMOOTH_STEPS, 1).mean(-1)[0] - 1.0)
        points = torch.cat([self._last, gain.to(self._last.dtype)]).unsqueeze(-1)
        lines = (points[:-1] + points.diff(dim=0) * self._ramp).flatten()
        self._gain = torch.cat([self._gain, lines])
        self._powers, self._needed = powers[:, 1 - WINDOW_STEPS :], needed[:, 1 - HOLD_STEPS :]
        self._lowest, self._last = lowest[:, 1 - SMOOTH_STEPS :], points[-1]

    def resume(self, before: LiveFloor) -> None:
        """Go on from what another one has read, towards this floor."""
        own = (self._floor, self._depth)
        self.__dict__.update(before.__dict__)  # tensors are replaced, never written into
        self._floor, self._depth = own
