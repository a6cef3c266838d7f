"""The multiband compressor's knobs."""

from __future__ import annotations

from daiw_master.knobs.row import Row
from daiw_master.params import Param

PARAMS = (
    Param("low_crossover_hz", 60, 300, 120, "Hz", "log", about="where the low band ends"),
    Param("high_crossover_hz", 1000, 8000, 2500, "Hz", "log", about="where the high band begins"),
    Param("threshold_db", -60, 0, -30, "dB", about="level in a band (RMS) above which it is compressed"),
    Param("low_offset_db", -24, 24, 0, "dB", about="added to the low band's threshold"),
    Param("mid_offset_db", -24, 24, 0, "dB", about="added to the mid band's threshold"),
    Param(
        "high_offset_db",
        -24,
        24,
        -12,
        "dB",
        about="added to the high band's threshold: highs carry less power",
    ),
    Param("low_ratio", 1, 10, 1, "", "log", about="compression of the low band; 1 is off"),
    Param("mid_ratio", 1, 10, 1, "", "log", about="compression of the mid band; 1 is off"),
    Param("high_ratio", 1, 10, 1, "", "log", about="compression of the high band; 1 is off"),
    Param("knee_db", 0, 24, 6, "dB", about="width of the bend around each threshold"),
    Param("attack_ms", 1, 200, 30, "ms", "log", about="attack of the mid band; twice that below, half above"),
    Param(
        "release_ms",
        20,
        1000,
        200,
        "ms",
        "log",
        about="release of the mid band; twice that below, half above",
    ),
)

ROW = Row("multiband", "three-band compressor with crossovers that sum to the input", PARAMS)
