"""The bench: what is kept is kept, windows lie where the music is, range is read as EBU reads it."""

from __future__ import annotations

import math
from dataclasses import replace

import pyloudnorm
import pytest
import torch

from daiw_master.audio import Audio
from daiw_master.errors import InputError
from daiw_master.parts import send_of
from daiw_master.refine.bench import Bench, loudness_matched, range_of_trace
from daiw_master.refine.song import STAGE_LUFS, put_on_bench
from daiw_master.sounds import Held, whole
from daiw_master.stack import EFFECTS
from daiw_master.stack.chain import qualified
from tests import signals
from tests.refine.benches import RATE, bench


def test_a_song_comes_to_the_bench_at_one_level():
    x = signals.music(4.0)[0]
    quiet, loud = (put_on_bench(Audio(x * gain, RATE)) for gain in (0.1, 1.0))
    assert torch.allclose(whole(quiet.x), whole(loud.x), atol=1e-5), (
        "a threshold means the same on every song"
    )
    assert pyloudnorm.Meter(RATE).integrated_loudness(whole(loud.x)[0].T.numpy()) == pytest.approx(
        STAGE_LUFS, abs=0.1
    )
    assert quiet.staging_db - loud.staging_db == pytest.approx(20.0, abs=0.01)


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (torch.zeros(2, RATE), "silent"),
        (torch.zeros(2, 0), "no samples"),
        (torch.full((2, RATE), math.nan), "NaN"),
        (torch.full((2, RATE), math.inf), "infinite"),
        (torch.full((2, RATE), 1e-7), "silent"),
    ],
)
def test_nothing_to_master_is_refused(samples, said):
    with pytest.raises(InputError, match=said):
        put_on_bench(Audio(samples, RATE))


def test_a_tail_is_room_behind_the_song():
    song = put_on_bench(Audio(signals.music(1.0)[0], RATE), send=Audio(signals.music(1.0)[0], RATE))
    longer = song.with_tail(2.0)
    assert longer.x.time >= song.x.time + 2 * RATE
    assert longer.send.time == longer.x.time
    assert torch.equal(longer.x.read(0, song.x.time), whole(song.x))
    assert not longer.x.read(song.x.time, longer.x.time).any()


def test_a_master_ends_where_its_tail_does():
    """Silence behind the tail is no soft passage: what is heard is what will be written."""
    plain = put_on_bench(Audio(signals.music(1.0)[0], RATE))
    song = plain.with_tail(2.0)
    y = whole(song.x).clone()
    assert plain.rung_out(plain.x) is plain.x
    assert song.rung_out(Held(y, RATE)).time == plain.x.time, "never shorter than the song"
    y[..., RATE + 5000] = 10 ** (-84 / 20)
    y[..., RATE + 9000] = 10 ** (-86 / 20)
    assert RATE + 5000 < song.rung_out(Held(y, RATE)).time <= RATE + 5001 + round(0.05 * RATE)
    y[..., -1] = 0.1
    assert torch.equal(whole(song.rung_out(Held(y, RATE))), y)


def test_lows_stay_out_of_the_room():
    one = Audio(torch.ones(2, 4), RATE)
    assert send_of([("bass", one), ("kick", one)]) is None
    assert torch.equal(
        send_of([("bass", one), ("keys", one), ("drums", one)]).samples, torch.full((2, 4), 1.5)
    )
    assert send_of([]) is None


def test_the_room_is_computed_once():
    calls = []

    def counted(*given, **settings):
        calls.append(settings)
        return EFFECTS["reverb"].flow(*given, **settings)

    reverb = replace(EFFECTS["reverb"], flow=counted)
    song = bench(seconds=1.0).song
    desk = Bench(song, qualified([reverb, EFFECTS["eq"], EFFECTS["limiter"]]))
    settings = {**desk.space.defaults(), "reverb.wet_db": -20.0}
    for tilt_db in (0.0, 1.0, 2.0):
        desk.shaped({**settings, "eq.tilt_db": tilt_db})
    assert len(calls) == 1
    desk.shaped({**settings, "reverb.wet_db": -10.0})
    assert len(calls) == 2


