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
WIDTH_WORDS = {
    "width_low_mid_db": "low mids",
    "width_mid_db": "mids",
    "width_high_db": "highs",
}
WIDTH_NAMES = {name: f"width of the {words}" for name, words in WIDTH_WORDS.items()}
DYNAMICS_WORDS = {"loudness_range_lu": "range", "crest_db": "crest", "onset_db": "attacks"}

#: The sheet's blocks, in the order an engineer asks: (heading, target -> word under that heading).
GROUPS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("Delivery", {"loudness_lufs": "loudness", "true_peak_dbtp": "true peak"}),
    ("Tone", BAND_WORDS),
    ("Width", {"width_low_db": "lows", **WIDTH_WORDS}),
    ("Dynamics", {**DYNAMICS_WORDS, "gain_reduction_db": "compression"}),
    ("Space and grit", {"reverb_wet_db": "reverb", "reverb_decay_s": "decay", "drive_db": "drive"}),
)


def name_of(target: str) -> str:
    """A target's name in a sentence; an unknown one keeps its own."""
    return {**BAND_WORDS, **WIDTH_NAMES, **DYNAMICS_WORDS}.get(target, target)
