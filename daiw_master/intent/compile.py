"""From an intent to moves: every word of the sheet that can move a master does, in one fixed order.

Mood, tension, energy, texture, vulnerability, arc, genre, groove, rules, the mastering section, section
energies. Where two words set the same knob the later one counts; where two pull one target they add up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from daiw_master.errors import DaiwMasterError, InputError, UnknownNameError
from daiw_master.intent.emotions import parse_emotion
from daiw_master.intent.genres import read_genre
from daiw_master.intent.notice import Notice, shown
from daiw_master.intent.schema import Intent
from daiw_master.intent.words import dial_moves, read_texture, read_word, rows_of
from daiw_master.moves import Move, moves_of_row
from daiw_master.params import Param
from daiw_master.plan import parse_strength, platform_moves
from daiw_master.targets import FIELDS

#: How long a section is taken to be where nobody says, in bars; only the proportions count.
_BARS = 8.0
_MIDDLE_ENERGY = 0.5
_PLACEHOLDER = re.compile(r"\s*(\[[^\]]*\]|<[^>]*>|\{[^}]*\})\s*")


@dataclass(frozen=True)
class Compiled:
    """What an intent asks, and what of it asks nothing and why."""

    moves: tuple[Move, ...]
    notices: tuple[Notice, ...] = ()


def compile_intent(intent: Intent, space: Mapping[str, Param], *, force: bool = False) -> list[Move]:
    """Every move an intent asks for. `space` holds the knobs that may be started or set, by full name.

    A word nobody knows moves nothing (`compiled` tells which). Raises InputError where the sheet cannot
    stand as it is: tension off its scale, or a rule broken without a reason and `force` not given.
    """
    return list(compiled(intent, space, force=force).moves)


def compiled(intent: Intent, space: Mapping[str, Param], *, force: bool = False) -> Compiled:
    """The moves of an intent together with what moved nothing, field by field."""
    from daiw_master.intent.check import insist

    insist(intent, force)
    moves: list[Move] = []
    notices: list[Notice] = []
    intent, blank = _without_placeholders(intent)
    notices += [Notice("note", field, "the template's own words, not the composer's") for field in blank]
    for read in (
        _mood,
        _dials,
        _texture,
        _vulnerability,
        _arc,
        _genre,
        _groove,
        _rules,
        _mastering,
        _energies,
    ):
        for item in read(intent, space):
            (notices if isinstance(item, Notice) else moves).append(item)
    return Compiled(tuple(moves), tuple(notices))


_Items = Iterator[Move | Notice]


def _without_placeholders(intent: Intent) -> tuple[Intent, list[str]]:
    """The sheet without what a template left between brackets: "[Low/Medium/High]" is no Low."""
    blank: list[str] = []
    phases = {}
    for phase in ("song_intent", "technical_constraints"):
        sheet = getattr(intent, phase)
        left = {name: "" for name, value in sheet if isinstance(value, str) and _PLACEHOLDER.fullmatch(value)}
        blank += left
        phases[phase] = sheet.model_copy(update=left)
    return (intent.model_copy(update=phases), blank) if blank else (intent, [])


def _mood(intent: Intent, space: Mapping[str, Param]) -> _Items:
    text, source = intent.song_intent.mood_primary, "mood_primary"
    if not text and intent.extras.emotion:
        text, source = intent.extras.emotion, "extras.emotion"
    if not text:
        return
    try:
        feeling = parse_emotion(text)
    except DaiwMasterError as error:
        yield Notice("warning", source, str(error))
        return
    reach = max(parse_strength(intent.mastering.strength or "1").values())
    moves = [
        Move("shift", shift.field, shift.by, shift.why, source, text) for shift in feeling.shift().values()
    ]
    for knob, (value, why) in feeling.character(space, reach).items():
        moves.append(Move("lean", knob, value, why, source, text))
    yield from moves
    if not moves:
        yield Notice("note", source, f"{shown(text)} is this song as it is: nothing is moved for it")


def _dials(intent: Intent, space: Mapping[str, Param]) -> _Items:
    tension = intent.tension
    if tension is not None:
        yield from _dial("mood_secondary_tension", tension)
    energy = _number(intent.technical_constraints.technical_energy)
    if energy is not None:
        yield from _dial("technical_energy", energy)


def _dial(field: str, value: float) -> _Items:
    moves = dial_moves(field, value)
    yield from moves
    if not moves:
        yield Notice("note", field, f"{value:g} is the middle of its dial: nothing is moved")


def _texture(intent: Intent, space: Mapping[str, Param]) -> _Items:
    text = intent.song_intent.imagery_texture
    reading = read_texture(text)
    yield from reading.moves("imagery_texture")
    for line in reading.passed:
        yield Notice("note", "imagery_texture", line)
    if text and not reading.hits and not reading.passed:
        yield Notice(
            "note", "imagery_texture", f"none of {shown(text)} is a surface we know: nothing is moved"
        )


def _vulnerability(intent: Intent, space: Mapping[str, Param]) -> _Items:
    return _row("vulnerability_scale", intent.song_intent.vulnerability_scale, "vulnerability")


def _arc(intent: Intent, space: Mapping[str, Param]) -> _Items:
    return _row("narrative_arc", intent.song_intent.narrative_arc, "arcs")


def _groove(intent: Intent, space: Mapping[str, Param]) -> _Items:
    return _row("technical_groove_feel", intent.technical_constraints.technical_groove_feel, "grooves")


def _row(field: str, text: str, words: str) -> _Items:
    """The one row a field names, as moves; or why it moves nothing."""
    if not text:
        return
    try:
        reading = read_word(words, text)
    except UnknownNameError as error:
        yield Notice("warning", field, str(error))
        return
    moves = reading.moves(field)
    yield from moves
    if not moves:
        yield Notice("note", field, f"{reading.hits[0].name}: {reading.hits[0].row['about']}")
    for line in reading.passed:
        yield Notice("note", field, line)


def _genre(intent: Intent, space: Mapping[str, Param]) -> _Items:
    text = intent.technical_constraints.technical_genre
    found, unknown = read_genre(text)
    for genre, word, weight in found:
        yield from genre.moves("technical_genre", word, weight)
    for part in unknown:
        yield Notice("warning", "technical_genre", f"{shown(part)} is a genre we have no fingerprint of")


def _rules(intent: Intent, space: Mapping[str, Param]) -> _Items:
    from daiw_master.intent.rules import rule_moves, rule_named

    own = intent.technical_constraints
    named = [
        (text, "technical_rule_to_break", own.rule_breaking_justification)
        for text in own.technical_rule_to_break
    ]
    named += [(text, "mastering.rules", "") for text in intent.mastering.rules]
    broken: set[str] = set()
    for text, field, reason in named:
        try:
            rule = rule_named(text)
        except UnknownNameError as error:
            yield Notice("warning", field, str(error))
            continue
        if rule.name in broken:
            continue
        broken.add(rule.name)
        moves = rule_moves(text, reason)
        yield from moves
        if not moves:
            yield Notice("note", field, f"{rule.name}: {rule.why}")


def _mastering(intent: Intent, space: Mapping[str, Param]) -> _Items:
    ours = intent.mastering
    if ours.platform:
        yield from (replace(move, source="mastering.platform") for move in platform_moves(ours.platform))
    said = [
        ("loudness_lufs", ours.lufs, "mastering.lufs"),
        ("true_peak_dbtp", ours.ceiling, "mastering.ceiling"),
        *((name, value, "mastering.targets") for name, value in ours.targets.items()),
        *((name, value, "mastering.settings") for name, value in ours.settings.items()),
    ]
    for name, value, source in said:
        if value is None:
            continue
        # the two knobs of delivery are targets under another name
        name = {"loudness.loudness_lufs": "loudness_lufs", "limiter.ceiling_dbtp": "true_peak_dbtp"}.get(
            name, name
        )
        if name not in FIELDS:
            _check_knob(name, value, space)
        yield Move("set", name, value, "you wrote the number yourself", source, name, "user")
    for effect in ours.without:
        yield Move("switch", "out", effect, "you wanted it left out", "mastering.without", effect, "user")


def _check_knob(name: str, value: float, space: Mapping[str, Param]) -> None:
    """Refuse a knob nobody has and a value it cannot take; plugins bring their own, known only later."""
    effects = {knob.partition(".")[0] for knob in space}
    if name in space:
        space[name].check(value, f"mastering.settings: {name}")
    elif name.partition(".")[0] in effects:
        raise UnknownNameError("setting in mastering.settings:", name, list(space))


def _energies(intent: Intent, space: Mapping[str, Param]) -> _Items:
    """Section energies, the composer's own before the generator's, and the automation that follows them."""
    given = (
        (_lengths(intent.mastering.sections), "mastering.sections", "user"),
        (_lengths(intent.extras.sections), "extras.sections", "feeling"),
        (
            tuple((str(i), _BARS, energy) for i, energy in enumerate(intent.extras.dynamic_arc, 1)),
            "extras.dynamic_arc",
            "feeling",
        ),
    )
    told, source, voice = next((one for one in given if one[0]), given[-1])
    if len(told) < 2 or len({energy for _, _, energy in told}) < 2:
        if told:
            yield Notice("note", source, "all of one energy: there is nothing for the level to follow")
        return
    word = ", ".join(f"{name} {energy:g}" for name, _, energy in told)
    row = rows_of("arcs")["Sections"]
    for move in moves_of_row(row, source, word):
        yield replace(move, voice=voice)
    yield Move("switch", "energies", told, row["about"], source, word, voice)


def _lengths(sections) -> tuple[tuple[str, float, float], ...]:
    """(name, bars, energy) of sections that say their energy; starts in seconds become proportions."""
    if all(section.energy is None for section in sections):
        return ()
    starts = [section.start_s for section in sections]
    lengths: list[float | None] = [section.bars for section in sections]
    if None not in starts and None in lengths and len(starts) > 1:
        gaps = [later - earlier for earlier, later in zip(starts, starts[1:], strict=False)]
        if min(gaps) <= 0:
            raise InputError("sections must start one after another; their start_s run backwards")
        # the last one's end is the song's, which the sheet does not know: as long as the others
        lengths = [*gaps, sum(gaps) / len(gaps)]
    known = [length for length in lengths if length]
    usual = sum(known) / len(known) if known else _BARS
    return tuple(
        (
            section.name or str(i),
            float(length or usual),
            _MIDDLE_ENERGY if section.energy is None else float(section.energy),
        )
        for i, (section, length) in enumerate(zip(sections, lengths, strict=True), 1)
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
