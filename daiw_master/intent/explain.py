"""Which words moved which target, by how much, and why: an intent read back, nothing left out.

The lines are made from the very moves a plan is summed from, so nothing is applied that does not stand
here, and nothing stands here that is not applied or said to be overruled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any

from daiw_master.data import load_yaml
from daiw_master.intent.compile import compiled
from daiw_master.intent.notice import Notice, shown
from daiw_master.intent.schema import Intent
from daiw_master.intent.settled import Settled, settle
from daiw_master.intent.units import amount, unit_of
from daiw_master.moves import Move
from daiw_master.params import Param
from daiw_master.plan import Plan, parse_strength, plan_of

#: The composer's own words, in the order they were asked for: heading of every explanation.
_SHEET: Mapping[str, tuple[str, ...]] = {
    "song_root": (
        "core_event", "core_resistance", "core_longing", "core_stakes", "core_transformation", "core_truth",
    ),
    "song_intent": (
        "mood_primary", "mood_secondary", "mood_secondary_tension", "imagery_texture", "vulnerability_scale",
        "narrative_arc",
    ),
    "technical_constraints": (
        "technical_genre", "technical_tempo_range", "technical_key", "technical_mode",
        "technical_groove_feel", "technical_energy", "technical_rule_to_break", "rule_breaking_justification",
    ),
    "system_directive": ("output_target", "output_feedback_loop"),
}  # fmt: skip
#: A heading quotes so much of what was said; the composer's own words stand above it whole.
_LONGEST_HEADING = 160
#: What DAiW fills in where nobody answers: no word of the composer's.
_UNSAID = {"mood_secondary_tension": 0.5, "vulnerability_scale": "Medium"}
#: Settings of the mastering section that act on the whole run instead of moving a target.
_HANDED_ON = {
    "strength": "how much of the feeling is asked; every amount here has it in it already",
    "chain": "the effects the master runs through, in your order",
    "preset": "stands below everything here: what these words leave alone is the preset's",
    "reference": "a sound for the whole master to come near, not a word",
    "output": "how the file is written",
}


@dataclass(frozen=True)
class Block:
    """One field of the sheet, or one rule, and every move it asked for."""

    source: str
    words: tuple[str, ...]
    moves: tuple[Move, ...]

    @property
    def lines(self) -> list[str]:
        several = len(self.words) > 1
        said = shorten(_one_line(", ".join(filter(None, self.words))), _LONGEST_HEADING, placeholder=" ...")
        head = f"{self.source} \u00b7 {said}" if said else self.source
        return [head, *(f"  {_line(move, several)}" for move in self.moves)]


@dataclass(frozen=True)
class Explanation:
    """An intent read back: own words, a block per field that moved something, what came of arguments.

    `plan` is the sum of exactly these moves; `silent` says of every other word why it moved nothing.
    """

    title: str
    words: tuple[tuple[str, str], ...]
    blocks: tuple[Block, ...]
    together: tuple[Settled, ...]
    silent: tuple[tuple[str, str], ...]
    plan: Plan = field(repr=False)

    @property
    def lines(self) -> list[str]:
        lines = [self.title, *(f"  {name}: {text}" for name, text in self.words)]
        for block in self.blocks:
            lines += ["", *block.lines]
        if self.together:
            lines += ["", "together", *(f"  {settled.line}" for settled in self.together)]
        if self.silent:
            lines += ["", "moved nothing", *(f"  {name}: {why}" for name, why in self.silent)]
        return lines

    def text(self) -> str:
        """The explanation as a terminal shows it."""
        return "\n".join(self.lines)

    def __str__(self) -> str:
        return self.text()

    def as_json(self) -> dict[str, Any]:
        """The same as plain data: title, words, fields with their moves, together, silent."""
        return {
            "title": self.title,
            "words": [{"field": name, "text": text} for name, text in self.words],
            "fields": [
                {
                    "source": block.source,
                    "words": list(block.words),
                    "moves": [_plain(m) for m in block.moves],
                }
                for block in self.blocks
            ],
            "together": [settled.as_json() for settled in self.together],
            "silent": [{"field": name, "why": why} for name, why in self.silent],
        }


def explain(
    intent: Intent, space: Mapping[str, Param], *, force: bool = False, below: Iterable[Move] = ()
) -> Explanation:
    """What each word of an intent will do to a master.

    `space`: the knobs there are, by full name; `below`: the moves of the preset the intent stands on.
    Raises InputError where the intent cannot be mastered as it stands (see `compile_intent`).
    """
    read = compiled(intent, space, force=force)
    return explain_moves((*below, *read.moves), intent, read.notices, strength=intent.mastering.strength)


def explain_moves(
    moves: Iterable[Move],
    intent: Intent | None = None,
    notices: Sequence[Notice] = (),
    *,
    strength: str | None = None,
) -> Explanation:
    """Any list of moves explained: an intent's, together with a preset's below and the user's above it."""
    plan = plan_of(moves, strength=parse_strength(strength) if strength else None)
    blocks: dict[str, list[Move]] = {}
    for move in plan.moves:
        blocks.setdefault(move.source, []).append(move)
    return Explanation(
        title=_one_line(intent.title if intent else "") or "untitled",
        words=tuple(own_words(intent)) if intent else (),
        blocks=tuple(
            Block(source, tuple(dict.fromkeys(move.word for move in own)), tuple(own))
            for source, own in blocks.items()
        ),
        together=tuple(settle(plan.moves)),
        silent=tuple(_silent(intent, notices)) if intent else (),
        plan=plan,
    )


