"""How each knob moves each target, measured on short windows of the song: one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from daiw_master.meters import heard
from daiw_master.meters.loudness import integrated_loudness
from daiw_master.refine.actuators import Actuator
from daiw_master.refine.bench import Bench
from daiw_master.stack.limiter import untrimmed
from daiw_master.targets import FIELDS
from daiw_master.units import db_from_gain, gain_from_db

#: Candidates per batch: keeps a batch of windows near the processor's cache and memory small.
CANDIDATES_AT_ONCE = 4
RANGE = "loudness_range_lu"
#: A row beside the targets: how far the highest peaks stand over the loudness. What comes off it is
#: loudness the limiter need not work for.
PEAKS = "peaks_over_loudness_db"
#: Peaks are read per 10 ms, and the limiter's work is judged at its 99th percentile: so are they.
PEAK_HOP_MS, PEAK_QUANTILE = 10.0, 0.99
RIDE = "dynamics.ride"


def measure_jacobian(
    bench: Bench,
    settings: Mapping[str, float],
    actuators: Sequence[Actuator],
    fields: Sequence[str],
    *,
    drive_db: float,
    ceiling_dbtp: float,
) -> np.ndarray:
    """d(target in tolerances) / d(knob), shape (fields + 1, actuators), by one-sided differences.

    The last row is d(peaks over loudness in dB) / d(knob).

    Windows are compared at equal loudness into a limiter at the song's drive, `drive_db`. Range cannot be
    heard in six seconds: a knob's effect on it is how it moves the soft window against the loud
    one; the rider's is read off the whole song's loudness trace.
    """
    tried = [a for a in actuators if a.knob != RIDE]
    base = {**settings, RIDE: 0.0} if RIDE in settings else dict(settings)
    candidates = [base] + [{**base, a.knob: _nudged(bench, base, a)} for a in tried]

    windows = bench.windows(settings)
    loudness = integrated_loudness(windows, bench.song.rate)
    target = 10 * torch.log10(torch.mean(10 ** (loudness / 10)))
    rows = [
        _listen(bench, windows, target, candidates[i : i + CANDIDATES_AT_ONCE], drive_db, ceiling_dbtp)
        for i in range(0, len(candidates), CANDIDATES_AT_ONCE)
    ]
    values = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

    matrix = np.zeros((len(fields) + 1, len(actuators)))
    for j, actuator in enumerate(actuators):
        if actuator.knob == RIDE:
            if RANGE in fields:
                matrix[fields.index(RANGE), j] = _ride_slope(bench, settings, actuator)
            continue
        k = 1 + tried.index(actuator)
        step = candidates[k][actuator.knob] - base[actuator.knob]
        for i, name in enumerate(fields):
            matrix[i, j] = (values[name][k] - values[name][0]) / step / FIELDS[name].tolerance
        matrix[-1, j] = (values[PEAKS][k] - values[PEAKS][0]) / step
    return matrix


def _nudged(bench: Bench, settings: Mapping[str, float], actuator: Actuator) -> float:
    """The knob one probe step away, inwards where it stands at its upper end."""
    param = bench.space[actuator.knob]
    here = settings.get(actuator.knob, param.default)
    return here + actuator.probe if here + actuator.probe <= param.high else here - actuator.probe


def _listen(bench, windows, target, candidates, drive_db, ceiling_dbtp) -> dict[str, np.ndarray]:
    """Heard fields of each candidate, averaged over the windows: name -> (candidates,)."""
    count, rate = len(windows), bench.song.rate
    knobs = {
        name: torch.tensor([c[name] for c in candidates], dtype=torch.float32).repeat_interleave(count)
        if any(c[name] != candidates[0][name] for c in candidates)
        else candidates[0][name]
        for name in candidates[0]
    }
    with torch.no_grad():
        shaped = bench.play(windows.repeat(len(candidates), 1, 1), knobs)
        loudness = integrated_loudness(shaped, rate).reshape(len(candidates), count)
        # the song is delivered at one loudness: undo each candidate's change of level, all windows alike
        level = 10 * torch.log10(torch.mean(10 ** (loudness / 10), dim=1, keepdim=True))
        gain = gain_from_db((target - level).expand(-1, count).reshape(-1, 1, 1) + drive_db)
        peaks = _peak_db(shaped * gain, rate).reshape(len(candidates), count).amax(1)
        driven = shaped * gain
        values = heard(untrimmed(driven, rate, ceiling_dbtp), rate)
    named = {
        name: value.reshape(len(candidates), count).mean(1).double().cpu().numpy()
        for name, value in values.items()
    }
    named[PEAKS] = peaks.double().cpu().numpy()
    named[RANGE] = (loudness[:, -1] - loudness[:, 0]).double().cpu().numpy()
    return named


def _peak_db(x: torch.Tensor, rate: int) -> torch.Tensor:
    """The peaks of x (batch, channels, time) that the limiter is judged by, (batch,) dBFS."""
    hop = max(1, round(PEAK_HOP_MS * rate / 1000))
    whole = x.shape[-1] // hop * hop
    peaks = x[..., :whole].abs().amax(1).unflatten(-1, (-1, hop)).amax(-1)
    return db_from_gain(torch.quantile(peaks, PEAK_QUANTILE, dim=-1))


def _ride_slope(bench: Bench, settings: Mapping[str, float], actuator: Actuator) -> float:
    """d(range in tolerances) / d(ride), around where the rider stands."""
    shaped = bench.shaped({**settings, RIDE: 0.0})
    here = settings.get(RIDE, 0.0)
    low, high = max(-1.0, here - actuator.probe), min(1.0, here + actuator.probe)
    less, more = bench.predicted_range(shaped, [low, high])
    return (more - less) / (high - low) / FIELDS[RANGE].tolerance
