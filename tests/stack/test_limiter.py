"""The limiter: nothing passes, nothing jumps, and what it does can be computed by hand."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch
from scipy import signal

from daiw_master.errors import OutOfRangeError
from daiw_master.meters.true_peak import true_peak
from daiw_master.stack.limiter import (
    LIMITER,
    apply_reduction,
    limiter_gain_db,
    reduction_blocks,
    trim_to_true_peak,
)
from daiw_master.stack.peaks import BLOCK, peak_envelope_db
from tests import signals

RATE = 44100


def sparse_clicks(seconds=2.0):
    generator = torch.Generator().manual_seed(3)
    x = torch.zeros(1, 2, round(seconds * RATE))
    at = torch.randint(0, x.shape[-1], (200,), generator=generator)
    x[0, at % 2, at] = torch.randn(200, generator=generator) * 4
    return x


def band_edge_bursts():
    """0.45 of the rate, switched on and off: the hardest signal for a 4x detector."""
    x = signals.sine(0.45 * RATE, 1.0, phase=0.3, level_db=8.0)
    return x * (torch.arange(x.shape[-1]) % 3000 < 1000)


HARD = {
    "clicks": sparse_clicks(),
    "noise": signals.noise(2.0, level_db=3.0),
    "square": torch.sign(signals.sine(997.0)) * 2,
    "bass": signals.sine(41.0, 2.0, level_db=12.0),
    "band edge": band_edge_bursts(),
    "full-scale step": torch.ones(1, 1, 5000) * 3,
    "one sample": torch.full((1, 2, 1), 5.0),
}


@pytest.mark.parametrize("kind", HARD)
@pytest.mark.parametrize("settings", [{}, {"release_ms": 10.0, "lookahead_ms": 1.0}, {"lookahead_ms": 7.3}])
def test_samples_cannot_pass_even_before_the_trim(kind, settings):
    x = HARD[kind].double()
    peaks_db = peak_envelope_db(x)
    settings = {"release_ms": 80.0, "lookahead_ms": 3.0, **settings}
    y = apply_reduction(x, reduction_blocks(peaks_db, RATE, -1.0, **settings))
    assert 20 * math.log10(float(y.abs().max())) <= -1.0 + 1e-9


@pytest.mark.parametrize("kind", HARD)
def test_true_peak_is_under_the_ceiling(kind):
    y = LIMITER(HARD[kind], RATE, ceiling_dbtp=-1.0)
    assert float(true_peak(y, RATE)) <= -1.0
    # and on an interpolation that is not ours: 16x by scipy's Kaiser polyphase filter
    taps = 16 * signal.firwin(16 * 64 + 1, 1 / 16, window=("kaiser", 9.0))
    up = signal.upfirdn(taps, y[0].double().numpy(), up=16, axis=-1)
    assert 20 * np.log10(np.abs(up).max()) <= -1.0


def test_sound_under_the_ceiling_is_untouched():
    x = signals.music(2.0) * 0.3
    assert torch.equal(LIMITER(x, RATE), x)


def test_gain_of_one_click_is_what_paper_says():
    """A click 6 dB over: full reduction at the click, zero a look-ahead before, exponential after."""
    x = torch.zeros(1, 1, RATE, dtype=torch.float64)
    at = 20000
    x[..., at] = 2.0
    gain = limiter_gain_db(x, RATE, ceiling_dbtp=0.0, release_ms=100.0, lookahead_ms=5.0)[0]
    assert gain[at] == pytest.approx(-20 * math.log10(2), abs=0.01)
    assert gain[: at - round(0.0055 * RATE)].abs().max() < 1e-6
    later = at + round(0.1 * RATE)
    assert float(gain[later] / gain[at]) == pytest.approx(math.exp(-1), rel=0.05)
    # smooth: a ramp of 6 dB over 5 ms by two averages has at most twice the mean slope
    assert gain.diff().abs().max() < 2.2 * 6.02 / (0.005 * RATE)


def test_release_is_the_recursion_it_stands_for():
    peaks = torch.rand(1, 3 * BLOCK, generator=torch.Generator().manual_seed(0), dtype=torch.float64) ** 40
    peaks_db = 12 * peaks
    blocks = [b for _, b in reduction_blocks(peaks_db, RATE, 0.0, release_ms=30.0, lookahead_ms=2.0)]
    ours = torch.cat(blocks, dim=-1)[0].numpy()
    # sample by sample, in the words of the docstring
    window = 2.0 * RATE / 1000
    reach, half = int(window) + 2, window / 2
    padded = np.concatenate([np.zeros(reach), peaks_db[0].numpy(), np.zeros(reach + 1)])
    views = np.lib.stride_tricks.sliding_window_view
    shorter, longer = views(padded, reach).max(-1)[:-1], views(padded, reach + 1).max(-1)
    ahead = shorter + (window - int(window)) * (longer - shorter[: len(longer)])
    keep, state = math.exp(-1000 / (30.0 * RATE)), 0.0
    for n, value in enumerate(ahead):
        state = max(value, keep * state)
        ahead[n] = state
    kernel = np.ones(int(half) + 1)
    kernel[-1] = half - int(half)
    for _ in range(2):
        ahead = np.convolve(ahead, kernel / half)[: len(ahead)]
    np.testing.assert_allclose(ours, ahead[reach : reach + len(ours)], atol=1e-9)


def test_channels_share_one_gain():
    x = signals.music(1.0, dtype=torch.float64) * 4
    x[:, 1] *= 0.25
    y = LIMITER(x, RATE, ceiling_dbtp=-6.0)
    loud = x.abs().amin(1) > 1e-3
    ratio = y / torch.where(x == 0, 1.0, x)
    assert torch.allclose(ratio[:, 0][loud], ratio[:, 1][loud], rtol=1e-9)


def test_a_louder_song_is_a_lower_ceiling():
    x = signals.music(2.0, dtype=torch.float64)
    louder = limiter_gain_db(x * 10 ** (6 / 20), RATE, ceiling_dbtp=-1.0)
    lower = limiter_gain_db(x, RATE, ceiling_dbtp=-7.0)
    assert torch.allclose(louder, lower, atol=1e-9)


def test_blocks_make_no_seams():
    x = signals.noise(4.0, level_db=0.0, dtype=torch.float64)
    whole = limiter_gain_db(x, RATE)
    # The same sound later in time meets the block borders elsewhere.
    later = limiter_gain_db(torch.nn.functional.pad(x, (12345, 0)), RATE)[..., 12345:]
    assert torch.allclose(whole[..., 200:], later[..., 200:], atol=1e-9)


def test_batch_equals_loop_with_a_setting_each():
    x = signals.music(3.5) * 3  # more than two blocks
    ceilings, releases, looks = [-1.0, -3.0, -9.0], [20.0, 80.0, 500.0], [1.0, 3.0, 4.4]
    together = LIMITER(
        x,
        RATE,
        ceiling_dbtp=torch.tensor(ceilings),
        release_ms=torch.tensor(releases),
        lookahead_ms=torch.tensor(looks),
    )
    for item, (c, r, k) in zip(together, zip(ceilings, releases, looks, strict=True), strict=True):
        alone = LIMITER(x, RATE, ceiling_dbtp=c, release_ms=r, lookahead_ms=k)[0]
        assert torch.allclose(item, alone, atol=1e-6)


def test_gradients_are_those_of_finite_differences():
    x = (signals.music(0.03, dtype=torch.float64)[..., :600] * 6).requires_grad_()
    knobs = [torch.tensor([v], dtype=torch.float64, requires_grad=True) for v in (-3.0, 40.0, 2.3)]

    def limited(x, ceiling, release, look):
        return LIMITER(x, RATE, ceiling_dbtp=ceiling, release_ms=release, lookahead_ms=look)

    assert torch.autograd.gradcheck(limited, (x, *knobs), eps=1e-7, atol=1e-4, fast_mode=True)


def test_gradients_stay_finite_over_the_shortest_release():
    x = (signals.noise(3.0, rate=8000, level_db=6.0)).requires_grad_()
    release = torch.tensor([10.0], requires_grad=True)
    LIMITER(x, 8000, release_ms=release).square().sum().backward()
    assert torch.isfinite(x.grad).all() and torch.isfinite(release.grad).all() and float(release.grad) != 0


def test_peak_envelope_sees_between_samples():
    x = signals.sine(RATE / 4, 0.1, phase=math.pi / 4, channels=1)  # samples at 0.707, peaks at 1
    assert float(peak_envelope_db(x)[0, 100:-100].min()) == pytest.approx(0.0, abs=0.02)
    x = signals.noise(0.1)
    assert bool((peak_envelope_db(x) >= 20 * x.abs().amax(1).log10() - 1e-4).all())


def test_trim_only_ever_turns_down():
    x = signals.sine(997.0, 0.2)
    assert torch.equal(trim_to_true_peak(x * 0.5, RATE, -1.0), x * 0.5)
    trimmed = trim_to_true_peak(x, RATE, -1.0)
    assert float(true_peak(trimmed, RATE)) == pytest.approx(-1.0, abs=0.01)
    assert float(true_peak(trimmed, RATE)) <= -1.0


def test_a_knob_out_of_range_is_refused_by_name():
    with pytest.raises(OutOfRangeError, match="ceiling_dbtp"):
        LIMITER(signals.impulse(), RATE, ceiling_dbtp=1.0)


def test_half_a_minute_takes_far_less_than_a_second():
    x = signals.noise(30.0, level_db=-3.0)
    with torch.no_grad():
        LIMITER(x[..., :BLOCK], RATE)
        started = time.process_time()
        LIMITER(x, RATE)
    assert time.process_time() - started < 1.0  # about 0.1 s on an idle core
