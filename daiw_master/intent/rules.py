"""The 42 rules DAiW lets a composer break, and what a master does about each.

A rule is a row of presets/rules/*.yaml: its moves (moves.py), what it means in sound, how much a
master has to do with it (`star`: 2 much, 1 by way of dynamics and space, 0 little or nothing), and
`claims`: what anybody may measure on a master made with it against the same one made without.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

from daiw_master.data import load_yaml
from daiw_master.errors import UnknownNameError
from daiw_master.moves import ROW_FACTS, Move, moves_of_row
from daiw_master.params import UNIT_OF_SUFFIX
from daiw_master.targets import FIELDS

#: DAiW's seven groups, in the order it lists them.
GROUPS = ("harmony", "rhythm", "arrangement", "production", "melody", "texture", "temporal")
STARS = {2: "★", 1: "☆", 0: "·"}

#: What a claim may speak of besides the target fields (daiw_master/meters/imperfection.py measures them).
#: A value is the change against the same master without the rule, unless it says "itself".
MEASURES: Mapping[str, str] = {
    "noise_floor_db": "dBFS in the quietest 400 ms of the written file, itself",
    "wow_cents": "how far the pitch strays from that of the master without the rule, cents, itself",
    "end_hardness_db": "fall of level within 10 ms at the end of the music, dB, itself",
    "silence_db": "level inside a written dropout against the music, dB",
    "tail_s": "how long sound goes on after the last note until 60 dB under the music, s",
    "stem_level_db": "one part against all the others, dB",
    "highs_db": "what sounds above 9 kHz against 200 to 2000 Hz, dB, where anything does",
    "drift_db": "highs against the rest, last third minus first third, dB",
    "section_peak": "where in the song (0-1) the rule lifts it most, itself",
    "end_lift_db": "what the rule does to the level of the last sixth against the whole, dB",
    "clip_share": "share of samples within 0.5 dB of the second's peak",
}


@dataclass(frozen=True)
class Claim:
    """One thing a rule promises to be measurable: a target field or one of `MEASURES`.

    Right when within half of `value`, or within `tolerance` where one is given; `at_least` counts
    anything beyond `value`, on its side of nought, as right. `part` names the part a stem_level_db speaks of.
    """

    measure: str
    value: float
    tolerance: float | None = None
    part: str | None = None
    at_least: bool = False

    def points_right(self, got: float) -> bool:
        """Whether a measured change goes the way that was claimed."""
        return got * self.value > 0

    def holds(self, got: float) -> bool:
        """Whether what was measured is what was claimed, in size too."""
        if self.at_least:
            return got / self.value >= 1
        return abs(got - self.value) <= (0.5 * abs(self.value) if self.tolerance is None else self.tolerance)


@dataclass(frozen=True)
class Rule:
    """A rule to break: DAiW's name for it, what it means in sound, and the row that carries it out."""

    name: str
    group: str
    star: int
    means: str
    why: str
    row: Mapping
    aliases: tuple[str, ...] = ()
    example_emotions: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()

    @property
    def bare(self) -> str:
        """The name without its group: MonoCollapse."""
        return self.name.partition("_")[2] or self.name

    @property
    def moves(self) -> list[Move]:
        """Everything this rule asks of a master; empty where a master cannot touch it (`why` says so)."""
        return moves_of_row(self.row, f"rule {self.name}", self.name)


class _Rules(Mapping[str, Rule]):
    """Canonical name -> rule, read from disk when first asked."""

    def __getitem__(self, name: str) -> Rule:
        return _loaded()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_loaded())

    def __len__(self) -> int:
        return len(_loaded())


#: All 42, by DAiW's canonical names, in DAiW's order.
RULES: Mapping[str, Rule] = _Rules()


@cache
def families() -> Mapping[str, Rule]:
    """What DAiW's wizard writes instead of a rule ("harmony", "not_sure"): heard, and moving nothing."""
    rows = load_yaml("presets", "rule_families")["families"]
    return {
        name: Rule(name, "family", 0, "a family of rules, not a rule", why, {}) for name, why in rows.items()
    }


def rule_named(text: str) -> Rule:
    """A rule by any name it goes by: canonical, an older alias, without its group or with the wrong one.

    Case, spaces and underscores do not matter. The wizard's family ids answer with a rule that moves
    nothing and says which to choose. Anything else raises `UnknownNameError` with the nearest names.
    """
    names, (group, _, bare) = _names(), str(text).partition("_")
    for key in (fold(text), fold(bare) if fold(group) in GROUPS else ""):
        if key in names:
            return names[key]
    known = [*RULES, *(rule.bare for rule in RULES.values())]
    raise UnknownNameError("rule", str(text), known, "" if fold(text) else "(no name was given)")


