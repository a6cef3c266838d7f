"""The one knob of loudness."""

from __future__ import annotations

from daiw_master.knobs.row import Row
from daiw_master.params import Param

PARAMS = (Param("loudness_lufs", -40, -5, -14, "LUFS", about="integrated loudness, gated (BS.1770-4)"),)

ROW = Row("loudness", "one gain that puts the whole song at its level", PARAMS)
