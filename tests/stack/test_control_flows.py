"""Dynamics, multiband and automation cut into blocks: the samples of the whole, whatever the cut."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from daiw_master.errors import InputError
from daiw_master.sounds import Held, Shelf
from daiw_master.stack import fader
from daiw_master.stack.automation import AUTOMATION
from daiw_master.stack.dynamics import DYNAMICS, DynamicsFlow
from daiw_master.stack.effect import Effect
from daiw_master.stack.flow import stream
from daiw_master.stack.multiband import MULTIBAND
from daiw_master.stack.rider import ShortTerm, short_term_trace
from tests import signals

RATE = 44100

SETTINGS = {
    "compressor": dict(ratio=3.0, threshold_db=-30.0),
    "slow attack": dict(ratio=3.0, threshold_db=-30.0, attack_ms=200.0, release_ms=20.0),
    "expanders": dict(expand_up_ratio=1.5, expand_down_ratio=2.0, expand_threshold_db=-30.0),
    "shaper": dict(attack_db=4.0, sustain_db=-3.0),
    "rider": dict(ride=0.8),
    "all": dict(DYNAMICS.engaged),
}


@pytest.fixture(autouse=True)
def gathered(monkeypatch):
    """Files are gathered in pieces short enough for tests."""
    monkeypatch.setattr(fader, "GATHERED", 5000)


def cuts(x: torch.Tensor, size: int | str) -> Iterator[torch.Tensor]:
    """Blocks of one size, or of every size there is, empty ones among them."""
    if size != "odd":
        yield from x.split(size, dim=-1)
        return
    sizes, start = (0, 1, 7, 8, 9, 33, 0, 1000, 4096, 3), 0
    while start < x.shape[-1]:
        for count in sizes:
            yield x[..., start : start + count]
            start += count


def flowed(effect: Effect, x, size, rate: int = RATE, block: int = 1 << 16, length="known", **settings):
    """The effect in blocks, checked for its latency on the way."""
    settings = {**effect.space.defaults(), **settings}
    length = x.shape[-1] if length == "known" else length
    flows = effect.flow(rate, x.shape[1], block=block, length=length, **settings)
    (flow,) = flows
    if flow.hears_first:
        for part in cuts(x, size):
            flow.hear(part)
    parts, went_in, came_out = [], 0, 0
    for part in cuts(x, size):
        before = part.clone()
        parts.append(flow.push(part))
        assert torch.equal(part, before)
        went_in, came_out = went_in + part.shape[-1], came_out + parts[-1].shape[-1]
        if block == size or block == 1 << 16:
            assert came_out >= went_in - flow.latency
    parts.append(flow.finish())
    return torch.cat([part for part in parts if part is not None], dim=-1)


@pytest.mark.parametrize("size", ["odd", 100, 1 << 15])
@pytest.mark.parametrize("name", SETTINGS)
def test_dynamics_in_blocks_is_dynamics(name, size):
    x = signals.music(1.0)
    y = flowed(DYNAMICS, x, size, **SETTINGS[name])
    torch.testing.assert_close(y, DYNAMICS(x, RATE, **SETTINGS[name]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 31, 32, 33, 100])
def test_a_sound_shorter_than_a_block(count):
    x = signals.music(1.0)[..., 9000 : 9000 + count]
    for size in (1, 5, 1 << 16):
        y = flowed(DYNAMICS, x, size, **DYNAMICS.engaged)
        torch.testing.assert_close(y, DYNAMICS(x, RATE, **DYNAMICS.engaged), atol=1e-5, rtol=0)


@pytest.mark.parametrize("rate,channels", [(22050, 1), (48000, 2), (96000, 1)])
def test_dynamics_in_blocks_at_other_rates_and_in_mono(rate, channels):
    x = signals.music(1.2, rate)[:, :channels]
    y = flowed(DYNAMICS, x, 999, rate, **DYNAMICS.engaged)
    torch.testing.assert_close(y, DYNAMICS(x, rate, **DYNAMICS.engaged), atol=1e-5, rtol=0)


def test_many_settings_over_one_sound_in_blocks():
    x = signals.music(1.0)
    knobs = {p.name: p.physical(torch.tensor([0.3, 0.5, 0.8])) for p in DYNAMICS.params}
    y = flowed(DYNAMICS, x, "odd", **knobs)
    assert y.shape == (3, 2, x.shape[-1])
    torch.testing.assert_close(y, DYNAMICS(x, RATE, **knobs), atol=1e-5, rtol=0)


def test_nothing_engaged_is_no_flow_and_no_sound_is_no_sound():
    assert DYNAMICS.flow(RATE, 2, **DYNAMICS.space.defaults()) == ()
    (flow,) = DYNAMICS.flow(RATE, 2, **{**DYNAMICS.space.defaults(), **DYNAMICS.engaged})
    flow.hear(torch.zeros(1, 2, 0))
    assert flow.push(torch.zeros(1, 2, 0)).shape == (1, 2, 0)
    assert flow.finish() is None


def test_only_the_rider_hears_first():
    rest = DYNAMICS.space.defaults()
    for name, settings in SETTINGS.items():
        (flow,) = DYNAMICS.flow(RATE, 2, **{**rest, **settings})
        assert flow.hears_first == ("ride" in settings), name
    with pytest.raises(InputError, match="ride"):
        flow.push(signals.noise(0.2))


@pytest.mark.parametrize(
    "name,block,latency",
    [
        ("compressor", 64, 0),
        ("compressor", 100, 4),
        ("shaper", 64, 16),
        ("shaper", 100, 44),
    ],
)
def test_live_blocks_come_out_as_late_as_the_flow_says(name, block, latency):
    x = signals.music(0.5)[..., :20000]
    (flow,) = DYNAMICS.flow(RATE, 2, block=block, **{**DYNAMICS.space.defaults(), **SETTINGS[name]})
    assert flow.latency == latency
    worst, missing = 0, 0
    for part in x.split(block, dim=-1)[:-1]:
        missing += block - flow.push(part).shape[-1]
        worst = max(worst, missing)
    assert worst == latency


@pytest.mark.parametrize("size", [100, 4096, 60000])
def test_loudness_heard_in_blocks_is_the_trace_of_the_whole(size):
    x = signals.music(4.0, 8000)
    ear = ShortTerm(8000, 800)
    for part in x.split(size, dim=-1):
        ear.add(part)
    torch.testing.assert_close(ear.trace(), short_term_trace(x, 8000, 800), atol=1e-4, rtol=0)


def held_numbers(thing, seen: set[int] | None = None) -> int:
    """How many numbers a flow keeps, in tensors and lists, however deep."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, torch.Tensor):
        return thing.untyped_storage().nbytes() // thing.element_size()
    if isinstance(thing, dict):
        return sum(held_numbers(value, seen) for value in thing.values())
    if isinstance(thing, list | tuple):
        return len(thing) + sum(held_numbers(value, seen) for value in thing)
    slots = [getattr(thing, name) for name in getattr(type(thing), "__slots__", ())]
    return (
        held_numbers([*getattr(thing, "__dict__", {}).values(), *slots], seen)
        if slots or hasattr(thing, "__dict__")
        else 0
    )


