"""One walk serves its relatives: the same sound louder, and the same sound cut short."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from daiw_master.meters import heard
from daiw_master.meters.traces import scan
from tests import signals

RATE = 44100
TRACES = ("loud", "loud_mid", "energy", "cross", "peak")


def test_a_walk_through_a_louder_sound_is_known():
    x = signals.music(3.0, dtype=torch.float64)
    expected, known = scan(x * -1.7, RATE), scan(x, RATE).louder(-1.7)
    for name in TRACES:
        torch.testing.assert_close(getattr(known, name), getattr(expected, name), rtol=1e-9, atol=1e-15)
    assert known.samples == expected.samples


@pytest.mark.parametrize("count", [147 * 500, 147 * 500 + 1, 100_001])
def test_a_walk_through_the_beginning_is_known(count):
    x = signals.music(3.0, dtype=torch.float64)
    expected, known = scan(x[..., :count], RATE), scan(x, RATE).until(count)
    assert dataclasses.replace(known, **{n: 0 for n in TRACES}) == dataclasses.replace(
        expected, **{n: 0 for n in TRACES}
    )
    whole = known.whole_ticks
    for name in TRACES:
        assert getattr(known, name).shape == getattr(expected, name).shape
        torch.testing.assert_close(
            getattr(known, name)[..., :whole], getattr(expected, name)[..., :whole], rtol=1e-9, atol=1e-12
        )
    once, again = heard(x[..., :count], RATE), heard(x[..., :count], RATE, known)
    assert {name: float(v) for name, v in again.items()} == pytest.approx(
        {name: float(v) for name, v in once.items()}, abs=1e-6
    )
