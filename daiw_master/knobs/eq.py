"""The equaliser's knobs."""

from __future__ import annotations

from collections.abc import Iterator

from daiw_master.knobs.row import Row
from daiw_master.params import Param

#: Lowest, usual and highest centre of each bell in Hz.
PEAKS_HZ = (
    (50.0, 120.0, 300.0),
    (150.0, 350.0, 800.0),
    (400.0, 1000.0, 2500.0),
    (1200.0, 2800.0, 5600.0),
    (2500.0, 4900.0, 9000.0),
    (5000.0, 8500.0, 16000.0),
)
HIGH_PASS_OFF_HZ, HIGH_PASS_WHOLE_HZ = 10.0, 20.0


def _peak_params() -> Iterator[Param]:
    for n, (low, usual, high) in enumerate(PEAKS_HZ, start=1):
        yield Param(f"peak_{n}_gain_db", -12, 12, 0, "dB", about=f"boost or cut of bell {n}")
        yield Param(f"peak_{n}_hz", low, high, usual, "Hz", "log", f"centre of bell {n}")
        yield Param(f"peak_{n}_q", 0.4, 6, 1, "", "log", f"how narrow bell {n} is")


PARAMS = (
    Param("high_pass_hz", HIGH_PASS_OFF_HZ, 200, HIGH_PASS_OFF_HZ, "Hz", "log",
          "below here the sound falls by 12 dB an octave; 10 Hz is exactly off"),
    Param("low_shelf_gain_db", -12, 12, 0, "dB", about="weight: everything below the low shelf"),
    Param("low_shelf_hz", 30, 250, 60, "Hz", "log", "where the low shelf is half done"),
    *_peak_params(),
    Param("high_shelf_gain_db", -12, 12, 0, "dB", about="air: everything above the high shelf"),
    Param("high_shelf_hz", 4000, 16000, 12000, "Hz", "log", "where the high shelf is half done"),
    Param("tilt_db", -12, 12, 0, "dB", about="brightness: highs up and lows down by half of this"),
)  # fmt: skip

ROW = Row("eq", "tone: high-pass, shelves, six bells and a tilt, as one minimum-phase filter", PARAMS)