def own_words(intent: Intent) -> list[tuple[str, str]]:
    """(field, text) of everything the composer wrote down, in the order the sheet asks."""
    said = []
    for phase, names in _SHEET.items():
        for name in names:
            value = getattr(getattr(intent, phase), name)
            if value in (None, "", ()) or value == _UNSAID.get(name):
                continue
            said.append((name, _one_line(_written(value))))
    return said


def _one_line(text: str) -> str:
    """One field, one line, whatever was pasted into it."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _written(value: object) -> str:
    if isinstance(value, tuple):
        numbers = all(isinstance(item, float) for item in value)
        return (" to " if numbers else ", ").join(f"{i:g}" if isinstance(i, float) else i for i in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _silent(intent: Intent, notices: Sequence[Notice]) -> Iterable[tuple[str, str]]:
    """Each word that moved nothing, and why; in the order of the sheet, then what is ours."""
    written = load_yaml("presets/words", "silent")
    told: dict[str, list[str]] = {}
    for notice in notices:
        told.setdefault(notice.field, []).append(notice.text)
    for name, _ in own_words(intent):
        for text in told.pop(name, ()):
            yield name, _one_line(text)
        ruled = name == "rule_breaking_justification" and intent.technical_constraints.technical_rule_to_break
        if name in written and not ruled:
            yield name, written[name]
    for name, texts in told.items():
        yield from ((name, _one_line(text)) for text in texts)
    for path in intent.unknown:
        yield path, "kept as it came; nobody here knows what it asks"
    for key, why in _HANDED_ON.items():
        value = getattr(intent.mastering, key)
        if value is not None and value != type(value)():
            yield f"mastering.{key}", f"{_handed(value)}: {why}"


def _handed(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(value)
    if hasattr(value, "model_dump"):
        return ", ".join(f"{key} {item}" for key, item in value.model_dump(exclude_none=True).items())
    return shown(value)[1:-1] if isinstance(value, str) else shown(value)


def _line(move: Move, several: bool) -> str:
    said = f"{_one_line(move.word)}: " if several and move.word else ""
    return f"{move.what:<25} {amount(move):<18} {said}{move.why}"


def _plain(move: Move) -> dict[str, Any]:
    value = [list(item) for item in move.value] if isinstance(move.value, tuple) else move.value
    return {
        "kind": move.kind,
        "what": move.what,
        "value": value,
        "unit": unit_of(move),
        "why": move.why,
        "word": move.word,
        "voice": move.voice,
    }
