"""What targets are called where people read them, and which of them belong together."""

from __future__ import annotations

from collections.abc import Mapping

BAND_WORDS = {
    "band_sub_db": "sub",
    "band_bass_db": "bass",
    "band_low_mid_db": "low mids",
    "band_mid_db": "mids",
    "band_high_mid_db": "high mids",
    "band_presence_db": "presence",
    "band_brilliance_db": "brilliance",
    "band_air_db": "air",
}
#: Lows are mono by custom: they have a width, and no feeling asks for it.
WIDTH_WORDS = {
    "width_low_mid_db": "low mids",
    "width_mid_db": "mids",
    "width_high_db": "highs",
}
DYNAMICS_WORDS = {"loudness_range_lu": "range", "crest_db": "crest", "onset_db": "attacks"}

#: The sheet's blocks, in the order an engineer asks: (heading, target -> word under that heading).
GROUPS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("Delivery", {"loudness_lufs": "loudness", "true_peak_dbtp": "true peak"}),
    ("Tone", BAND_WORDS),
    ("Width", {"width_low_db": "lows", **WIDTH_WORDS}),
    ("Dynamics", {**DYNAMICS_WORDS, "gain_reduction_db": "compression"}),
    ("Space and grit", {"reverb_wet_db": "reverb", "reverb_decay_s": "decay", "drive_db": "drive"}),
)
_NAMES = {target: word for _, words in GROUPS for target, word in words.items()}


def name_of(target: str) -> str:
    """A target's name in a sentence; anything else keeps its own."""
    width = "width of the " if target.startswith("width_") and target in _NAMES else ""
    return width + _NAMES.get(target, target)


def spoken(what: str, unit: str = "") -> str:
    """What a move or a log line is about: a target by its name, a knob without its unit."""
    if what in _NAMES:
        return name_of(what)
    end = f"_{unit.lower()}"
    return (what.removesuffix(end) if unit else what).replace("_", " ").replace(".", " ")
