"""The general chain: what somebody reaches for to make one piece sound like another, stage by stage.

Filters, an equaliser, drive, a compressor, echoes, a room, in the order of a channel strip. It is told
nothing about the reference. A stage that is not wanted is not in the list; one that is turns as far as
its knobs here allow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from daiw_master.params import Param
from daiw_master.stack.effect import Effect
from daiw_master.stack.plugin import PEDALBOARD


@dataclass(frozen=True)
class Stage:
    """One stage: its places in the chain, the knobs a search may turn, and what stands still."""

    name: str
    rows: Mapping[str, str]
    knobs: tuple[Param, ...]
    fixed: Mapping[str, float] = field(default_factory=dict)


def _hz(place: str, low: float, high: float) -> Param:
    return Param(f"{place}.cutoff_frequency_hz", low, high, (low * high) ** 0.5, "Hz", "log")


def _gain(place: str) -> Param:
    return Param(f"{place}.gain_db", -15, 15, 0, "dB")


#: pedalboard's room lets the sound itself through unchanged at this dry level.
_DRY = 0.5

STAGES: tuple[Stage, ...] = (
    Stage("highpass", {"highpass": "pedalboard_highpass_filter"}, (_hz("highpass", 60, 4000),)),
    Stage("lowpass", {"lowpass": "pedalboard_lowpass_filter"}, (_hz("lowpass", 250, 14000),)),
    Stage(
        "eq",
        {
            "low_shelf": "pedalboard_low_shelf_filter",
            "peak": "pedalboard_peak_filter",
            "high_shelf": "pedalboard_high_shelf_filter",
        },
        (
            _hz("low_shelf", 60, 500),
            _gain("low_shelf"),
            _hz("peak", 300, 6000),
            _gain("peak"),
            Param("peak.q", 0.5, 3, 1, scale="log"),
            _hz("high_shelf", 2500, 12000),
            _gain("high_shelf"),
        ),
    ),
    Stage(
        "distortion",
        {"distortion": "pedalboard_distortion"},
        (Param("distortion.drive_db", 2, 30, 12, "dB"),),
    ),
    Stage(
        "compressor",
        {"compressor": "pedalboard_compressor"},
        (
            Param("compressor.threshold_db", -45, -12, -28, "dB"),
            Param("compressor.ratio", 1.5, 10, 3, scale="log"),
            Param("compressor.attack_ms", 0.5, 80, 8, "ms", "log"),
            Param("compressor.release_ms", 20, 500, 100, "ms", "log"),
        ),
    ),
    Stage(
        "delay",
        {"delay": "pedalboard_delay"},
        (
            Param("delay.delay_s", 0.05, 0.8, 0.25, "s", "log"),
            Param("delay.feedback", 0, 0.7, 0.3),
            Param("delay.mix", 0.08, 0.6, 0.3),
        ),
    ),
    Stage(
        "reverb",
        {"reverb": "pedalboard_reverb"},
        (
            Param("reverb.room_size", 0.03, 0.95, 0.4),
            Param("reverb.damping", 0, 1, 0.5),
            Param("reverb.wet_level", 0.03, 0.5, 0.2),
            Param("reverb.width", 0.2, 1, 1),
        ),
        {"reverb.dry_level": _DRY},
    ),
)
STAGE_NAMES = tuple(stage.name for stage in STAGES)
KNOBS: tuple[Param, ...] = tuple(knob for stage in STAGES for knob in stage.knobs)


def general_chain(stages: Iterable[str]) -> dict[str, Effect]:
    """The chain of some stages, in its own order, whatever the order they are named in."""
    wanted = set(stages)
    return {
        place: PEDALBOARD[row]
        for stage in STAGES
        if stage.name in wanted
        for place, row in stage.rows.items()
    }


def free_knobs(stages: Iterable[str]) -> dict[str, tuple[float, float]]:
    """The knobs of some stages with the ends between which they are searched."""
    wanted = set(stages)
    return {
        knob.name: (knob.low, knob.high) for stage in STAGES if stage.name in wanted for knob in stage.knobs
    }


def at_positions(stages: Iterable[str], positions: Mapping[str, float]) -> dict[str, float]:
    """Complete settings of some stages from positions in [0, 1] of their knobs; others in the middle."""
    wanted = set(stages)
    settings: dict[str, float] = {}
    for stage in STAGES:
        if stage.name in wanted:
            settings |= stage.fixed
            for knob in stage.knobs:
                u = positions.get(knob.name)
                settings[knob.name] = (
                    knob.default if u is None else float(knob.physical(min(max(u, 0.0), 1.0)))
                )
    return settings
