"""A sound as lines, in tone and in time: what picture and page draw, small enough for the report."""

from __future__ import annotations

import torch

from daiw_master.audio import Audio
from daiw_master.meters.loudness import short_term
from daiw_master.meters.stereo import correlation, side_to_mid_db
from daiw_master.meters.tone import FINE_CENTRES_HZ, Spectrum, SpectrumWalk, band_energies
from daiw_master.meters.traces import TICKS_PER_S, Scan, ScanWalk
from daiw_master.meters.walk import walked
from daiw_master.report.model import Curve
from daiw_master.sounds import Sound, sound_of
from daiw_master.targets import BAND_EDGES_HZ

#: A line needs no more points than this; an hour of music costs the report as much as a song.
MOST_POINTS = 300
SHORTEST_HOP_S = 0.5
WINDOW_S = 3.0
#: Under this a third of an octave holds nothing worth drawing.
EMPTY_DB = -70.0


@torch.no_grad()
def curve_of(
    name: str, audio: Audio | Sound, seen: Scan | None = None, tones: Spectrum | None = None
) -> Curve:
    """How a sound runs: tone and width in gated third octaves, loudness and correlation over 3 s.

    The zero of the tone is the mean of the eight bands, as in `band_*_db`, so level plays no part.
    A sound shorter than 3 s is one point of loudness. A mono file has no width and no correlation.
    `seen` and `tones`: the walks through it, where they have been made.
    """
    sound = sound_of(audio)
    seen = seen or walked(ScanWalk(sound.rate), sound.blocks())
    tones = tones or walked(SpectrumWalk(sound.rate), sound.blocks())
    mid, side = (part[0] for part in tones.gated())
    energy = mid + side
    bands = _db(band_energies(energy, BAND_EDGES_HZ), energy.sum())
    tone = _db(energy, energy.sum()) - bands.mean()
    hop_s = hop_for(sound.time / sound.rate)
    loudness = short_term(seen, hop_ms=1000 * hop_s)[0]
    stereo = sound.channels == 2
    return Curve(
        of=name,
        hz=[round(float(hz), 1) for hz in FINE_CENTRES_HZ],
        third_octave_db=_rounded(tone),
        # in whole ticks, as the meter steps, so that points stay in place over an hour
        hop_s=max(1, round(hop_s * TICKS_PER_S)) * seen.tick / seen.rate,
        short_term_lufs=_rounded(loudness),
        width_db=_rounded(side_to_mid_db(mid, side)) if stereo else [],
        correlation=_rounded(correlation(seen, WINDOW_S, hop_s)[0]) if stereo else [],
    )


def hop_for(duration_s: float) -> float:
    """How far apart a line's points lie: half a second, more where a song is long."""
    return max(SHORTEST_HOP_S, duration_s / MOST_POINTS)


def _rounded(values: torch.Tensor) -> list[float]:
    return [round(value, 2) for value in values.tolist()]


def _db(energy: torch.Tensor, total: torch.Tensor) -> torch.Tensor:
    tiny = torch.finfo(energy.dtype).tiny
    return 10 * torch.log10((energy / total.clamp_min(tiny)).clamp_min(10 ** (EMPTY_DB / 10)))
