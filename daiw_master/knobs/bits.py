"""The old sampler's knobs."""

from __future__ import annotations

from daiw_master.knobs.row import Row
from daiw_master.params import Param

#: Depth and rate that leave the sound as it is.
OFF_BITS, OFF_HZ = 24.0, 48000.0

PARAMS = (
    Param("depth_bits", 4, OFF_BITS, OFF_BITS, "bits",
          about="levels the sound may take; 12 is grain, 8 is grit, 24 is exactly off"),
    Param("rate_hz", 4000, OFF_HZ, OFF_HZ, "Hz", "log",
          "how often it may change, without a filter: mirrored highs; 48 kHz is exactly off"),
)  # fmt: skip

ROW = Row("bits", "an old sampler's grain: fewer levels, fewer samples", PARAMS)