@pytest.mark.parametrize("size", [64, 100])
def test_a_thousand_live_blocks_leave_no_more_behind_than_ten(size):
    settings = {**DYNAMICS.space.defaults(), **DYNAMICS.engaged, "ride": 0.0}
    (flow,) = DYNAMICS.flow(RATE, 2, block=size, **settings)
    x = signals.music(2.0)
    held = []
    for number in range(1000):
        start = number % 800 * size
        flow.push(x[..., start : start + size])
        held.append(held_numbers(flow))
    assert max(held[500:]) <= max(held[8:40])


def test_a_knob_turned_in_the_middle_goes_on_from_where_the_needle_stands():
    x = signals.music(1.0)
    rest = DYNAMICS.space.defaults()
    settings = {**rest, "ratio": 3.0, "threshold_db": -30.0}
    (first,) = DYNAMICS.flow(RATE, 2, block=64, **settings)
    (second,) = DYNAMICS.flow(RATE, 2, block=64, **settings)
    start = first.push(x[..., :20005])
    second.resume(first)
    alone = first.push(x[..., 20005:])
    end = [second.push(x[..., 20005:]), second.finish()]
    whole = DYNAMICS(x, RATE, **settings)
    torch.testing.assert_close(torch.cat([start, *end], dim=-1), whole, atol=1e-5, rtol=0)
    assert torch.equal(alone, end[0]), "the flow that was taken over from goes on undisturbed"


