"""The curve: smooth, centred, in range, and as strong in each section as the section is."""

from __future__ import annotations

import pytest
import torch

from daiw_master.form import Form, Point, energy_curve, form_of, shapes
from daiw_master.stack.automation import automation_gains_db

RATE, HOP = 44100, 441
MOVING = [name for name, shape in shapes().items() if len(shape.steps) > 1]


def curve_of(form, duration_s=120.0):
    return energy_curve(form, round(duration_s * RATE), RATE, HOP)


def form(*energies, length_s=20.0, transition_s=3.0):
    points = [Point(i * length_s, (i + 1) * length_s, str(i), e) for i, e in enumerate(energies)]
    return Form(tuple(points), transition_s=transition_s)


@pytest.mark.parametrize("name", MOVING)
def test_a_shape_is_drawn_smooth_centred_and_in_range(name):
    shaped = form_of(name, (), [], 120.0)
    curve = curve_of(shaped)
    assert curve.shape == (12000,) and curve.abs().max() <= 1.0
    assert 4.0 * curve.diff().abs().max() <= 0.25, "half of what the house allows, at the knob's end"
    assert abs(float(curve.mean())) < 1e-4
    asked = torch.tensor([p.energy for p in shaped.points])
    held = torch.tensor([float(curve[round((p.start_s + p.end_s) * 50)]) for p in shaped.points])
    slope = (held[asked.argmax()] - held[asked.argmin()]) / (asked.max() - asked.min())
    assert 0.5 < float(slope) <= 2.0 + 1e-4
    order = asked.argsort()
    assert (held[order].diff() >= -1e-6).all(), "a stronger section is never the softer one"


def test_a_section_stands_where_it_was_asked():
    curve = curve_of(form(0.2, 0.8, 0.5), 60.0)
    held = [float(curve[round(100 * at_s)]) for at_s in (5, 15, 25, 35, 45, 59.9)]
    assert held[0] == held[1] and held[2] == held[3] and held[4] == pytest.approx(held[5], abs=1e-6)
    assert held[2] - held[0] == pytest.approx(2 * 0.6, abs=1e-4)
    assert held[2] - held[4] == pytest.approx(2 * 0.3, abs=1e-4)


def test_a_song_that_is_loud_in_places_keeps_its_loudness():
    """Nought stands where the song's own power lies, however coarsely that was measured."""
    shaped = form(0.2, 0.8, 0.5)
    for power in (torch.tensor([1.0, 1.0, 8.0]), torch.rand(6000) + 0.1):
        curve = energy_curve(shaped, 60 * RATE, RATE, HOP, power)
        weight = power.repeat_interleave(6000 // len(power))
        assert abs(float((weight * curve).sum() / weight.sum())) < 1e-4
    late = energy_curve(shaped, 60 * RATE, RATE, HOP, torch.tensor([0.0, 0.0, 1.0]))
    assert abs(float(late[-1000:].mean())) < 0.01


def test_small_differences_stay_small():
    curve = curve_of(form(0.5, 0.55, 0.6, 0.5, 0.45), 100.0)
    assert float(curve.max() - curve.min()) == pytest.approx(0.3, abs=1e-4)


def test_large_ones_fit():
    curve = curve_of(form(0.1, 0.1, 0.1, 0.1, 1.0), 100.0)
    assert float(curve.abs().max()) == pytest.approx(1.0, abs=1e-6)
    assert float(curve.max()) > 0 > float(curve.min())


@pytest.mark.parametrize("transition_s", [0.6, 3.0, 4.0])
def test_a_change_takes_its_time_around_the_section_start(transition_s):
    curve = curve_of(form(0.2, 0.8, transition_s=transition_s), 40.0)
    moving = (curve.diff().abs() > 1e-7).nonzero().flatten() / 100
    assert float(moving[-1] - moving[0]) == pytest.approx(transition_s, abs=0.1)
    assert float(moving[0] + moving[-1]) / 2 == pytest.approx(20.0, abs=0.1)


def test_a_short_section_is_still_reached():
    """Two bars of held breath: the way there and back is shorter, the bottom is touched."""
    points = (Point(0, 20, "a", 0.9), Point(20, 22, "b", 0.1), Point(22, 40, "c", 0.9))
    curve = curve_of(Form(points, transition_s=4.0), 40.0)
    assert float(curve[2100]) == pytest.approx(float(curve.min()), abs=1e-6)
    assert float(curve[0] - curve[2100]) == pytest.approx(float(curve.max() - curve.min()), abs=1e-6)


@pytest.mark.parametrize("still", [Form(), form(0.5), form(0.5, 0.5)])
def test_nothing_to_follow_is_a_line_at_nought(still):
    assert not curve_of(still, 60.0).any()


def test_silence_throughout_is_no_division_by_nought():
    curve = curve_of(form(0.0, 0.0, 1e-12), 60.0)
    assert curve.isfinite().all()


@pytest.mark.parametrize("name", MOVING)
def test_the_hand_that_follows_never_jerks(name):
    """The curve through the effect at every knob's end: under half a decibel in 10 ms."""
    curve = curve_of(form_of(name, (), [], 60.0), 60.0)
    x = torch.zeros(1, 1, 60 * RATE)
    low_db, high_db = automation_gains_db(x, RATE, 4.0, 4.0, 6.0, energy=curve)
    assert float(low_db.diff().abs().max()) <= 0.25 and float(high_db.diff().abs().max()) <= 0.5


@pytest.mark.parametrize(
    ("name", "third"), [("premature_climax", 0), ("anti_climax", 1), ("climb_to_climax", 2)]
)
def test_the_loudest_moment_lands_in_its_third(name, third):
    curve = curve_of(form_of(name, (), [], 120.0))
    assert int(curve.argmax()) // 4000 == third
    thirds = curve.reshape(3, 4000).mean(1)
    assert int(thirds.argmin()) == {"premature_climax": 2, "anti_climax": 2, "climb_to_climax": 0}[name]
