"""Any object as plain data: mappings, DAiW's dataclasses and enumerations, whatever has attributes.

Nothing of DAiW is imported: an object is asked for its fields, not for its class.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import os
from collections.abc import Iterable, Mapping

from daiw_master.errors import InputError
from daiw_master.intent.notice import shown
from daiw_master.intent.source import MOST_DEPTH, put

MOST_VALUES = 50_000
_MOST_DIGITS = 1000


def plain(value: object) -> object:
    """`value` as dicts with text keys, lists, texts, numbers, booleans and None; a copy throughout.

    Raises InputError where it is nested without end, far too large, or holds what no sheet can.
    """
    return _Copy().of(value, 0)


class _Copy:
    def __init__(self) -> None:
        self.count = 0

    def of(self, value: object, depth: int) -> object:
        self.count += 1
        if self.count > MOST_VALUES:
            raise InputError(f"more than {MOST_VALUES} values; an intent is a page of text")
        if depth > MOST_DEPTH:
            raise InputError("nested too deeply for an intent (or it holds itself)")
        if isinstance(value, enum.Enum):
            value = value.value
        if value is None or isinstance(value, (bool, float)):
            return value if value is None or isinstance(value, bool) else float(value)
        if isinstance(value, int):
            if value.bit_length() > _MOST_DIGITS:
                raise InputError("a whole number with hundreds of digits is no value on an intent")
            return int(value)
        if isinstance(value, str):
            return _mended(value)
        if isinstance(value, (datetime.date, datetime.time)):
            return value.isoformat()
        if isinstance(value, os.PathLike):
            return _mended(str(os.fspath(value)))
        if isinstance(value, Mapping):
            return self.mapping(value.items(), depth)
        if isinstance(value, (list, tuple, set, frozenset)):
            fields = getattr(value, "_fields", None)  # a named tuple
            if fields:
                return self.mapping(zip(fields, value, strict=False), depth)
            items = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
            return [self.of(item, depth + 1) for item in items]
        return self.object(value, depth)

    def mapping(self, items: Iterable[tuple[object, object]], depth: int) -> dict:
        tree: dict = {}
        for key, value in items:
            key = key.value if isinstance(key, enum.Enum) else key
            put(tree, _mended("null" if key is None else str(key)), self.of(value, depth + 1))
        return tree

    def object(self, value: object, depth: int) -> object:
        if isinstance(value, (bytes, bytearray, memoryview, type)) or callable(value):
            raise InputError(f"{shown(value)} is nothing an intent can hold")
        try:
            if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a NumPy number
                return self.of(value.item(), depth)
            if hasattr(value, "tolist"):
                return self.of(value.tolist(), depth)
            fields = _fields(value)
        except InputError:
            raise
        except Exception as error:  # a foreign object's own code may do anything
            raise InputError(f"cannot read a {type(value).__name__}: {type(error).__name__}") from None
        if fields is None:
            raise InputError(
                f"a {type(value).__name__} is no intent; give a path, a mapping or one of DAiW's objects"
            )
        return self.mapping(fields, depth)


def _fields(value: object) -> list[tuple[object, object]] | None:
    """(name, value) of an object's own data; attributes before `to_dict`, which DAiW's can break."""
    if dataclasses.is_dataclass(value):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    if hasattr(value, "__dict__"):
        found = [(k, v) for k, v in vars(value).items() if not k.startswith("_") and not callable(v)]
        if found:
            return found
    for method in ("model_dump", "to_dict", "_asdict"):
        make = getattr(value, method, None)
        if callable(make):
            made = make()
            return list(made.items()) if isinstance(made, Mapping) else None
    return None


def _mended(text: str) -> str:
    """Halves of a surrogate pair cannot be printed or saved: each becomes the replacement character."""
    text = str(text)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if _broken(text) else text


def _broken(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
