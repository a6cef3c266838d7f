"""What a composer means, as DAiW writes it down: three phases, its own key names, nothing thrown away.

DAiW's phases keep their names (`song_root`, `song_intent`, `technical_constraints`,
`system_directive`). `mastering` is ours, `extras` is what DAiW's generator added, and `unknown` holds
whatever neither of us has a name for, under its dotted path. Reading files is shapes.py's work.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from daiw_master.intent.mastering import Mastering, Output
from daiw_master.intent.notice import Notice
from daiw_master.intent.values import rules_from, tempo_from, tension_from, text_from, vulnerability_from

__all__ = [
    "Extras",
    "Intent",
    "Mastering",
    "Output",
    "Section",
    "SongIntent",
    "SongRoot",
    "SystemDirective",
    "TechnicalConstraints",
]

#: Any text field: null is "nothing said", a number is its digits, a list is its items in a row.
Text = Annotated[str, BeforeValidator(text_from)]


def _tension(value: object) -> float:
    """NaN may pass: it stands for what was no number, which check.py reports."""
    return value if isinstance(value, float) else tension_from(value)


class _Sheet(BaseModel):
    # not-a-number may stand in what was kept word for word; JSON has no other name for it
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class SongRoot(_Sheet):
    """Phase 0: why the song has to exist. `core_truth` is the last question of DAiW's wizard."""

    core_event: Text = ""
    core_resistance: Text = ""
    core_longing: Text = ""
    core_stakes: Text = ""
    core_transformation: Text = ""
    core_truth: Text = ""


class SongIntent(_Sheet):
    """Phase 1: what it should feel like. `mood_secondary` is the wizard's second feeling, in its words.

    `mood_secondary_tension` lies in [0, 1], or is NaN where what was written is no number.
    """

    mood_primary: Text = ""
    mood_secondary: Text = ""
    mood_secondary_tension: Annotated[float, BeforeValidator(_tension)] = 0.5
    imagery_texture: Text = ""
    vulnerability_scale: Annotated[str, BeforeValidator(vulnerability_from)] = "Medium"
    narrative_arc: Text = ""


class TechnicalConstraints(_Sheet):
    """Phase 2: what it is made of. Tempo in beats a minute; DAiW breaks one rule, we take a list.

    `technical_energy`, 1 to 10, is asked by DAiW's wizard alone.
    """

    technical_genre: Text = ""
    technical_tempo_range: Annotated[tuple[float, float] | None, BeforeValidator(tempo_from)] = None
    technical_key: Text = ""
    technical_mode: Text = ""
    technical_groove_feel: Text = ""
    technical_energy: Text = ""
    technical_rule_to_break: Annotated[tuple[str, ...], BeforeValidator(rules_from)] = ()
    rule_breaking_justification: Text = ""


class SystemDirective(_Sheet):
    """What DAiW was asked to write. A master has no use for it; it is the composer's, so it is kept."""

    output_target: Text = ""
    output_feedback_loop: Text = ""


class Section(_Sheet):
    """A stretch of the song: its length in bars or its start in seconds, and its energy from 0 to 1."""

    name: Text = ""
    bars: float | None = None
    start_s: float | None = None
    energy: float | None = None
    notes: Text = ""


class Extras(_Sheet):
    """What DAiW's generator and sidecars added. `kept` is everything else of theirs, word for word."""

    sections: tuple[Section, ...] = ()
    dynamic_arc: tuple[float, ...] = ()
    emotion: Text = ""
    bpm: float | None = None
    tracks: dict[str, Any] = {}
    kept: dict[str, Any] = {}


class Intent(_Sheet):
    """A whole intent. `shape` says what kind of file or object it was, `origin` where it came from.

    `notices` is what reading had to say; `check.check_intent` gives these and its own.
    """

    title: Text = ""
    created: Text = ""
    song_root: SongRoot = SongRoot()
    song_intent: SongIntent = SongIntent()
    technical_constraints: TechnicalConstraints = TechnicalConstraints()
    system_directive: SystemDirective = SystemDirective()
    mastering: Mastering = Mastering()
    extras: Extras = Extras()
    unknown: dict[str, Any] = {}
    shape: str = "intent"
    origin: str = ""
    notices: tuple[Notice, ...] = ()

    @property
    def rules(self) -> tuple[str, ...]:
        """Every rule this intent breaks, as written: the song's own, then the mastering section's."""
        return (*self.technical_constraints.technical_rule_to_break, *self.mastering.rules)

    @property
    def tension(self) -> float | None:
        """The tension in [0, 1], or None where none can be used."""
        tension = self.song_intent.mood_secondary_tension
        return tension if math.isfinite(tension) and 0.0 <= tension <= 1.0 else None
