"""The limiter's knobs."""

from __future__ import annotations

from daiw_master.knobs.row import Row
from daiw_master.params import Param

PARAMS = (
    Param("ceiling_dbtp", -12, 0, -1, "dBTP", about="no point of the sound, between samples too, goes above"),
    Param("release_ms", 10, 1000, 80, "ms", "log", "time in which the gain recovers by 63 % (in dB)"),
    Param("lookahead_ms", 1, 10, 3, "ms", "log", "how early the gain begins to move: longer is smoother"),
)

ROW = Row("limiter", "the ceiling: true peaks held under it by a gain that sees them coming", PARAMS)
