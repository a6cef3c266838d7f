"""Knobs turned while a tone plays: no click, nothing lost, and afterwards the sound of the new settings."""

import math
from collections import deque

import pytest
import torch
from playing import play

import daiw_master as dm
from daiw_master.live.slot import FADE_MS, SETTLE_MS
from daiw_master.stack import EFFECTS

RATE, BLOCK, TURN = 48000, 256, 70  # the knob turns at block 70, 0.37 s
JUMPS = {
    "reverb": [("wet_db", -60.0, -6.0), ("predelay_ms", 0.0, 100.0), ("decay_s", 3.0, 0.4)],
    "eq": [("low_shelf_gain_db", -12.0, 12.0), ("peak_2_gain_db", 0.0, 12.0), ("high_pass_hz", 200.0, 10.0)],
    "dynamics": [("threshold_db", -10.0, -50.0), ("ratio", 1.0, 10.0), ("sustain_db", 0.0, 9.0)],
    "exciter": [("mix_db", -60.0, 0.0), ("drive_db", 0.0, 30.0), ("cutoff_hz", 1500.0, 8000.0)],
    "imager": [("low_mid_width_db", -24.0, 6.0), ("correlation_floor", -1.0, 0.5)],
    "loudness": [("loudness_lufs", -30.0, -10.0)],
    "limiter": [("ceiling_dbtp", -1.0, -12.0), ("release_ms", 1000.0, 10.0), ("lookahead_ms", 8.0, 1.0)],
    "clipper": [("threshold_db", 12.0, -9.0)],
    "tape": [("drive_db", 0.0, 3.0), ("bump_db", 0.0, 4.0)],
    "wow": [("wow_cents", 0.0, 15.0)],
}
CASES = [(effect, *jump) for effect, jumps in JUMPS.items() for jump in jumps]


def tone():
    """500 Hz, louder on the left, that comes and stays."""
    n = torch.arange(RATE)
    wave = 0.25 * torch.sin(2 * math.pi * 500 * n / RATE) * (n / 4800).clamp_max(1.0)
    return torch.stack([wave, 0.6 * wave])


def highs_db(y):
    """What lies above 6 kHz against all of it, every 2.7 ms, dB: a click is everywhere in the spectrum."""
    frames = y.double().unfold(-1, 1024, 128) * torch.blackman_window(1024, dtype=torch.float64)
    power = torch.fft.rfft(frames).abs().square().sum(0)
    high = power[:, round(6000 * 1024 / RATE) :].sum(-1)
    return 10 * torch.log10(high / power.sum(-1).mean() + 1e-12)


