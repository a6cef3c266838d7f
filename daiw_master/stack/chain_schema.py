"""What may stand in a chain file: the shape of it, before anybody asks what an effect can do."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daiw_master.errors import DaiwMasterError, InputError, UnknownNameError

#: From one end to the other, in the knob's unit.
Ends = Annotated[list[float], Field(min_length=2, max_length=2)]


class Stage(BaseModel):
    """One effect of a chain, and what is to become of its knobs; a knob nobody names rests at its default."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    effect: Annotated[str, Field(min_length=1)]
    plugin: str | None = None
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] | None = None
    search: Literal["all"] | list[str] | dict[str, Ends | None] = []
    pin: dict[str, float] = {}
    apart: bool | None = None


class ChainPage(BaseModel):
    """A chain file: `chain`, its stages in order, and `about`, a line for people."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    chain: Annotated[list[Stage], Field(min_length=1)]
    about: str | None = None


#: What each key must be, in the words of whoever writes the file.
MUST_BE = {
    "chain": "a list of stages, at least one",
    "about": "a line of text",
    "effect": "a name (`list effects` shows ours) or a .vst3",
    "plugin": "the name of one plugin in the file",
    "name": "a word of small letters, digits and _",
    "search": "`all`, a list of knobs, or knobs with [low, high]",
    "pin": "knobs with numbers, like tilt_db: 1.5",
    "apart": "true or false",
}


def page_of(read: Any) -> tuple[ChainPage | None, tuple, DaiwMasterError | None]:
    """A file's content as a page; else where it is wrong (a path of keys and indices), and what is wrong."""
    if not isinstance(read, dict):
        return None, (), InputError(f"a chain file is {shown(read)}; it must begin with `chain:`")
    if isinstance(read.get("chain"), list):
        # a name alone is a stage at its defaults
        stages = [{"effect": one} if isinstance(one, str) else one for one in read["chain"]]
        read = {**read, "chain": stages}
    try:
        return ChainPage.model_validate(read), (), None
    except ValidationError as error:
        first = min(error.errors(), key=lambda one: (one["type"] != "extra_forbidden", len(one["loc"])))
        return None, *_told(first, read)


def _told(first: Any, read: dict) -> tuple[tuple, DaiwMasterError]:
    """Where the first thing wrong stands, and a line about it."""
    where = tuple(first["loc"])
    in_stage = where[:1] == ("chain",) and len(where) > 1
    if in_stage and len(where) == 2:
        what = (
            f"a stage is {shown(read['chain'][where[1]])}; it must be an effect's name, or keys with values"
        )
        return where, InputError(what)
    key = where[2 if in_stage else 0]
    place = where[: 3 if in_stage else 1]
    if first["type"] == "extra_forbidden":
        known = Stage.model_fields if in_stage else ChainPage.model_fields
        kind = "key of a stage" if in_stage else "key of a chain file"
        return place, UnknownNameError(kind, str(key), known, f"({', '.join(known)})")
    if first["type"] == "missing":
        owner = "this stage" if in_stage else "a chain file"
        return place[:-1], InputError(f"{owner} has no `{key}`; it must be {MUST_BE[key]}")
    value = read["chain"][where[1]][key] if in_stage else read[key]
    if key == "pin" and isinstance(value, dict):
        knob = next(one for one in where[3:] if one in value)
        return (*place, knob), InputError(f"pin.{knob} is {shown(value[knob])}; it must be a number")
    if key == "search" and isinstance(value, dict):
        wrong = (knob for knob, ends in value.items() if not (ends is None or _are_ends(ends)))
        knob = next(wrong)
        what = f"search.{knob} is {shown(value[knob])}; it must be [low, high], or empty for its whole range"
        return (*place, knob), InputError(what)
    return place, InputError(f"{key} is {shown(value)}; it must be {MUST_BE[key]}")


def _are_ends(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(end) in (int, float) for end in value)


def shown(value: Any) -> str:
    """A value as an error calls it."""
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "keys with values"
    if isinstance(value, list) and not all(isinstance(one, (int, float)) for one in value):
        return "a list"
    if value == []:
        return "an empty list"
    if isinstance(value, str):
        value = " ".join(value.split())
        return f"the text {value if len(value) <= 40 else value[:39] + '…'!r}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"
