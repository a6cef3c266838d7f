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


class IntentLine(BaseModel):
    """One field of the intent, in the composer's own words."""

    field: str
    text: str


class MoveRow(BaseModel):
    """One thing that was asked, by whose word, and why: a line of the plan's ledger."""

    kind: str
    what: str
    value: float | str
    unit: str = ""
    why: str
    source: str = ""
    word: str = ""
    voice: str = "feeling"


class Reduction(BaseModel):
    """How hard limiter and compressor leaned on the song: the most within each hop, dB >= 0."""

    hop_s: float
    limiter_db: list[float]
    compressor_db: list[float] = Field([], description="empty where no compressor worked")


class Automation(BaseModel):
    """How the form moved the master: gain and high shelf at the middle of each hop."""

    hop_s: float
    level_db: list[float]
    brightness_db: list[float] = []


class Curve(BaseModel):
    """One sound as lines: tone and width in third octaves, loudness and correlation over time."""

    of: str = Field(description="as it came, neutral or master")
    hz: list[float]
    third_octave_db: list[float] = Field(description="gated, against the mean of the eight bands")
    hop_s: float
    short_term_lufs: list[float] = Field(description="loudness of 3 s, the first window from 0 s")
    width_db: list[float] = Field([], description="side against mid in the same third octaves; empty: mono")
    correlation: list[float] = Field([], description="left against right in the same windows of 3 s")


class StyleMove(BaseModel):
    """One knob that the search for a sound turned, and what it does."""

    setting: str
    unit: str
    before: float
    after: float
    why: str


class StyleDifference(BaseModel):
    """What the meters read of the wanted sound, and of the master before and after the search."""

    target: str
    wanted: float
    before: float
    after: float


class StyleSection(BaseModel):
    """How near the master came to the sound it was to have: cosines of style embeddings, 1 is the same."""

    toward: str
    sources: list[str] = []
    encoder: str
    before: float = Field(description="similarity of the master as the targets alone left it")
    after: float
    kept: bool = Field(description="whether the search found something nearer that keeps what was asked")
    candidates: int
    seconds: float
    stopped: str = Field("", description="why the search ended")
    interrupted: bool = Field(False, description="whether somebody ended it before it was done")
    moves: list[StyleMove] = []
    differences: list[StyleDifference] = []


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
    intent: list[IntentLine] = Field([], description="what the composer said, field by field")
    moves: list[MoveRow] = Field([], description="everything asked, with its source and reason")
    lifted: dict[str, str] = Field({}, description="house limits not enforced, and why")
    silenced: dict[str, str] = Field({}, description="verdicts not given, and why")
    reduction: Reduction | None = None
    automation: Automation | None = None
    style: StyleSection | None = Field(None, description="a search toward a sound, where one was asked for")

    def row(self, target: str) -> TargetRow:
        """The row of one target by name; `UnknownNameError` where the report has none (a bypassed song)."""
        rows = {row.target: row for row in self.targets}
        if target not in rows:
            raise UnknownNameError("target in the report", target, rows)
        return rows[target]

    @property
    def missed(self) -> list[TargetRow]:
        return [row for row in self.targets if row.verdict == "missed"]
