"""The exciter's knobs."""

from __future__ import annotations

from daiw_master.knobs.row import Row
from daiw_master.params import Param

NONE_DB = -60.0

PARAMS = (
    Param("mix_db", NONE_DB, 0, NONE_DB, "dB",
          about="new harmonics against the band they are made from; -60 is exactly none"),
    Param("drive_db", 0, 30, 12, "dB", about="from a gentle second and third harmonic to a hard edge"),
    Param("even_odd", -1, 1, 0, about="-1 even harmonics only (warm), +1 odd ones only (biting)"),
    Param("cutoff_hz", 1500, 8000, 3000, "Hz", "log", "harmonics come from and stay above here"),
)  # fmt: skip

ROW = Row("exciter", "air and bite: new harmonics from the top band, at a level relative to it", PARAMS)
