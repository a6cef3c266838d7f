"""Strength: how much of a feeling, over all or group by group. 0 is the song's neutral."""

from __future__ import annotations

from collections.abc import Mapping

from daiw_master.errors import OutOfRangeError, UnknownNameError
from daiw_master.targets import BANDS, WIDTHS

#: What `--strength` can turn down on its own.
STRENGTH_GROUPS: Mapping[str, tuple[str, ...]] = {
    "loudness": ("loudness_lufs",),
    "bands": BANDS,
    "width": WIDTHS,
    "dynamics": ("crest_db", "loudness_range_lu", "onset_db", "gain_reduction_db"),
    "space": ("reverb_decay_s", "reverb_wet_db"),
    "drive": ("drive_db",),
}


def parse_strength(text: str) -> dict[str, float]:
    """`"0.5"` or `"bands=0.5,width=0.7"` as a factor per group of targets."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) == 1 and "=" not in parts[0]:
        parts = [f"{group}={parts[0]}" for group in STRENGTH_GROUPS]
    factors = dict.fromkeys(STRENGTH_GROUPS, 1.0)
    for part in parts:
        group, _, raw = part.partition("=")
        group = group.strip()
        if group not in STRENGTH_GROUPS:
            raise UnknownNameError(
                "strength group", group, STRENGTH_GROUPS, f"({', '.join(STRENGTH_GROUPS)})"
            )
        try:
            factor = float(raw)
        except ValueError:
            factor = -1.0
        if not 0.0 <= factor <= 1.0:
            raise OutOfRangeError(f"strength of {group}", repr(raw), 0, 1, "")
        factors[group] = factor
    return factors


def strength_of(field_name: str, factors: Mapping[str, float]) -> float:
    """The factor in force for one target field."""
    return next(factors.get(group, 1.0) for group, names in STRENGTH_GROUPS.items() if field_name in names)
