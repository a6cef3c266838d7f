"""A brief: what one master is asked to be, from whichever words were given, as moves in one order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from daiw_master.errors import DaiwMasterError, InputError
from daiw_master.intent import parse_emotion
from daiw_master.moves import Move
from daiw_master.options import Options, chain_of, every_knob, split_settings
from daiw_master.params import Param
from daiw_master.plan import Plan, plan_of, platform_moves, user_moves
from daiw_master.targets import FIELDS


@dataclass(frozen=True)
class Brief:
    """One master as asked for. `words` are the composer's own, field by field; `notices` what reading
    them had to say, `unmoved` the fields that moved nothing and why; `reasons` and `intensity` describe
    the feeling, `mixture` what it is mixed of (category -> weight)."""

    name: str
    reasons: tuple[str, ...] = ()
    intensity: float = 1.0
    mixture: Mapping[str, float] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()
    words: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()
    unmoved: tuple = ()

    def plan(self, options: Options) -> Plan:
        """Everything summed: user > platform > intent > emotion."""
        return plan_of(self.moves, self.name, strength=options.factors)


def briefs_of(emotions: Iterable[str], options: Options) -> tuple[list[Brief], Options]:
    """A brief for every feeling named, or one for the intent; and the options as the intent left them.

    An emotion given beside an intent takes the place of its mood: the command line is the louder voice.
    """
    emotions = list(emotions)
    if options.intent is None and options.extras:
        raise InputError("extra files tell more about an intent; name the intent too (--intent)")
    if options.intent is None:
        return [_finished(_of_emotion(text, options), options) for text in emotions or ["neutral"]], options
    from daiw_master.intent.shapes import read_intent, with_extras

    intent = read_intent(options.intent)
    for extra in options.extras:
        intent = with_extras(intent, extra)
    options = _with_mastering(options, intent.mastering)
    for text in emotions:
        parse_emotion(text)  # an unknown mood on the sheet is a warning, on the command line a refusal
    moods = emotions or [intent.song_intent.mood_primary]
    briefs = []
    for mood in moods:
        told = intent.song_intent.model_copy(update={"mood_primary": mood})
        section = intent.mastering.model_copy(update={"strength": options.strength})
        own = intent.model_copy(update={"song_intent": told, "mastering": section})
        briefs.append(_finished(_of_intent(own, options), options))
    return briefs, options


def explain(intent: object, **options):
    """Say which word of an intent moves which target, by how much, and why, as a master would apply it.

    `intent` is whatever `render` takes; `options` are the fields of `Options` (extras, rules, presets,
    force, ...). Returns an `Explanation`: `.text()`, `.lines`, `.as_json()`. Raises `DaiwMasterError`.
    """
    from daiw_master.intent.explain import explain_moves
    from daiw_master.intent.shapes import read_intent, with_extras

    asked = Options(intent=read_intent(intent), **options)
    for extra in asked.extras:
        asked = replace(asked, intent=with_extras(asked.intent, extra))
    (brief,), decided = briefs_of([], replace(asked, extras=()))
    return explain_moves(brief.moves, asked.intent, brief.unmoved, strength=decided.strength)


def _of_emotion(text: str, options: Options) -> Brief:
    feeling = parse_emotion(text)
    moves = emotion_moves(feeling, every_knob(options), max(options.factors.values()))
    return Brief(feeling.name, feeling.reasons, feeling.intensity, feeling.affect.mixture, moves=tuple(moves))


def emotion_moves(feeling, space: Mapping[str, Param], strength: float = 1.0) -> list[Move]:
    """A feeling as moves: its shifts, and where the knobs that nobody measures start."""
    word = feeling.name
    shifts = [Move("shift", s.field, s.by, s.why, "emotion", word) for s in feeling.shift().values()]
    leans = feeling.character(space, strength).items()
    return shifts + [Move("lean", knob, value, why, "emotion", word) for knob, (value, why) in leans]


def _of_intent(intent, options: Options) -> Brief:
    from daiw_master.intent.check import check_intent
    from daiw_master.intent.compile import compiled
    from daiw_master.intent.explain import own_words

    mood = intent.song_intent.mood_primary
    name = mood or intent.title or "neutral"
    reasons, intensity, mixture = (), 1.0, {}
    try:
        feeling = parse_emotion(mood) if mood else None
    except DaiwMasterError:  # told by check_intent, with the nearest words
        feeling = None
    if feeling is not None:
        name, reasons, intensity = feeling.name, feeling.reasons, feeling.intensity
        mixture = feeling.affect.mixture
    asked = compiled(intent, every_knob(options), force=options.force)
    heard = [*check_intent(intent, options.force), *(n for n in asked.notices if n.level == "warning")]
    notices = dict.fromkeys(f"{notice.field}: {notice.text}" for notice in heard)
    words = tuple(own_words(intent))
    return Brief(name, reasons, intensity, mixture, asked.moves, words, tuple(notices), asked.notices)


def _finished(brief: Brief, options: Options) -> Brief:
    """The brief with presets below the feeling, rules above it, platform and user above all."""
    below = [move for name in options.presets for move in _preset_moves(name)]
    above = [move for name in options.rules for move in _rule_moves(name)]
    if options.platform:
        above += platform_moves(options.platform)
    targets, settings = split_settings(options.settings, options)
    for name, value in (("loudness_lufs", options.lufs), ("true_peak_dbtp", options.ceiling)):
        if value is not None:
            targets[name] = FIELDS[name].check(value, name)
    above += user_moves(targets, settings, options.relaxed)
    above += [
        Move("switch", "in", name, "you took it in", "you", name, "user") for name in options.with_effects
    ]
    return replace(brief, moves=(*below, *brief.moves, *above))


def _rule_moves(name: str) -> Iterable[Move]:
    from daiw_master.intent.rules import rule_moves

    return rule_moves(name)


def _preset_moves(name) -> Iterable[Move]:
    from daiw_master.presets import read_preset

    return read_preset(name).moves


def _with_mastering(options: Options, section) -> Options:
    """The options with what the intent's own mastering section says, wherever the user said nothing."""
    changes: dict[str, object] = {}
    for key in ("chain", "strength"):
        if getattr(options, key) is None and getattr(section, key) is not None:
            changes[key] = getattr(section, key)
    if section.without and not options.without:
        changes["without"] = section.without
    if section.preset and not options.presets:
        changes["presets"] = (section.preset,)
    if section.reference and not options.reference:
        changes["reference"] = (section.reference,)
    if section.output.rate and options.rate is None:
        changes["rate"] = section.output.rate
    return replace(options, **changes)


def fitting(plan: Plan, options: Options) -> tuple[Plan, list[str]]:
    """The plan with what its chain can hold: a feeling's knob without its effect is told, the user's
    own is refused."""
    if not options.automation:
        kept = {name: value for name, value in plan.settings.items() if not name.startswith("automation.")}
        plan = replace(plan, settings=kept, removed=plan.removed | {"automation"})
    space = {name for place, effect in chain_of(options, plan).items() for name in _knobs(place, effect)}
    lost = sorted(name for name in plan.settings if name not in space)
    mine = {move.what for move in plan.moves if move.voice == "user" and move.kind == "set"}
    for name in lost:
        if name in mine:
            effect = name.partition(".")[0]
            raise InputError(f"{name} is set, but {effect} is not in the chain; add it with --with {effect}")
    kept = {name: value for name, value in plan.settings.items() if name in space}
    own = {name: value for name, value in plan.own_settings.items() if name in space}
    return replace(plan, settings=kept, own_settings=own), [
        f"{name} left alone: not in this chain" for name in lost
    ]


def _knobs(place: str, effect) -> list[str]:
    return [f"{place}.{param.name}" for param in effect.params]
