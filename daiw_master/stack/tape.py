"""Tape: peaks that give way softly, highs that wear off, and a little weight around the head bump.

The curve is tanh, the magnetisation of two-state domains against the field (Brillouin's function for
J = 1/2, whose many-state limit is Langevin's): even and odd sides alike, so it makes odd harmonics
only. It is worked out at eight times the rate. The loss of highs is the gap's, sin(x)/x of gap over
wavelength, which has no phase (Chowdhury 2019, Real-time physical modelling for analog tape
machines, section 2.3); the bump is one bell of the house equaliser.
"""

from __future__ import annotations

import math

import torch

from daiw_master.knobs.tape import OPEN_HZ, ROW, WHOLE_HZ
from daiw_master.sounds import BLOCK
from daiw_master.stack.effect import Effect, Setting, at_rest, batch_of, per_item, turned
from daiw_master.stack.eq import EQ, impulse_response
from daiw_master.stack.filter_flow import Filter
from daiw_master.stack.flow import Flow, Nearby
from daiw_master.stack.linear import Fir, Linear
from daiw_master.stack.oversample import BEND_REACH, bend
from daiw_master.units import gain_from_db

#: sin(pi x)/(pi x) is -3.01 dB here: the gap as a share of the wavelength at `bandwidth_hz`.
HALF_POWER = 0.44295
#: Beyond its first null the gap reads nothing.
NULL = 1e-4
#: The loss filter reaches this far to either side.
LOSS_MS = 6.0
BUMP_HZ, BUMP_Q = 80.0, 0.9
#: The level (-3 dBFS) that fills the tape at 6 dB of drive.
FULL = 10 ** (-3 / 20)
#: The level (-20 dBFS) at which `drive_db` leaves the loudness alone.
LINE_UP_RMS = 0.1
#: At least this much bend: below it the curve is straight in float32.
STRAIGHT = 1e-3


def saturation(drive_db: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(steepness g, make-up m) of the curve y = m tanh(g x) / g.

    The tape is full (g x = 1) at -3 dBFS with 6 dB of drive, at -20 dBFS with 18 dB. m keeps the
    power of noise at -20 dBFS RMS: with tanh(a) close to erf(a sqrt(pi)/2), the mean of erf^2 over a
    Gaussian is 2/pi asin(2 s / (1 + 2 s)) (Williams 1997, Computing with infinite networks, eq. 11).
    """
    g = ((gain_from_db(drive_db) - 1.0) / FULL).clamp_min(STRAIGHT)
    twice = math.pi / 2 * (g * LINE_UP_RMS) ** 2
    power = 2 / math.pi * torch.asin(twice / (1 + twice))
    return g, g * LINE_UP_RMS / power.sqrt()


def gap_loss(bandwidth_hz: torch.Tensor, hz: torch.Tensor) -> torch.Tensor:
    """Amplitude left at each frequency: -3 dB at `bandwidth_hz`, gentle below, nothing from 2.26 times on."""
    loss = torch.sinc(HALF_POWER * hz / bandwidth_hz).clamp_min(NULL)
    loss = torch.where(hz < bandwidth_hz / HALF_POWER, loss, NULL)  # no side lobes
    share = ((OPEN_HZ / bandwidth_hz).log() / math.log(OPEN_HZ / WHOLE_HZ)).clamp(0.0, 1.0)
    return loss**share


def _loss_taps(bandwidth_hz: torch.Tensor, rate: int) -> torch.Tensor:
    """Zero-phase taps (batch or 1, 1, taps), float64; the middle one stands at time zero."""
    size = 1 << math.ceil(math.log2(2 * LOSS_MS * rate / 1000))
    hz = torch.arange(size // 2 + 1, dtype=torch.float64, device=bandwidth_hz.device) * (rate / size)
    window = torch.hann_window(size, dtype=torch.float64, device=bandwidth_hz.device)
    return torch.fft.irfft(gap_loss(bandwidth_hz, hz), size).roll(size // 2, dims=-1) * window


def _bent(x: torch.Tensor, drive_db: Setting) -> torch.Tensor:
    g, make_up = saturation(per_item(drive_db, x))
    return bend(x, lambda u: make_up / g * torch.tanh(g * u))


def _head(rate: int, bandwidth_hz: Setting, bump_db: Setting, x: torch.Tensor) -> Linear:
    """What the head does, loss and bump as far as they are turned, for a sound like x."""
    filters = []
    if turned(bandwidth_hz, OPEN_HZ):
        loss = _loss_taps(per_item(bandwidth_hz, x).double(), rate).to(x.dtype)
        filters.append(Fir(loss, loss.shape[-1] // 2))
    if turned(bump_db, 0.0):
        bell = {"peak_1_gain_db": bump_db, "peak_1_hz": BUMP_HZ, "peak_1_q": BUMP_Q}
        bump = impulse_response({**EQ.space.defaults(), **bell}, rate, x.device)
        filters.append(Fir(bump.to(x.dtype).unsqueeze(1)))
    return Linear(tuple(filters))


def process(
    x: torch.Tensor, rate: int, *, drive_db: Setting, bandwidth_hz: Setting, bump_db: Setting
) -> torch.Tensor:
    """Onto the tape and off it again: the curve, then the head's loss and bump; see `TAPE` for the knobs."""
    settings = {"drive_db": drive_db, "bandwidth_hz": bandwidth_hz, "bump_db": bump_db}
    y = x
    if turned(drive_db, 0.0):
        y = _bent(x, drive_db)
    head = _head(rate, bandwidth_hz, bump_db, x)
    if head.firs:
        y = head(y)
    # Nothing turned, or a batch that turns only knobs at rest: it is still that many sounds.
    return at_rest(y, settings) if y is x or len(y) < batch_of(settings) else y


def flow(
    rate: int,
    channels: int,
    *,
    block: int = BLOCK,
    length: int | None = None,
    drive_db: Setting,
    bandwidth_hz: Setting,
    bump_db: Setting,
) -> tuple[Flow, ...]:
    """The tape in the middle of a song: curve and head, where they are turned."""
    line: list[Flow] = []
    if turned(drive_db, 0.0):
        reach = BEND_REACH
        line.append(Nearby(lambda part, first: _bent(part, drive_db), back=reach, ahead=reach, size=block))
    head = _head(rate, bandwidth_hz, bump_db, torch.zeros(0))
    if head.firs:
        line.append(Filter(head, block=block, length=length))
    return tuple(line)


TAPE = Effect(
    *ROW,
    process=process,
    flow=flow,
    engaged={"drive_db": 9, "bandwidth_hz": 8000, "bump_db": 2},
)  # fmt: skip
