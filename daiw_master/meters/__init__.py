"""Hearing: every number that `Targets` can ask for, read off the sound in two passes.

One pass in time (`traces.scan`: loudness, dynamics, stereo) and one in frequency
(`tone.spectrum`: bands, widths) serve all fields; true peak has its own search.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from daiw_master.audio import Audio
from daiw_master.meters.dynamics import crest_db, onset_db
from daiw_master.meters.loudness import (
    integrated_loudness,
    loudness_range,
    momentary,
    short_term,
)
from daiw_master.meters.stereo import correlation_p5, fold_down_loss_lu, side_db, widths_db
from daiw_master.meters.tone import (
    Spectrum,
    SpectrumWalk,
    band_levels,
    centroid_hz,
    spectrum,
    tilt_db_per_oct,
)
from daiw_master.meters.traces import Scan, ScanWalk, scan
from daiw_master.meters.true_peak import TruePeakWalk
from daiw_master.sounds import Held, Sound
from daiw_master.targets import BANDS, WIDTHS, Targets
from daiw_master.units import db_from_gain

__all__ = [
    "MeasureWalk",
    "Measured",
    "heard",
    "integrated_loudness",
    "loudness_range",
    "measure",
    "momentary",
    "short_term",
]


@dataclass(frozen=True)
class Measured:
    """A sound in numbers: `targets` in the words that ask for a master, `shown` beside them for the reader.

    `shown` is never a target: max_momentary_lufs, max_short_term_lufs, plr_db, correlation_p5,
    fold_down_loss_lu, side_db, side_low_db, centroid_hz, tilt_db_per_oct, sample_peak_dbfs.
    `seen` and `tones` are the walks it was read from.
    """

    targets: Targets
    shown: dict[str, float]
    seen: Scan
    tones: Spectrum


def heard(x: torch.Tensor, rate: int, seen: Scan | None = None) -> dict[str, torch.Tensor]:
    """What anyone can hear in x (batch, 1 or 2 channels, time): every heard field of `FIELDS`, (batch,) each.

    Gain changes none of them. Differentiable; gates and selections are constants to the gradient.
    `seen`: the walk through x, where one has already been made.
    """
    seen = scan(x, rate) if seen is None else seen
    return {name: value.to(x.dtype) for name, value in heard_in(seen, spectrum(x, rate)).items()}


def heard_in(seen: Scan, tones: Spectrum) -> dict[str, torch.Tensor]:
    """`heard`, read from the walks through a sound."""
    bands = dict(zip(BANDS, band_levels(tones).unbind(-1), strict=True))
    widths = dict(zip(WIDTHS, widths_db(tones).unbind(-1), strict=True))
    return (
        bands
        | widths
        | {
            "crest_db": crest_db(seen),
            "loudness_range_lu": loudness_range(seen, absolute_gate=False),
            "onset_db": onset_db(seen),
        }
    )


class MeasureWalk:
    """The whole reading of a sound that comes in blocks (1, 1 or 2 channels, n): `add` all, then `done`.

    It keeps 64 MB for an hour of stereo; the cutting changes nothing.
    """

    def __init__(self, rate: int):
        self._scan, self._spectrum, self._peak = ScanWalk(rate), SpectrumWalk(rate), TruePeakWalk()

    @torch.no_grad()
    def add(self, x: torch.Tensor) -> None:
        """The next block."""
        self._scan.add(x)
        self._spectrum.add(x)
        if x.shape[-1]:
            self._peak.add(x[0])

    @torch.no_grad()
    def done(self) -> Measured:
        """Every number, `Measured`. Raises `InputError` where no sample came."""
        seen, tones = self._scan.done(), self._spectrum.done()
        peak, loudness = self._peak.done()[None], integrated_loudness(seen)
        targets = {"loudness_lufs": loudness, "true_peak_dbtp": peak, **heard_in(seen, tones)}
        shown = {
            "max_momentary_lufs": momentary(seen).amax(-1),
            "max_short_term_lufs": short_term(seen, hop_ms=10).amax(-1),
            "plr_db": peak - loudness,
            "correlation_p5": correlation_p5(seen),
            "fold_down_loss_lu": fold_down_loss_lu(seen),
            "side_db": side_db(tones),
            "side_low_db": widths_db(tones)[:, 0],
            "centroid_hz": centroid_hz(tones),
            "tilt_db_per_oct": tilt_db_per_oct(tones),
            "sample_peak_dbfs": db_from_gain(seen.peak.amax(-1)),
        }
        return Measured(Targets(_floats(targets)), _floats(shown), seen, tones)


def measure(audio: Audio | Sound) -> Measured:
    """The whole reading of a finished piece: delivery, everything heard, and what is only shown.

    A sound that is longer than memory is read block by block.
    """
    sound = Held(audio.samples, audio.rate) if isinstance(audio, Audio) else audio
    walk = MeasureWalk(sound.rate)
    for block in sound.blocks():
        walk.add(block)
    return walk.done()


def _floats(values: dict[str, torch.Tensor]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}
