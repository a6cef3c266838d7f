"""Intents of our own in every shape DAiW writes, for the tests that read, mutate and check them."""

from __future__ import annotations

import copy
from pathlib import Path

#: DAiW's own files, where this machine has them.
SAMPLES = Path(__file__).resolve().parents[2] / "../shared/data/daiw"

SAVED = {
    "title": "Kitchen Light",
    "created": "2025-03-09",
    "song_root": {
        "core_event": "The light was still on when I came home",
        "core_resistance": "Nobody is supposed to be waited for",
        "core_longing": "To be expected somewhere",
        "core_stakes": "Relational",
        "core_transformation": "Quieter than before",
    },
    "song_intent": {
        "mood_primary": "Tenderness",
        "mood_secondary_tension": 0.35,
        "imagery_texture": "Warm/Enveloping",
        "vulnerability_scale": "Medium",
        "narrative_arc": "Rise and Fall",
    },
    "technical_constraints": {
        "technical_genre": "Chamber Pop",
        "technical_tempo_range": [71, 79],
        "technical_key": "Bb",
        "technical_mode": "lydian",
        "technical_groove_feel": "Laid Back",
        "technical_rule_to_break": "PRODUCTION_RoomNoise",
        "rule_breaking_justification": "The refrigerator was part of the evening",
    },
    "system_directive": {"output_target": "Full arrangement", "output_feedback_loop": "Rhythm"},
}
WIZARD = {
    "phase0_root": {"core_event": "a train that left", "core_stakes": "closure", "core_truth": "I stayed"},
    "phase1_intent": {
        "mood_primary": "longing",
        "mood_secondary_tension": "hope_despite_pain",
        "mood_secondary_tension_scale": 7,
        "vulnerability_scale": "high",
        "narrative_arc": "release",
    },
    "phase2_technical": {
        "technical_genre": "folk",
        "technical_energy": 4,
        "technical_rule_to_break": "harmony",
    },
    "metadata": {
        "wizard_session_id": "s-17",
        "completeness_score": 0.75,
        "started_at": "2025-03-09T20:15:00",
    },
}
ORCHESTRATOR = {
    "title": "Kitchen Light",
    "phase_0": SAVED["song_root"],
    "phase_1": SAVED["song_intent"],
    "phase_2": SAVED["technical_constraints"],
}
FLAT = {
    "emotion": "tenderness",
    "genre": "folk",
    "key": "Bb",
    "mode": "lydian",
    "tempo": 77,
    "rule_to_break": "PRODUCTION_MonoCollapse",
    "rule_justification": "one lamp, one chair",
}
PROCESSED = {
    "intent_summary": {
        "mood": "Tenderness",
        "tension": 0.35,
        "narrative": "Rise and Fall",
        "rule_broken": "PRODUCTION_RoomNoise",
        "justification": "The refrigerator was part of the evening",
    },
    "harmony": {"chords": ["Bb", "F", "Gm"], "roman_numerals": ["I", "V", "vi"], "effect": "floats"},
    "groove": {"pattern": "Late Pocket", "tempo": 75, "swing": 0.12},
    "arrangement": {
        "sections": [
            {"name": "Hall", "bars": 8, "energy": 0.25, "notes": "keys in the door"},
            {"name": "Kitchen", "bars": 16, "energy": 0.85, "notes": "two cups"},
        ],
        "dynamic_arc": [0.25, 0.85],
    },
    "production": {"vocal_treatment": "near", "eq_notes": ["leave the hum"], "dynamics_notes": ["breathe"]},
}
SIDECAR = {
    "idaw_version": "1.0.02",
    "emotion": "hope",
    "bpm": 83,
    "time_signature": "3/4",
    "tracks": {"lead": {"category": "flute", "preset": None, "samples": ["flute_07"], "midi_channel": 2}},
    "logic_pro_hints": {"suggested_patches": ["Breath 9"], "apple_loops_tags": []},
}
KELLY = {
    "song_intent": {"mood_primary": "hope", "vulnerability_scale": "medium", "narrative_arc": "linear"},
    "technical_constraints": {"technical_tempo": 82, "technical_key": "F"},
}
PLAN = {
    "affect": {"primary": "awe", "secondary": "fear", "scores": {"awe": 4.5, "fear": 1.25}, "intensity": 0.9},
    "plan": {"root_note": "E", "mode": "phrygian", "tempo_bpm": 91, "length_bars": 24, "mood_profile": "awe",
             "chord_symbols": ["Em", "F"], "complexity": 0.45},
}  # fmt: skip
HARMONY = {
    "chords": ["Bb", "Eb"],
    "voicings": [{"root": "Bb", "notes": [58, 62], "velocity": 81, "emotional_function": None}],
    "key": "Bb",
    "mode": "major",
    "rule_break_applied": "HARMONY_ModalInterchange",
    "emotional_justification": "a cloud over the table",
}
SONG = {
    "title": "Kitchen Light",
    "key": "Bb",
    "mode": "major",
    "tempo_bpm": 74,
    "mood": "tenderness",
    "genre": "folk",
    "total_bars": 12,
    "sections": [
        {"name": "verse", "bars": 8, "progression": "I-V", "chords": ["Bb"], "energy": 0.5, "notes": "first"},
        {"name": "chorus", "bars": 4, "progression": "IV", "chords": ["Eb"], "energy": 0.9, "notes": "open"},
    ],
}
INTERROGATION = {
    "title": "Kitchen Light",
    "core_emotion": "relief",
    "vulnerability_level": 8,
    "production_style": "lo-fi bedroom",
    "production_rules_to_break": ["PRODUCTION_LoFiDegradation", "PRODUCTION_MonoCollapse"],
    "section_emotions": {"peak": "the second cup"},
    "reference_songs": ["one we both knew"],
}
WITH_MASTERING = {
    **SAVED,
    "mastering": {
        "platform": "spotify",
        "targets": {"band_air_db": -6.5},
        "rules": ["PRODUCTION_MonoCollapse"],
    },
}

