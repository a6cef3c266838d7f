"""What chains are made of: every effect with the ranges its knobs are drawn from, and how it is played.

Ten of them are those of the retrieval task (ST-ITO, figure 4), with continuous ranges around its lists;
three are the bands of an equaliser (RBJ's biquads); the rest are our own stack and two VST3s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np

from daiw_master.training.style.clips import RATE
from daiw_master.training.style.ranges import Range
from daiw_master.training.style.relatives import OURS, RELATIVES, pedalboards

_MIX = Range(0.05, 1.0)
_RATE_HZ = Range(0.08, 1.2, True)
#: The ten effects of the retrieval task.
RETRIEVAL: dict[str, dict[str, Range]] = {
    "compressor": {
        "threshold_db": Range(-70, -5),
        "ratio": Range(1.5, 12, True),
        "attack_ms": Range(0.1, 250, True),
        "release_ms": Range(10, 500, True),
    },
    "delay": {"delay_seconds": Range(0.02, 0.6, True), "feedback": Range(0.2, 0.95), "mix": _MIX},
    "distortion": {"drive_db": Range(2, 40)},
    "chorus": {
        "centre_delay_ms": Range(0.5, 12, True),
        "depth": _MIX,
        "rate_hz": _RATE_HZ,
        "mix": _MIX,
    },
    "phaser": {
        "centre_frequency_hz": Range(300, 3000, True),
        "depth": _MIX,
        "rate_hz": _RATE_HZ,
        "mix": _MIX,
    },
    "reverb": {
        "room_size": Range(0.05, 1),
        "damping": Range(0.05, 1),
        "dry_level": Range(0.05, 1),
        "wet_level": Range(0.05, 1),
        "width": Range(0, 1),
    },
    "limiter": {"threshold_db": Range(-60, -6), "release_ms": Range(10, 500, True)},
    "bitcrush": {"bit_depth": Range(3.5, 11)},
    "highpass": {"cutoff_frequency_hz": Range(100, 10000, True)},
    "lowpass": {"cutoff_frequency_hz": Range(60, 7000, True)},
}
#: The bands of an equaliser.
BANDS: dict[str, dict[str, Range]] = {
    "low_shelf": {
        "gain_db": Range(-26, 26),
        "cutoff_frequency_hz": Range(60, 600, True),
        "q": Range(0.4, 1.0),
    },
    "peak": {
        "gain_db": Range(-18, 18),
        "cutoff_frequency_hz": Range(150, 8000, True),
        "q": Range(0.3, 4, True),
    },
    "high_shelf": {
        "gain_db": Range(-26, 26),
        "cutoff_frequency_hz": Range(2000, 13000, True),
        "q": Range(0.4, 1.0),
    },
}
#: Modules of our own stack, turned as a mastering engineer would or a little beyond.
OWN: dict[str, dict[str, Range]] = {
    "eq": {
        "low_shelf_gain_db": Range(-8, 8),
        "low_shelf_hz": Range(40, 250, True),
        "peak_2_gain_db": Range(-8, 8),
        "peak_2_hz": Range(150, 800, True),
        "peak_4_gain_db": Range(-8, 8),
        "peak_4_hz": Range(1200, 5600, True),
        "high_shelf_gain_db": Range(-8, 8),
        "high_shelf_hz": Range(4000, 14000, True),
        "tilt_db": Range(-6, 6),
    },
    "dynamics": {
        "threshold_db": Range(-50, -10),
        "ratio": Range(1.3, 8, True),
        "knee_db": Range(0, 12),
        "attack_ms": Range(0.5, 100, True),
        "release_ms": Range(20, 600, True),
        "attack_db": Range(-4, 4),
        "sustain_db": Range(-4, 4),
    },
    "imager": {
        "low_width_db": Range(-30, 0),
        "low_mid_width_db": Range(-18, 6),
        "mid_width_db": Range(-18, 6),
        "high_width_db": Range(-18, 6),
    },
    "multiband": {
        "threshold_db": Range(-50, -15),
        "low_ratio": Range(1, 6, True),
        "mid_ratio": Range(1, 6, True),
        "high_ratio": Range(1, 6, True),
        "attack_ms": Range(2, 100, True),
        "release_ms": Range(30, 500, True),
    },
    "room": {
        "wet_db": Range(-30, -6),
        "decay_s": Range(0.3, 4, True),
        "high_decay_ratio": Range(0.25, 1.2, True),
        "predelay_ms": Range(0, 60),
        "low_cut_hz": Range(40, 400, True),
    },
    "exciter": {
        "mix_db": Range(-30, -6),
        "drive_db": Range(4, 26),
        "even_odd": Range(-1, 1),
        "cutoff_hz": Range(1500, 7000, True),
    },
    "tape": {
        "drive_db": Range(2, 16),
        "bandwidth_hz": Range(6000, 19000, True),
        "bump_db": Range(0, 4),
    },
}
#: Two of Debian's zam-plugins.
ZAM: dict[str, dict[str, Range]] = {
    "zam_eq": {
        "boost_cut_l_db": Range(-12, 12),
        "frequency_l_hz": Range(60, 500, True),
        "boost_cut_1_db": Range(-12, 12),
        "frequency_1_hz": Range(200, 6000, True),
        "boost_cut_h_db": Range(-12, 12),
        "frequency_h_hz": Range(2500, 12000, True),
    },
    "zam_comp": {
        "threshold_db": Range(-50, -10),
        "ratio": Range(1.5, 8, True),
        "attack_ms": Range(0.5, 100, True),
        "release_ms": Range(10, 400, True),
        "knee_db": Range(0, 8),
    },
}
KNOBS: dict[str, dict[str, Range]] = {**RETRIEVAL, **BANDS, **OWN, **ZAM}
#: And every range there is.
RANGES: dict[str, dict[str, Range]] = {**KNOBS, **RELATIVES}

_PEDALBOARD = {
    "compressor": "Compressor",
    "delay": "Delay",
    "distortion": "Distortion",
    "chorus": "Chorus",
    "phaser": "Phaser",
    "reverb": "Reverb",
    "limiter": "Limiter",
    "bitcrush": "Bitcrush",
    "highpass": "HighpassFilter",
    "lowpass": "LowpassFilter",
    "low_shelf": "LowShelfFilter",
    "peak": "PeakFilter",
    "high_shelf": "HighShelfFilter",
}
_STACK = {name: "reverb" if name == "room" else name for name in OWN}
_VST3 = {"zam_eq": "ZamEQ2.vst3", "zam_comp": "ZamCompX2.vst3"}
VST3_FOLDER = Path("/usr/lib/vst3")


def play(effect: str, settings: Mapping[str, float], sound: np.ndarray) -> np.ndarray:
    """One effect over (2, n) float32 at 48 kHz; a new array of the same shape."""
    return _player(effect)(sound, settings)


def zam_is_here() -> bool:
    return all((VST3_FOLDER / file).exists() for file in _VST3.values())


@cache
def _player(effect: str) -> Callable[[np.ndarray, Mapping[str, float]], np.ndarray]:
    if effect in _PEDALBOARD:
        import pedalboard

        plugin = getattr(pedalboard, _PEDALBOARD[effect])
        return lambda sound, settings: plugin(**settings)(sound, RATE, reset=True)
    if effect in OURS:
        return lambda sound, settings: OURS[effect](sound, **settings)
    if effect in RELATIVES:
        return lambda sound, settings: pedalboards(effect, settings)(sound, RATE, reset=True)
    import torch

    from daiw_master.stack import effect_named

    row = effect_named(_STACK[effect] if effect in _STACK else str(VST3_FOLDER / _VST3[effect]))

    def through_row(sound: np.ndarray, settings: Mapping[str, float]) -> np.ndarray:
        with torch.inference_mode():
            return row(torch.from_numpy(sound)[None], RATE, **settings)[0].numpy()

    return through_row
