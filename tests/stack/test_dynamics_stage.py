"""The dynamics row against its analytic curves, its asked times, and real songs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from pedalboard.io import AudioFile

from daiw_master.errors import OutOfRangeError, UnknownNameError
from daiw_master.meters.loudness import integrated_loudness, loudness_range, short_term
from daiw_master.stack.dynamics import DYNAMICS, gain_db, gain_reduction_db, ride_gain_db
from daiw_master.stack.envelope import control_hop
from daiw_master.units import db_from_power, gain_from_db
from tests import signals

RATE = 44100
MUSIC = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "audio" / "music"


def rms_db(x: torch.Tensor) -> float:
    return float(db_from_power(x.double().square().mean()))


def steps_db(*levels_db: float, seconds: float = 1.0, rate: int = RATE) -> torch.Tensor:
    """Constant values of given levels: the gain can be read off every sample."""
    count = round(seconds * rate)
    return torch.cat(
        [torch.full((1, 2, count), 10 ** (level / 20), dtype=torch.float64) for level in levels_db], -1
    )


def crossing_ms(gain: torch.Tensor, start: int, rate: int) -> float:
    """Time from `start` until the gain (dB) has gone 63 % of its way to where it ends up."""
    part = gain[start:]
    way = (part - gain[start - 1]) / (part[-1] - gain[start - 1])
    return 1000 / rate * (1 + int((way >= 1 - math.exp(-1)).nonzero()[0, 0]))


def test_at_rest_it_is_the_input():
    x = signals.music(1.0)
    assert torch.equal(DYNAMICS(x, RATE), x)
    still = {
        p.name: torch.tensor([p.default], dtype=torch.float32, requires_grad=True) for p in DYNAMICS.params
    }
    torch.testing.assert_close(DYNAMICS(x, RATE, **still), x, atol=1e-6, rtol=0)


@pytest.mark.parametrize("knee_db", [0.0, 6.0, 24.0])
@pytest.mark.parametrize("over_db", [-20.0, -2.0, 0.0, 2.0, 20.0])
def test_compressor_draws_the_papers_curve(knee_db, over_db):
    """Giannoulis et al. 2012, eq. 4, read with a sine too fast to ripple."""
    threshold, ratio = -26.0, 4.0
    x = signals.sine(4000, 1.5, level_db=threshold + over_db + 3.0103, dtype=torch.float64)
    y = DYNAMICS(x, RATE, threshold_db=threshold, ratio=ratio, knee_db=knee_db)
    if 2 * over_db < -knee_db:
        expected = 0.0
    elif knee_db > 0 and 2 * abs(over_db) <= knee_db:
        expected = (1 / ratio - 1) * (over_db + knee_db / 2) ** 2 / (2 * knee_db)
    else:
        expected = (1 / ratio - 1) * over_db
    assert rms_db(y[..., RATE:]) - rms_db(x[..., RATE:]) == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize(
    "level_db,settings,expected_db",
    [
        (-36.0, dict(expand_down_ratio=2.0, expand_threshold_db=-30.0), -6.0),
        (-24.0, dict(expand_down_ratio=2.0, expand_threshold_db=-30.0), 0.0),
        (-60.0, dict(expand_down_ratio=4.0, expand_threshold_db=-30.0, expand_depth_db=9.0), -9.0),
        (-14.0, dict(expand_up_ratio=1.5, threshold_db=-24.0), 5.0),
        (-34.0, dict(expand_up_ratio=1.5, threshold_db=-24.0), 0.0),
        (-6.0, dict(expand_up_ratio=2.0, threshold_db=-40.0, expand_depth_db=4.0), 4.0),
    ],
)
def test_expanders_move_levels_by_their_ratio_and_no_further_than_their_depth(
    level_db, settings, expected_db
):
    x = signals.sine(4000, 1.5, level_db=level_db + 3.0103, dtype=torch.float64)
    y = DYNAMICS(x, RATE, **settings)
    assert rms_db(y[..., RATE:]) - rms_db(x[..., RATE:]) == pytest.approx(expected_db, abs=0.06)


@pytest.mark.parametrize("over_db", [3.0, 20.0])
@pytest.mark.parametrize(
    "attack_ms,release_ms,rate",
    [
        (0.5, 50, 44100),
        (0.5, 50, 48000),
        (5, 20, 44100),
        (10, 100, 96000),
        (30, 200, 44100),
        (200, 20, 22050),
        (30, 600, 48000),
    ],
)
def test_attack_and_release_take_the_time_they_say(attack_ms, release_ms, rate, over_db):
    seconds = max(0.5, 0.006 * max(attack_ms, release_ms))
    x = steps_db(-60, -26 + over_db, -60, seconds=seconds, rate=rate)
    y = DYNAMICS(x, rate, threshold_db=-26, ratio=4, knee_db=0, attack_ms=attack_ms, release_ms=release_ms)
    gain = 20 * torch.log10(y / x)[0, 0]
    step = round(seconds * rate)
    # a step rarely falls on the control clock's tick: half a hop is its resolution
    tick_ms = 500 * control_hop(rate) / rate
    assert crossing_ms(gain[: 2 * step], step, rate) == pytest.approx(attack_ms, rel=0.1, abs=tick_ms)
    assert crossing_ms(gain, 2 * step, rate) == pytest.approx(release_ms, rel=0.1)


@pytest.mark.parametrize("hz", [41.2, 100.0, 1000.0])
def test_a_bass_note_reads_near_its_rms(hz):
    x = signals.sine(hz, 1.5, level_db=-16 + 3.0103, dtype=torch.float64)
    reduction = gain_reduction_db(x, RATE, threshold_db=-26, ratio=10, knee_db=0)[..., RATE // 8 :]
    assert float(reduction.mean()) / 0.9 == pytest.approx(10, abs=1.5)
    assert float(reduction.max() - reduction.min()) < 0.2  # the ripple that would distort it


def test_a_downward_expander_opens_with_the_attack_and_closes_with_the_release():
    x = steps_db(-80, -20, -80, seconds=1.5)
    y = DYNAMICS(x, RATE, expand_down_ratio=3, expand_threshold_db=-40, attack_ms=10, release_ms=150)
    gain = 20 * torch.log10(y / x)[0, 0]
    step = round(1.5 * RATE)
    assert crossing_ms(gain[: 2 * step], step, RATE) == pytest.approx(10, rel=0.1)
    assert crossing_ms(gain, 2 * step, RATE) == pytest.approx(150, rel=0.1)


def test_both_sides_get_the_same_gain():
    x = signals.music(2.0, dtype=torch.float64) * torch.tensor([1.0, 0.3]).view(1, 2, 1)
    y = DYNAMICS(x, RATE, **DYNAMICS.engaged)
    heard = (x.abs() > 1e-3).all(1)[0]
    gain = (y / x)[0][:, heard]
    torch.testing.assert_close(gain[0], gain[1], atol=1e-9, rtol=0)


def hits(level_db: float) -> torch.Tensor:
    """Four drum-like hits of 300 Hz, half a second apart, over silence."""
    t = torch.arange(2 * RATE, dtype=torch.float64) / RATE
    beat = torch.remainder(t, 0.5)
    wave = torch.exp(-beat / 0.06) * torch.sin(2 * math.pi * 300 * beat)
    return (10 ** (level_db / 20) * wave).expand(1, 2, -1).clone()


@pytest.mark.parametrize("level_db", [-6.0, -24.0])
@pytest.mark.parametrize("amount_db", [-9.0, -4.0, 4.0, 9.0])
def test_attack_moves_onsets_by_what_it_says(amount_db, level_db):
    x = hits(level_db)
    y = DYNAMICS(x, RATE, attack_db=amount_db)
    for onset in range(0, 4 * RATE // 2, RATE // 2):
        start, tail = slice(onset, onset + RATE // 100), slice(onset + RATE // 8, onset + RATE // 4)
        # the very first sample has no past to jump from: the hit at time zero is not an onset
        if onset:
            assert rms_db(y[..., start]) - rms_db(x[..., start]) == pytest.approx(amount_db, abs=0.6)
        assert rms_db(y[..., tail]) - rms_db(x[..., tail]) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("amount_db", [-9.0, 9.0])
def test_sustain_moves_tails_and_not_onsets(amount_db):
    x = hits(-6.0)
    y = DYNAMICS(x, RATE, sustain_db=amount_db)
    start, tail = (
        slice(RATE // 2, RATE // 2 + RATE // 100),
        slice(RATE // 2 + RATE // 8, RATE // 2 + RATE // 4),
    )
    assert rms_db(y[..., tail]) - rms_db(x[..., tail]) == pytest.approx(amount_db, abs=1.0)
    assert abs(rms_db(y[..., start]) - rms_db(x[..., start])) < 1.5


@pytest.mark.parametrize("hz", [41.2, 82.4, 440.0])
def test_the_shaper_leaves_steady_tones_alone(hz):
    x = signals.sine(hz, 2.0, level_db=-12, dtype=torch.float64)
    y = DYNAMICS(x, RATE, attack_db=9.0, sustain_db=9.0)
    change = (y - x)[..., RATE:]
    assert rms_db(change) - rms_db(x[..., RATE:]) < -40


def slow_song(levels_db=(-32, -20, -26, -17), seconds: float = 12.0, rate: int = 8000) -> torch.Tensor:
    parts = [signals.noise(seconds, rate, level, seed=i) for i, level in enumerate(levels_db)]
    return torch.cat(parts, dim=-1)


def test_the_rider_moves_loudness_range_both_ways_without_turning_back():
    x = slow_song()
    ranges = [
        float(loudness_range(DYNAMICS(x, 8000, ride=ride), 8000)) for ride in (-1, -0.6, -0.2, 0, 0.2, 0.6, 1)
    ]
    assert ranges == sorted(ranges)
    assert ranges[3] - ranges[0] >= 1.5 and ranges[-1] - ranges[3] >= 1.5


@pytest.mark.parametrize("ride", [-1.0, 1.0])
def test_the_rider_is_slow_and_short_armed(ride):
    x = slow_song((-60, -14, -60, -14), seconds=8.0)
    gain = gain_db(x, 8000, ride=ride)[0]
    second = 8000 // control_hop(8000)
    assert float(gain.abs().max()) <= 3.0 + 1e-5
    assert float(gain.abs().max()) >= 2.0
    for span in (second // 10, second, 3 * second):
        assert float((gain[span:] - gain[:-span]).abs().max()) <= span / second + 1e-4


def test_the_riders_gain_depends_on_the_shape_and_not_on_the_level():
    trace = short_term(slow_song(), 8000)
    torch.testing.assert_close(
        ride_gain_db(trace, 0.7, 0.1), ride_gain_db(trace - 15, 0.7, 0.1), atol=1e-9, rtol=0
    )
    assert torch.equal(ride_gain_db(torch.full((50,), -120.0), 1.0, 0.1), torch.zeros(50))
    # one ride per trace and many rides on one trace
    rides = torch.tensor([-1.0, 0.5], dtype=torch.float64)
    many = ride_gain_db(trace, rides, 0.1)
    torch.testing.assert_close(many[1:], ride_gain_db(trace, 0.5, 0.1))


@pytest.mark.parametrize(
    "song,dynamic",
    [
        ("macleod_earth-prelude.ogg", True),
        ("macleod_limit-70.ogg", True),
        ("megupets_insert-coin_chiptune.mp3", False),
    ],
)
def test_real_songs_ride_both_ways_as_foretold(song, dynamic):
    if not MUSIC.is_dir():
        pytest.skip("no folder ../shared/data beside this checkout")
    with AudioFile(str(MUSIC / song)) as file:
        rate = int(file.samplerate)
        x = torch.from_numpy(file.read(min(file.frames, 90 * rate))).unsqueeze(0)
    x = x * gain_from_db(-20 - integrated_loudness(x, rate)).view(1, 1, 1)
    trace = short_term(x, rate)
    before = float(loudness_range(x, rate))
    for ride in (-1.0, 1.0):
        after = float(loudness_range(DYNAMICS(x, rate, ride=ride), rate))
        assert (after - before) * ride >= (1.5 if dynamic else 0.2)
        foretold = trace + ride_gain_db(trace, ride, 0.1)
        quantiles = foretold[foretold > foretold.max() - 20].quantile(
            torch.tensor([0.1, 0.95], dtype=foretold.dtype)
        )
        assert float(quantiles.diff()) == pytest.approx(after, abs=0.5)


def test_gain_reduction_is_what_the_compressor_does():
    x = signals.music(2.0, dtype=torch.float64)
    compressor = dict(threshold_db=-30.0, ratio=3.0)
    reduction = gain_reduction_db(x, RATE, attack_db=5.0, **compressor)
    assert reduction.shape == (1, -(-x.shape[-1] // control_hop(RATE)))
    assert float(reduction.min()) >= 0 and float(reduction.max()) > 3
    torch.testing.assert_close(gain_db(x, RATE, **compressor), -reduction)
    assert not gain_reduction_db(x, RATE, ride=0.5).any()


ODD = {
    "silence": torch.zeros(1, 2, 3000),
    "dc": torch.full((1, 2, 3000), 0.5),
    "impulse": signals.impulse(0.1),
    "square": torch.sign(torch.sin(torch.arange(4000) * 0.05) + 1e-9).expand(1, 2, -1).clone(),
    "one sample": torch.full((1, 2, 1), 0.5),
    "one channel": signals.noise(0.1, channels=1),
    "nothing": torch.zeros(1, 2, 0),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("knee_db", [0.0, 6.0])
def test_odd_sounds_stay_finite_and_so_do_their_gradients(name, knee_db):
    x = ODD[name].clone().requires_grad_()
    knobs = {**DYNAMICS.space.defaults(), **DYNAMICS.engaged, "knee_db": knee_db}
    knobs = {key: torch.tensor([float(value)], requires_grad=True) for key, value in knobs.items()}
    y = DYNAMICS(x, RATE, **knobs)
    assert y.shape == x.shape and y.isfinite().all()
    y.square().sum().backward()
    assert x.grad.isfinite().all()
    assert all(knob.grad is None or knob.grad.isfinite().all() for knob in knobs.values())
    assert torch.equal(x.detach(), ODD[name])


def test_a_batch_is_its_items_one_by_one():
    x = torch.cat([signals.music(1.0, seed=i) * (0.2 + 0.4 * i) for i in range(3)])
    knobs = {p.name: p.physical(torch.tensor([0.2, 0.5, 0.9])) for p in DYNAMICS.params}
    together = DYNAMICS(x, RATE, **knobs)
    for i in range(3):
        alone = DYNAMICS(x[i : i + 1], RATE, **{name: value[i] for name, value in knobs.items()})
        torch.testing.assert_close(together[i : i + 1], alone, atol=2e-6, rtol=1e-5)
    population = DYNAMICS(x[:1], RATE, **knobs)
    torch.testing.assert_close(population[:1], together[:1], atol=2e-6, rtol=1e-5)
    assert population.shape == x.shape


def test_every_gradient_is_true():
    """float64 gradcheck to the sound and to all twelve knobs at once."""
    rate = 4000
    t = torch.arange(96, dtype=torch.float64) / rate
    x = torch.sin(2 * math.pi * 300 * t) * (0.05 + 0.6 * torch.exp(-torch.remainder(t, 0.012) / 0.004))
    x = torch.stack([x, 0.7 * x.flip(0)])[None].requires_grad_()
    names = [p.name for p in DYNAMICS.params]
    rest = {
        **DYNAMICS.space.defaults(),
        **DYNAMICS.engaged,
        "expand_depth_db": 2.0,
        "attack_ms": 4.0,
        "release_ms": 21.0,
    }
    values = [torch.tensor([float(rest[name])], dtype=torch.float64, requires_grad=True) for name in names]

    def row(x, *values):
        return DYNAMICS(x, rate, **dict(zip(names, values, strict=True)))

    assert torch.autograd.gradcheck(row, (x, *values), eps=1e-7, atol=2e-6, rtol=1e-3, fast_mode=True)


def test_the_clock_of_the_gain_is_not_heard_as_a_rate():
    """The same sound at twice the rate is compressed alike."""
    x = signals.sine(220, 1.0, 48000, -6)
    twice = signals.sine(220, 1.0, 96000, -6)
    settings = dict(threshold_db=-20.0, ratio=4.0, attack_ms=10.0)
    a, b = gain_db(x, 48000, **settings), gain_db(twice, 96000, **settings)
    assert float((a - b)[..., 3000:].abs().max()) < 0.02


def test_refusals_name_the_knob():
    x = signals.noise(0.1)
    with pytest.raises(OutOfRangeError, match="attack_ms"):
        DYNAMICS(x, RATE, attack_ms=0.1)
    with pytest.raises(UnknownNameError, match="threshold_db"):
        DYNAMICS(x, RATE, treshold_db=-20)
