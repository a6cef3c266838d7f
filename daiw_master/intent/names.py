"""The names on an intent sheet: DAiW's own, its other spellings, and whose generator wrote what else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from daiw_master.intent import values

#: The phases of the sheet as the four programs that write them spell their keys.
SECTIONS: Mapping[str, str] = {
    "song_root": "song_root",
    "phase0_root": "song_root",
    "phase_0": "song_root",
    "phase0": "song_root",
    "song_intent": "song_intent",
    "phase1_intent": "song_intent",
    "phase_1": "song_intent",
    "phase1": "song_intent",
    "technical_constraints": "technical_constraints",
    "song_technical_constraints": "technical_constraints",
    "phase2_technical": "technical_constraints",
    "phase_2": "technical_constraints",
    "phase2": "technical_constraints",
    "system_directive": "system_directive",
}

Reader = Callable[[object], object]
#: Field: (section it belongs to, how its value is read).
FIELDS: Mapping[str, tuple[str, Reader]] = {
    "title": ("", values.text_from),
    "created": ("", values.text_from),
    **{
        name: ("song_root", values.text_from)
        for name in (
            "core_event", "core_resistance", "core_longing", "core_stakes", "core_transformation",
            "core_truth",
        )
    },
    "mood_primary": ("song_intent", values.mood_from),
    "mood_secondary": ("song_intent", values.mood_from),
    "mood_secondary_tension": ("song_intent", values.tension_from),
    "imagery_texture": ("song_intent", values.text_from),
    "vulnerability_scale": ("song_intent", values.vulnerability_from),
    "narrative_arc": ("song_intent", values.text_from),
    "technical_genre": ("technical_constraints", values.genre_from),
    "technical_tempo_range": ("technical_constraints", values.tempo_from),
    "technical_key": ("technical_constraints", values.text_from),
    "technical_mode": ("technical_constraints", values.text_from),
    "technical_groove_feel": ("technical_constraints", values.text_from),
    "technical_energy": ("technical_constraints", values.text_from),
    "technical_rule_to_break": ("technical_constraints", values.rules_from),
    "rule_breaking_justification": ("technical_constraints", values.text_from),
    "output_target": ("system_directive", values.text_from),
    "output_feedback_loop": ("system_directive", values.text_from),
}  # fmt: skip

#: Other names for the same thing: DAiW's orchestrator, interrogator and generators, and its branches.
ALIASES: Mapping[str, str] = {
    "emotion": "mood_primary",
    "mood": "mood_primary",
    "core_emotion": "mood_primary",
    "secondary_emotion": "mood_secondary",
    "tension": "mood_secondary_tension",
    "texture": "imagery_texture",
    "imagery": "imagery_texture",
    "production_style": "imagery_texture",
    "vulnerability": "vulnerability_scale",
    "arc": "narrative_arc",
    "narrative": "narrative_arc",
    "genre": "technical_genre",
    "tempo": "technical_tempo_range",
    "tempo_bpm": "technical_tempo_range",
    "tempo_range": "technical_tempo_range",
    "technical_tempo": "technical_tempo_range",
    "bpm": "technical_tempo_range",
    "key": "technical_key",
    "mode": "technical_mode",
    "groove": "technical_groove_feel",
    "groove_feel": "technical_groove_feel",
    "rule": "technical_rule_to_break",
    "rule_to_break": "technical_rule_to_break",
    "rules_to_break": "technical_rule_to_break",
    "production_rules_to_break": "technical_rule_to_break",
    "rule_broken": "technical_rule_to_break",
    "rule_break_applied": "technical_rule_to_break",
    "justification": "rule_breaking_justification",
    "rule_justification": "rule_breaking_justification",
    "emotional_justification": "rule_breaking_justification",
}
#: Names that say the same on another scale: (field, how to read it, what to say about it).
RESCALED: Mapping[str, tuple[str, Reader, str]] = {
    "mood_secondary_tension_scale": (
        "mood_secondary_tension",
        values.scale_from,
        "the wizard asks for 1 to 10",
    ),
    "vulnerability_level": ("vulnerability_scale", values.vulnerability_of_ten, "1 to 10, by thirds"),
}

#: What DAiW's generators and sidecars write beside a sheet. It is theirs and kept word for word.
GENERATED = frozenset(
    {
        "harmony", "groove", "production", "intent_summary", "logic_pro_hints", "idaw_version",
        "time_signature", "affect", "plan", "metadata", "description", "expected_output", "chords",
        "voicings", "length_bars", "total_bars", "duration_estimate_seconds", "arrangement",
        "schema_version", "schema_name", "notes",
        "emotional_arc", "subject", "perspective", "tempo_feel", "reference_artists", "reference_songs",
        "structure", "section_emotions", "key_instruments", "lyric_themes", "key_phrases",
        "confidence_level", "what_makes_this_different",
        "primary", "secondary", "scores", "intensity",
        "root_note", "chord_symbols", "harmonic_rhythm", "mood_profile", "complexity",
    }
)  # fmt: skip
#: A generator's summary of the sheet it was given: it fills what the sheet left open. Path -> field.
SUMMARIES: tuple[tuple[str, str], ...] = (
    ("intent_summary.mood", "mood_primary"),
    ("intent_summary.tension", "mood_secondary_tension"),
    ("intent_summary.narrative", "narrative_arc"),
    ("intent_summary.rule_broken", "technical_rule_to_break"),
    ("intent_summary.justification", "rule_breaking_justification"),
    ("affect.primary", "mood_primary"),
    ("affect.secondary", "mood_secondary"),
    ("primary", "mood_primary"),
    ("secondary", "mood_secondary"),
    ("plan.mood_profile", "mood_primary"),
    ("mood_profile", "mood_primary"),
    ("plan.tempo_bpm", "technical_tempo_range"),
    ("plan.root_note", "technical_key"),
    ("root_note", "technical_key"),
    ("plan.mode", "technical_mode"),
    ("groove.tempo", "technical_tempo_range"),
)
#: One of these at the top, and the file speaks of a song. (`title` or `key` alone could be anything.)
TELLING = frozenset(
    {
        *SECTIONS, *(set(FIELDS) - {"title", "created"}), *RESCALED,
        "emotion", "mood", "core_emotion", "genre", "vulnerability", "arc", "narrative", "imagery",
        "rule_to_break", "rules_to_break", "production_rules_to_break", "rule_break_applied",
        "mastering", "intent_summary", "arrangement", "idaw_version", "affect", "mood_profile", "plan",
        "primary",
    }
)  # fmt: skip


def fold_key(key: str) -> str:
    """One spelling per key: `moodPrimary`, `Mood-Primary` and `mood primary` are `mood_primary`."""
    key = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key)
    return re.sub(r"[^a-z0-9]+", "_", key.casefold()).strip("_")


def shape_of(tree: Mapping) -> str:
    """Which of DAiW's shapes a mapping is, in words."""
    keys = {fold_key(key) for key in tree}
    for telling, name in (
        ({"phase0_root", "phase1_intent", "phase2_technical"}, "wizard export"),
        ({"phase_0", "phase_1", "phase_2"}, "orchestrator input"),
        ({"intent_summary"}, "process output"),
        ({"idaw_version"}, "iDAW sidecar"),
        ({"affect", "mood_profile", "plan"}, "therapy plan"),
        ({"rule_break_applied"}, "harmony result"),
        ({"core_emotion", "production_rules_to_break"}, "interrogation"),
    ):
        if keys & telling and not keys & {"song_root", "song_intent"}:
            return name
    if keys & SECTIONS.keys():
        return "intent"
    if "sections" in keys and keys & {"total_bars", "mood"}:
        return "generated song"
    return "flat intent" if keys & (TELLING - {"mastering"}) else "mastering only"
