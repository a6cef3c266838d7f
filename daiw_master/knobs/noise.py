"""The knobs of the bed."""

from __future__ import annotations

from daiw_master.knobs.row import Row
from daiw_master.params import Param

NONE_DB = -90.0

PARAMS = (
    Param("hiss_db", NONE_DB, -20, NONE_DB, "dB",
          about="tape hiss (RMS against full scale); -90 is exactly none"),
    Param("room_db", NONE_DB, -20, NONE_DB, "dB", about="the low air of a room; -90 is exactly none"),
    Param("crackle_db", NONE_DB, -20, NONE_DB, "dB",
          about="a needle in dust, single clicks some 35 dB higher; -90 is exactly none"),
    Param("follow", 0, 1, 0,
          about="0 a bed that never moves; 1 follows the music (as asked at -20 dBFS), silence included"),
)  # fmt: skip

ROW = Row("noise", "the bed a recording lies on: tape hiss, a room, a needle in dust", PARAMS)
