"""Meters that walk: a sound in blocks of any length reads like the sound in one."""

from __future__ import annotations

import pytest
import torch

from daiw_master.audio import Audio
from daiw_master.errors import InputError
from daiw_master.meters import MeasureWalk, measure
from daiw_master.meters.pages import Pages
from daiw_master.meters.tone import SpectrumWalk, spectrum
from daiw_master.meters.traces import TRACES, ScanWalk, scan
from daiw_master.meters.true_peak import TruePeakWalk, true_peak
from daiw_master.meters.walk import Stretches
from daiw_master.sounds import Held, Spool
from tests import signals

RATE = 44100
#: Lengths of consecutive blocks, over and over.
CUTS = {"odd": (4097,), "tiny and huge": (1, 0, 7, 100_000, 0, 333), "one": (10**9,)}


def cut(x, lengths):
    start, number = 0, 0
    while start < x.shape[-1]:
        length = lengths[number % len(lengths)]
        yield x[..., start : start + length]
        start, number = start + length, number + 1


@pytest.mark.parametrize("lengths", [(1,), (3, 50, 0, 1), (1000,)])
@pytest.mark.parametrize(("hop", "before", "after"), [(10, 0, 0), (7, 20, 3), (5, 2, 30)])
def test_stretches_lie_where_they_would_in_the_whole(lengths, hop, before, after):
    x = torch.arange(1.0, 301.0)
    around = torch.cat([torch.zeros(before), x, torch.zeros(after)])
    walk = Stretches(hop, before, after)
    stretches = [s for block in cut(x, lengths) for s in walk.add(block)]
    for number, stretch in enumerate(stretches):
        assert torch.equal(stretch, around[number * hop :][: before + hop + after])
    kept, left = walk.rest()
    assert len(stretches) == (len(x) - after) // hop and left == len(x) - len(stretches) * hop
    assert torch.equal(kept, around[len(stretches) * hop : before + len(x)])


@pytest.mark.parametrize("lengths", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_traces_know_nothing_of_the_cutting(lengths, channels):
    x = signals.noise(4.0, channels=channels, dtype=torch.float64)[..., :-77]
    whole, walk = scan(x, RATE), ScanWalk(RATE)
    for block in cut(x, lengths):
        walk.add(block)
    seen = walk.done()
    assert seen.samples == whole.samples
    for name in TRACES:
        torch.testing.assert_close(getattr(seen, name), getattr(whole, name), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("length", [1, 100, 4096, 32768, 150_000])
def test_spectra_and_peaks_know_nothing_of_the_cutting(length):
    x = signals.music(4.0)[..., :length]
    for lengths in CUTS.values():
        tones, peak = SpectrumWalk(RATE), TruePeakWalk()
        for block in cut(x, lengths):
            tones.add(block)
            peak.add(block[0])
        seen, whole = tones.done(), spectrum(x, RATE)
        torch.testing.assert_close(seen.mid, whole.mid, rtol=1e-5, atol=1e-12)
        torch.testing.assert_close(seen.side, whole.side, rtol=1e-5, atol=1e-12)
        assert float(peak.done()) == pytest.approx(float(true_peak(x, RATE)), abs=5e-6)  # float32 dB


def test_only_the_asked_traces_are_kept():
    x = signals.music(2.0)
    seen, whole = scan(x, RATE, keep=("loud",)), scan(x, RATE)
    assert torch.equal(seen.loud, whole.loud) and seen.peak is None and seen.energy is None
    half = seen.louder(0.5).until(RATE)
    assert torch.equal(half.loud, whole.louder(0.5).until(RATE).loud) and half.cross is None


def test_a_spool_measures_like_memory():
    x = signals.music(5.0)
    with Spool(2, RATE) as spool:
        for block in cut(x, (30_000,)):
            spool.write(block)
        on_disk = measure(spool)
    for other in (measure(Held(x, RATE)), measure(Audio(x[0], RATE))):
        assert dict(on_disk.shown) == pytest.approx(dict(other.shown), abs=1e-9)
        assert on_disk.targets == other.targets


def test_nothing_and_too_many_channels_are_refused():
    with pytest.raises(InputError, match="no"):
        MeasureWalk(RATE).done()
    with pytest.raises(InputError, match="channels"):
        MeasureWalk(RATE).add(torch.zeros(1, 3, 100))
    assert float(TruePeakWalk().done()) == -120.0


@pytest.mark.parametrize("lengths", [(5,), (1000, 1, 0, 70_000)])
def test_pages_hold_every_piece_in_order(lengths):
    x = torch.arange(400_000.0).reshape(2, -1)
    pages = Pages()
    for piece in cut(x, lengths):
        pages.add(piece)
    assert torch.equal(pages.joined(), x)


def test_pages_pass_gradients_on():
    x = torch.arange(10.0, requires_grad=True)
    pages = Pages()
    for piece in x.split(3):
        pages.add(piece * 2)
    pages.joined().sum().backward()
    assert torch.equal(x.grad, torch.full((10,), 2.0))
