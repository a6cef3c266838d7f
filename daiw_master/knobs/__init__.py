"""Every knob of our own effects, written once, where nothing heavy is needed to read it."""

from __future__ import annotations

from daiw_master.knobs import (
    automation,
    bits,
    clipper,
    dynamics,
    eq,
    exciter,
    imager,
    limiter,
    loudness,
    multiband,
    noise,
    reverb,
    tape,
    wow,
)
from daiw_master.knobs.row import Row

#: By name, in house order where the house has one.
ROWS: dict[str, Row] = {
    module.ROW.name: module.ROW
    for module in (
        reverb, eq, dynamics, multiband, tape, wow, exciter, bits, imager, noise, clipper, automation,
        loudness, limiter,
    )
}  # fmt: skip

__all__ = ["ROWS", "Row"]
