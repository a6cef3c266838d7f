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
from daiw_master.stack.effect import Effect, Setting, at_rest, batch_of, turned
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
    settings = {
        "wow_cents": wow_cents,
        "wow_hz": wow_hz,
        "flutter_cents": flutter_cents,
        "flutter_hz": flutter_hz,
    }
    if not (turned(wow_cents, 0.0) or turned(flutter_cents, 0.0)):
        return at_rest(x, settings)
    pairs = [
        [torch.as_tensor(value, dtype=torch.float64, device=x.device).reshape(-1, 1) for value in pair]
        for pair in ((wow_cents, wow_hz), (flutter_cents, flutter_hz))
    ]
    batch, time = max(batch_of(settings), len(x)), x.shape[-1]

    def blocks() -> Iterator[torch.Tensor]:
        for start in range(0, time, BLOCK):
            n = torch.arange(start, min(start + BLOCK, time), dtype=torch.float64, device=x.device)[None]
            where = n + rate * sum(sway(n / rate, cents, hz) for cents, hz in pairs)
            yield _read(x, where.expand(batch if len(x) > 1 else len(where), -1)).expand(batch, -1, -1)

    return join(blocks(), time)


WOW = Effect(
    *ROW,
    process=process,
    engaged={"wow_cents": 15, "flutter_cents": 5},
)  # fmt: skip
