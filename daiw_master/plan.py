"""A plan: everything that was asked of one master, in numbers, summed from moves that say why.

Below this point no code knows what a feeling is called.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from daiw_master import house
from daiw_master.errors import UnknownNameError
from daiw_master.moves import PART_ROLES, Move, Shift
from daiw_master.strength import parse_strength, strength_of
from daiw_master.targets import DELIVERY, FIELDS

__all__ = ["Plan", "Shift", "make_plan", "parse_strength", "plan_of"]

#: A sum of reasons is kept to this many decimals: presets hold what was rendered, to the last digit.
DECIMALS = 9


@dataclass(frozen=True)
class Plan:
    """What one master should become.

    `moves` is the ledger everything else is summed from: nothing is applied that is not in it.
    `delivery` and `wanted` are absolute targets; `neutral_delivery` is where the song's neutral is
    delivered (what user or platform fixed, without the feeling); `shifts` are relative to that neutral;
    `settings` are knobs somebody turned (they leave the search), `own_settings` those of them the user
    turned: the neutral has these too; `character` are starting values of
    knobs nobody measures. `added` and `removed` edit the chain by effect name, `parts` edits single
    parts of a MIDI song (role -> knob -> value), `tail` says how the song ends ("ring" or "cut"),
    `form` how it moves over time (a shape's name, or explicit `energies`: (section, bars, energy)).
    `relaxed` names house limits lifted from their default to their hard value; `lifted` those not
    enforced at all, and `silenced` verdicts that are not given, each with its reason.
    """

    name: str = "neutral"
    delivery: Mapping[str, float] = field(default_factory=dict)
    neutral_delivery: Mapping[str, float] = field(default_factory=dict)
    shifts: Mapping[str, Shift] = field(default_factory=dict)
    wanted: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, float] = field(default_factory=dict)
    own_settings: Mapping[str, float] = field(default_factory=dict)
    character: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    added: tuple[str, ...] = ()
    removed: frozenset[str] = frozenset()
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    tail: str = "ring"
    form: str | None = None
    energies: tuple[tuple[str, float, float], ...] = ()
    relaxed: frozenset[str] = frozenset()
    lifted: Mapping[str, str] = field(default_factory=dict)
    silenced: Mapping[str, str] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()

    @property
    def loudness_lufs(self) -> float:
        return self.delivery["loudness_lufs"]

    @property
    def ceiling_dbtp(self) -> float:
        return self.delivery["true_peak_dbtp"]

    def limit(self, name: str) -> float:
        """The value in force of a house limit."""
        return house.limits()[name].value(name in self.relaxed or name in self.lifted)

    def relaxing(self, names: Iterable[str]) -> Plan:
        """The same plan with some house limits at their hard value."""
        return replace(self, relaxed=self.relaxed | set(names))

    @property
    def is_neutral(self) -> bool:
        """Nothing is asked beyond this song, competently finished."""
        edits = (self.shifts, self.wanted, self.added, self.removed, self.parts, self.form, self.energies)
        same = self.delivery == self.neutral_delivery and self.settings == self.own_settings
        return same and not any(edits) and self.tail == "ring"


def plan_of(
    moves: Iterable[Move], name: str = "neutral", *, strength: Mapping[str, float] | None = None
) -> Plan:
    """Sum what was asked. Precedence: user > platform > feeling; among equals the later move wins.

    `strength` scales what is relative, group by group (0 is neutral, and drops the rest of the
    feeling with it). A shift on a field that a louder voice has set is not applied.
    """
    strength = strength or {}
    moves = [_scaled(move, strength) for move in moves]
    if max(strength.values(), default=1.0) == 0.0:
        moves = [move for move in moves if move.voice != "feeling"]
    moves.sort(key=lambda move: ("feeling", "platform", "user").index(move.voice))  # stable
    for move in moves:
        _check_limit_name(move)

    def switched(what: str) -> dict[str, str]:
        return {str(move.value): move.why for move in moves if (move.kind, move.what) == ("switch", what)}

    targets = {move.what: move.value for move in moves if move.kind == "set" and move.what in FIELDS}
    fixed = {m.what: m.value for m in moves if m.kind == "set" and m.what in FIELDS and m.voice != "feeling"}
    turned = [move for move in moves if move.kind == "set" and move.what not in FIELDS]
    settings = {move.what: move.value for move in turned}
    for target, value in targets.items():
        FIELDS[target].check(value)
    shifts = _summed([m for m in moves if m.kind == "shift" and m.what not in targets])
    home = {key: float(house.neutral()[key]) for key in DELIVERY}
    neutral_delivery = {key: fixed.get(key, home[key]) for key in DELIVERY}
    moved = {key: shifts.pop(key).by for key in DELIVERY if key in shifts}
    delivery = {key: targets.pop(key, home[key]) + moved.get(key, 0.0) for key in DELIVERY}
    for key, value in delivery.items():
        FIELDS[key].check(value, key)
    forms = [move.value for move in moves if (move.kind, move.what) == ("switch", "form")]
    energies = [move.value for move in moves if (move.kind, move.what) == ("switch", "energies")]
    removed = frozenset(switched("out"))
    return Plan(
        name=name,
        delivery=delivery,
        neutral_delivery=neutral_delivery,
        shifts=shifts,
        wanted=targets,
        settings=settings,
        own_settings={move.what: move.value for move in turned if move.voice == "user"},
        character={move.what: (move.value, move.why) for move in moves if move.kind == "lean"},
        added=tuple(effect for effect in switched("in") if effect not in removed),
        removed=removed,
        parts=_parts(moves),
        tail=next(reversed(switched("tail")), "ring"),
        form=forms[-1] if forms else None,
        energies=energies[-1] if energies else (),
        relaxed=frozenset(switched("relax")),
        lifted=switched("lift"),
        silenced=switched("silence"),
        moves=tuple(moves),
    )


def _scaled(move: Move, strength: Mapping[str, float]) -> Move:
    if move.kind != "shift" or move.voice != "feeling" or not strength:
        return move
    return replace(move, value=move.value * strength_of(move.what, strength))


def _check_limit_name(move: Move) -> None:
    if move.kind == "switch" and move.what in ("relax", "lift") and move.value not in house.limits():
        raise UnknownNameError("house limit", move.value, house.limits(), "(`list limits` shows all)")


def _summed(moves: Iterable[Move]) -> dict[str, Shift]:
    """One shift per field; its reason is the one of whatever pulled hardest the way things went."""
    by_field: dict[str, list[Move]] = {}
    for move in moves:
        by_field.setdefault(move.what, []).append(move)
    shifts = {}
    for name, pulls in by_field.items():
        by = round(sum(move.value for move in pulls), DECIMALS)
        if by:
            hardest = max(pulls, key=lambda move: move.value if by > 0 else -move.value)
            shifts[name] = Shift(name, by, hardest.why)
    return shifts


def _parts(moves: Iterable[Move]) -> dict[str, dict[str, float]]:
    """Role -> knob -> value: levels add up, of any other knob the later word counts."""
    parts: dict[str, dict[str, float]] = {}
    for move in moves:
        if move.kind == "part":
            role, _, knob = move.what.partition(".")
            if role not in PART_ROLES:
                raise UnknownNameError("part", role, PART_ROLES)
            own = parts.setdefault(role, {})
            adds = knob in ("gain_db", "send_db")
            own[knob] = round(own.get(knob, 0.0) + move.value, DECIMALS) if adds else move.value
    return parts


def make_plan(
    name: str = "neutral",
    shifts: Mapping[str, Shift] | None = None,
    *,
    strength: Mapping[str, float] | None = None,
    character: Mapping[str, tuple[float, str]] | None = None,
    platform: str | None = None,
    targets: Mapping[str, float] | None = None,
    settings: Mapping[str, float] | None = None,
    relaxed: Collection[str] = (),
) -> Plan:
    """A plan from its parts: a feeling's shifts and character, a platform, the user's own numbers."""
    moves = [Move("shift", shift.field, shift.by, shift.why) for shift in (shifts or {}).values()]
    moves += [Move("lean", knob, value, why) for knob, (value, why) in (character or {}).items()]
    if platform:
        moves += platform_moves(platform)
    moves += user_moves(targets, settings, relaxed)
    return plan_of(moves, name, strength=strength)


def platform_moves(name: str) -> list[Move]:
    """A destination's loudness and ceiling."""
    return [
        Move("set", target, value, "what the platform plays at", "platform", name, "platform")
        for target, value in house.platform(name).items()
    ]


def user_moves(
    targets: Mapping[str, float] | None = None,
    settings: Mapping[str, float] | None = None,
    relaxed: Collection[str] = (),
) -> list[Move]:
    """What the user said in numbers: it stands above everything else."""
    said = {**(targets or {}), **(settings or {})}
    moves = [Move("set", name, value, "you set it", "you", name, "user") for name, value in said.items()]
    return moves + [Move("switch", "relax", name, "you relaxed it", "you", name, "user") for name in relaxed]
