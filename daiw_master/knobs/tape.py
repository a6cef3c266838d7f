"""The tape's knobs."""

from __future__ import annotations

from daiw_master.knobs.row import Row
from daiw_master.params import Param

#: No loss of highs; it fades in over the third of an octave below.
OPEN_HZ, WHOLE_HZ = 20000.0, 16000.0

PARAMS = (
    Param("drive_db", 0, 18, 0, "dB",
          about="how hard the tape is hit; 6 warms the peaks, 18 is plainly too much; loudness stays"),
    Param("bandwidth_hz", 4000, OPEN_HZ, OPEN_HZ, "Hz", "log",
          "highs are 3 dB down here, gently before and steeply after; 20 kHz is exactly open"),
    Param("bump_db", 0, 4, 0, "dB", about="weight around 80 Hz"),
)  # fmt: skip

ROW = Row("tape", "soft saturation (odd harmonics), worn highs and a head bump", PARAMS)
