"""The clipper's knobs."""

from __future__ import annotations

from daiw_master.knobs.row import Row
from daiw_master.params import Param

#: The threshold that cuts nothing.
OFF_DB = 12.0

PARAMS = (
    Param("threshold_db", -24, OFF_DB, OFF_DB, "dB",
          about="peaks are cut at this level (dBFS); 12 is exactly off"),
    Param("hardness", 0, 1, 0.8, about="0 bends everything up to the threshold, 1 is a knife"),
)  # fmt: skip

ROW = Row("clipper", "peaks cut off at a threshold, softly or like a knife", PARAMS)
