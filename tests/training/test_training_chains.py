"""Chains: within their ranges, never a test style, and every effect does what a chain needs of it."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
import scipy.signal

from daiw_master.stack import EFFECTS
from daiw_master.training.style import chains, effects, rails, relatives
from daiw_master.training.style.clips import RATE


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def drawn(count: int, **asked) -> list[dict]:
    source = rng(1)
    return [chains.draw(source, **asked) for _ in range(count)]


def sound(seconds: float = 1.0) -> np.ndarray:
    """Notes of a plucked string over a little noise, in stereo."""
    t = np.arange(round(seconds * RATE)) / RATE
    pluck = np.sin(2 * np.pi * 220 * t) * np.exp(-8 * (t % 0.25)) + 0.05 * rng().normal(size=(2, t.size))
    return (0.4 * pluck).astype(np.float32)


def test_every_knob_stays_in_its_range_and_a_chain_is_data():
    for chain in drawn(400) + drawn(200, without_retrieval=True):
        assert json.loads(json.dumps(chain)) == chain
        for step in chain["steps"]:
            known = dict(effects.KNOBS[step["effect"]])
            if step["effect"] == "compressor":  # an engineer's may be lighter than the task's
                known["ratio"] = known["ratio"]._replace(low=chains.LIGHT_COMPRESSOR["ratio"].low)
            for knob, value in step.items():
                if knob != "effect":
                    assert known[knob].low - 1e-4 <= value <= known[knob].high + 1e-4, (step, knob)


def test_kinds_come_as_often_as_asked():
    counted = Counter(chain["kind"] for chain in drawn(3000))
    for kind, share in chains.WEIGHTS.items():
        assert counted[kind] / 3000 == pytest.approx(share, abs=0.03)
    lengths = Counter(len(chain["steps"]) for chain in drawn(500, kind="A"))
    assert set(lengths) == {1, 2, 3, 4, 5}


def test_one_seed_draws_one_chain():
    assert chains.draw(rng(7)) == chains.draw(rng(7)) != chains.draw(rng(8))


def test_without_the_retrieval_effects_none_of_the_ten_is_heard():
    source = rng(2)
    found = drawn(500, without_retrieval=True) + [chains.single(source, True) for _ in range(100)]
    used = {step["effect"] for chain in found for step in chain["steps"]}
    assert used and not used & set(effects.RETRIEVAL)
    assert not used & {"room", "exciter", "tape"}, "our own room and saturation are of the same sort"


def style(low: float, low_hz: float, high: float, high_hz: float, **compressor) -> dict:
    steps = [
        {"effect": "low_shelf", "gain_db": low, "cutoff_frequency_hz": low_hz, "q": 0.7},
        {"effect": "high_shelf", "gain_db": high, "cutoff_frequency_hz": high_hz, "q": 0.7},
    ]
    return {"kind": "D", "normalised": False, "steps": steps + ([compressor] if compressor else [])}


NEUTRAL = {"effect": "compressor", "threshold_db": -25, "ratio": 1.8, "attack_ms": 60, "release_ms": 200}
BROADCAST = {"effect": "compressor", "threshold_db": -45, "ratio": 4, "attack_ms": 10, "release_ms": 100}


def test_the_test_styles_are_known_and_never_drawn():
    assert chains.style_of(style(2, 100, 2, 7000, **NEUTRAL)) == "neutral"
    assert chains.style_of(style(4, 100, 4, 7000, **BROADCAST)) == "broadcast"
    assert chains.style_of(style(-23, 300, 23, 9000)) == "bright"
    assert chains.style_of(style(23, 300, 17, 9000)) == "warm"
    assert chains.style_of(style(23, 300, -23, 9000)) == "warm as intended"
    assert chains.style_of(style(5, 100, 2, 7000, **NEUTRAL)) is None
    assert chains.style_of(style(-23, 300, 23, 9000, **NEUTRAL)) is None
    assert not any(chains.style_of(chain) for chain in drawn(500, kind="D") + drawn(500, kind="B"))


def test_a_near_copy_is_near_and_has_the_same_effects():
    source = rng(3)
    for chain in drawn(60):
        copy = chains.near(source, chain, 0.1)
        assert [s["effect"] for s in copy["steps"]] == [s["effect"] for s in chain["steps"]]
        away = [
            abs(effects.KNOBS[a["effect"]][k].position(a[k]) - effects.KNOBS[a["effect"]][k].position(b[k]))
            for a, b in zip(chain["steps"], copy["steps"], strict=True)
            for k in a
            if k != "effect"
        ]
        assert not away or 0 < np.mean(away) < 0.3


def test_a_ladder_moves_one_or_two_knobs_over_their_whole_range():
    source = rng(4)
    for chain in drawn(20, kind="A"):
        rungs = chains.ladder(source, chain, 10)
        assert len(rungs) == 10
        moved = [
            (i, knob)
            for i, step in enumerate(chain["steps"])
            for knob in step
            if knob != "effect" and len({rung["steps"][i][knob] for rung in rungs}) > 1
        ]
        assert 1 <= len(moved) <= 2
        for i, knob in moved:
            span = effects.KNOBS[chain["steps"][i]["effect"]][knob]
            places = sorted(span.position(rung["steps"][i][knob]) for rung in rungs)
            assert places[0] < 0.11 and places[-1] > 0.89
            assert max(np.diff(places)) < 0.21


def test_presets_are_fixed_and_spread():
    for effect in chains.PRETEXT:
        for knob, span in effects.KNOBS[effect].items():
            values = [chains.preset(effect, n)[knob] for n in range(chains.PRESETS)]
            tenths = {min(int(span.position(v) * 10 + 1e-3), 9) for v in values}
            assert len(tenths) >= 9, (effect, knob)
    chain = chains.single(rng(5))
    effect = chains.PRETEXT[chain["effect"]]
    assert chain["steps"] == [{"effect": effect, **chains.preset(effect, chain["preset"])}]


def test_our_modules_are_asked_only_what_their_knobs_can_do():
    for name, ranges in effects.OWN.items():
        space = EFFECTS["reverb" if name == "room" else name].space
        for knob, span in ranges.items():
            assert space[knob].low <= span.low < span.high <= space[knob].high, (name, knob)


@pytest.mark.parametrize("effect", [*effects.RETRIEVAL, *effects.BANDS, *effects.OWN, *relatives.RELATIVES])
def test_every_effect_changes_the_sound_and_leaves_its_input(effect):
    x = sound(0.5)
    kept = x.copy()
    settings = {knob: span.at(0.4) for knob, span in effects.RANGES[effect].items()}
    y = effects.play(effect, settings, x)
    assert y.shape == x.shape and y.dtype == np.float32 and np.isfinite(y).all()
    assert np.array_equal(x, kept)
    assert np.abs(y - x).max() > 1e-4
    assert np.array_equal(y, effects.play(effect, settings, x)), "the same again"


def test_a_chain_is_its_steps_in_order_and_a_task_chain_peaks_at_one():
    x = sound(0.5)
    steps = [
        {"effect": "low_shelf", **chains.preset("low_shelf", 1)},
        {"effect": "distortion", "drive_db": 20},
    ]
    plain = chains.render({"kind": "C", "normalised": False, "steps": steps}, x)
    shelved = effects.play("low_shelf", chains.preset("low_shelf", 1), x)
    by_hand = effects.play("distortion", {"drive_db": 20}, shelved)
    assert np.array_equal(plain, by_hand)
    normalised = chains.render({"kind": "A", "normalised": True, "steps": steps}, x)
    assert np.abs(normalised).max() == pytest.approx(1.0, abs=1e-5)
    silent = chains.render({"kind": "A", "normalised": True, "steps": steps}, np.zeros_like(x))
    assert not silent.any()


def test_rails_reach_both_ends_and_hold_everything_else():
    source = rng(6)
    for usual in (False, True):
        seen = set()
        for _ in range(60):
            rail = rails.draw(source, usual)
            effect = rail.steps[rail.place]["effect"]
            seen.add((effect, rail.knob))
            rungs = rails.rungs(source, rail, 10)
            places = sorted(rung["at"] for rung in rungs)
            assert places[0] < 0.1 and places[-1] > 0.9 and max(np.diff(places)) < 0.25
            for rung in rungs:
                step = rung["steps"][rail.place]
                assert step[rail.knob] == pytest.approx(rail.span.at(rung["at"]), rel=1e-3, abs=1e-3)
                held = [
                    {k: v for k, v in s.items() if k != rail.knob} for s in (step, rail.steps[rail.place])
                ]
                assert held[0] == held[1] and rung["kind"] == "K"
        assert len(seen) > 10
    assert {rails.rung(source, rail)["at"] for _ in range(200)} >= {0.0, 1.0}, "the ends themselves as well"


def test_a_usual_rail_leaves_most_knobs_where_they_mostly_stand():
    source, near = rng(7), []
    for _ in range(300):
        rail = rails.draw(source, usual=True)
        effect = rail.steps[0]["effect"]
        for knob, value in rails.USUAL.get(effect, {}).items():
            span = rails.RAILS[effect].ranges[knob]
            near.append(abs(span.position(rail.steps[0][knob]) - span.position(value)) < 3 * rails.GIVE)
    assert len(near) > 300 and 0.6 < np.mean(near) < 0.95
    for effect, knobs in rails.USUAL.items():
        for knob, value in knobs.items():
            span = rails.RAILS[effect].ranges[knob]
            assert span.low <= value <= span.high


@pytest.mark.parametrize("effect", rails.USUAL)
def test_where_knobs_mostly_stand_is_where_the_plugin_puts_them(effect):
    import pedalboard

    plugin = getattr(pedalboard, effects._PEDALBOARD[effect])()
    for knob, value in rails.USUAL[effect].items():
        # a compressor at the plugin's own 1:1 does nothing
        expected = 4.0 if (effect, knob) == ("compressor", "ratio") else getattr(plugin, knob)
        assert value == pytest.approx(expected, abs=1e-3), knob


def test_relatives_are_none_of_the_ten():
    used = {step["effect"] for chain in drawn(200, kind="R") for step in chain["steps"]}
    assert used >= set(relatives.RELATIVES) and not used & set(effects.RETRIEVAL)
    assert "R" not in chains.WEIGHTS, "the shares of the older kinds stay as they were"


def test_an_echo_is_the_recursion_it_stands_for():
    """By scipy's recursive filter, sample by sample, from the same two formulas."""
    x = np.zeros((2, 12_000), np.float32)
    x[:, 7] = (0.8, -0.5)
    x[0, 3000:3050] = 0.3
    got = relatives.echo(x, 20.0, 0.6, -6.0, 5000.0)
    pole, gap = np.exp(-2 * np.pi * 5000.0 / RATE), round(0.02 * RATE)
    back = np.zeros(gap + 1)
    back[gap] = 1 - pole
    over = np.zeros(gap + 1)
    over[:2] = (1.0, -pole)
    over[gap] -= 0.6 * (1 - pole)
    expected = x + 10 ** (-6 / 20) * scipy.signal.lfilter(back, over, x, axis=-1)
    assert np.abs(got - expected).max() < 1e-5


def test_the_other_relatives_do_what_their_names_say():
    time = np.arange(RATE) / RATE
    tone = np.stack([np.sin(2 * np.pi * 1000 * time)] * 2).astype(np.float32)
    swayed = relatives.tremolo(tone, 4.0, 1.0)
    assert np.abs(swayed[:, ::12]).max() <= 1.0 and np.abs(swayed[0, 5900:6100]).max() < 0.01
    spectrum = np.abs(np.fft.rfft(relatives.ring(tone, 300.0, 1.0)[0]))
    assert sorted(np.argsort(spectrum)[-2:]) == [700, 1300]
    # a gap that does not swing is a comb: nothing at 1 kHz, twice the amplitude at 2 kHz
    assert np.abs(relatives.flanger(tone, 0.5, 0.0, 1.0, 0.5)[0, 100:]).max() < 1e-3
    assert len(np.unique(relatives.companding(tone, 4.0))) <= 17
    noise = relatives.hiss(tone, -40.0) - tone
    assert 20 * np.log10(np.sqrt(np.square(noise).mean())) == pytest.approx(-40.0, abs=0.1)
