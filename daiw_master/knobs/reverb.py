"""The room's knobs."""

from __future__ import annotations

from daiw_master.knobs.row import Row
from daiw_master.params import Param

#: What each role of a MIDI song sends to the reverb. Lows in a room are mud: bass, kick and low drums
#: stay dry; the rest of the kit at half level keeps its grip.
SEND_WEIGHTS = {"bass": 0.0, "kick": 0.0, "drums": 0.5}
#: `wet_db` here means none; the last few dB above it fade to exactly nothing.
NO_WET_DB = -60.0
PARAMS = (
    Param("wet_db", NO_WET_DB, 0, NO_WET_DB, "dB", about="reverb against the dry sound; -60 is none"),
    Param("decay_s", 0.2, 6, 0.9, "s", "log", "time for the tail to fall by 60 dB, 500 to 2000 Hz"),
    Param("low_decay_ratio", 0.5, 2, 1, "", "log", "how much longer the lows (under 250 Hz) ring"),
    Param("high_decay_ratio", 0.2, 1.5, 0.6, "", "log", "how much longer the highs (over 6 kHz) ring"),
    Param("predelay_ms", 0, 120, 15, "ms", about="gap before the room answers: keeps attacks clear"),
    Param("early_db", -24, 6, -6, "dB", about="first reflections against the tail, in energy"),
    Param("low_cut_hz", 20, 400, 200, "Hz", "log", "keeps the bass dry, 12 dB/oct"),
    Param("high_cut_hz", 2000, 20000, 12000, "Hz", "log", "takes the sheen off the room, 6 dB/oct"),
    Param("width", 0, 1, 1, about="1: as wide as two independent walls; 0: mono"),
)

ROW = Row(
    "reverb", "the room around the sound: early reflections and a tail with its own decay per band", PARAMS
)
