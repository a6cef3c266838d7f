"""All fields at once: names, gain, batches, gradients, and inputs at the edge of sense."""

from __future__ import annotations

import math
import time

import pytest
import torch

from daiw_master.audio import Audio
from daiw_master.meters import heard, measure
from daiw_master.targets import DELIVERY, FIELDS, HEARD
from tests.signals import impulse, music, noise, sine

RATE = 44100
EDGES = {
    "silence": torch.zeros(1, 2, RATE),
    "DC": torch.full((1, 2, RATE), 0.5),
    "impulse": impulse(1.0),
    "square": torch.sign(sine(441, 1.0, phase=0.1)),
    "one sample": torch.full((1, 2, 1), 0.3),
    "one channel": music(2.0).mean(1, keepdim=True),
    "a moment": noise(0.05),
    "very quiet": 1e-6 * music(2.0),
    "very loud": 100 * music(2.0),
}


def test_every_heard_field_and_no_other():
    assert set(heard(music(2.0), RATE)) == set(HEARD)
    assert set(measure(Audio(music(2.0)[0], RATE)).targets) == {*HEARD, *DELIVERY}


@pytest.mark.parametrize("gain_db", [-6.0206, -30.0, 12.0])
def test_gain_changes_no_heard_field(gain_db):
    x = torch.cat(
        [music(8.0), torch.zeros(1, 2, RATE), 0.003 * music(4.0, seed=2), music(4.0, seed=3)], dim=-1
    )
    before, after = heard(x, RATE), heard(x * 10 ** (gain_db / 20), RATE)
    for name in HEARD:
        assert (before[name] - after[name]).abs().max() < 1e-3, name


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_edges_are_finite_with_finite_gradients(name, dtype):
    x = EDGES[name].to(dtype).clone().requires_grad_()
    read = heard(x, RATE)
    for field, value in read.items():
        assert value.dtype == dtype and value.shape == (1,)
        assert torch.isfinite(value).all(), field
        assert FIELDS[field].low - 30 <= value.item() <= FIELDS[field].high + 30, field
    sum(value.sum() for value in read.values()).backward()
    assert torch.isfinite(x.grad).all()
    whole = measure(Audio(EDGES[name][0], RATE))
    assert all(math.isfinite(value) for value in (*whole.targets.values(), *whole.shown.values()))


def test_silence_has_no_tone_and_no_width():
    read = heard(torch.zeros(1, 2, RATE), RATE)
    assert all(value.item() == (-80 if name.startswith("width") else 0) for name, value in read.items())


@pytest.mark.parametrize("rate", [22050, 48000, 96000])
def test_other_rates(rate):
    read = heard(music(4.0, rate), rate)
    base = heard(music(4.0), RATE)
    assert all(torch.isfinite(value).all() for value in read.values())
    if rate > RATE:
        for name in ("band_bass_db", "band_mid_db"):
            lean = read[name] - read["band_low_mid_db"] - base[name] + base["band_low_mid_db"]
            assert abs(lean.item()) < 0.3, name


def test_batch_equals_loop_and_input_stays():
    x = torch.cat(
        [music(4.0), noise(4.0, level_db=-40), torch.zeros(1, 2, 4 * RATE), 0.1 * music(4.0, seed=5)]
    )
    kept = x.clone()
    together = heard(x, RATE)
    for name in HEARD:
        alone = torch.cat([heard(item[None], RATE)[name] for item in x])
        torch.testing.assert_close(
            together[name], alone, atol=2e-4, rtol=0, msg=lambda m, n=name: f"{n}: {m}"
        )
    assert torch.equal(x, kept)


@pytest.mark.parametrize("name", HEARD)
def test_gradient_along_a_knob(name):
    """Each field's derivative to an equaliser-like, widening, compressing knob is the finite difference."""
    rate = 8000
    x = music(4.0, rate, dtype=torch.float64)
    side = noise(4.0, rate, level_db=-30, dtype=torch.float64)
    swell = torch.linspace(0, 1, x.shape[-1], dtype=torch.float64) ** 2

    def read(knob):
        return heard(torch.tanh(2 * x * (1 + knob * swell)) + 0.1 * knob * side, rate)[name]

    knob = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(read(knob).sum(), knob, allow_unused=True)
    with torch.no_grad():
        difference = (read(knob + 1e-5) - read(knob - 1e-5)) / 2e-5
    # Gates are constants to the gradient, so what lies at their soft edge may differ a little.
    assert slope.item() == pytest.approx(difference.item(), rel=0.1, abs=0.15)


def test_shown_values_fit_together():
    x = Audio(music(6.0)[0], RATE)
    read = measure(x)
    assert read.shown["plr_db"] == pytest.approx(
        read.targets["true_peak_dbtp"] - read.targets["loudness_lufs"]
    )
    assert read.shown["sample_peak_dbfs"] <= read.targets["true_peak_dbtp"] + 1e-4
    assert read.shown["max_short_term_lufs"] <= read.shown["max_momentary_lufs"]
    assert read.shown["side_low_db"] == read.targets["width_low_db"]


def test_cost_grows_with_length_only():
    """30 s of stereo must stay far from a second: 185 s is promised in 1.5 s."""
    x = Audio(music(30.0)[0], RATE)
    measure(x)
    started = time.process_time()
    measure(x)
    assert time.process_time() - started < 1.0
