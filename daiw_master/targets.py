"""What can be wanted of a master and heard in it: one table of fields, one type for both.

Rule 1 of the house: every field is measurable. Three kinds:
*delivery* is absolute; *heard* can be read off any audio and is asked relative to this song's
neutral; *done* is known only where we did it, measured between a stage's input and output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from daiw_master.params import Param, Space

Kind = Literal["delivery", "heard", "done"]

#: Band edges in Hz. The same eight as DAiW's genre mix fingerprints, so that genres plug in later.
BAND_EDGES_HZ = {
    "sub": (20.0, 60.0),
    "bass": (60.0, 250.0),
    "low_mid": (250.0, 500.0),
    "mid": (500.0, 2000.0),
    "high_mid": (2000.0, 4000.0),
    "presence": (4000.0, 6000.0),
    "brilliance": (6000.0, 12000.0),
    "air": (12000.0, 20000.0),
}
#: Where stereo width is read; below 120 Hz a master is mono by custom.
WIDTH_EDGES_HZ = {
    "low": (20.0, 120.0),
    "low_mid": (120.0, 500.0),
    "mid": (500.0, 4000.0),
    "high": (4000.0, 20000.0),
}


@dataclass(frozen=True)
class Field(Param):
    """A target: a `Param` (name, unit, range) that also knows its kind and its tolerance.

    `default` is what an untouched field reads in `Shift` arithmetic; `relative_tolerance` fields
    (reverb time) hold their tolerance as a fraction.
    """

    kind: Kind = "heard"
    tolerance: float = 1.0
    relative_tolerance: bool = False

    def error(self, wanted: float, heard: float) -> float:
        """heard - wanted in units of this field's tolerance."""
        scale = self.tolerance * abs(wanted) if self.relative_tolerance else self.tolerance
        return (heard - wanted) / scale


def _field(name, unit, low, high, default, tolerance, kind, about, **more) -> Field:
    return Field(name, low, high, default, unit, about=about, kind=kind, tolerance=tolerance, **more)


FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        _field("loudness_lufs", "LUFS", -40, -5, -14, 0.1, "delivery",
               "integrated loudness, gated (BS.1770-4)"),
        _field("true_peak_dbtp", "dBTP", -12, 0, -1, 0.0, "delivery",
               "ceiling for the 16x true peak; a limit, not a goal"),
        *(
            _field(f"band_{band}_db", "dB", -60, 40, 0, 0.5, "heard",
                   f"power from {low:g} to {high:g} Hz against the mean of the eight bands")
            for band, (low, high) in BAND_EDGES_HZ.items()
        ),
        *(
            _field(f"width_{band}_db", "dB", -80, 20, 0, 0.75, "heard",
                   f"side against mid from {low:g} to {high:g} Hz")
            for band, (low, high) in WIDTH_EDGES_HZ.items()
        ),
        _field("crest_db", "dB", 0, 40, 0, 0.75, "heard",
               "peak above average within 400 ms: how much the music stands up"),
        _field("loudness_range_lu", "LU", 0, 60, 0, 0.75, "heard",
               "soft passages against loud ones (EBU Tech 3342)"),
        _field("onset_db", "dB", 0, 40, 0, 0.75, "heard",
               "attack strength: how far a note's first moments rise above what came before"),
        _field("reverb_decay_s", "s", 0.2, 6, 0.9, 0.1, "done",
               "time for the reverb's tail to fall by 60 dB", relative_tolerance=True),
        _field("reverb_wet_db", "dB", -60, 0, -60, 1.0, "done",
               "reverb against the dry sound, in loudness; -60 is none"),
        _field("drive_db", "dB", -60, 0, -60, 1.0, "done",
               "harmonics added, against the sound they come from; -60 is none"),
        _field("gain_reduction_db", "dB", 0, 12, 0, 0.5, "done",
               "what the compressor takes on average while there is music"),
    )
}  # fmt: skip

BANDS = tuple(f"band_{band}_db" for band in BAND_EDGES_HZ)
WIDTHS = tuple(f"width_{band}_db" for band in WIDTH_EDGES_HZ)
HEARD = tuple(name for name, field in FIELDS.items() if field.kind == "heard")
DONE = tuple(name for name, field in FIELDS.items() if field.kind == "done")
DELIVERY = tuple(name for name, field in FIELDS.items() if field.kind == "delivery")

#: The same table as a Space: `--set band_air_db=...` and `--set eq.tilt_db=...` share one parser.
SPACE = Space(FIELDS, kind="target")


@dataclass(frozen=True)
class Targets(Mapping[str, float]):
    """A sound in numbers, wanted or heard alike: field name -> value, any subset of `FIELDS`."""

    values_by_name: Mapping[str, float]

    def __post_init__(self) -> None:
        for name in self.values_by_name:
            SPACE[name]

    def __getitem__(self, name: str) -> float:
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)

    def replace(self, **values: float) -> Targets:
        """The same targets with some fields set anew."""
        return Targets({**self.values_by_name, **values})

    def plus(self, shift: Mapping[str, float]) -> Targets:
        """The same targets moved by `shift`; fields absent here are not invented."""
        return Targets({name: value + shift.get(name, 0.0) for name, value in self.items()})

    def minus(self, other: Mapping[str, float]) -> dict[str, float]:
        """How far each shared field lies from `other`'s."""
        return {name: value - other[name] for name, value in self.items() if name in other}
