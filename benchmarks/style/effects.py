"""Chains of pedalboard effects as data: `[("Distortion", {"drive_db": 12.0}), ...]`.

pedalboard's compressor, limiter and distortion treat left and right each by itself, as the published
benchmarks do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pedalboard

from benchmarks.style.clips import RATE, WARM_UP, peak_normalised

Chain = Sequence[tuple[str, Mapping[str, float]]]

#: The ten effects of the retrieval task and the values their settings are drawn from (ST-ITO's list).
_WIDE, _UPPER = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0), (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_SLOW_HZ = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
_THRESHOLDS_DB, _RELEASES_MS = (-60.0, -50.0, -40.0, -30.0, -20.0, -10.0), (10.0, 25.0, 100.0, 250.0, 500.0)
DISCRETE: dict[str, dict[str, tuple[float, ...]]] = {
    "Compressor": {
        "threshold_db": _THRESHOLDS_DB,
        "ratio": (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0),
        "attack_ms": (0.1, 1.0, 10.0, 25.0, 100.0, 250.0),
        "release_ms": _RELEASES_MS,
    },
    "Delay": {
        "delay_seconds": (0.025, 0.05, 0.1, 0.25, 0.3, 0.4, 0.5),
        "feedback": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0),
        "mix": _UPPER,
    },
    "Distortion": {"drive_db": (9.0, 12.0, 16.0, 18.0, 22.0, 24.0)},
    "Chorus": {
        "centre_delay_ms": (0.5, 1.0, 2.5, 5.0, 7.5, 10.0),
        "depth": _UPPER,
        "rate_hz": _SLOW_HZ,
        "mix": _UPPER,
    },
    "Phaser": {
        "centre_frequency_hz": (400.0, 600.0, 800.0, 1000.0, 1200.0, 1600.0, 1800.0, 2000.0, 2400.0),
        "depth": _UPPER,
        "rate_hz": _SLOW_HZ,
        "mix": _UPPER,
    },
    "Reverb": {"room_size": _WIDE, "damping": _WIDE, "dry_level": _WIDE, "wet_level": _UPPER},
    "Limiter": {"threshold_db": _THRESHOLDS_DB, "release_ms": _RELEASES_MS},
    "Bitcrush": {"bit_depth": (4.0, 6.0, 8.0, 10.0)},
    "HighpassFilter": {"cutoff_frequency_hz": (200.0, 400.0, 800.0, 1600.0, 2400.0, 4800.0, 9600.0)},
    "LowpassFilter": {
        "cutoff_frequency_hz": (25.0, 50.0, 100.0, 200.0, 400.0, 800.0, 1600.0, 2400.0, 4800.0)
    },
}
_STAGE = re.compile(r"([A-Za-z]+)(\d+)")


def spelled(stages: Sequence[tuple[str, Sequence[int]]]) -> str:
    """A chain of discrete settings in short: `Delay231+Bitcrush0`, one digit a setting."""
    return "+".join(name + "".join(map(str, places)) for name, places in stages)


def chain_of(text: str) -> Chain:
    """The chain a short spelling stands for. ValueError for what is no such chain."""
    chain = []
    for stage in text.split("+"):
        match = _STAGE.fullmatch(stage)
        if not match or match[1] not in DISCRETE or len(match[2]) != len(DISCRETE[match[1]]):
            raise ValueError(f"{stage!r} is no stage of a retrieval chain; expected e.g. Delay231")
        values = DISCRETE[match[1]]
        chain.append((match[1], {key: values[key][int(i)] for key, i in zip(values, match[2], strict=True)}))
    return chain


def play(dry: np.ndarray, chain: Chain, *, level_db: float = 0.0, between: bool = False) -> np.ndarray:
    """A dry clip (2, time) through a chain: peak at `level_db` before it, at 0 dBFS after it.

    The first WARM_UP samples are cut off. `between` brings the peak to 0 dBFS after every effect too.
    What comes out silent or broken is all NaN: such a sound belongs in no trial.
    """
    x = peak_normalised(dry) * np.float32(10 ** (level_db / 20))
    for name, settings in chain:
        x = _through(x, name, settings)
        if between:
            x = peak_normalised(x)
    x = x[:, WARM_UP:]
    peak = float(np.abs(x).max())
    if not np.isfinite(peak) or peak < 1e-6:
        return np.full_like(x, np.nan)
    return x / peak


def _through(x: np.ndarray, name: str, settings: Mapping[str, float]) -> np.ndarray:
    x = np.ascontiguousarray(x, np.float32)
    if name.endswith(".vst3"):
        return _plugin(x, name, settings)
    return getattr(pedalboard, name)(**settings)(x, RATE, reset=True)


def _plugin(x: np.ndarray, name: str, settings: Mapping[str, float]) -> np.ndarray:
    """A VST3 by its file name, from the folder such plugins live in."""
    import torch

    from daiw_master.stack import effect_named

    row = effect_named(str(vst3_path(name)))
    values = {param.name: param.default for param in row.params} | dict(settings)
    return row.process(torch.from_numpy(x)[None], RATE, **values)[0].numpy()


def vst3_path(name: str) -> Path:
    """Where a VST3 of this file name lies; FileNotFoundError where it is not installed."""
    for folder in ("/usr/lib/vst3", "/usr/local/lib/vst3", str(Path.home() / ".vst3")):
        path = Path(folder) / name
        if path.exists():
            return path
    raise FileNotFoundError(f"{name} is not installed (Debian: zam-plugins)")
