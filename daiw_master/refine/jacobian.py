"""How each knob moves each target, measured on short windows of the song: one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from daiw_master.meters import heard
from daiw_master.meters.loudness import integrated_loudness
from daiw_master.refine.actuators import Actuator
from daiw_master.refine.bench import Bench
from daiw_master.stack import EFFECTS
from daiw_master.targets import FIELDS
from daiw_master.units import gain_from_db

#: Candidates per batch: keeps a batch of windows near the processor's cache and memory small.
CANDIDATES_AT_ONCE = 4
RANGE = "loudness_range_lu"
RIDE = "dynamics.ride"


def measure_jacobian(
    bench: Bench,
    settings: Mapping[str, float],
    actuators: Sequence[Actuator],
    fields: Sequence[str],
    *,
    limiter_gain_db: float,
    ceiling_dbtp: float,
) -> np.ndarray:
    """d(target in tolerances) / d(knob), shape (fields, actuators), by one-sided differences.

    Windows are compared at equal loudness into a limiter at the song's own drive. Range cannot be
    heard in six seconds: a knob's effect on it is how it moves the soft window against the loud
    one; the rider's is read off the whole song's loudness trace.
    """
    tried = [a for a in actuators if a.knob != RIDE]
    base = {**settings, RIDE: 0.0} if RIDE in settings else dict(settings)
    candidates = [base] + [{**base, a.knob: _nudged(bench, base, a)} for a in tried]

    windows = bench.windows(settings)
    rows = [
        _listen(bench, windows, candidates[i : i + CANDIDATES_AT_ONCE], limiter_gain_db, ceiling_dbtp)
        for i in range(0, len(candidates), CANDIDATES_AT_ONCE)
    ]
    values = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

    matrix = np.zeros((len(fields), len(actuators)))
    for j, actuator in enumerate(actuators):
        if actuator.knob == RIDE:
            if RANGE in fields:
                matrix[fields.index(RANGE), j] = _ride_slope(bench, settings, actuator)
            continue
        k = 1 + tried.index(actuator)
        step = candidates[k][actuator.knob] - base[actuator.knob]
        for i, name in enumerate(fields):
            matrix[i, j] = (values[name][k] - values[name][0]) / step / FIELDS[name].tolerance
    return matrix


def _nudged(bench: Bench, settings: Mapping[str, float], actuator: Actuator) -> float:
    """The knob one probe step away, inwards where it stands at its upper end."""
    param = bench.space[actuator.knob]
    here = settings.get(actuator.knob, param.default)
    return here + actuator.probe if here + actuator.probe <= param.high else here - actuator.probe


def _listen(bench, windows, candidates, limiter_gain_db, ceiling_dbtp) -> dict[str, np.ndarray]:
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
        target = integrated_loudness(windows, rate)
        target = 10 * torch.log10(torch.mean(10 ** (target / 10)))
        gain = gain_from_db((target - level).expand(-1, count).reshape(-1, 1, 1) + limiter_gain_db)
        limited = EFFECTS["limiter"](shaped * gain, rate, ceiling_dbtp=ceiling_dbtp)
        values = heard(limited, rate)
    named = {
        name: value.reshape(len(candidates), count).mean(1).double().cpu().numpy()
        for name, value in values.items()
    }
    named[RANGE] = (loudness[:, -1] - loudness[:, 0]).double().cpu().numpy()
    return named


def _ride_slope(bench: Bench, settings: Mapping[str, float], actuator: Actuator) -> float:
    """d(range in tolerances) / d(ride), around where the rider stands."""
    shaped = bench.shaped({**settings, RIDE: 0.0})
    here = settings.get(RIDE, 0.0)
    low, high = max(-1.0, here - actuator.probe), min(1.0, here + actuator.probe)
    less, more = bench.predicted_range(shaped, [low, high])
    return (more - less) / (high - low) / FIELDS[RANGE].tolerance
