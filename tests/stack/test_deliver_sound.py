"""Delivery at any length: from disk and from memory the same numbers, in bounded memory, foretold well."""

from __future__ import annotations

import math
import subprocess
import sys

import pyloudnorm
import pytest
import torch

from daiw_master.errors import InputError
from daiw_master.meters.loudness import integrated_loudness
from daiw_master.meters.traces import TRACES
from daiw_master.meters.true_peak import true_peak
from daiw_master.sounds import Held, Spool, Store, whole
from daiw_master.stack.deliver import deliver, deliver_sound
from daiw_master.stack.foresight import Foresight, Survey
from daiw_master.stack.limiter import limiter_gain_db
from tests import signals

RATE = 44100


def dense_song(seconds, rate=RATE):
    return torch.tanh(3 * signals.music(seconds, rate=rate)) * 0.2


def laid_down(x, rate=RATE, cut=10_007):
    spool = Spool(x.shape[1], rate)
    for block in x.split(cut, dim=-1):
        spool.write(block)
    return spool


@pytest.mark.parametrize("wanted", [-30.0, -14.0, -9.0])
def test_from_disk_and_from_memory_the_same(wanted):
    x = dense_song(8.0)
    done = deliver(x, RATE, wanted, -1.0, max_reduction_db=3.0)
    disk = deliver_sound(laid_down(x), wanted, -1.0, max_reduction_db=3.0, store=Store(most=0), keep=TRACES)
    for name in ("gain_db", "trim_db", "loudness_lufs", "true_peak_dbtp", "reduction_p99_db"):
        assert getattr(disk, name) == pytest.approx(getattr(done, name), abs=1e-6)
    assert (disk.reached, disk.rounds) == (done.reached, done.rounds)
    assert float((whole(disk.sound) - done.samples).abs().max()) < 1e-6
    assert float((torch.cat(list(disk.sound.blocks(999)), dim=-1) - done.samples).abs().max()) < 1e-6
    torch.testing.assert_close(disk.reduction_db, done.reduction_db)
    torch.testing.assert_close(disk.seen.energy, done.seen.energy, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("rate", [22050, 44100, 48000])
def test_the_numbers_are_those_of_the_sound(rate):
    done = deliver_sound(Held(dense_song(9.0, rate), rate), -12.0, -1.0)
    y = whole(done.sound)
    assert done.reached and done.reduction_p99_db > 0.5
    assert done.loudness_lufs == pytest.approx(float(integrated_loudness(y, rate)), abs=1e-4)
    assert done.true_peak_dbtp == pytest.approx(float(true_peak(y, rate)), abs=1e-4)
    assert pyloudnorm.Meter(rate).integrated_loudness(y[0].double().numpy().T) == pytest.approx(-12, abs=0.05)
    assert float(true_peak(y, rate, oversample=32)) <= -1.0
    assert done.hop_s * len(done.reduction_db) == pytest.approx(9.0, abs=0.011)
    assert done.seen.energy is None  # nobody asked


def warm_song(seconds):
    """Little above 10 kHz, as in most music: peaks between the samples are no higher than 4x shows."""
    x = torch.tanh(2 * signals.music(seconds)) * 0.2
    for _ in range(3):
        x = (x + x.roll(1, -1)) / 2
    return x


@pytest.mark.parametrize("wanted", [-20.0, -16.0, -14.0, -12.0])
def test_one_round_lands_exactly(wanted):
    done = deliver(warm_song(10.0), RATE, wanted, -1.0)
    assert done.rounds == 1 and done.loudness_lufs == pytest.approx(wanted, abs=0.02)


@pytest.mark.parametrize("crest", [1.5, 3.0, 6.0])
@pytest.mark.parametrize("wanted", [-16.0, -12.0])
def test_sharp_songs_land_as_exactly_in_a_few(wanted, crest):
    done = deliver(torch.tanh(crest * signals.music(10.0)) * 0.2, RATE, wanted, -1.0)
    assert done.rounds <= 4 and done.true_peak_dbtp <= -1.0
    assert done.loudness_lufs == pytest.approx(wanted, abs=0.02) or not done.reached


def test_what_is_foretold_happens():
    x = warm_song(10.0)
    survey = Survey(RATE)
    for block in x.split(30_001, dim=-1):
        survey.add(block)
    foresight = Foresight(survey.done(), -1.0, 80.0, 3.0)
    for gain_db in (14.0, 20.0):
        loudness, p99_db = foresight.at(gain_db)
        turned_db = limiter_gain_db(x * 10 ** (gain_db / 20), RATE, -1.0)
        y = x * 10 ** ((gain_db + turned_db) / 20).unsqueeze(1)
        assert loudness == pytest.approx(float(integrated_loudness(y, RATE)), abs=0.1)
        assert p99_db == pytest.approx(float(torch.quantile(-turned_db, 0.99)), abs=0.25)
    foresight.heard(14.0, -13.0, 1.0)
    assert foresight.at(14.0) == pytest.approx((-13.0, 1.0))


def test_a_survey_made_on_the_way_serves():
    x = dense_song(6.0)
    survey = Survey(RATE)
    for block in x.split(777, dim=-1):
        survey.add(block)
    told = []
    done = deliver_sound(Held(x, RATE), -13.0, survey=survey.done(), progress=told.append)
    assert done.loudness_lufs == pytest.approx(deliver(x, RATE, -13.0).loudness_lufs, abs=1e-3)
    assert told[0] > 0 and told[-1] == 1.0 and all(a <= b for a, b in zip(told, told[1:], strict=False))


def test_headroom_lays_nothing_down():
    x = signals.music(4.0) * 0.05
    sound = laid_down(x)
    done = deliver_sound(sound, -24.0, -1.0, store=Store(most=-1, folder="/nowhere"))
    assert done.laid is sound and done.reached and done.trim_db == 0 and float(done.reduction_db.max()) == 0
    assert torch.allclose(whole(done.sound), x * 10 ** (done.gain_db / 20), atol=1e-7)


def test_silence_and_nothing():
    silence = Held(torch.zeros(1, 2, RATE), RATE)
    done = deliver_sound(silence)
    assert done.sound is silence and not done.reached and done.rounds == 0
    with pytest.raises(InputError, match="sample"):
        deliver_sound(Held(torch.zeros(1, 2, 0), RATE))


def test_short_and_mono():
    for length in (1, 50, 300, 5000):
        x = signals.noise(1.0, channels=1)[..., :length] * 4
        done = deliver(x, RATE, -14.0, -1.0)
        assert done.samples.shape == x.shape and done.true_peak_dbtp <= -1.0
        assert math.isfinite(done.loudness_lufs)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_song():
    """Ten minutes and forty, walked through by a process of its own."""
    script = """
import resource, sys, torch
from daiw_master.sounds import Store, View
from daiw_master.stack.deliver import deliver_sound
from tests import signals
torch.set_num_threads(1)
piece, time = torch.tanh(3 * signals.music(10.0)) * 0.2, int(sys.argv[1]) * 44100
def read(start, stop):
    return piece[..., torch.arange(start, stop) % piece.shape[-1]]
done = deliver_sound(View(44100, 2, time, read), -12.0, -1.0, store=Store(most=0))
assert done.reached and done.reduction_p99_db > 0.5
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    most = [
        int(subprocess.run([sys.executable, "-c", script, str(s)], capture_output=True, check=True).stdout)
        for s in (600, 2400)
    ]
    # KiB. An hour: 17 MB for the survey, 9 for the walk, twice that while they are joined and turned.
    assert most[1] - most[0] < 60_000, most