def rule_moves(text: str, justification: str = "") -> list[Move]:
    """What breaking a rule asks of a master, as moves with source "rule NAME".

    `justification` is the composer's own reason; it stands as the word that spoke. Raises
    `UnknownNameError`. Some rules move nothing: `rule_named(text).why` says what a master cannot touch.
    """
    rule = rule_named(text)
    return [replace(move, word=justification.strip() or rule.name) for move in rule.moves]


def suggest_rules(emotion: str) -> list[Rule]:
    """Rules that DAiW's own examples pair with a feeling, those a master has most to do with first.

    Word by word: "grief", "Overwhelming grief" and "internal conflict" all find something, "dream" finds
    "dreams"; "rage" is not found in "courage". A word that no example holds finds nothing.
    """
    wanted = _words(emotion)

    def alike(one: str, other: str) -> bool:
        short, long = sorted((one, other), key=len)
        return one == other or (len(short) >= 4 and long.startswith(short) and len(long) - len(short) <= 2)

    def speaks(example: str) -> bool:
        return any(alike(one, other) for one in _words(example) for other in wanted)

    found = [rule for rule in RULES.values() if any(map(speaks, rule.example_emotions))]
    return sorted(found, key=lambda rule: -rule.star)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.casefold())


def rules_table() -> str:
    """All rules as a markdown table: what each means in sound and what a master changes for it."""
    lines = ["| rule | means | what changes in the master |", "|---|---|---|"]
    for rule in RULES.values():
        changes = "; ".join(changes_of(rule)) or f"nothing. {rule.why}"
        lines.append(f"| {STARS[rule.star]} `{rule.name}` | {rule.means} | {changes} |")
    return "\n".join(lines)


def changes_of(rule: Rule) -> list[str]:
    """A rule's moves in a few words each: "low mid +2.6 dB", "tape in", "wow_cents 9"."""
    said: dict[str, list[str]] = {}
    for move in rule.moves:
        kind, text = _said(move)
        said.setdefault(kind, []).append(text)
    return [f"{kind} {', '.join(texts)}".strip() for kind, texts in said.items()]


def fold(text: str) -> str:
    """A name as it is compared: letters and digits only, in lower case."""
    return re.sub(r"[\W_]+", "", str(text).casefold())


def _said(move: Move) -> tuple[str, str]:
    if move.kind == "shift":
        unit = {"LUFS": "LU"}.get(FIELDS[move.what].unit, FIELDS[move.what].unit)
        label = re.sub(r"^band_|_(db|lufs|lu|s)$", "", move.what).replace("_", " ")
        return "", f"{label} {move.value:+g} {unit}".replace("-", "\u2212")
    if move.kind in ("set", "lean"):
        return ("with" if move.kind == "set" else "from"), f"{move.what} {_number(move.what, move.value)}"
    if move.kind == "part":
        role, _, knob = move.what.partition(".")
        return f"{role}:", f"{knob} {_number(knob, move.value)}"
    if move.what in ("in", "out"):
        return f"{move.what}:", str(move.value)
    return {
        "tail": "ends with a",
        "form": "form:",
        "relax": "relaxes",
        "lift": "lifts",
        "silence": "no verdict on",
    }.get(move.what, move.what), {"cut": "cut", "ring": "tail left to ring"}.get(
        str(move.value), str(move.value)
    )


def _number(name: str, value: object) -> str:
    suffix = max((s for s in UNIT_OF_SUFFIX if name.endswith(s)), key=len, default="")
    return f"{value:g} {UNIT_OF_SUFFIX.get(suffix, '')}".strip().replace("-", "\u2212")


@cache
def _loaded() -> Mapping[str, Rule]:
    return {
        name: Rule(
            name=name,
            group=group,
            star=row["star"],
            means=row["means"],
            why=row["why"],
            row={key: value for key, value in row.items() if key not in ROW_FACTS},
            aliases=tuple(row.get("aliases", ())),
            example_emotions=tuple(row["example_emotions"]),
            claims=tuple(Claim(**claim) for claim in row.get("claims", ())),
        )
        for group in GROUPS
        for name, row in load_yaml("presets/rules", group).items()
    }


@cache
def _names() -> Mapping[str, Rule]:
    """Every folded name a rule answers to; full names go before bare ones, canonical before aliases."""
    names: dict[str, Rule] = {}
    for rule in RULES.values():
        for name in (rule.name, *rule.aliases):
            names.setdefault(fold(name), rule)
    for rule in RULES.values():
        for name in (rule.name, *rule.aliases):
            names.setdefault(fold(name.partition("_")[2]), rule)
    return {**names, **{fold(name): family for name, family in families().items()}}
