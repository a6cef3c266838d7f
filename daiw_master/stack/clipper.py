"""Clipper: peaks cut off, from a soft knee to a knife, without the rattle of folded harmonics.

Below the knee the sound is left alone; above it, it nears the threshold as a tanh, and where knee and
threshold meet, it is cut. Worked out at eight times the rate: of a full-scale tone up to 8 kHz cut by
12 dB, what folds back lies 50 dB down at the knife's edge and 90 dB down at the softest knee.

Without the harmonics that have no room at the sound's own rate a cut wave rings: by 9 % below a few
kHz (Gibbs), by 2.1 dB where only the fundamental is left (4 / pi of a square), by more where highs above
0.42 of the rate pass uncut. A plain cut 3 dB above the threshold is the end of that.
"""

from __future__ import annotations

import torch

from daiw_master.knobs.clipper import OFF_DB, ROW
from daiw_master.sounds import BLOCK
from daiw_master.stack.effect import Effect, Setting, at_rest, per_item, turned
from daiw_master.stack.flow import Flow, Nearby
from daiw_master.stack.oversample import BEND_REACH, bend
from daiw_master.units import gain_from_db

#: No sample stands further above the threshold than this, whatever the filters ring.
OVERSHOOT_DB = 3.0
#: A knee nearer to the threshold than this share of it is a corner.
CORNER = 1e-4


def clipped(u: torch.Tensor, threshold: torch.Tensor, hardness: torch.Tensor) -> torch.Tensor:
    """The curve: u up to the knee (hardness * threshold), from there threshold-bound as a tanh.

    Slope and curvature go on through the knee; at hardness 1 this is `clamp`.
    """
    knee = hardness.clamp_max(1.0 - CORNER) * threshold
    room = threshold - knee
    straight = u.clamp(-knee, knee)
    return straight + room * torch.tanh((u - straight) / room)


def process(x: torch.Tensor, rate: int, *, threshold_db: Setting, hardness: Setting) -> torch.Tensor:
    """The sound with its peaks cut; see `CLIPPER` for the knobs."""
    settings = {"threshold_db": threshold_db, "hardness": hardness}
    if not turned(threshold_db, OFF_DB):
        return at_rest(x, settings)
    threshold, hardness = gain_from_db(per_item(threshold_db, x)), per_item(hardness, x)
    y = bend(x, lambda u: clipped(u, threshold, hardness))
    most = gain_from_db(OVERSHOOT_DB) * threshold
    return torch.minimum(torch.maximum(y, -most), most)


def flow(
    rate: int, channels: int, *, block: int = BLOCK, length: int | None = None, **settings: Setting
) -> tuple[Flow, ...]:
    """The clipper in the middle of a song; it hears 64 samples ahead."""
    if not turned(settings["threshold_db"], OFF_DB):
        return ()
    return (
        Nearby(
            lambda part, first: process(part, rate, **settings), back=BEND_REACH, ahead=BEND_REACH, size=block
        ),
    )


CLIPPER = Effect(
    *ROW,
    process=process,
    flow=flow,
    engaged={"threshold_db": -14, "hardness": 0.5},
)  # fmt: skip
