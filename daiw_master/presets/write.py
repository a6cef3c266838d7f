"""From a plan to a preset file: every value to its last digit, every reason beside it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from daiw_master import house
from daiw_master.moves import PART_ROLES, Move
from daiw_master.plan import Plan, plan_of
from daiw_master.presets.model import SECTIONS
from daiw_master.presets.page import BY_HAND
from daiw_master.presets.read import read_preset_text
from daiw_master.targets import DELIVERY, FIELDS

#: Lines of a preset end before this column, as those of our own files do.
LINE_WIDTH = 110
#: A reason longer than this is somebody's paragraph: its beginning is kept.
MOST_REASON = 240
MOST_WORD = 40


def author(moves_or_plan: Iterable[Move] | Plan, *, name: str, about: str, source: str = "") -> str:
    """The text of a preset that asks for the same master, bit for bit, until somebody edits it.

    Takes moves, or the plan summed from them; `source` says in the first line what it was made from.
    Raises InputError if the plan asks for something no preset may hold.
    """
    plan = moves_or_plan if isinstance(moves_or_plan, Plan) else plan_of(moves_or_plan, name)
    lines = [
        f"## {_clean('a preset for daiw-master' + (f', from {source}' if source else ''))}",
        "## values are physical and may be changed; what stands behind # is the reason",
        "kind: preset",
        f"name: {_quoted(name)}",
        f"about: {_quoted(about)}",
    ]
    written = {section: list(_SECTIONS[section](plan)) for section in SECTIONS}
    for section, body in written.items():
        if body:
            lines += ["", f"## {SECTIONS[section]}", *body]
    text = "\n".join(lines) + "\n"
    read_preset_text(text, name)
    return text


def _platform(plan: Plan) -> Iterator[str]:
    place = _place(plan)
    if place:
        yield f"platform: {place}"


def _fixed(plan: Plan) -> Iterator[str]:
    """What stands in the neutral as well: delivery, unless the platform says it, and the user's own knobs."""
    told = house.platform(_place(plan)) if _place(plan) else {}
    values = {name: plan.delivery[name] for name in _fixed_delivery(plan)}
    values = {name: value for name, value in values.items() if told.get(name) != value}
    values |= {name: plan.settings[name] for name in _own_knobs(plan)}
    yield from _under("fixed:", _absolute(plan, values))


def _shifts(plan: Plan) -> Iterator[str]:
    home = house.neutral()
    by = {name: shift.by for name, shift in plan.shifts.items()}
    for name in DELIVERY:
        if name not in _fixed_delivery(plan) and name not in _set_by_feeling(plan):
            # both sides were sums of nine decimals: the difference is one too
            by[name] = round(plan.delivery[name] - float(home[name]), 9)
    lines = []
    for name in FIELDS:
        if by.get(name):
            pulls = [move for move in plan.moves if (move.kind, move.what) == ("shift", name)]
            reasons = _reasons(pulls, told=len(pulls) > 1) or [_clean(plan.shifts[name].why)]
            lines += _line("  ", name, _number(by[name]), reasons)
    yield from _under("shifts:", lines)


def _set(plan: Plan) -> Iterator[str]:
    own = _own_knobs(plan)
    settings = {name: value for name, value in plan.settings.items() if name not in own}
    values = {**plan.wanted, **settings}
    values |= {name: plan.delivery[name] for name in _set_by_feeling(plan)}
    yield from _under("set:", _absolute(plan, values))


def _absolute(plan: Plan, values: Mapping[str, float]) -> list[str]:
    """Absolute values in the order of their tables; of several the last stands, its reason with it."""
    lines = []
    for name in _in_order(values):
        said = [move for move in plan.moves if (move.kind, move.what) == ("set", name)][-1:]
        lines += _line("  ", name, _number(values[name]), _reasons(said))
    return lines


