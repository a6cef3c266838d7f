"""One description per knob: the only place where a range, a unit or a default is written.

Optimiser bounds, presets, `--set eq.low_shelf_gain_db=1.5`, error messages, README tables, the
report and the generated tests all read `Param` and `Space`. Settings in files go by name and
physical value; a vector in [0, 1] exists in memory only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from daiw_master.errors import OutOfRangeError, UnknownNameError

if TYPE_CHECKING:  # torch is a second of start-up; `daiw-master --help` and `list` do without
    import torch

#: What a name's ending promises about its unit; a test holds every Param to it.
UNIT_OF_SUFFIX = {
    "_db": "dB",
    "_dbtp": "dBTP",
    "_lufs": "LUFS",
    "_lu": "LU",
    "_hz": "Hz",
    "_ms": "ms",
    "_s": "s",
    "_db_per_oct": "dB/oct",
    "_db_per_s": "dB/s",
    "_cents": "cents",
    "_bits": "bits",
}


@dataclass(frozen=True)
class Param:
    """A knob: what it is called, how far it turns, where it rests and what it does to the sound."""

    name: str
    low: float
    high: float
    default: float
    unit: str = ""
    scale: Literal["linear", "log"] = "linear"
    about: str = ""

    def __post_init__(self) -> None:
        if not self.low < self.high or not self.low <= self.default <= self.high:
            raise ValueError(f"{self.name}: needs low < high and low <= default <= high")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"{self.name}: a log scale needs low > 0")

    def physical(self, u):
        """The value at position u in [0, 1] (float or tensor)."""
        if self.scale == "log":
            # lo * (hi/lo)^u keeps a finite gradient on the closed interval.
            return self.low * (self.high / self.low) ** u
        return self.low + (self.high - self.low) * u

    def normalised(self, value):
        """The position in [0, 1] of a physical value (float or tensor)."""
        if self.scale == "log":
            ratio = value / self.low
            log = math.log(ratio) if isinstance(ratio, float) else ratio.log()
            return log / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def check(self, value, name: str | None = None):
        """`value` unchanged if the knob can hold it, else one clear error.

        Accepts a float or a tensor; NaN is refused.
        """
        if hasattr(value, "detach"):
            inside = bool(((value >= self.low) & (value <= self.high)).all())
            shown: object = value.detach().flatten()[:4].tolist()
        else:
            inside = self.low <= value <= self.high
            shown = f"{value:g}"
        if not inside:
            raise OutOfRangeError(name or self.name, shown, self.low, self.high, self.unit)
        return value


class Space(Mapping[str, Param]):
    """An ordered set of knobs with full names, e.g. `eq.low_shelf_gain_db`.

    Turns a vector in [0, 1]^n into physical values and back, and text into checked values.
    """

    def __init__(self, params: Mapping[str, Param] | Iterable[Param], kind: str = "setting"):
        if not isinstance(params, Mapping):
            params = {param.name: param for param in params}
        self._params = dict(params)
        self.kind = kind

    def __getitem__(self, name: str) -> Param:
        try:
            return self._params[name]
        except KeyError:
            raise UnknownNameError(self.kind, name, self._params) from None

    def __contains__(self, name: object) -> bool:
        return name in self._params

    def __iter__(self) -> Iterator[str]:
        return iter(self._params)

    def __len__(self) -> int:
        return len(self._params)

    def without(self, names: Iterable[str]) -> Space:
        """The same space without some knobs: a knob the user sets leaves the search."""
        dropped = set(names)
        kept = {name: param for name, param in self._params.items() if name not in dropped}
        return Space(kept, self.kind)

    def defaults(self) -> dict[str, float]:
        return {name: param.default for name, param in self._params.items()}

    def values(self, u: torch.Tensor) -> dict[str, torch.Tensor]:
        """Physical values of a vector (..., n) in [0, 1]; each value has shape (...)."""
        return {name: param.physical(u[..., i]) for i, (name, param) in enumerate(self._params.items())}

    def vector(self, values: Mapping[str, float | torch.Tensor]) -> torch.Tensor:
        """Positions (..., n) in [0, 1] of physical values; missing names rest at their default."""
        import torch

        for name in values:
            self[name]  # an unknown name is an error, not a silent drop
        columns = [
            torch.as_tensor(param.normalised(values.get(name, param.default)))
            for name, param in self._params.items()
        ]
        return torch.stack(torch.broadcast_tensors(*columns), dim=-1)

    def check(self, values: Mapping[str, float | torch.Tensor]) -> dict:
        """The same values, each within its range and known by name."""
        return {name: self[name].check(value, name) for name, value in values.items()}

    def clip(self, values: Mapping[str, float]) -> dict[str, float]:
        """The same values, each brought to the nearest end of its range if it lies outside."""
        return {name: min(max(value, self[name].low), self[name].high) for name, value in values.items()}

    def parse(self, text: str) -> tuple[str, float]:
        """`"eq.low_shelf_gain_db=1.5"` as a checked (name, value)."""
        name, equals, raw = text.partition("=")
        param = self[name.strip()]
        try:
            value = float(raw) if equals else math.nan
        except ValueError:
            value = math.nan
        if math.isnan(value):
            raise OutOfRangeError(name.strip(), repr(raw), param.low, param.high, param.unit)
        return name.strip(), param.check(value, name.strip())
