"""Two voices over an intent before a note of it sounds: errors that stop, warnings that teach.

DAiW's own checks are all here, those it leaves out are too: a rule, mood or texture nobody knows, a
template's brackets left standing, a tempo range written backwards.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from daiw_master.data import load_yaml
from daiw_master.errors import DaiwMasterError, InputError, UnknownNameError, either
from daiw_master.intent.notice import Notice, shown
from daiw_master.intent.schema import Intent

__all__ = ["Notice", "check_intent", "insist"]

#: What DAiW's validation and its templates leave between brackets, and what people type instead.
_PLACEHOLDER = re.compile(
    r"\[[^\]]*\]|<[^>]*>|\{[^}]*\}|\?+|\.{2,}|\u2026|_{2,}|x{3,}|to ?do\b.*|tbd|fill (me )?in", re.I
)
#: Shapes whose programs never ask why a rule is broken.
_NEVER_ASKED_WHY = ("wizard export", "interrogation")
_SLOWEST, _FASTEST = 20.0, 400.0


def check_intent(intent: Intent, force: bool = False) -> list[Notice]:
    """Everything to be said about an intent: what reading noticed, then errors, warnings and notes.

    `force` lets a rule be broken without a reason. An empty list is an intent with nothing to add.
    """
    told = [*intent.notices, *_tension(intent), *_rules(intent, force), *_unasked(intent)]
    told += [*_unfilled(intent), *_mood(intent), *_words(intent), *_tempo(intent)]
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(dict.fromkeys(told), key=lambda notice: order[notice.level])


def insist(intent: Intent, force: bool = False) -> list[Notice]:
    """The warnings and notes of an intent that may be mastered; InputError with whatever stops it."""
    notices = check_intent(intent, force)
    errors = [notice for notice in notices if notice.level == "error"]
    if errors:
        where = f"{intent.origin}: " if intent.origin else ""
        more = f" (and {len(errors) - 1} more; see `daiw-master intent check`)" if errors[1:] else ""
        raise InputError(f"{where}{errors[0].field} {errors[0].text}{more}")
    return notices


def questions() -> Mapping[str, Mapping]:
    """The questions of the sheet by dotted field: asks, hint, unasked, unfilled, example."""
    return load_yaml("presets", "interrogation")["fields"]


def value_of(intent: Intent, field: str) -> object:
    """ "song_intent.mood_primary" of an intent."""
    value: object = intent
    for name in field.split("."):
        value = getattr(value, name)
    return value


def _tension(intent: Intent) -> Iterator[Notice]:
    field, tension = "song_intent.mood_secondary_tension", intent.song_intent.mood_secondary_tension
    if math.isnan(tension):
        if not any(notice.level == "error" and "tension" in notice.field for notice in intent.notices):
            yield Notice("error", field, "is not a number from 0 to 1")
    elif not 0.0 <= tension <= 1.0:
        yield Notice("error", field, f"is {tension:g}; it runs from 0 (at peace) to 1 (about to tear)")
    elif intent.song_intent.vulnerability_scale == "High" and tension < 0.3:
        text = (
            f"is {tension:g} though everything may be heard: who stands this bare usually pulls at something"
        )
        yield Notice(
            "warning", field, f"{text}; raise it, or lower vulnerability_scale, if that was not meant"
        )


def _rules(intent: Intent, force: bool) -> Iterator[Notice]:
    own, why = (
        intent.technical_constraints.technical_rule_to_break,
        _said(intent.technical_constraints.rule_breaking_justification),
    )
    field = "technical_constraints.technical_rule_to_break"
    named = " and ".join(own)
    if own and not why and force:
        yield Notice("note", field, f"{named} is broken without a reason, because you insisted")
    elif own and not why and intent.shape in _NEVER_ASKED_WHY:
        text = f"{shown(named)} came without a reason, which DAiW's {intent.shape.split()[0]} never asks for"
        yield Notice(
            "warning", field, f"{text}; one sentence in rule_breaking_justification would make it a decision"
        )
    elif own and not why:
        text = f"breaks {shown(named)} and does not say why; put the reason into rule_breaking_justification"
        yield Notice("error", field, f"{text}, or insist with --force")
    elif why and not own:
        yield Notice(
            "warning",
            "technical_constraints.rule_breaking_justification",
            "gives a reason, and no rule is broken; was technical_rule_to_break left out?",
        )
    for place, rules in ((field, own), ("mastering.rules", intent.mastering.rules)):
        for rule in rules:
            if not _is_placeholder(rule) and (near := _unknown_rule(rule)) is not None:
                hint = f"; did you mean {either(near)}?" if near else " (42 are known)"
                yield Notice("warning", place, f"{shown(rule)} is no rule anybody here can break{hint}")


def _unknown_rule(rule: str) -> list[str] | None:
    """The nearest rules to an unknown one; None where the rule is known."""
    from daiw_master.intent.rules import rule_named

    try:
        rule_named(rule)
    except UnknownNameError as error:
        return error.nearest
    return None


def _unasked(intent: Intent) -> Iterator[Notice]:
    for field, row in questions().items():
        if "unasked" in row and not value_of(intent, field):
            yield Notice("warning", field, row["unasked"])


def _unfilled(intent: Intent) -> Iterator[Notice]:
    for field, row in questions().items():
        value = value_of(intent, field)
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and _is_placeholder(text):
                yield Notice("warning", field, f"still holds the template's {shown(text)}; {row['unfilled']}")


def _mood(intent: Intent) -> Iterator[Notice]:
    from daiw_master.intent.emotions import parse_emotion
    from daiw_master.intent.vocabulary import near_mood

    field, mood = "song_intent.mood_primary", _said(intent.song_intent.mood_primary)
    try:
        if mood:
            parse_emotion(mood)
    except UnknownNameError as error:
        near = near_mood(mood) or error.nearest
        hint = (
            f"; nearest to it lie {either(near)}" if near else "; `daiw-master list emotions` shows what does"
        )
        yield Notice("warning", field, f"{shown(mood)} is a feeling this house has no sound for yet{hint}")
    except DaiwMasterError as error:
        yield Notice("warning", field, f"cannot be read as a feeling: {error}")
    second = intent.song_intent.mood_secondary
    if second and second.casefold() != "none":
        yield Notice(
            "note",
            "song_intent.mood_secondary",
            f"{shown(second)} is kept in words; the tension speaks for it",
        )


#: Field -> (word list, what is said of a word on none, and what follows where nothing lies near).
_WORDS = {
    "song_intent.imagery_texture": (
        "textures", "touches no surface we have", "try a plain material: glass, water, wool",
    ),
    "song_intent.vulnerability_scale": (
        "vulnerability", "is none of Low, Medium and High", "nobody steps nearer or further away",
    ),
    "song_intent.narrative_arc": (
        "arcs", "is no shape a song's loudness can follow here", "its level will hold still",
    ),
    "technical_constraints.technical_genre": (
        "genres", "stands on no shelf of ours", "the tone keeps to the middle",
    ),
    "technical_constraints.technical_groove_feel": (
        "grooves", "is a gait we cannot place", "attacks stay as they were played",
    ),
}  # fmt: skip


def _words(intent: Intent) -> Iterator[Notice]:
    from daiw_master.intent.vocabulary import unheard

    for field, (kind, unknown, else_) in _WORDS.items():
        said = _said(str(value_of(intent, field)))
        for part, near in unheard(kind, said) if said else ():
            hint = f"is it {either(near)}?" if near else else_
            yield Notice("warning", field, f"{shown(part)} {unknown}; {hint}")


def _tempo(intent: Intent) -> Iterator[Notice]:
    tempo = intent.technical_constraints.technical_tempo_range
    field = "technical_constraints.technical_tempo_range"
    if tempo is None:
        return
    low, high = tempo
    if low > high:
        yield Notice(
            "warning",
            field,
            f"runs backwards, from {low:g} to {high:g}; [{high:g}, {low:g}] was probably meant",
        )
    if not (_SLOWEST <= min(tempo) and max(tempo) <= _FASTEST):
        text = f"names {low:g} to {high:g} beats a minute, which no foot taps ({_SLOWEST:g} to {_FASTEST:g})"
        yield Notice("warning", field, f"{text}; the MIDI file's own tempo is used in any case")


def _is_placeholder(text: str) -> bool:
    return bool(_PLACEHOLDER.fullmatch(text.strip()))


def _said(text: str) -> str:
    """A field's text, or "" where it is only a template's placeholder."""
    return "" if _is_placeholder(text) else text
