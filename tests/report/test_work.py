"""What compressor and limiter did over time agrees with what the guards measured; the ledger is whole."""

from __future__ import annotations

import pytest
import torch

from daiw_master.house import limits
from daiw_master.report.work import _most


def guard(report, name: str) -> float | None:
    return next((row.measured for row in report.guards if row.guard == name), None)


@pytest.mark.parametrize("feeling", ["neutral", "grief", "rage"])
def test_traces_span_the_song_and_agree_with_the_guards(masters, feeling):
    report = masters[feeling].report
    taken = report.reduction
    assert len(taken.limiter_db) == pytest.approx(report.duration_s / taken.hop_s, abs=1)
    assert min(taken.limiter_db) >= 0
    # the 99th percentile over all music is no more than the most of all
    assert max(taken.limiter_db) >= guard(report, "limiter_p99_db") - 0.01
    mean_db, p95_db = guard(report, "compressor_mean_db"), guard(report, "compressor_p95_db")
    assert (mean_db is not None) == bool(taken.compressor_db)
    if mean_db is not None:
        assert len(taken.compressor_db) == len(taken.limiter_db)
        assert max(taken.compressor_db) >= p95_db - 0.05
        assert max(taken.compressor_db) < limits()["compressor_p95_db"].hard + 6


def test_each_hop_holds_its_largest_value():
    trace = torch.tensor([0.0, 1.0, 3.0, 2.0, 0.5, 0.0, 4.0])
    assert _most(trace, 0.1, 0.2, 3) == [1.0, 3.0, 0.5]
    assert _most(trace, 0.1, 0.5, 2) == [3.0, 4.0]
    assert _most(trace[:0], 0.1, 0.5, 2) == [0.0, 0.0]


def test_the_ledger_is_the_plans_sum(masters):
    """Every shift of a target is the sum of the moves that name it."""
    report = masters["grief"].report
    assert report.moves and all(move.why for move in report.moves)
    for row in report.targets:
        own = [move.value for move in report.moves if (move.kind, move.what) == ("shift", row.target)]
        if row.planned:
            assert sum(own) == pytest.approx(row.planned, abs=1e-6)
    units = {move.what: move.unit for move in report.moves if move.kind == "shift"}
    assert units["loudness_lufs"] == "LU" and units["band_presence_db"] == "dB"


def test_every_sound_has_width_and_correlation(masters):
    for curve in masters["rage"].report.curves:
        assert len(curve.width_db) == len(curve.hz)
        assert len(curve.correlation) == len(curve.short_term_lufs)
        assert all(-1 <= value <= 1 for value in curve.correlation)
