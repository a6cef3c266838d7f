"""The room by its own measure: how long it rings, how loud it is, when it answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import signal

from daiw_master.errors import InputError, OutOfRangeError
from daiw_master.meters.loudness import integrated_loudness
from daiw_master.stack.linear import Linear, pair
from daiw_master.stack.reverb import REVERB, _turned, impulse_response, synced_predelay_ms, wet_level_db
from daiw_master.stack.reverb_tail import BUILD_UP_MS, FADE_OUT, _outline, tail
from tests import signals

RATE = 44100


def decay_s(h, rate=RATE, low_hz=500.0, high_hz=2000.0):
    """T30 by Schroeder's backward integration (ISO 3382-1), both channels' mean."""
    sos = signal.butter(4, [low_hz, high_hz], "bandpass", fs=rate, output="sos")
    times = []
    for channel in h.double().numpy():
        energy = signal.sosfilt(sos, channel) ** 2
        left_db = 10 * np.log10(np.cumsum(energy[::-1])[::-1] / energy.sum() + 1e-30)
        inside = np.flatnonzero((left_db < -5) & (left_db > -35))
        times.append(-60 / np.polyfit(inside / rate, left_db[inside], 1)[0])
    return float(np.mean(times))


@pytest.mark.parametrize("rate", [44100, 96000])
@pytest.mark.parametrize("wanted_s", [0.2, 0.5, 0.9, 2.5, 6.0])
def test_decay_time_is_what_was_asked(wanted_s, rate):
    assert decay_s(impulse_response(rate, decay_s=wanted_s)[0], rate) == pytest.approx(wanted_s, rel=0.06)


def test_each_end_of_the_spectrum_rings_by_its_ratio():
    h = impulse_response(RATE, decay_s=2.0, low_decay_ratio=1.6, high_decay_ratio=0.4, low_cut_hz=20.0)[0]
    assert decay_s(h) == pytest.approx(2.0, rel=0.06)
    assert decay_s(h, low_hz=70, high_hz=200) == pytest.approx(3.2, rel=0.1)
    assert decay_s(h, low_hz=7000, high_hz=11000) == pytest.approx(0.8, rel=0.1)


def pink_song(seconds=8.0):
    """Broadband and music-like: level to 300 Hz, then -6 dB per octave; stereo, half correlated."""
    x = signals.noise(seconds)
    x = x + x.flip(1) * 0.5
    spectrum = torch.fft.rfft(x)
    hz = torch.fft.rfftfreq(x.shape[-1], 1 / RATE)
    return torch.fft.irfft(spectrum / (hz / 300).clamp_min(1.0), x.shape[-1])


@pytest.mark.parametrize(
    "room",
    [
        {},
        {"decay_s": 3.0},
        {"width": 0.0},
        {"low_cut_hz": 400.0},
        {"early_db": 6.0, "decay_s": 0.4},
        {"high_decay_ratio": 0.2, "high_cut_hz": 3000.0},
    ],
)
@pytest.mark.parametrize("wet_db", [-30.0, -14.0])
def test_wet_level_is_what_was_asked(room, wet_db):
    x = pink_song()
    wet = REVERB(x, RATE, wet_db=wet_db, **room) - x
    level = float(integrated_loudness(wet, RATE) - integrated_loudness(x, RATE))
    assert level == pytest.approx(wet_db, abs=1.0)


def test_one_sided_and_centred_sources_come_back_alike():
    x = pink_song(4.0)[:, :1]
    silent = torch.zeros_like(x)
    levels = []
    for source in ([x, x], [x, silent], [silent, x]):
        source = torch.cat(source, dim=1)
        wet = REVERB(source, RATE, wet_db=0.0) - source
        levels.append(10 * math.log10(float(wet.square().sum() / source.square().sum())))
        balance = 10 * math.log10(float(wet[:, 0].square().sum() / wet[:, 1].square().sum()))
        assert abs(balance) < 1.5
    assert max(levels) - min(levels) < 1.0


def test_the_wish_is_met_once_the_song_is_known():
    x = signals.music(4.0)
    off = wet_level_db(x, RATE, decay_s=1.5)
    assert float(wet_level_db(x, RATE, decay_s=1.5, wet_db=-18.0 - off)) == pytest.approx(-18.0, abs=0.1)


def test_width_is_the_tails_correlation():
    for width, low, high in ((0.0, 0.999, 1.0), (1.0, -0.15, 0.15)):
        left, right = impulse_response(RATE, width=width)[0]
        correlation = float((left * right).sum() / (left.square().sum() * right.square().sum()).sqrt())
        assert low <= correlation <= high + 1e-6


def test_the_room_answers_after_its_predelay():
    near = impulse_response(RATE, predelay_ms=0.0)[0, 0]
    far = impulse_response(RATE, predelay_ms=40.0)[0, 0]
    lag = signal.correlate(far.numpy(), near.numpy(), mode="full").argmax() - (len(near) - 1)
    assert lag == round(0.04 * RATE)
    assert float(far[: lag - 50].square().sum() / far.square().sum()) < 1e-4


def test_early_reflections_weigh_against_the_tail():
    first = round(0.07 * RATE)  # the last tap stands at 53.5 ms

    def early_share_db(early_db):
        h = impulse_response(RATE, decay_s=3.0, early_db=early_db, predelay_ms=0.0, low_cut_hz=20.0)[0]
        return 10 * math.log10(float(h[:, :first].square().sum() / h[:, first:].square().sum()))

    assert early_share_db(6.0) > early_share_db(-6.0) + 4 > early_share_db(-24.0) + 4


def test_bass_stays_dry():
    x = signals.sine(60.0, 2.0, level_db=-6.0)
    wet = REVERB(x, RATE, wet_db=0.0, low_cut_hz=300.0) - x
    steady = slice(RATE, None)
    loss_db = 10 * math.log10(float(wet[..., steady].square().sum() / x[..., steady].square().sum()))
    assert loss_db < -15


def test_blocks_are_the_convolution_scipy_knows():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 2, 200_000, generator=generator, dtype=torch.float64)
    h = torch.randn(3, 2, 2, 30_000, generator=generator, dtype=torch.float64)
    ours = Linear(room=pair(h))(x) - x
    for b in range(3):
        for out in range(2):
            theirs = sum(signal.oaconvolve(x[0, i], h[b, out, i])[: x.shape[-1]] for i in range(2))
            np.testing.assert_allclose(ours[b, out], theirs, atol=1e-9)


def test_a_longer_tail_begins_with_the_same_noise():
    # 32768 samples is where the noise is drawn anew and cached anew: 0.70 s and 0.80 s stand on either side
    short, long = (tail(torch.full((8,), t, dtype=torch.float64), RATE)[:, : RATE // 10] for t in (0.7, 0.8))
    likeness = (short * long).sum() / (short.square().sum() * long.square().sum()).sqrt()
    assert float(likeness) > 0.99


def test_a_decay_turned_by_a_hair_moves_the_sound_by_a_hair():
    # 0.9 s is a whole number of samples at 44.1 kHz: the length changes here, the sound must not jump
    below, above = (impulse_response(RATE, decay_s=0.9 + step, dtype=torch.float64) for step in (-1e-9, 1e-9))
    shared = min(below.shape[-1], above.shape[-1])
    assert float((below[..., :shared] - above[..., :shared]).abs().max()) < 1e-8


def test_rest_is_exactly_dry_but_can_be_left():
    x = signals.music(1.0)
    assert torch.equal(REVERB(x, RATE), x)
    wet = torch.tensor([-60.0], requires_grad=True)
    y = REVERB(x, RATE, wet_db=wet)
    assert torch.equal(y.detach(), x)
    (y - 1.01 * x).square().sum().backward()
    assert torch.isfinite(wet.grad).all() and float(wet.grad) != 0


def test_the_send_feeds_the_room_and_the_dry_sound_passes():
    x, stem = signals.music(2.0), signals.noise(2.0, seed=9)
    y = REVERB(x, RATE, wet_db=-10.0, send=stem)
    expected = REVERB(stem, RATE, wet_db=-10.0) - stem + x
    assert torch.allclose(y, expected, atol=1e-5)
    assert torch.equal(REVERB(x, RATE, wet_db=-10.0, send=torch.zeros_like(x)), x)
    with pytest.raises(InputError, match="send"):
        REVERB(x, RATE, wet_db=-10.0, send=stem[..., :-1])


def test_batch_equals_loop_with_a_room_each():
    x = signals.music(1.5)
    rooms = {"wet_db": [-12.0, -60.0, -3.0], "decay_s": [0.3, 5.0, 1.1], "width": [0.2, 1.0, 0.7]}
    together = REVERB(x, RATE, **{name: torch.tensor(values) for name, values in rooms.items()})
    for i, item in enumerate(together):
        alone = REVERB(x, RATE, **{name: values[i] for name, values in rooms.items()})[0]
        assert torch.allclose(item, alone, atol=2e-6)


def test_every_knob_has_its_gradient():
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(1, 2, 1500, generator=generator, dtype=torch.float64, requires_grad=True)
    start = {**REVERB.space.defaults(), "wet_db": -9.0, "decay_s": 0.31, "width": 0.6, "predelay_ms": 2.3}
    names = list(start)
    knobs = [torch.tensor([start[name]], dtype=torch.float64, requires_grad=True) for name in names]

    def room(x, *values):
        return REVERB(x, 8000, **dict(zip(names, values, strict=True)))

    assert torch.autograd.gradcheck(room, (x, *knobs), eps=1e-6, atol=1e-5, fast_mode=True)


def test_mono_has_a_room_too():
    x = pink_song(3.0)[:, :1]
    wet = REVERB(x, RATE, wet_db=-12.0) - x
    level = float(integrated_loudness(wet, RATE) - integrated_loudness(x, RATE))
    assert level == pytest.approx(-12.0, abs=1.0)
    with pytest.raises(InputError, match="3 channels"):
        REVERB(torch.zeros(1, 3, 100), RATE)


@pytest.mark.parametrize("tempo", [60.0, 92.0, 120.0, 174.0])
def test_predelay_falls_on_a_note_value(tempo):
    for wanted in (10.0, 22.0, 40.0, 75.0):
        synced = synced_predelay_ms(wanted, tempo)
        beats = synced / (60000.0 / tempo)
        assert any(math.isclose(beats, n * f) for n in (1 / 16, 1 / 8, 1 / 4) for f in (1, 1.5, 2 / 3))
        assert synced <= 120.0


def test_predelay_known_values():
    assert synced_predelay_ms(30.0, 120.0) == pytest.approx(31.25)  # a 64th at 120 bpm
    assert synced_predelay_ms(0.0, 120.0) == 0.0
    assert synced_predelay_ms(20.0, 15.0) == 20.0  # nothing fits the knob: the wish stands


def test_a_knob_out_of_range_is_refused_by_name():
    with pytest.raises(OutOfRangeError, match="decay_s"):
        REVERB(signals.impulse(), RATE, decay_s=9.0)


@pytest.mark.parametrize(("dtype", "within"), [(torch.float32, 5e-7), (torch.float64, 1e-10)])
def test_a_pre_delay_turns_every_bin_as_far_as_it_should(dtype, within):
    """Against numpy's own exponential, up to the last bin of a long room at 100 ms."""
    size, predelay_ms = 393_216, torch.tensor([100.0, 3.3], dtype=dtype).reshape(-1, 1, 1)
    step = predelay_ms.double() * (-2 * math.pi / 1000 * 96_000 / size)
    level = torch.tensor([0.5, 2.0], dtype=dtype).reshape(-1, 1, 1)
    found = _turned(level, step, size // 2 + 1)
    wanted = level.double().numpy() * np.exp(1j * step.numpy() * np.arange(size // 2 + 1))
    assert found.dtype == (torch.complex64 if dtype == torch.float32 else torch.complex128)
    assert np.abs(found.numpy() / wanted - 1).max() < within


def test_a_tail_s_outline_is_the_written_out_one():
    """Where it is one it is not worked out; elsewhere it is the build-up times the smooth fade."""
    for longest_s in ([0.1], [0.5, 0.3], [2.0, 4.0, 1.1]):
        longest_s = torch.tensor(longest_s, dtype=torch.float64)
        samples = math.ceil(float(longest_s.max()) * RATE)
        time = torch.arange(samples, dtype=torch.float64) / RATE
        left = ((1 - time / longest_s[:, None]) / FADE_OUT).clamp(0, 1)
        built = 1 - torch.exp(-(time + 0.5 / RATE) * (1000 / BUILD_UP_MS))
        wanted = built * left.square() * (3 - 2 * left)
        assert torch.allclose(_outline(longest_s, samples, RATE), wanted, rtol=0, atol=1e-15)
