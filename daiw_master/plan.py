"""A plan: everything that was asked of one master, in numbers, each with its reason.

Feelings, presets, platforms and the user's own `--set` all become rows of three kinds: `shift`
(relative to this song's neutral), `set` (absolute) and `switch` (effects left out, limits lifted).
Below this point no code knows what a feeling is called.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from daiw_master import house
from daiw_master.errors import OutOfRangeError, UnknownNameError
from daiw_master.targets import BANDS, DELIVERY, FIELDS, WIDTHS

#: What `--strength` can turn down on its own.
STRENGTH_GROUPS: Mapping[str, tuple[str, ...]] = {
    "loudness": ("loudness_lufs",),
    "bands": BANDS,
    "width": WIDTHS,
    "dynamics": ("crest_db", "loudness_range_lu", "onset_db", "gain_reduction_db"),
    "space": ("reverb_decay_s", "reverb_wet_db"),
    "drive": ("drive_db",),
}


@dataclass(frozen=True)
class Shift:
    """One relative ask: a target field, by how much, and the reason in an engineer's words."""

    field: str
    by: float
    why: str


@dataclass(frozen=True)
class Plan:
    """What one master should become.

    `delivery` and `wanted` are absolute targets; `neutral_delivery` is where the song's neutral is
    delivered (what user or platform fixed, without the feeling); `shifts` are relative to that neutral;
    `settings` are knobs the user turned (they leave the search); `character` are starting values of
    knobs nobody measures; `relaxed` names house limits lifted from their default to their hard value.
    """

    name: str = "neutral"
    delivery: Mapping[str, float] = field(default_factory=dict)
    neutral_delivery: Mapping[str, float] = field(default_factory=dict)
    shifts: Mapping[str, Shift] = field(default_factory=dict)
    wanted: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, float] = field(default_factory=dict)
    character: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    relaxed: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    @property
    def loudness_lufs(self) -> float:
        return self.delivery["loudness_lufs"]

    @property
    def ceiling_dbtp(self) -> float:
        return self.delivery["true_peak_dbtp"]

    def limit(self, name: str) -> float:
        """The value in force of a house limit."""
        return house.limits()[name].value(name in self.relaxed)

    def relaxing(self, names: Iterable[str]) -> Plan:
        """The same plan with some house limits at their hard value."""
        return replace(self, relaxed=self.relaxed | set(names))

    @property
    def is_neutral(self) -> bool:
        """Nothing is asked beyond this song, competently finished."""
        return not (self.shifts or self.wanted) and self.delivery == self.neutral_delivery


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
    """Sum what was asked; precedence: user > platform > feeling.

    `shifts` come from the feeling, scaled per group by `strength` (0 is neutral); `targets` are the
    user's absolute values (`--lufs`, `--ceiling`, `--set band_air_db=3`); `settings` the user's knobs.
    """
    strength = strength or {}
    targets = dict(targets or {})
    for target, value in targets.items():
        FIELDS[target].check(value)
    for limit in relaxed:
        if limit not in house.limits():
            raise UnknownNameError("house limit", limit, house.limits(), "(`list limits` shows all)")
    scaled = {
        shift.field: replace(shift, by=shift.by * strength_of(shift.field, strength))
        for shift in (shifts or {}).values()
    }
    relative = {field: shift for field, shift in scaled.items() if shift.by and field not in targets}

    base = {key: float(house.neutral()[key]) for key in DELIVERY}
    if platform:
        base.update(house.platform(platform))
        relative = {field: shift for field, shift in relative.items() if field not in DELIVERY}
    base.update({key: targets.pop(key) for key in DELIVERY if key in targets})
    moved = {key: relative.pop(key).by for key in DELIVERY if key in relative}
    delivery = {key: FIELDS[key].check(base[key] + moved.get(key, 0.0), key) for key in DELIVERY}

    overall = max(strength.values(), default=1.0)
    return Plan(
        name=name,
        delivery=delivery,
        neutral_delivery=base,
        shifts=relative,
        wanted=targets,
        settings=dict(settings or {}),
        character=dict(character or {}) if overall > 0 else {},
        relaxed=frozenset(relaxed),
    )
