"""Six chains of rising size, and settings for them that an engineer might leave them at.

A chain is a list of (effect, settings), the effects by the names of our rows, so that a list of trials
is plain JSON. The ranges suit a dry sound at `DRY_LUFS`.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import torch

from daiw_master.stack import effect_named
from daiw_master.stack.chain import run_chain

DRY_LUFS = -20.0
#: pedalboard's room passes the sound itself unchanged at this level.
DRY_LEVEL = 0.5

Step = tuple[str, dict[str, float]]


def _log(rng: random.Random, low: float, high: float) -> float:
    return low * (high / low) ** rng.random()


def _lowpass(rng: random.Random) -> list[Step]:
    return [("pedalboard_lowpass_filter", {"cutoff_frequency_hz": _log(rng, 500, 4000)})]


def _highpass(rng: random.Random) -> list[Step]:
    return [("pedalboard_highpass_filter", {"cutoff_frequency_hz": _log(rng, 150, 1500)})]


def _eq(rng: random.Random) -> list[Step]:
    def gain_db() -> float:
        return rng.choice((-1, 1)) * rng.uniform(3, 9)

    return [
        (
            "pedalboard_low_shelf_filter",
            {"cutoff_frequency_hz": _log(rng, 80, 300), "gain_db": gain_db(), "q": 0.7},
        ),
        (
            "pedalboard_peak_filter",
            {
                "cutoff_frequency_hz": _log(rng, 500, 3500),
                "gain_db": gain_db(),
                "q": _log(rng, 0.6, 2),
            },
        ),
        (
            "pedalboard_high_shelf_filter",
            {"cutoff_frequency_hz": _log(rng, 4000, 9000), "gain_db": gain_db(), "q": 0.7},
        ),
    ]


def _compressor(rng: random.Random) -> list[Step]:
    settings = {
        "threshold_db": rng.uniform(-36, -24),
        "ratio": _log(rng, 2.5, 6),
        "attack_ms": _log(rng, 2, 30),
        "release_ms": _log(rng, 50, 250),
    }
    return [("pedalboard_compressor", settings)]


def _distortion(rng: random.Random) -> list[Step]:
    return [("pedalboard_distortion", {"drive_db": rng.uniform(8, 18)})]


def _delay(rng: random.Random) -> list[Step]:
    settings = {
        "delay_s": _log(rng, 0.12, 0.45),
        "feedback": rng.uniform(0.1, 0.5),
        "mix": rng.uniform(0.2, 0.4),
    }
    return [("pedalboard_delay", settings)]


def _reverb(rng: random.Random, rooms: tuple[float, float]) -> list[Step]:
    settings = {
        "room_size": rng.uniform(*rooms),
        "damping": rng.uniform(0.2, 0.7),
        "wet_level": rng.uniform(0.12, 0.35),
        "dry_level": DRY_LEVEL,
        "width": rng.uniform(0.6, 1.0),
    }
    return [("pedalboard_reverb", settings)]


def _small_room(rng: random.Random) -> list[Step]:
    return _reverb(rng, (0.1, 0.4))


def _hall(rng: random.Random) -> list[Step]:
    return _reverb(rng, (0.3, 0.8))


#: Name -> (how many effects, how its settings are drawn).
CHAINS: dict[str, tuple[int, Callable[[random.Random], list[Step]]]] = {
    "lowpass": (1, _lowpass),
    "highpass": (1, _highpass),
    "small room": (1, _small_room),
    "EQ + comp": (2, lambda rng: _eq(rng) + _compressor(rng)),
    "delay + reverb": (2, lambda rng: _delay(rng) + _hall(rng)),
    "all five": (
        5,
        lambda rng: _eq(rng) + _distortion(rng) + _compressor(rng) + _delay(rng) + _hall(rng),
    ),
}


def played(steps: list[Step], sound: torch.Tensor, rate: int) -> torch.Tensor:
    """One sound (2, time) through a chain."""
    for name, settings in steps:
        sound = run_chain(
            {name: effect_named(name)}, sound[None], rate, {f"{name}.{k}": v for k, v in settings.items()}
        )[0]
    return sound