#: Shape name -> an example of it.
ALL = {
    "saved": SAVED,
    "wizard": WIZARD,
    "orchestrator": ORCHESTRATOR,
    "flat": FLAT,
    "processed": PROCESSED,
    "sidecar": SIDECAR,
    "kelly": KELLY,
    "plan": PLAN,
    "harmony": HARMONY,
    "song": SONG,
    "interrogation": INTERROGATION,
    "mastering": WITH_MASTERING,
}


def example_set() -> dict:
    """DAiW's file of examples: Phase 2 under the key its own loader does not know."""
    first, second = copy.deepcopy(SAVED), copy.deepcopy(SAVED)
    for sheet in (first, second):
        sheet["song_technical_constraints"] = sheet.pop("technical_constraints")
        sheet["expected_output"] = {"production": "a room with a door"}
    second["title"], second["song_intent"]["mood_primary"] = "Street Lamp", "Rage"
    return {
        "metadata": {"version": "1.0.0"},
        "examples": {"kitchen_light": first, "street_lamp": second},
        "rule_breaking_lookup": {"tenderness": ["PRODUCTION_RoomNoise"]},
    }


def schema_file() -> dict:
    """DAiW's schema: choices, an empty template and examples by prefix."""
    phases = {key: SAVED[key] for key in ("song_root", "song_intent")}
    return {
        "schema_version": "1.0.0",
        "enums": {"production_rules_to_break": {"PRODUCTION_Distortion": {"effect": "damage"}}},
        "template": {"song_root": {"core_event": ""}, "song_intent": {"mood_secondary_tension": 0.5}},
        "example_kitchen_song": {**phases, "song_technical_constraints": SAVED["technical_constraints"]},
    }