def test_what_reaches_an_effect_is_what_stands_before_it():
    desk = bench("reverb", "eq", "imager", seconds=1.0)
    settings = {**desk.space.defaults(), "reverb.wet_db": -20.0, "eq.tilt_db": 6.0}
    assert desk.before("reverb", settings) is desk.song.x
    assert desk.before("eq", settings) is desk.after_room(settings)
    by_hand = EFFECTS["eq"](whole(desk.after_room(settings)), RATE, tilt_db=6.0)
    assert torch.allclose(whole(desk.before("imager", settings)), by_hand, atol=1e-6)


def test_a_take_is_delivered_and_heard():
    desk = bench("eq", seconds=4.0)
    take = desk.take({**desk.space.defaults(), "eq.tilt_db": 3.0}, -20.0, -2.0, 6.0)
    assert pyloudnorm.Meter(RATE).integrated_loudness(whole(take.sound)[0].T.numpy()) == pytest.approx(
        -20, abs=0.1
    )
    assert float(whole(take.sound).abs().max()) <= 10 ** (-2 / 20)
    assert take.settings["eq.tilt_db"] == 3.0
    flat = desk.take(desk.space.defaults(), -20.0, -2.0, 6.0)
    assert take.heard["band_air_db"] > flat.heard["band_air_db"] + 0.5, "brighter is heard brighter"


def test_windows_lie_in_soft_middle_and_loud_places():
    loud = signals.noise(12.0, level_db=-6, seed=1)
    middle = signals.noise(12.0, level_db=-14, seed=2)
    soft = signals.noise(12.0, level_db=-24, seed=3)
    silence = torch.zeros(1, 2, 6 * RATE)
    song = put_on_bench(Audio(torch.cat([middle, silence, loud, soft], dim=-1)[0], RATE))
    desk = Bench(song, qualified([EFFECTS["eq"], EFFECTS["limiter"]]))
    windows = desk.windows(desk.space.defaults())
    assert windows.shape == (3, 2, 6 * RATE)
    levels = 10 * windows.square().mean((1, 2)).log10()
    assert levels[0] < levels[1] - 3 < levels[2] - 6
    assert (levels > levels.max() - 25).all(), "nobody learns from a rest"


def test_a_short_song_is_one_window():
    desk = bench("eq", seconds=5.0)
    assert desk.window_starts() == [0]
    assert desk.windows(desk.space.defaults()).shape == whole(desk.song.x).shape


@pytest.mark.parametrize(
    ("levels", "range_lu"),
    [
        ([-20.0, -30.0], 10.0),  # EBU Tech 3342, case 1
        ([-20.0, -15.0], 5.0),  # case 2
        ([-40.0, -20.0], 20.0),  # case 3
        ([-50.0, -35.0, -20.0, -35.0, -50.0], 15.0),  # case 4: the gate takes the -50 away
    ],
)
def test_range_of_a_trace_by_the_standards_own_cases(levels, range_lu):
    trace = torch.cat([torch.full((200,), level) for level in levels])
    assert range_of_trace(trace) == pytest.approx(range_lu, abs=0.2)


def test_range_of_silence_is_nought():
    assert range_of_trace(torch.full((50,), -120.0)) == 0.0
    assert range_of_trace(torch.zeros(0)) == 0.0


def test_the_rider_widens_one_way_and_evens_the_other():
    soft, loud = signals.noise(10.0, level_db=-26, seed=1), signals.noise(10.0, level_db=-14, seed=2)
    song = put_on_bench(Audio(torch.cat([soft, loud, soft], dim=-1)[0], RATE))
    desk = Bench(song, qualified([EFFECTS["dynamics"], EFFECTS["limiter"]]))
    evened, still, widened = desk.predicted_range(song.x, [-1.0, 0.0, 1.0])
    assert evened < still - 1.0 and widened > still + 1.0
    assert still == pytest.approx(12.0, abs=0.5)
    # the prediction is what the rider really does
    for ride, predicted in ((-1.0, evened), (1.0, widened)):
        y = EFFECTS["dynamics"](whole(song.x), RATE, ride=ride)
        assert desk.predicted_range(Held(y, RATE), [0.0])[0] == pytest.approx(predicted, abs=0.5)


def test_matching_takes_level_out_of_a_comparison():
    x = signals.music(2.0)
    matched = loudness_matched(torch.cat([x, 0.1 * x]), RATE, torch.tensor([-20.0, -20.0]))
    assert torch.allclose(matched[0], matched[1], atol=1e-5)