@pytest.mark.parametrize(("effect", "knob", "first", "then"), CASES)
def test_no_click(effect, knob, first, then):
    base = {
        name: value for name, value in EFFECTS[effect].engaged.items() if name not in ("ride", "bandwidth_hz")
    }
    base = {f"{effect}.{name}": value for name, value in (base | {knob: first}).items()}
    live = dm.Live(base, RATE, [effect], BLOCK)
    y = play(live, tone(), {TURN: {f"{effect}.{knob}": then}})
    course = highs_db(y)
    turn = TURN * BLOCK // 128
    steady = max(float(course[60 : turn - 12].max()), float(course[-20:].max()))
    assert float(course[turn - 12 :].max()) < max(steady + 3.0, -60.0)
    assert float(y[:, TURN * BLOCK // 2 :].diff().abs().max()) < 0.25  # a tone at full scale moves by 0.065


def test_the_test_hears_clicks():
    y = tone()
    y[:, 20000:] *= 1.1
    assert float(highs_db(y).max()) > -60.0


@pytest.mark.parametrize(
    ("chain", "first", "then"),
    [
        (["reverb"], {"reverb.wet_db": -10.0}, {"reverb.decay_s": 0.8}),
        (["eq"], {"eq.low_shelf_gain_db": 3.0}, {"eq.low_shelf_gain_db": -3.0, "eq.peak_3_gain_db": 6.0}),
        (["dynamics"], {"dynamics.ratio": 2.0}, {"dynamics.ratio": 4.0}),
    ],
)
def test_after_the_fade_it_is_as_if_it_had_always_been_so(chain, first, then):
    """What remembers takes its memory over: the old sound answers in the new room."""
    torch.manual_seed(0)
    x = 0.2 * torch.randn(2, 20480)
    changed = play(dm.Live(first, RATE, chain, BLOCK), x, {30: then})
    always = play(dm.Live({**first, **then}, RATE, chain, BLOCK), x)
    done = 30 * BLOCK + math.ceil(FADE_MS * RATE / 1000 / BLOCK) * BLOCK
    nearness = 1e-5 if chain != ["dynamics"] else 1e-2  # a needle comes from where it was
    assert torch.allclose(changed[:, done:], always[:, done:], atol=nearness)
    assert not torch.allclose(changed[:, : 30 * BLOCK], always[:, : 30 * BLOCK], atol=1e-3)


def test_on_from_rest_and_back_to_rest():
    """Back at rest it is the sound itself again, and as late as ever."""
    torch.manual_seed(0)
    x = 0.2 * torch.randn(2, RATE)
    live = dm.Live({}, RATE, ["eq", "dynamics", "exciter", "imager"], BLOCK)
    on = {"eq.tilt_db": 3.0, "dynamics.ratio": 4.0, "exciter.mix_db": -6.0, "imager.high_width_db": 6.0}
    off = {"eq.tilt_db": 0.0, "dynamics.ratio": 1.0, "exciter.mix_db": -60.0, "imager.high_width_db": 0.0}
    y = play(live, x, {20: on, 90: off})
    late = live.latency.samples
    assert torch.equal(y[:, late : 20 * BLOCK], x[:, : 20 * BLOCK - late])
    moved = (y[:, late:] - x[:, : y.shape[-1] - late]).abs()
    assert float(moved[:, 60 * BLOCK : 80 * BLOCK].max()) > 0.05
    over = 90 * BLOCK + math.ceil((SETTLE_MS + 2 * FADE_MS) * RATE / 1000)
    assert float(moved[:, over:].max()) == 0.0


def test_the_last_word_counts_while_knobs_are_dragged():
    live = dm.Live({"eq.tilt_db": 1.0}, RATE, ["eq"], BLOCK)
    x = 0.1 * torch.ones(2, RATE // 2)
    y = play(live, x, {10 + step: {"eq.low_shelf_gain_db": 0.1 * step} for step in range(40)})
    fresh = dm.Live({"eq.tilt_db": 1.0, "eq.low_shelf_gain_db": 3.9}, RATE, ["eq"], BLOCK)
    assert torch.allclose(y[:, -2048:], play(fresh, x)[:, -2048:], atol=1e-5)


def held_by(thing, seen):
    """Bytes of all tensors an object holds on to, and eight for each thing in a list, however deep."""
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, torch.Tensor):
        return thing.untyped_storage().nbytes()
    parts = list(vars(thing).values()) if hasattr(thing, "__dict__") else []
    if isinstance(thing, dict):
        parts += thing.values()
    elif isinstance(thing, (list, tuple, deque)):
        parts += thing
    return sum(8 + held_by(part, seen) for part in parts if not isinstance(part, type))


def test_nothing_grows():
    """After the first second what the chain holds is the same after every second."""
    settings = {
        "reverb.wet_db": -20.0, "reverb.decay_s": 0.5, "eq.tilt_db": 1.0, "dynamics.ratio": 2.0,
        "dynamics.attack_db": 2.0, "exciter.mix_db": -20.0, "imager.high_width_db": 1.0,
        "imager.correlation_floor": 0.0,
    }  # fmt: skip
    live = dm.Live(settings, RATE, block=512)
    torch.manual_seed(0)
    x = 0.1 * torch.randn(2, 96 * 512)
    held = []
    for _ in range(4):
        play(live, x)
        held.append(held_by(live._slots, set()))
    assert max(held[1:]) <= 1.02 * held[0] and held[0] > 1000
