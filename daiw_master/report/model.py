"""The report as data: asked, before, after, tolerance, verdict and why, for every target."""

from __future__ import annotations

from pydantic import BaseModel, Field

from daiw_master.errors import UnknownNameError


class TargetRow(BaseModel):
    """One target's story. `before` is the material as it came, `neutral` the song merely finished."""

    target: str
    unit: str
    asked: float | None = Field(description="absolute wanted value; None where nothing was asked")
    shift: float = Field(0.0, description="asked relative to neutral")
    planned: float = Field(0.0, description="the shift before anything was cut of it")
    before: float | None = None
    neutral: float | None = None
    after: float
    tolerance: float
    verdict: str = Field(description="met, missed, kept (asked to stay and did) or drifted")
    why: str = ""
    cut: str = Field("", description="what was cut of the ask before it was asked, and why")


class GuardRow(BaseModel):
    """One house limit on the finished master."""

    guard: str
    about: str
    unit: str
    measured: float
    default: float
    hard: float
    holds: bool
    beyond_default: bool


class SettingRow(BaseModel):
    """One knob where it ended up, and who put it there."""

    setting: str
    value: float
    unit: str
    set_by: str


class StepRow(BaseModel):
    """One line of the solver's log: which step moved which target from where to where."""

    step: str
    target: str
    wanted: float
    old: float
    new: float


class Curve(BaseModel):
    """One sound as two lines: its tone in third octaves and its loudness over time."""

    of: str = Field(description="as it came, neutral or master")
    hz: list[float]
    third_octave_db: list[float] = Field(description="gated, against the mean of the eight bands")
    hop_s: float
    short_term_lufs: list[float] = Field(description="loudness of 3 s, the first window from 0 s")


class Report(BaseModel):
    """Everything about one master: a file a person or a program can check the sound against."""

    format: str = "daiw-master report 1"
    source: str
    emotion: str
    about: str = ""
    intensity: float = 1.0
    duration_s: float
    rate: int
    targets: list[TargetRow] = []
    shown: dict[str, float] = {}
    guards: list[GuardRow] = []
    settings: list[SettingRow] = []
    chain: list[str] = []
    log: list[StepRow] = []
    relaxed: list[str] = []
    notes: list[str] = []
    sections: list[dict] = []
    soundfont: str | None = None
    seed: int = 0
    versions: dict[str, str]
    curves: list[Curve] = Field([], description="what the picture draws")

    def row(self, target: str) -> TargetRow:
        """The row of one target by name; `UnknownNameError` where the report has none (a bypassed song)."""
        rows = {row.target: row for row in self.targets}
        if target not in rows:
            raise UnknownNameError("target in the report", target, rows)
        return rows[target]

    @property
    def missed(self) -> list[TargetRow]:
        return [row for row in self.targets if row.verdict == "missed"]