def test_the_shaper_comes_and_goes_and_no_sample_is_lost():
    x = signals.music(1.0)[..., :44100]
    rest = {**DYNAMICS.space.defaults(), "ratio": 3.0, "threshold_db": -30.0}
    flow, parts = None, []
    for number, part in enumerate(x.split(1001, dim=-1)):
        if number % 5 == 0:
            turned = {**rest, "attack_db": 3.0 * (number % 2), "ratio": 2.0 + number / 20}
            (fresh,) = DYNAMICS.flow(RATE, 2, block=64, **turned)
            assert isinstance(fresh, DynamicsFlow)
            if flow is not None:
                fresh.resume(flow)
            flow = fresh
        parts.append(flow.push(part))
    y = torch.cat([*parts, flow.finish()], dim=-1)
    assert y.shape == x.shape
    heard = x.abs() > 1e-3
    gain_db = 20 * (y[heard] / x[heard]).log10()
    assert gain_db.isfinite().all() and -25 < float(gain_db.min()) and float(gain_db.max()) < 4


def test_a_ride_through_a_stream(monkeypatch):
    monkeypatch.undo()
    x = signals.music(14.0)
    settings = {**DYNAMICS.space.defaults(), **DYNAMICS.engaged}
    flows = DYNAMICS.flow(RATE, 2, length=x.shape[-1], **settings)
    y = torch.cat(list(stream(flows, Held(x, RATE), lambda: Shelf(2, RATE, x.shape[-1]))), dim=-1)
    torch.testing.assert_close(y, DYNAMICS(x, RATE, **settings), atol=1e-5, rtol=0)


@pytest.mark.parametrize("size,block", [("odd", 1 << 16), (1000, 1 << 16), (1 << 15, 1 << 16), (256, 256)])
@pytest.mark.parametrize("bands", [("low", "mid", "high"), ("mid",)])
def test_multiband_in_blocks_is_multiband(bands, size, block):
    x = signals.music(1.0)
    settings = {"threshold_db": -36.0, **{f"{band}_ratio": 2.5 for band in bands}}
    y = flowed(MULTIBAND, x, size, block=block, **settings)
    torch.testing.assert_close(y, MULTIBAND(x, RATE, **settings), atol=1e-5, rtol=0)


@pytest.mark.parametrize("count", [1, 7, 2000, 5000])
def test_short_sounds_through_multiband_and_automation(count):
    x = signals.music(1.0)[:, :1, 9000 : 9000 + count]
    for effect in (MULTIBAND, AUTOMATION):
        y = flowed(effect, x, 999, **effect.engaged)
        torch.testing.assert_close(y, effect(x, RATE, **effect.engaged), atol=1e-5, rtol=0)


CURVE = torch.cat([torch.linspace(-1, 1, 30), torch.linspace(1, -0.5, 40)])


@pytest.mark.parametrize("size,block", [("odd", 1 << 16), (5000, 1 << 16), (441, 441), (512, 512)])
@pytest.mark.parametrize(
    "settings", [dict(level_db=4.0), dict(level_db=2.0, brightness_db=3.0, drift_db=-4.0), dict(drift_db=6.0)]
)
def test_automation_in_blocks_is_automation(settings, size, block):
    x = signals.music(1.0)
    for length, extras in (("known", dict(energy=CURVE, tail=9000)), (None, dict())):
        y = flowed(AUTOMATION, x, size, block=block, length=length, **settings, **extras)
        torch.testing.assert_close(y, AUTOMATION(x, RATE, **settings, **extras), atol=1e-5, rtol=0)


def test_many_curves_over_one_sound_in_blocks():
    x = signals.music(1.0)
    curves = torch.stack([CURVE, -CURVE])
    levels = torch.tensor([1.0, 3.0])
    y = flowed(AUTOMATION, x, "odd", level_db=levels, energy=curves)
    torch.testing.assert_close(y, AUTOMATION(x, RATE, level_db=levels, energy=curves), atol=1e-5, rtol=0)


def test_a_song_of_unknown_length_is_heard_first():
    rest = AUTOMATION.space.defaults()
    (flow,) = AUTOMATION.flow(RATE, 2, **{**rest, "level_db": 2.0})
    assert flow.hears_first
    with pytest.raises(InputError, match="length"):
        flow.push(signals.noise(0.2))
    (flow,) = AUTOMATION.flow(RATE, 2, length=100, **{**rest, "level_db": 2.0})
    assert not flow.hears_first
    assert AUTOMATION.flow(RATE, 2, **rest) == () == MULTIBAND.flow(RATE, 2, **MULTIBAND.space.defaults())


def test_rows_at_their_settings_in_a_batch_of_bands():
    x = signals.music(0.7)
    knobs = {p.name: p.physical(torch.tensor([0.3, 0.6])) for p in MULTIBAND.params}
    y = flowed(MULTIBAND, x, 3000, **knobs)
    torch.testing.assert_close(y, MULTIBAND(x, RATE, **knobs), atol=1e-5, rtol=0)
