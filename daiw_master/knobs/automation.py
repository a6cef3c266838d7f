"""The knobs of the slow hand."""

from __future__ import annotations

from daiw_master.knobs.row import Row
from daiw_master.params import Param

LEVEL = Param("level_db", 0, 4, 0, "dB", about="loudness follows the form: up to this much either way")
BRIGHTNESS = Param("brightness_db", 0, 4, 0, "dB", about="so do the highs above 3 kHz, on top of the level")
DRIFT = Param("drift_db", -6, 6, 0, "dB", about="highs against lows: the last bar's minus the first bar's")

PARAMS = (LEVEL, BRIGHTNESS, DRIFT)  # fmt: skip

ROW = Row(
    "automation", "loudness and brightness that follow the song's form, and a slow drift of its tone", PARAMS
)
