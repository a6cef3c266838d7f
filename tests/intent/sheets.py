"""Intents to test with, written as DAiW writes them."""

from __future__ import annotations

from daiw_master.intent.schema import Intent
from daiw_master.intent.shapes import read_intent

FULL = {
    "title": "Empty Chair",
    "song_root": {
        "core_event": "the chair stayed empty",
        "core_longing": "to say goodbye slowly",
        "core_stakes": "Relational",
    },
    "song_intent": {
        "mood_primary": "Grief",
        "mood_secondary_tension": 0.4,
        "imagery_texture": "Muffled, like hearing through water",
        "vulnerability_scale": "High",
        "narrative_arc": "Slow Reveal",
    },
    "technical_constraints": {
        "technical_genre": "Lo-Fi Bedroom/Confessional Acoustic",
        "technical_tempo_range": [70, 84],
        "technical_key": "F",
        "technical_groove_feel": "Organic/Breathing",
        "technical_rule_to_break": "PRODUCTION_LoFiDegradation",
        "rule_breaking_justification": "because the memory is worn",
    },
    "mastering": {"platform": "spotify", "targets": {"band_air_db": -6}, "settings": {"eq.tilt_db": -0.5}},
}


def sheet(*without: str, **fields) -> Intent:
    """The full sheet with some fields written anew ("mastering__lufs" for a nested one) or left out."""
    tree = {key: dict(value) if isinstance(value, dict) else value for key, value in FULL.items()}
    for name in without:
        for section in tree.values():
            if isinstance(section, dict):
                section.pop(name, None)
        tree.pop(name, None)
    for name, value in fields.items():
        place, _, key = name.rpartition("__")
        section = place or next(k for k, own in tree.items() if isinstance(own, dict) and _belongs(k, name))
        tree.setdefault(section, {})[key] = value
    return read_intent(tree)


def _belongs(section: str, name: str) -> bool:
    from daiw_master.intent.names import FIELDS

    return FIELDS[name][0] == section
