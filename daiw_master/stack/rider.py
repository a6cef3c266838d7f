"""The rider: a slow hand on the fader that widens a song's own soft and loud, or evens them out."""

from __future__ import annotations

import torch
from torch.nn import functional

from daiw_master.meters.loudness import lufs
from daiw_master.meters.pages import Pages
from daiw_master.meters.weighting import k_weighted_blocks
from daiw_master.stack.effect import Setting

#: The hand never moves further than this from rest ...
REACH_DB = 3.0
#: ... nor faster: full travel (2 * reach) takes 6 s, because a mean over t seconds of something
#: within +-reach cannot change by more than 2 * reach / t per second.
SLOPE_DB_PER_S = 1.0
#: Window of the level it listens to: EBU short-term, centred, since offline the future is known.
_WINDOW_S = 3.0


def short_term_trace(x: torch.Tensor, rate: int, span: int) -> torch.Tensor:
    """Short-term loudness around each moment, LUFS: (batch, channels, time) -> (batch, time / span).

    One value per `span` samples: K-weighted power over 3 s, centred on it, cut short at the ends.
    """
    return _short_term(_energy(x, rate, span), x.shape[-1], rate, span)


class ShortTerm:
    """`short_term_trace` of a sound that comes in blocks (batch, channels, n), n >= 0.

    Between blocks it keeps under two seconds of sound, and one number per `span` of what it has heard.
    """

    def __init__(self, rate: int, span: int) -> None:
        self.rate, self.span = rate, span
        #: Whole spans the weighting still rings on for: they are heard again, in front of what is new.
        self._back = -(-rate // (8 * span))
        self._least = max(1, rate // span) * span  # about a second: short blocks would cost a transform each
        self._kept: list[torch.Tensor] = []
        self._waiting = 0  # samples of it that are new
        self.time = 0
        self._energies = Pages()

    def add(self, x: torch.Tensor) -> None:
        if x.shape[-1] == 0:
            return
        self._kept.append(x.clone())
        self._waiting += x.shape[-1]
        self.time += x.shape[-1]
        if self._waiting >= self._least:
            self._note(self._waiting // self.span * self.span)

    def trace(self) -> torch.Tensor:
        """(batch, moments) of all that was heard, as `short_term_trace` has it; once, at the end."""
        if self._waiting:
            self._note(self._waiting)
        return _short_term(self._energies.joined(), self.time, self.rate, self.span)

    def _note(self, count: int) -> None:
        sound = torch.cat(self._kept, dim=-1)
        new = sound.shape[-1] - self._waiting
        part = sound[..., : new + count]
        self._energies.add(_energy(part, self.rate, self.span)[:, new // self.span :])
        self._waiting -= count
        self._kept = [sound[..., max(0, new + count - self._back * self.span) :].clone()]


def _energy(x: torch.Tensor, rate: int, span: int) -> torch.Tensor:
    """Sums of squares of the K-weighted sound: (batch, ceil(time / span))."""
    weights = 1.0 if x.shape[1] > 1 else 2.0  # mono plays on both speakers
    sums = [
        weighted.square().sum(1).unflatten(-1, (-1, span)).sum(-1)
        for _, weighted in k_weighted_blocks(x, rate, span)
    ]
    return weights * torch.cat(sums, dim=-1)


def _short_term(energy: torch.Tensor, time: int, rate: int, span: int) -> torch.Tensor:
    samples = torch.full_like(energy[:1], span)
    samples[:, -1] = (time - 1) % span + 1
    half = max(1, round(_WINDOW_S * rate / span)) // 2
    return lufs(_box(energy, half) / _box(samples, half))


def ride_gain_db(level_trace: torch.Tensor, ride: Setting, hop_s: float) -> torch.Tensor:
    """The rider's gain in dB for a short-term loudness trace, one value per `hop_s` seconds.

    `level_trace` (..., moments) in LUFS; `ride` in [-1, 1], a float or one per trace: +1 lifts the loud
    and lowers the soft passages by up to 3 dB, -1 does the reverse. Nothing but the trace is
    needed, so the loudness range after riding can be foretold as that of `level_trace + gain`.
    Soft and loud are told apart at the mean of what the gates of EBU Tech 3342 let through
    (-70 LUFS, and 20 LU under the mean power); what lies below the gate is treated as on it.
    """
    trace = level_trace.reshape(-1, level_trace.shape[-1])
    held = trace.detach()
    # Loudest = 0 dB, so that the mean power neither under- nor overflows.
    top = held.amax(-1, keepdim=True)
    power = 10 ** ((held - top) / 10)
    heard = (held > -70.0).to(trace.dtype)
    mean_power = (power * heard).sum(-1, keepdim=True) / heard.sum(-1, keepdim=True).clamp_min(1)
    gate = (top + 10 * torch.log10(mean_power.clamp_min(1e-12)) - 20.0).clamp_min(-70.0)
    heard = (held > gate).to(trace.dtype)
    middle = (trace * heard).sum(-1, keepdim=True) / heard.sum(-1, keepdim=True).clamp_min(1)
    # Nothing above -70 LUFS: no music, no middle, no ride.
    playing = heard.amax(-1, keepdim=True)
    wanted = REACH_DB * torch.tanh((torch.maximum(trace, gate) - middle) / REACH_DB) * playing
    half = -(-round(2 * REACH_DB / SLOPE_DB_PER_S / hop_s) // 2)
    held_ends = functional.pad(wanted.unsqueeze(1), (half, half), mode="replicate")
    smooth = functional.avg_pool1d(held_ends, 2 * half + 1, 1).squeeze(1)
    amount = torch.as_tensor(ride, dtype=trace.dtype, device=trace.device).reshape(-1, 1)
    gain = amount * smooth
    return gain.reshape(level_trace.shape) if len(gain) == len(trace) else gain


def _box(values: torch.Tensor, half: int) -> torch.Tensor:
    """Sums over `half` values to either side; beyond the ends there is nothing."""
    kernel = torch.ones(1, 1, 2 * half + 1, dtype=values.dtype, device=values.device)
    return functional.conv1d(values.unsqueeze(1), kernel, padding=half).squeeze(1)
