"""The knobs of an uneven tape."""

from __future__ import annotations

from daiw_master.knobs.row import Row
from daiw_master.params import Param

PARAMS = (
    Param("wow_cents", 0, 50, 0, "cents", about="how far pitch sways slowly; 5 is worn, 20 is warped"),
    Param("wow_hz", 0.2, 3, 0.7, "Hz", "log", "how often it sways"),
    Param("flutter_cents", 0, 20, 0, "cents", about="how far it trembles; 2 shimmers, 10 gargles"),
    Param("flutter_hz", 4, 15, 8, "Hz", "log", "how often it trembles"),
)  # fmt: skip

ROW = Row("wow", "a tape that does not run evenly: pitch sways slowly (wow) and trembles (flutter)", PARAMS)
