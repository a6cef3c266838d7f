"""What the composer wants of the master itself: the `mastering:` key, or a sidecar beside the intent.

The section is ours, so it is read strictly: a key nobody knows, or a number out of range, is refused
with the nearest right name and the range. DAiW drops unknown keys when it saves, hence the sidecar.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from daiw_master import house
from daiw_master.errors import InputError, OutOfRangeError, UnknownNameError
from daiw_master.formats import BIT_DEPTHS, ENDINGS, RATES
from daiw_master.intent.notice import one_line, shown
from daiw_master.intent.values import number_from, text_from
from daiw_master.strength import parse_strength
from daiw_master.targets import FIELDS


class Output(BaseModel):
    """The file to write: format by its ending, bit depth 16, 24 or 32f, rate in Hz."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str | None = None
    bit_depth: str | None = None
    rate: int | None = None


class MasteringSection(BaseModel):
    """One section of the song as the composer hears it: bars or start in seconds, energy from 0 to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    bars: float | None = None
    start_s: float | None = None
    energy: float | None = None


class Mastering(BaseModel):
    """Our settings on an intent. Units: lufs in LUFS, ceiling in dBTP, targets and settings as in `--set`.

    `strength` is what `--strength` takes, `chain` None is the house chain, `sections` are in order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform: str | None = None
    lufs: float | None = None
    ceiling: float | None = None
    targets: dict[str, float] = {}
    settings: dict[str, float] = {}
    strength: str | None = None
    preset: str | None = None
    rules: tuple[str, ...] = ()
    chain: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    reference: str | None = None
    output: Output = Output()
    sections: tuple[MasteringSection, ...] = ()

    @property
    def is_empty(self) -> bool:
        return self == Mastering()


def read_mastering(section: object, where: str = "mastering", folder: Path | None = None) -> Mastering:
    """A mapping as `Mastering`, or one line that says what is wrong with which key.

    `folder` is where the intent lies: preset, reference and chain files are looked for beside it first.
    """
    if section is None:
        return Mastering()
    section = _mapping(section, where, Mastering.model_fields)
    read = {
        key: _READERS[key](value, f"{where}.{key}") for key, value in section.items() if value is not None
    }
    chain = read.get("chain", ())
    if folder and len(chain) == 1 and (folder / chain[0]).is_file():
        read["chain"] = (str(folder / chain[0]),)
    for key in ("preset", "reference"):
        beside = folder / read[key] if folder and key in read else None
        if beside is not None and beside.is_file():
            read[key] = str(beside)
    return Mastering(**read)


def _mapping(value: object, where: str, known: Mapping[str, Any]) -> Mapping:
    if not isinstance(value, Mapping):
        raise InputError(f"{where} is {shown(value)}; it must be keys with values ({', '.join(known)})")
    for key in value:
        if key not in known:
            raise UnknownNameError(f"key in {where}:", one_line(str(key), 60), known, f"({', '.join(known)})")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 1000:
        raise InputError(f"{where} is {shown(value)}; it must be a name")
    return value.strip()


def _number(value: object, where: str, unit: str = "") -> float:
    try:
        return number_from(value)
    except ValueError:
        raise InputError(
            f"{where} is {shown(value)}; it must be a number{' in ' + unit if unit else ''}"
        ) from None


def _names(value: object, where: str) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)):
        raise InputError(f"{where} is {shown(value)}; it must be a list of names")
    return tuple(_text(item, where) for item in items)


def _target(name: str, value: object, where: str) -> float:
    if name not in FIELDS:
        raise UnknownNameError(
            f"target in {where}:", one_line(name, 60), FIELDS, "(`list targets` shows all)"
        )
    number = _number(value, f"{where}.{name}", FIELDS[name].unit)
    FIELDS[name].check(number, f"{where}.{name}")
    return number


def _targets(value: object, where: str) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise InputError(f"{where} is {shown(value)}; it must be targets with values, like band_air_db: -6")
    return {str(name): _target(str(name), number, where) for name, number in value.items()}


def _settings(value: object, where: str) -> dict[str, float]:
    """Knobs by "effect.knob" or nested by effect; whether the chain has them is the chain's to say."""
    if not isinstance(value, Mapping):
        raise InputError(f"{where} is {shown(value)}; it must be knobs with values, like eq.tilt_db: 1")
    read = {}
    for name, number in value.items():
        if isinstance(number, Mapping):
            read |= {f"{name}.{knob}": _number(n, f"{where}.{name}.{knob}") for knob, n in number.items()}
        elif name in FIELDS:
            raise InputError(f"{where}.{name} is a target, not a knob; it goes under targets")
        elif "." not in str(name):
            raise InputError(f"{where}.{name}: a knob is named by its effect too, like eq.tilt_db")
        else:
            read[str(name)] = _number(number, f"{where}.{name}")
    return read


def _strength(value: object, where: str) -> str:
    if isinstance(value, Mapping):
        text = ",".join(f"{group}={factor}" for group, factor in value.items())
    else:
        text = text_from(value) if isinstance(value, (str, int, float)) else shown(value)
    if not text.strip():
        raise InputError(f"{where} is empty; it must be a number from 0 to 1, or bands=0.5,width=0.7")
    parse_strength(text)
    return text


def _platform(value: object, where: str) -> str:
    name = _text(value, where)
    house.platform(name)
    return name


def _choice(value: object, where: str, allowed: tuple) -> Any:
    text = text_from(value) if isinstance(value, (str, int, float)) else shown(value)
    for choice in allowed:
        if text.casefold().lstrip(".") == str(choice):
            return choice
    raise InputError(f"{where} is {shown(value)}; it must be one of {', '.join(map(str, allowed))}")


def _output(value: object, where: str) -> Output:
    value = _mapping(value, where, Output.model_fields)
    allowed = {"format": ENDINGS, "bit_depth": BIT_DEPTHS, "rate": RATES}
    return Output(
        **{
            key: _choice(item, f"{where}.{key}", allowed[key])
            for key, item in value.items()
            if item is not None
        }
    )


def _sections(value: object, where: str) -> tuple[MasteringSection, ...]:
    if not isinstance(value, (list, tuple)):
        raise InputError(
            f"{where} is {shown(value)}; it must be a list of sections, each with name and energy"
        )
    read = []
    for number, item in enumerate(value, 1):
        at = f"{where}[{number}]"
        item = _mapping(item, at, MasteringSection.model_fields)
        section = {"name": text_from(item.get("name")) or str(number)}
        for key, high, unit in (("bars", 10000, "bars"), ("start_s", 86400, "s"), ("energy", 1, "")):
            if item.get(key) is not None:
                section[key] = _number(item[key], f"{at}.{key}", unit)
                low = 0.0 if key != "bars" else math.ulp(0.0)
                if not low <= section[key] <= high:
                    raise OutOfRangeError(f"{at}.{key}", shown(item[key]), 0, high, unit)
        read.append(MasteringSection(**section))
    return tuple(read)


_READERS = {
    "platform": _platform,
    "lufs": lambda value, where: _delivered("loudness_lufs", value, where),
    "ceiling": lambda value, where: _delivered("true_peak_dbtp", value, where),
    "targets": _targets,
    "settings": _settings,
    "strength": _strength,
    "preset": _text,
    "rules": _names,
    "chain": _names,
    "without": _names,
    "reference": _text,
    "output": _output,
    "sections": _sections,
}


def _delivered(field: str, value: object, where: str) -> float:
    number = _number(value, where, FIELDS[field].unit)
    FIELDS[field].check(number, where)
    return number
