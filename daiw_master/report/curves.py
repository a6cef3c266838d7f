"""A sound as two lines, tone and loudness over time: what the picture draws, small enough for the report."""

from __future__ import annotations

import torch

from daiw_master.audio import Audio
from daiw_master.meters.loudness import short_term
from daiw_master.meters.tone import FINE_CENTRES_HZ, band_energies, spectrum
from daiw_master.meters.traces import TICKS_PER_S, scan
from daiw_master.report.model import Curve
from daiw_master.targets import BAND_EDGES_HZ

#: A line needs no more points than this; an hour of music costs the report as much as a song.
MOST_POINTS = 300
SHORTEST_HOP_S = 0.5
WINDOW_S = 3.0
#: Under this a third of an octave holds nothing worth drawing.
EMPTY_DB = -70.0


@torch.no_grad()
def curve_of(name: str, audio: Audio) -> Curve:
    """How a sound's tone and loudness run: gated third octaves and the 3 s loudness.

    The zero of the tone is the mean of the eight bands, as in `band_*_db`, so level plays no part.
    A sound shorter than 3 s is one point of loudness.
    """
    energy = sum(spectrum(audio.batch, audio.rate).gated())[0]
    bands = _db(band_energies(energy, BAND_EDGES_HZ), energy.sum())
    tone = _db(energy, energy.sum()) - bands.mean()
    hop_s = max(SHORTEST_HOP_S, audio.duration_s / MOST_POINTS)
    seen = scan(audio.batch, audio.rate)
    loudness = short_term(seen, hop_ms=1000 * hop_s)[0]
    return Curve(
        of=name,
        hz=[round(float(hz), 1) for hz in FINE_CENTRES_HZ],
        third_octave_db=[round(value, 2) for value in tone.tolist()],
        # in whole ticks, as the meter steps, so that points stay in place over an hour
        hop_s=max(1, round(hop_s * TICKS_PER_S)) * seen.tick / seen.rate,
        short_term_lufs=[round(value, 2) for value in loudness.tolist()],
    )


def _db(energy: torch.Tensor, total: torch.Tensor) -> torch.Tensor:
    tiny = torch.finfo(energy.dtype).tiny
    return 10 * torch.log10((energy / total.clamp_min(tiny)).clamp_min(10 ** (EMPTY_DB / 10)))
