"""Shapes: every row says something of its own, and laid over a song it is still itself."""

from __future__ import annotations

from itertools import combinations_with_replacement

import pytest

from daiw_master.errors import UnknownNameError
from daiw_master.form import shapes
from daiw_master.form.shapes import energy_of_name, shape_named

SHAPED = {name: shape for name, shape in shapes().items() if shape.steps}
every_shape = pytest.mark.parametrize("shape", SHAPED.values(), ids=SHAPED)


def even(count, length_s=20.0):
    return [(i * length_s, (i + 1) * length_s) for i in range(count)]


def test_the_names_everybody_else_counts_on():
    """Arcs and rules name these; a missing one would be a form that silently stays away."""
    assert set(shapes()) == {
        "climb_to_climax", "slow_reveal", "repetitive_despair", "static_reflection", "sudden_shift",
        "descent", "rise_and_fall", "spiral", "premature_climax", "anti_climax", "extreme_range",
        "accelerando_decay", "steady", "sections",
    }  # fmt: skip


@every_shape
def test_a_row_is_in_range_and_explained(shape):
    assert shape.about and 0.5 <= shape.transition_s <= 4.0
    assert all(0.0 <= energy <= 1.0 and share > 0 for share, energy in shape.steps)
    assert shape.edges[0] == 0.0 and shape.edges[-1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "energies"),
    [
        # what DAiW's own arrangement generator gives these arcs
        ("sudden_shift", [0.3, 0.4, 0.7, 1.0, 0.6, 0.3]),
        ("slow_reveal", [0.3, 0.5, 0.7, 0.4, 0.2]),
        ("repetitive_despair", [0.5, 0.55, 0.6, 0.5, 0.45]),
        ("climb_to_climax", [0.2, 0.4, 0.6, 0.8, 0.5, 1.0, 0.3]),
        ("extreme_range", [0.1, 0.4, 1.0, 0.0, 0.5]),
    ],
)
def test_arcs_daiw_knows_have_daiws_energies(name, energies):
    assert [energy for _, energy in shapes()[name].steps] == energies
    assert shapes()[name].laid_over(even(len(energies))) == energies


def test_no_two_shapes_are_one():
    drawn = [shape.laid_over(even(6)) for shape in SHAPED.values()]
    assert len({tuple(energies) for energies in drawn}) == len(drawn)


@every_shape
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13, 40])
def test_steps_keep_their_order_on_any_number_of_sections(shape, count):
    laid = shape.laid_over(even(count))
    left = [energy for _, energy in shape.steps]
    assert len(laid) == count
    for energy in laid:
        while left and left[0] != energy:
            left.pop(0)
        assert left, "a section went back to an earlier step"


@every_shape
@pytest.mark.parametrize("spans", [even(4), even(5), [(0, 8), (8, 40), (40, 60), (60, 95)]])
def test_the_choice_is_the_cheapest_there_is(shape, spans):
    """Dynamic programming against trying every way to give sections steps in order."""
    energies = [energy for _, energy in shape.steps]
    edges, count = shape.edges, len(shape.steps)
    middles = [(a + b) / 2 for a, b in zip(edges, edges[1:], strict=False)]
    worth = [min(1.0, 1.5 * count * (b - a)) for a, b in zip(edges, edges[1:], strict=False)]
    places = [(start + end) / 2 / spans[-1][1] for start, end in spans]

    def cost(steps):
        late = sum(abs(p - middles[s]) for p, s in zip(places, steps, strict=True)) / len(spans)
        missed = sum(worth[j] * abs(energies[j] - energies[steps[0]]) for j in range(steps[0]))
        missed += sum(worth[j] * abs(energies[j] - energies[steps[-1]]) for j in range(steps[-1] + 1, count))
        for a, b in zip(steps, steps[1:], strict=False):
            for j in range(a + 1, b):
                line = energies[a] + (energies[b] - energies[a]) * (j - a) / (b - a)
                missed += worth[j] * abs(energies[j] - line)
        return late + 2.0 * missed / count

    best = min(combinations_with_replacement(range(count), len(spans)), key=cost)
    laid = shape.laid_over(spans)
    if laid != [energies[step] for step in best]:  # two ways may cost the same
        ways = [w for w in combinations_with_replacement(range(count), len(spans))
                if [energies[s] for s in w] == laid]  # fmt: skip
        assert min(map(cost, ways)) == pytest.approx(cost(best))


@pytest.mark.parametrize("count", [3, 4, 5, 6, 8, 12])
def test_high_points_land_in_their_third(count):
    for name, third in (("premature_climax", 0), ("anti_climax", 1), ("climb_to_climax", 2)):
        laid = shapes()[name].laid_over(even(count))
        top = [i for i, energy in enumerate(laid) if energy == max(laid)]
        middle = (sum(top) / len(top) + 0.5) / count
        if name == "climb_to_climax" and count < 5:
            continue  # few sections: up, the climax, and the last of them is the way home
        assert int(3 * middle) == third, (name, laid)


@pytest.mark.parametrize("count", [4, 5, 7, 9])
def test_the_promised_moment_does_not_come(count):
    laid = shapes()["anti_climax"].laid_over(even(count))
    assert max(laid[-(count // 3) :]) < min(laid[0], 0.36)


@pytest.mark.parametrize("said", ["Slow Reveal", "slow-reveal", " SLOW_REVEAL "])
def test_a_shape_is_found_however_its_words_are_joined(said):
    assert shape_named(said).name == "slow_reveal"


def test_an_unknown_shape_answers_with_the_nearest():
    with pytest.raises(UnknownNameError, match="slow_reveal"):
        shape_named("slow reveel")


@pytest.mark.parametrize(
    ("name", "energy"),
    [
        ("Intro", 0.3),
        ("verse 2", 0.5),
        ("Pre-Chorus", 0.7),
        ("PreChorus", 0.7),
        ("CHORUS", 0.9),
        ("Bridge", 0.6),
        ("Outro", 0.4),
        ("Final Chorus", 1.0),
        ("VERSE: the bridge we burnt", 0.5),
        ("Climax - The Release", 1.0),
        ("01 Drop", 1.0),
        ("I: The Loss", None),
        ("Reflection", None),
        ("versed", None),
        ("", None),
    ],
)
def test_a_name_says_how_strong_its_section_is(name, energy):
    assert energy_of_name(name) == energy
