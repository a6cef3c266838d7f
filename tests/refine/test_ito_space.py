"""Echoes and rooms are read off the ripple they leave: found where they are, not where music repeats."""

from __future__ import annotations

import math

import pytest
import scipy.signal
import torch

from daiw_master.neural.encoder import STYLE_RATE, STYLE_WINDOW
from daiw_master.refine.ito import ripple
from daiw_master.refine.ito.echo import echo_times_s
from daiw_master.refine.ito.general import KNOBS, STAGES, at_positions, free_knobs, general_chain
from daiw_master.refine.ito.space import STEADY, space_of
from daiw_master.stack.chain import run_chain

RATE = STYLE_RATE
DELAY = {"delay.delay_s": 0.237, "delay.feedback": 0.35, "delay.mix": 0.3}
ROOM = {"reverb.room_size": 0.4, "reverb.damping": 0.4, "reverb.wet_level": 0.22, "reverb.width": 0.7}


@pytest.fixture(scope="module")
def music() -> torch.Tensor:
    """(2, time): bursts of noise of changing colour at uneven times, wider than mono."""
    generator = torch.Generator().manual_seed(4)
    x = torch.zeros(2, STYLE_WINDOW)
    place = 0
    while place < STYLE_WINDOW - 1:
        length = int(torch.randint(4000, 16_000, (1,), generator=generator))
        end = min(place + length, STYLE_WINDOW)
        mid = torch.randn(1, end - place, generator=generator)
        side = 0.4 * torch.randn(1, end - place, generator=generator)
        fade = torch.exp(-torch.arange(end - place) / (0.1 * RATE))
        x[:, place:end] = 0.1 * fade * torch.cat([mid + side, mid - side])
        place = end
    return x


def through(x: torch.Tensor, settings: dict[str, float]) -> torch.Tensor:
    stages = {name.partition(".")[0] for name in settings}
    fixed = {k: v for stage in STAGES if stage.name in stages for k, v in stage.fixed.items()}
    with torch.no_grad():
        return run_chain(general_chain(stages), x[None], RATE, {**fixed, **settings})[0]


def test_the_delay_s_response_is_the_plugin_s():
    middle, side = ripple.response_of(general_chain(["delay"]), DELAY)
    assert (middle - ripple.delay_response(*DELAY.values())).abs().max() < 1e-4
    assert side.abs().max() < 1e-6, "left and right alike"


def test_an_echo_is_timed_to_the_sample(music):
    seconds, height = echo_times_s(through(music, DELAY), RATE)[0]
    assert abs(seconds - DELAY["delay.delay_s"]) <= 1.5 / RATE and height > 30
    assert max(height for _, height in echo_times_s(music, RATE)) < 15
    assert echo_times_s(music[:, :RATE], RATE) == [], "too short to hold its longest echo twice"


def test_delay_and_room_are_read_off_together(music):
    found = space_of(through(through(music, DELAY), ROOM)[None])
    assert set(found) == {*DELAY, *ROOM}
    assert found["delay.delay_s"] == pytest.approx(DELAY["delay.delay_s"], abs=1.5 / RATE)
    for name, off in (("delay.feedback", 0.12), ("delay.mix", 0.06), ("reverb.wet_level", 0.05)):
        assert found[name] == pytest.approx({**DELAY, **ROOM}[name], abs=off), name
    assert found["reverb.room_size"] == pytest.approx(ROOM["reverb.room_size"], abs=0.25)
    assert found["reverb.width"] == pytest.approx(ROOM["reverb.width"], abs=0.12)


def test_nothing_is_found_in_dry_music_nor_in_a_loop(music):
    assert space_of(music[None]) == {}
    # every second bar comes back, but not every sound of it: no effect does that
    bar = music[:, : STYLE_WINDOW // 8]
    other = music[:, STYLE_WINDOW // 2 :].split(STYLE_WINDOW // 8, -1)
    loop = torch.cat([part for new in other for part in (bar, new)], -1)
    assert "delay.delay_s" not in space_of(loop[None])


def test_an_echo_of_dark_music_is_heard_where_the_music_is(music):
    """Above a steep low-pass only rounding is left, which repeats nothing: it has no say."""
    sections = scipy.signal.butter(6, 1500.0, fs=RATE, output="sos")
    dark = torch.from_numpy(scipy.signal.sosfilt(sections, music.numpy(), axis=-1)).float()
    wet = through(dark, DELAY)[None]
    registers = ripple.sounding_registers(wet)
    assert registers.tolist() == [0, 1], "the lowest two of six, each 2.3 kHz wide"
    ripples, expected = ripple.heard_ripples(wet), ripple.ripple_of(ripple.delay_response(*DELAY.values()))
    nothing = torch.zeros_like(expected)
    every = torch.arange(ripple.REGISTERS)
    assert ripple.unsteadiness(ripples, nothing, expected, every) > 2 * STEADY
    assert ripple.unsteadiness(ripples, nothing, expected, registers) < STEADY
    assert space_of(wet)["delay.delay_s"] == pytest.approx(DELAY["delay.delay_s"], abs=1.5 / RATE)
    assert len(ripple.sounding_registers(music[None])) == ripple.REGISTERS


def test_a_short_sound_tells_nothing(music):
    assert space_of(music[None, :, : 3 * RATE]) == {}


def test_neighbourhood_is_a_mean_with_honest_ends():
    values = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    assert torch.allclose(ripple.neighbourhood(values, 2), torch.tensor([1.5, 2.0, 3.0, 4.0, 4.5]))


def test_the_simplex_finds_the_bottom_and_stays_inside():
    point, cost = ripple.descend(lambda u: (u[0] - 0.3) ** 2 + (u[1] - 1.2) ** 2, [0.5, 0.5], 0.2, 120)
    assert point == pytest.approx([0.3, 1.0], abs=0.02) and cost == pytest.approx(0.04, abs=0.01)


def test_the_general_chain_keeps_its_order_and_ranges():
    chain = general_chain(["reverb", "highpass", "eq"])
    assert list(chain) == ["highpass", "low_shelf", "peak", "high_shelf", "reverb"]
    settings = at_positions(["eq", "reverb"], {"peak.gain_db": 1.0, "reverb.wet_level": -3.0})
    assert settings["peak.gain_db"] == 15.0 and settings["reverb.wet_level"] == 0.03
    assert settings["reverb.dry_level"] == 0.5 and "highpass.cutoff_frequency_hz" not in settings
    for name, (low, high) in free_knobs(stage.name for stage in STAGES).items():
        place, _, knob = name.partition(".")
        row = general_chain([s.name for s in STAGES if place in s.rows])[place].space[knob]
        assert row.low <= low < high <= row.high, name
        assert row.scale == next(k.scale for k in KNOBS if k.name == name), name
    assert math.isclose(KNOBS[0].physical(KNOBS[0].normalised(440.0)), 440.0)
