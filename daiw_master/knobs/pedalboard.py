"""The knobs of pedalboard's own effects, with the ranges we vouch for.

pedalboard names its knobs but does not say how far they turn. Defaults are pedalboard's; ranges stop
where the effect stops being useful or starts to ring for ever. Switches stay fixed: a knob that
only clicks has nothing to search.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from daiw_master.params import Param


@dataclass(frozen=True)
class PluginRow:
    """One pedalboard class: its knobs, what stays fixed, and where all knobs can be heard.

    `attributes` maps a knob to pedalboard's name for it where ours carries a clearer unit.
    """

    plugin: str
    about: str
    params: tuple[Param, ...]
    identity_at_default: bool = False
    engaged: Mapping[str, float] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, float | bool] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the row is called in a chain: LowShelfFilter is `pedalboard_low_shelf_filter`."""
        return pedalboard_name(self.plugin)


def pedalboard_name(plugin: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", plugin)
    return "pedalboard_" + re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


def _level(name: str, low: float, high: float, default: float, about: str) -> Param:
    return Param(name, low, high, default, "dB", about=about)


def _time(name: str, low: float, high: float, default: float, about: str) -> Param:
    return Param(name, low, high, default, "ms", "log", about)


def _frequency(name: str, low: float, high: float, default: float, about: str) -> Param:
    return Param(name, low, high, default, "Hz", "log", about)


def _share(name: str, default: float, about: str, low: float = 0.0, high: float = 1.0) -> Param:
    return Param(name, low, high, default, about=about)


_RATIO = Param("ratio", 1, 20, 1, scale="log", about="dB in for each dB out above the threshold")
_Q = Param("q", 0.1, 10, 0.7071067690849304, scale="log", about="how narrow: 0.7 is gentle")
_MIX = _share("mix", 0.5, "0 is dry, 1 is effect only")


def _filter(plugin: str, about: str) -> PluginRow:
    """A band of an equaliser: frequency, gain, width."""
    params = (
        _frequency("cutoff_frequency_hz", 20, 20000, 440, "where it acts"),
        _level("gain_db", -30, 30, 0, "boost or cut"),
        _Q,
    )
    return PluginRow(plugin, about, params, identity_at_default=True, engaged={"gain_db": 6.0})


ROWS: tuple[PluginRow, ...] = (
    PluginRow(
        "Compressor",
        "evens out loud and soft (pedalboard's, hard knee)",
        (
            _level("threshold_db", -60, 0, 0, "level above which it acts"),
            _RATIO,
            _time("attack_ms", 0.1, 200, 1, "how fast it takes hold"),
            _time("release_ms", 5, 2000, 100, "how fast it lets go"),
        ),
        identity_at_default=True,
        engaged={"threshold_db": -30.0, "ratio": 4.0},
    ),
    PluginRow(
        "NoiseGate",
        "closes between notes",
        (
            _level("threshold_db", -100, 0, -100, "level below which it closes"),
            Param("ratio", 1, 50, 10, scale="log", about="how far it closes"),
            _time("attack_ms", 0.1, 200, 1, "how fast it opens"),
            _time("release_ms", 5, 2000, 100, "how fast it closes"),
        ),
        engaged={"threshold_db": -25.0, "ratio": 4.0},
    ),
    PluginRow(
        "Limiter",
        "two compressors in a row with make-up gain; no ceiling you could rely on",
        (
            _level("threshold_db", -40, 0, -10, "level above which it acts"),
            _time("release_ms", 5, 2000, 100, "how fast it lets go"),
        ),
    ),
    PluginRow(
        "BrickwallLimiter",
        "holds peaks under a ceiling, looking ahead",
        (
            _level("ceiling_db", -30, 0, -1, "no peak above this"),
            _time("release_ms", 5, 2000, 100, "how fast it lets go"),
            _time("lookahead_ms", 0.5, 20, 5, "how early it sees a peak"),
        ),
        engaged={"ceiling_db": -15.0},
        fixed={"true_peak": True},
    ),
    PluginRow(
        "Clipping",
        "cuts peaks off flat",
        (_level("threshold_db", -40, 0, -6, "where it cuts"),),
    ),
    PluginRow(
        "Distortion",
        "drives into a soft ceiling (tanh)",
        (_level("drive_db", 0, 50, 25, "gain before the ceiling"),),
    ),
    PluginRow(
        "Bitcrush",
        "coarse steps, like an early sampler",
        (Param("bit_depth", 2, 16, 8, "bit", about="how fine the steps are"),),
    ),
    PluginRow(
        "Reverb",
        "a room (Freeverb)",
        (
            _share("room_size", 0.5, "how large"),
            _share("damping", 0.5, "how soon the highs die away"),
            _share("wet_level", 0.33, "how much room"),
            _share("dry_level", 0.4, "how much of the sound itself"),
            _share("width", 1.0, "how wide the room"),
        ),
    ),
    PluginRow(
        "Delay",
        "echoes",
        (
            Param("delay_s", 0.01, 4, 0.5, "s", "log", "time between echoes"),
            _share("feedback", 0.0, "how many echoes", high=0.95),
            _MIX,
        ),
        attributes={"delay_s": "delay_seconds"},
    ),
    PluginRow(
        "Chorus",
        "a second, wavering copy",
        (
            _frequency("rate_hz", 0.05, 20, 1, "how fast it wavers"),
            _share("depth", 0.25, "how far it wavers"),
            Param("centre_delay_ms", 1, 100, 7, "ms", "log", "how late the copy is"),
            _share("feedback", 0.0, "how metallic", low=-0.95, high=0.95),
            _MIX,
        ),
    ),
    PluginRow(
        "Phaser",
        "notches that wander",
        (
            _frequency("rate_hz", 0.05, 20, 1, "how fast they wander"),
            _share("depth", 0.5, "how far they wander"),
            _frequency("centre_frequency_hz", 20, 20000, 1300, "around where"),
            _share("feedback", 0.0, "how sharp", low=-0.95, high=0.95),
            _MIX,
        ),
    ),
    _filter("LowShelfFilter", "lifts or lowers everything below"),
    _filter("PeakFilter", "lifts or lowers around a frequency"),
    _filter("HighShelfFilter", "lifts or lowers everything above"),
    PluginRow(
        "HighpassFilter",
        "takes the lows away, 6 dB per octave",
        (_frequency("cutoff_frequency_hz", 20, 20000, 50, "-3 dB here"),),
    ),
    PluginRow(
        "LowpassFilter",
        "takes the highs away, 6 dB per octave",
        (_frequency("cutoff_frequency_hz", 20, 20000, 50, "-3 dB here"),),
    ),
    PluginRow(
        "LadderFilter",
        "a synthesiser's low-pass, 12 dB per octave, with resonance and drive",
        (
            _frequency("cutoff_hz", 20, 20000, 200, "where it closes"),
            _share("resonance", 0.0, "how much it sings there", high=0.95),
            Param("drive", 1, 10, 1, scale="log", about="saturation inside"),
        ),
    ),
)
