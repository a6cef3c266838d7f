"""What two styles differ in, in numbers an engineer can act on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from daiw_master import house
from daiw_master.targets import BANDS, FIELDS, WIDTHS

#: Bands this far below the mean of all, and sides this far below the mid, hold nothing worth comparing.
EMPTY_DB = -40.0
#: Below this a difference is not worth a word, in tolerances.
LEAST_TOLERANCES = 2.0


@dataclass(frozen=True)
class Difference:
    """One field in which two sounds differ; `share` is how much of what music varies in lies between."""

    field: str
    one: float
    other: float

    @property
    def by(self) -> float:
        """The other's reading over the first one's, in the field's unit."""
        return self.other - self.one

    @property
    def share(self) -> float:
        """A share of the range within which finished music lies: 2 dB of sub say less than 2 dB of mids."""
        low, high = house.envelope().get(self.field, _WIDEST)
        return abs(self.by) / (high - low)


#: The range of a field that no envelope bounds (the width of the lows, which is mono by custom).
_WIDEST = (-30.0, 0.0)


def differences(one: Mapping[str, float], other: Mapping[str, float]) -> list[Difference]:
    """Every field both were heard in, the most telling difference first.

    What is next to nothing in both is left out; next to nothing in one counts only down to `EMPTY_DB`.
    """
    rows = []
    for field in one.keys() & other.keys():
        here, there = one[field], other[field]
        if field in (*BANDS, *WIDTHS):
            if max(here, there) <= EMPTY_DB:
                continue
            here, there = max(here, EMPTY_DB), max(there, EMPTY_DB)
        rows.append(Difference(field, here, there))
    return sorted(rows, key=lambda row: (-row.share, row.field))


def worth_a_word(rows: list[Difference], most: int = 4) -> list[Difference]:
    """The first few that anybody could hear."""
    return [row for row in rows if abs(row.by) >= LEAST_TOLERANCES * FIELDS[row.field].tolerance][:most]
