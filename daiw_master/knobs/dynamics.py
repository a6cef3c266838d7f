"""The knobs of compressor, expanders, shaper and rider."""

from __future__ import annotations

from daiw_master.knobs.row import Row
from daiw_master.params import Param

PARAMS = (
    Param(
        "threshold_db",
        -60,
        0,
        -24,
        "dB",
        about="level (RMS, both channels; full-scale square 0) above which it compresses or expands upward",
    ),
    Param(
        "ratio", 1, 10, 1, "", "log", about="compression above the threshold: 2 turns 2 dB into 1; 1 is off"
    ),
    Param("knee_db", 0, 24, 6, "dB", about="width of the bend around each threshold"),
    Param("attack_ms", 0.5, 200, 30, "ms", "log", about="time to 63 % of a gain change when it gets louder"),
    Param("release_ms", 20, 2000, 200, "ms", "log", about="time to 63 % of the way back when it gets softer"),
    Param("expand_down_ratio", 1, 4, 1, about="downward expansion: soft gets softer, 2 doubles its distance"),
    Param("expand_threshold_db", -80, 0, -50, "dB", about="level below which it expands downward"),
    Param("expand_up_ratio", 1, 2, 1, about="upward expansion: above the threshold, loud gets louder"),
    Param("expand_depth_db", 0, 24, 12, "dB", about="the most either expander may do"),
    Param("attack_db", -9, 9, 0, "dB", about="onsets harder (+) or softer (-), at any level"),
    Param("sustain_db", -9, 9, 0, "dB", about="tails longer (+) or shorter (-), at any level"),
    Param(
        "ride",
        -1,
        1,
        0,
        about="slow fader: +1 widens the song's own soft and loud by up to 3 dB, -1 evens it",
    ),
)

ROW = Row(
    "dynamics",
    "compressor, downward and upward expander, attack/sustain shaper and a slow level rider",
    PARAMS,
)
