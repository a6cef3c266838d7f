"""Where a feeling lies, and what that does to a master: a mixture of rows plus a small linear map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from daiw_master.errors import OutOfRangeError, UnknownNameError
from daiw_master.intent.categories import AXES, Row, categories, linear_map

#: Weights that differ from a whole by less than this are rounding, not intent.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Affect:
    """A feeling as a place: how pleasant, how awake, how much in command, and of what kind.

    valence, arousal, dominance in [-1, 1]; `mixture` holds category -> weight, each >= 0, together
    at most 1: what is missing to 1 is neutral. Raises OutOfRangeError and UnknownNameError.
    """

    valence: float = 0.0
    arousal: float = 0.0
    dominance: float = 0.0
    mixture: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for axis, value in zip(AXES, self.vad, strict=True):
            if not -1.0 - _ROUNDING <= value <= 1.0 + _ROUNDING:
                raise OutOfRangeError(axis, value, -1, 1, "")
        for name, weight in self.mixture.items():
            if name not in categories():
                raise UnknownNameError("emotion category", name, categories())
            if not 0.0 <= weight <= 1.0 + _ROUNDING:
                raise OutOfRangeError(f"weight of {name}", weight, 0, 1, "")
        total = sum(self.mixture.values())
        if total > 1.0 + _ROUNDING:
            raise OutOfRangeError("the sum of a mixture's weights", f"{total:g}", 0, 1, "")

    @property
    def vad(self) -> tuple[float, float, float]:
        return (self.valence, self.arousal, self.dominance)

    def contributions(self) -> dict[str, list[Row]]:
        """What each ingredient asks of each field, unsummed, with its reason.

        shift = sum_c weight_c * row_c  +  L (vad - sum_c weight_c * vad_c): linear in the affect, so
        blends interpolate, a pure category is exactly its row and (0, 0, 0) asks for nothing.
        """
        asked: dict[str, list[Row]] = {}
        rest = list(self.vad)
        for name, weight in self.mixture.items():
            category = categories()[name]
            for target, row in category.shifts.items():
                asked.setdefault(target, []).append(Row(weight * row.value, row.why))
            rest = [left - weight * own for left, own in zip(rest, category.vad, strict=True)]
        for left, slopes in zip(rest, linear_map(), strict=True):
            if abs(left) < _ROUNDING:
                continue
            for target, slope in slopes.items():
                why = slope.more if left > 0 else slope.less
                asked.setdefault(target, []).append(Row(left * slope.value, why))
        return asked


def mean_affect(parts: Iterable[tuple[float, Affect]]) -> Affect:
    """Feelings at the same time: the weighted sum of places (weights >= 0, together at most 1)."""
    vad = [0.0, 0.0, 0.0]
    mixture: dict[str, float] = {}
    for weight, affect in parts:
        vad = [total + weight * own for total, own in zip(vad, affect.vad, strict=True)]
        for name, share in affect.mixture.items():
            mixture[name] = mixture.get(name, 0.0) + weight * share
    return Affect(*vad, mixture=mixture)