def _lean(plan: Plan) -> Iterator[str]:
    lines = []
    for name in _in_order(plan.character):
        value, why = plan.character[name]
        said = [move for move in plan.moves if (move.kind, move.what) == ("lean", name)][-1:]
        lines += _line("  ", name, _number(value), _reasons(said) or [_clean(why)])
    yield from _under("lean:", lines)


def _effects(plan: Plan) -> Iterator[str]:
    ways = {"in": plan.added, "out": sorted(plan.removed)}
    lines = []
    for way, names in ways.items():
        lines += _under(f"  {way}:", _listed("    ", plan, way, names))
    yield from _under("effects:", lines)


def _parts(plan: Plan) -> Iterator[str]:
    from daiw_master.parts import LEVELS, part_space

    levels = {param.name for param in LEVELS}
    lines = []
    for role in (role for role in PART_ROLES if plan.parts.get(role)):
        lines.append(f"  {role}:")
        for knob in (knob for knob in part_space() if knob in plan.parts[role]):
            said = [move for move in plan.moves if (move.kind, move.what) == ("part", f"{role}.{knob}")]
            said = said if knob in levels else said[-1:]  # levels add up, of the rest the last counts
            reasons = _reasons(said, told=len(said) > 1)
            lines += _line("    ", knob, _number(plan.parts[role][knob]), reasons)
    yield from _under("parts:", lines)


def _tail(plan: Plan) -> Iterator[str]:
    if plan.tail != "ring" or _switched(plan, "tail"):
        yield from _line("", "tail", plan.tail, _reasons(_switched(plan, "tail", plan.tail)[-1:]))


def _form(plan: Plan) -> Iterator[str]:
    if plan.form is not None:
        yield from _line("", "form", plan.form, _reasons(_switched(plan, "form", plan.form)[-1:]))


def _energies(plan: Plan) -> Iterator[str]:
    if plan.energies:
        yield from _line("", "energies", "", _reasons(_switched(plan, "energies")[-1:]))
        for name, bars, energy in plan.energies:
            yield f"  - [{_quoted(name)}, {_number(bars)}, {_number(energy)}]"


def _names(section: str, field: str):
    def lines(plan: Plan) -> Iterator[str]:
        wanted = getattr(plan, field)
        names = [name for name in (*FIELDS, *house.limits()) if name in wanted]
        yield from _under(f"{section}:", _listed("  ", plan, section, names))

    return lines


_SECTIONS = {
    "platform": _platform,
    "fixed": _fixed,
    "shifts": _shifts,
    "set": _set,
    "lean": _lean,
    "effects": _effects,
    "parts": _parts,
    "tail": _tail,
    "form": _form,
    "energies": _energies,
    "relax": _names("relax", "relaxed"),
    "lift": _names("lift", "lifted"),
    "silence": _names("silence", "silenced"),
}


def _fixed_delivery(plan: Plan) -> list[str]:
    """Delivery targets a platform or the user fixed: the neutral is delivered there too."""
    home = house.neutral()
    said = {move.what for move in plan.moves if move.kind == "set" and move.voice != "feeling"}
    return [name for name in DELIVERY if name in said or plan.neutral_delivery[name] != float(home[name])]


def _own_knobs(plan: Plan) -> set[str]:
    """Knobs the user turned: the song's neutral has them too."""
    return {
        move.what
        for move in plan.moves
        if move.kind == "set" and move.voice == "user" and move.what in plan.settings
    }


def _set_by_feeling(plan: Plan) -> list[str]:
    """Delivery targets a feeling named in absolute numbers; the neutral stays at home."""
    said = {move.what for move in plan.moves if move.kind == "set"}
    return [name for name in DELIVERY if name in said and name not in _fixed_delivery(plan)]


def _place(plan: Plan) -> str:
    """The platform this plan names, if it fixed everything that platform fixes; else ""."""
    known = house.platforms()
    words = [
        move.word.casefold()
        for move in plan.moves
        if move.kind == "set" and move.voice == "platform" and move.word.casefold() in known
    ]
    return words[-1] if words and set(known[words[-1]]) <= set(_fixed_delivery(plan)) else ""


