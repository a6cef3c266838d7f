"""What `daiw-master list` prints, read from the same tables everything else reads."""

from __future__ import annotations

from collections.abc import Iterator

from daiw_master import house
from daiw_master.params import Param


def emotions() -> Iterator[str]:
    """Every word we know, with what it derives from and why."""
    from daiw_master.intent import LEXICON

    for name, entry in LEXICON.items():
        yield f"{name:<24} {entry.origin:<22} {entry.why}"


def effects() -> Iterator[str]:
    """Every effect row with its knobs: range, unit, rest and what each does."""
    from daiw_master.knobs import ROWS
    from daiw_master.knobs.pedalboard import ROWS as PEDALBOARD

    for effect in (*ROWS.values(), *PEDALBOARD):
        yield f"{effect.name}: {effect.about}"
        for param in effect.params:
            yield f"  {knob_line(param, f'{effect.name}.{param.name}')}"


def rules() -> Iterator[str]:
    """The 42 rules to break: how much a master has to do with each, and what it means in sound."""
    from daiw_master.intent.rules import RULES, STARS

    for rule in RULES.values():
        yield f"{STARS[rule.star]} {rule.name:<32} {rule.means}"


def genres() -> Iterator[str]:
    """Every genre we lean towards."""
    from daiw_master.intent.genres import genres as known

    for name, genre in known().items():
        yield f"{name:<24} {genre.about}"


def words() -> Iterator[str]:
    """Every word an intent's other fields understand: textures, pictures, vulnerability, arcs, grooves."""
    from daiw_master.intent.words import rows_of

    for kind in ("textures", "images", "vulnerability", "arcs", "grooves"):
        for name, row in rows_of(kind).items():
            yield f"{kind:<14} {name:<22} {row['about']}"


def targets() -> Iterator[str]:
    """Every target field: unit, tolerance and what is heard."""
    from daiw_master.targets import FIELDS

    for field in FIELDS.values():
        tolerance = (
            f"±{field.tolerance * 100:g} %"
            if field.relative_tolerance
            else f"±{field.tolerance:g} {field.unit}"
        )
        yield f"{field.name:<22} {field.kind:<9} {tolerance:<10} {field.about}"


def platforms() -> Iterator[str]:
    """Delivery targets by destination."""
    for name, row in house.platforms().items():
        yield f"{name:<10} {row['loudness_lufs']:g} LUFS, {row['true_peak_dbtp']:g} dBTP"


def limits() -> Iterator[str]:
    """The house limits: default, hard, what they bound."""
    for limit in house.limits().values():
        yield f"{limit.name:<22} {limit.default:g} / {limit.hard:g} {limit.unit:<3} {limit.about}"


def knob_line(param: Param, name: str) -> str:
    unit = f" {param.unit}" if param.unit else ""
    return f"{name:<28} {param.low:g} to {param.high:g}{unit}, rests at {param.default:g}: {param.about}"
