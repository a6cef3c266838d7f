"""Wow and flutter: a tape that does not run evenly.

The sound is read at a time that sways around its own, slowly (wow) and quickly (flutter), each as
two sines whose periods never meet again, so that no two bars drift alike. Everything returns: the sway
has no mean, and begins at zero. Between the samples the sound is a Kaiser-windowed sinc (Smith and
Gossett 1984), cut into polynomials that a fraction of a sample is put into (Farrow 1988).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import torch
from torch.nn import functional

from daiw_master.knobs.wow import ROW
from daiw_master.stack.blocks import join
from daiw_master.stack.effect import Effect, Setting, batch_of, turned
from daiw_master.stack.flow import Flow, Nearby
from daiw_master.stack.oversample import STOP_BAND_DB

#: The second sine of each pair: its share of the deviation, and its rate against the first (golden section).
SECOND_SHARE, SECOND_RATE = 0.2, (5**0.5 - 1) / 2
#: Samples of the sinc to either side: flat up to 0.42 of the rate.
HALF = 16
#: Degree of the polynomials: 95 dB true at a third of the rate.
DEGREE = 7
BLOCK = 2**14


@cache
def _farrow() -> torch.Tensor:
    """(2 * HALF, DEGREE + 1) float64: powers of (fraction - 1/2), to be weighed with the samples around.

    Column p holds what each sample from n - HALF + 1 to n + HALF adds to power p. Interpolated at
    Chebyshev-Lobatto points: both ends are exact, so samples are met and pieces join.
    """
    points = (1 - torch.cos(torch.arange(DEGREE + 1, dtype=torch.float64) * (math.pi / DEGREE))) / 2
    distance = points - torch.arange(1 - HALF, HALF + 1, dtype=torch.float64)[:, None]
    beta = 0.1102 * (STOP_BAND_DB - 8.7)  # Oppenheim and Schafer, eq. 7.75
    window = torch.special.i0(beta * (1 - (distance / HALF) ** 2).clamp_min(0.0).sqrt())
    kernel = torch.sinc(distance) * window / torch.special.i0(torch.tensor(beta).double())
    powers = (points - 0.5)[:, None] ** torch.arange(DEGREE + 1)
    return torch.linalg.solve(powers, kernel.T).T.contiguous()


def sway(seconds: torch.Tensor, cents: torch.Tensor, hz: torch.Tensor) -> torch.Tensor:
    """How far ahead of its time (s) the sound is read: (batch or 1, time).

    Its slope is the deviation of pitch, at most 2^(cents / 1200) - 1 and just that where both sines meet.
    """
    deviation = 2 ** (cents / 1200) - 1
    ahead = 0.0
    for share, ratio in ((1 - SECOND_SHARE, 1.0), (SECOND_SHARE, SECOND_RATE)):
        turns = 2 * math.pi * ratio * hz
        ahead = ahead + share * deviation / turns * torch.sin(turns * seconds)
    return ahead


def _read(x: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """The sound at fractional positions (batch or 1, n) float64; silence before and after it."""
    whole = torch.floor(where.detach()).long()
    first, last = int(whole.min()) - HALF + 1, int(whole.max()) + HALF + 1
    time = x.shape[-1]
    part = x[..., min(max(first, 0), time) : max(min(last, time), 0)]
    early, late = min(max(-first, 0), last - first), min(max(last - time, 0), last - first)
    part = functional.pad(part, (early, late))
    pieces = part.unfold(-1, 2 * HALF, 1) @ _farrow().to(x)  # (batch, channels, positions, powers)
    batch, channels, positions, _ = pieces.shape
    rows = pieces.transpose(1, 2).reshape(batch * positions, -1)
    index = whole - whole.min()
    if batch > 1:
        index = index + positions * torch.arange(batch, device=x.device)[:, None]
    taken = rows.index_select(0, index.reshape(-1))
    taken = taken.unflatten(0, (-1, where.shape[-1])).unflatten(-1, (channels, -1)).transpose(1, 2)
    fraction = (where - whole - 0.5).to(x.dtype).unsqueeze(1)
    y = taken[..., DEGREE]
    for power in range(DEGREE - 1, -1, -1):
        y = torch.addcmul(taken[..., power], y, fraction)
    return y


class _Sway:
    """An uneven tape at given settings: `sway(part, first, start, stop)` plays a stretch of the song."""

    def __init__(
        self,
        rate: int,
        wow_cents: Setting,
        wow_hz: Setting,
        flutter_cents: Setting,
        flutter_hz: Setting,
        device: torch.device | None = None,
    ):
        self.rate = rate
        self.batch = batch_of(dict(enumerate((wow_cents, wow_hz, flutter_cents, flutter_hz))))
        self.rests = not (turned(wow_cents, 0.0) or turned(flutter_cents, 0.0))
        self.pairs = [
            [torch.as_tensor(value, dtype=torch.float64, device=device).reshape(-1, 1) for value in pair]
            for pair in ((wow_cents, wow_hz), (flutter_cents, flutter_hz))
        ]

    def reach(self) -> int:
        """Samples around a moment that may be heard at it, to either side."""
        ways = SECOND_SHARE / SECOND_RATE + 1 - SECOND_SHARE
        most = sum(ways * (2 ** (cents / 1200) - 1) / (2 * math.pi * hz) for cents, hz in self.pairs)
        return math.ceil(self.rate * float(most.max())) + HALF

    def __call__(self, part: torch.Tensor, first: int, start: int, stop: int) -> torch.Tensor:
        """Samples `start` to `stop` of a song of which `part` begins at `first`; around it is silence."""
        batch = max(self.batch, len(part))

        def blocks() -> Iterator[torch.Tensor]:
            for begin in range(start, stop, BLOCK):
                end = min(begin + BLOCK, stop)
                n = torch.arange(begin, end, dtype=torch.float64, device=part.device)[None]
                ahead = sum(sway(n / self.rate, cents, hz) for cents, hz in self.pairs)
                where = n - first + self.rate * ahead
                where = where.expand(batch if len(part) > 1 else len(where), -1)
                yield _read(part, where).expand(batch, -1, -1)

        return join(blocks(), stop - start)


def process(
    x: torch.Tensor,
    rate: int,
    *,
    wow_cents: Setting,
    wow_hz: Setting,
    flutter_cents: Setting,
    flutter_hz: Setting,
) -> torch.Tensor:
    """The sound off an uneven tape; see `WOW` for the knobs. As long as it came, both channels alike."""
    tape = _Sway(rate, wow_cents, wow_hz, flutter_cents, flutter_hz, x.device)
    if tape.rests:
        return x.expand(max(tape.batch, len(x)), -1, -1).clone()
    return tape(x, 0, 0, x.shape[-1])


def flow(
    rate: int, channels: int, *, block: int = BLOCK, length: int | None = None, **settings: Setting
) -> tuple[Flow, ...]:
    """The tape in the middle of a song; it hears ahead as far as the sway reads (9 ms at 5 cents, 0.2 Hz)."""
    tape = _Sway(rate, **settings)
    if tape.rests:
        return ()
    reach = tape.reach()
    return (
        Nearby(
            lambda part, first: tape(part, first, first, first + part.shape[-1]),
            back=reach,
            ahead=reach,
            size=block,
        ),
    )


WOW = Effect(
    *ROW,
    process=process,
    flow=flow,
    engaged={"wow_cents": 15, "flutter_cents": 5},
)  # fmt: skip