def _in_order(names: Iterable[str]) -> list[str]:
    """Targets as in their table, then knobs as they stand in the chain."""
    from daiw_master.stack import EFFECTS
    from daiw_master.stack.chain import chain_space

    wanted = set(names)
    known = [*FIELDS, *chain_space(EFFECTS)]
    return [name for name in known if name in wanted] + sorted(wanted - set(known))


def _switched(plan: Plan, what: str, value: object = None) -> list[Move]:
    return [
        move
        for move in plan.moves
        if (move.kind, move.what) == ("switch", what) and value in (None, move.value)
    ]


def _reasons(moves: Sequence[Move], told: bool = False) -> list[str]:
    """Each move's reason and who gave it; `told` also says how much, where several add up."""
    reasons = []
    for move in moves:
        word = _clean(move.word, MOST_WORD)
        origin = _clean(move.source)
        if word and word.casefold() not in origin.casefold():
            origin = f"{origin}: {word}"
        # a preset's own reasons are short already and say where they came from
        ours = f"{origin} ".startswith("preset ")
        why = _clean(move.why) if ours else _clean(move.why, MOST_REASON)
        known = ours or origin in ("", "feeling")
        said = " ".join([why] * bool(why) + [f"({origin})"] * (not known)) or BY_HAND
        said = f"{move.value:+.3g} {said}" if told else said
        if said not in reasons:
            reasons.append(said)
    return reasons


def _under(head: str, lines: Sequence[str]) -> list[str]:
    return [head, *lines] if lines else []


def _listed(indent: str, plan: Plan, what: str, names: Sequence[str]) -> list[str]:
    """List items with their reasons; neighbours that share one stand under it."""
    lines: list[str] = []
    reasons = [tuple(_reasons(_switched(plan, what, name))) or (BY_HAND,) for name in names]
    for reason, group in groupby(zip(reasons, names, strict=True), key=lambda pair: pair[0]):
        first, *others = [f"{indent}- {name}" for _, name in group]
        lines += _laid_out(indent, first, reason, above=bool(others)) + others
    return lines


def _line(indent: str, name: str, value: str, reasons: Sequence[str]) -> list[str]:
    return _laid_out(indent, f"{indent}{name}: {value}".rstrip(), reasons)


def _laid_out(indent: str, line: str, reasons: Sequence[str], above: bool = False) -> list[str]:
    """A line with its reasons behind it, or on the lines above where they are many or long (or told to)."""
    text = "; ".join(reason for reason in reasons if reason)
    if not text:
        return [line]
    if not above and len(line) + len(text) + 4 <= LINE_WIDTH:
        return [f"{line}  # {text}"]
    pieces = text.replace("; ", ";\n").split("\n")
    width = LINE_WIDTH - len(indent) - 2
    wrapped = [
        row
        for piece in pieces
        for row in textwrap.wrap(piece, width, break_long_words=False, break_on_hyphens=False)
    ]
    return [*(f"{indent}# {row}" for row in wrapped), line]


def _number(value: float) -> str:
    """A number that reads back to the last bit, in YAML's own spelling (1.0e-09, not 1e-09)."""
    text = repr(float(value) + 0.0)  # there is no -0.0 in a file
    mantissa, e, exponent = text.partition("e")
    return text if not e or "." in mantissa else f"{mantissa}.0e{exponent}"


def _quoted(text: str) -> str:
    """Text in double quotes; JSON's are YAML's."""
    return json.dumps(_clean(text), ensure_ascii=False)


def _clean(text: str, most: int = 10_000) -> str:
    """One line of printable text, cut at a word if it is longer than `most`."""
    printable = "".join(c if c.isprintable() else " " for c in str(text))
    line = " ".join(printable.split())
    return line if len(line) <= most else line[:most].rsplit(" ", 1)[0] + " …"
