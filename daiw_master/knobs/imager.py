"""The knobs of width."""

from __future__ import annotations

from daiw_master.knobs.row import Row
from daiw_master.params import Param

PARAMS = (
    Param("low_width_db", -40, 0, 0, "dB", about="side below 120 Hz; a master's low end is mono"),
    Param("low_mid_width_db", -24, 6, 0, "dB", about="side from 120 to 500 Hz"),
    Param("mid_width_db", -24, 6, 0, "dB", about="side from 500 Hz to 4 kHz"),
    Param("high_width_db", -24, 6, 0, "dB", about="side above 4 kHz"),
    Param("correlation_floor", -1, 0.5, -1,
          about="correlation of left and right never falls below this for long; -1 is exactly off"),
)  # fmt: skip

ROW = Row(
    "imager",
    "width: side level in four bands, and a floor under the correlation; the mono sum never moves",
    PARAMS,
)
