"""One report from everything a run knows: what came, what was asked, what was done, what is heard."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Protocol

from daiw_master.meters import Measured, measure
from daiw_master.midi import Rendered
from daiw_master.refine.bench import Bench, Take
from daiw_master.refine.master import Master
from daiw_master.report.curves import curve_of
from daiw_master.report.model import Curve, IntentLine, Report
from daiw_master.report.rows import guard_rows, setting_rows, step_rows, target_rows
from daiw_master.report.work import automation_of, move_rows, reduction_of
from daiw_master.sounds import Sound

#: Whose versions a report names: what can change the sound.
_VERSIONS_OF = ("daiw-master", "torch", "pedalboard", "numpy", "scipy", "pyfluidsynth")


class Intent(Protocol):
    """What a report says of the feeling: its name, its words, how much of it."""

    name: str
    reasons: Sequence[str]
    intensity: float


@dataclass(frozen=True)
class Source:
    """What came in: a name, the sound before mastering, the run's seed, and what the MIDI file told."""

    name: str
    sound: Sound
    seed: int = 0
    rendered: Rendered | None = None

    @cached_property
    def measured(self) -> Measured:
        return measure(self.sound)

    @property
    def facts(self) -> dict:
        """The report fields that do not depend on the master."""
        midi = self.rendered
        sections = midi.sections if midi else ()
        return {
            "source": self.name,
            "rate": self.sound.rate,
            "seed": self.seed,
            "notes": list(midi.notes) if midi else [],
            "sections": [{"name": s.name, "start_s": s.start_s, "end_s": s.end_s} for s in sections],
            "soundfont": str(midi.soundfont) if midi else None,
            "versions": _versions(),
        }


def master_report(
    source: Source,
    intent: Intent,
    made: Master,
    neutral: Take,
    bench: Bench,
    sound: Sound,
    curves: Sequence[Curve],
    *,
    said: Sequence[IntentLine] = (),
) -> Report:
    """The report of a finished master; `sound` is what will be written, and it is measured anew.

    `said`: the intent in the composer's own words.
    """
    after = measure(sound)
    plan, duration_s = made.plan, sound.time / sound.rate
    return Report(
        **source.facts,
        emotion=intent.name,
        about="; ".join(intent.reasons),
        intensity=intent.intensity,
        duration_s=duration_s,
        targets=target_rows(made, bench, source.measured.targets, after.targets),
        shown={**after.shown, "limiter_p99_db": float(made.take.delivered.reduction_p99_db)},
        guards=guard_rows(made.guards),
        settings=setting_rows(made, bench, neutral.settings),
        chain=[*bench.placed, *bench.moving, "loudness", "limiter"],
        log=step_rows(made),
        relaxed=sorted(plan.relaxed | {guard.name for guard in made.guards if guard.relaxed}),
        curves=[*curves, curve_of("master", sound, after.seen, after.tones)],
        intent=list(said),
        moves=move_rows(plan, bench.space),
        lifted=dict(plan.lifted),
        silenced=dict(plan.silenced),
        reduction=reduction_of(bench, made.take, duration_s),
        automation=automation_of(bench, made.take.settings),
    )


def bypass_report(source: Source, intent: Intent) -> Report:
    """The input, measured and left alone: no targets, no chain."""
    return Report(
        **source.facts,
        emotion=intent.name,
        about="bypassed: the input as it came",
        duration_s=source.sound.time / source.sound.rate,
        shown={**source.measured.targets, **source.measured.shown},
    )


def _versions() -> Mapping[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in _VERSIONS_OF}}
