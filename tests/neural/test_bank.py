"""The emotion bank: a reference embedding for every category, and what lies between them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from daiw_master.errors import InputError, UnknownNameError
from daiw_master.neural.bank import Bank, read_bank, write_bank
from daiw_master.neural.style import Style, cosine, unit

ENCODER = "0123456789ab"


def style(*direction: float, **heard: float) -> Style:
    return Style(unit(np.array(direction)), 0.1, 7, ENCODER, (), heard)


@pytest.fixture
def bank() -> Bank:
    """Two feelings at right angles to neutral, one bright, one wide."""
    return Bank(
        style(1, 0, 0, band_air_db=-20.0, width_high_db=-9.0),
        {
            "up": style(1, 1, 0, band_air_db=-18.0, width_high_db=-9.0),
            "out": style(1, 0, 2, band_air_db=-20.0, width_high_db=-6.0),
        },
        {"songs": 3},
    )


def test_a_plain_feeling_is_its_own_vector_and_none_is_neutral(bank):
    assert np.allclose(bank.vector({"up": 1.0}), bank["up"].embedding, atol=1e-6)
    assert np.allclose(bank.vector({}), bank.neutral.embedding, atol=1e-6)
    assert np.allclose(bank.vector({"up": 1.0}, 0.0), bank.neutral.embedding, atol=1e-6)


def test_a_blend_lies_between_and_strength_goes_part_of_the_way(bank):
    blend = bank.vector({"up": 0.5, "out": 0.5})
    apart = cosine(bank["up"].embedding, bank["out"].embedding)
    assert cosine(blend, bank["up"].embedding) > apart < cosine(blend, bank["out"].embedding)
    assert np.allclose(
        bank.step({"up": 0.7, "out": 0.3}), 0.7 * bank.step({"up": 1}) + 0.3 * bank.step({"out": 1})
    )
    half, whole = (cosine(bank.vector({"up": 1.0}, amount), bank["up"].embedding) for amount in (0.5, 1.0))
    assert cosine(bank.neutral.embedding, bank["up"].embedding) < half < whole


def test_a_songs_goal_lies_where_the_feeling_goes_farther_the_more_there_is_of_it(bank):
    here = unit(np.array([0.8, -0.3, -0.2]))
    goals = [bank.target({"up": 1.0}, amount, here) for amount in (0.0, 0.25, 0.5, 1.0)]
    assert np.allclose(goals[0], here, atol=1e-6)
    ways = [float(np.linalg.norm(goal - here)) for goal in goals]
    assert ways == sorted(ways) and ways[3] > 2 * ways[1]
    assert all(cosine(goal - here, bank.step({"up": 1.0})) > 0.5 for goal in goals[1:])
    assert cosine(goals[1], bank["up"].embedding) > cosine(here, bank["up"].embedding)
    blend = bank.target({"up": 0.5, "out": 0.5}, 1.0, here) - here
    assert cosine(blend, bank.step({"up": 1.0})) > 0 < cosine(blend, bank.step({"out": 1.0}))


def test_the_meters_words_interpolate_too(bank):
    assert bank.heard_step({"up": 1.0}, 0.5) == pytest.approx({"band_air_db": 1.0, "width_high_db": 0.0})
    assert bank.style({"up": 0.5, "out": 0.5}).heard == pytest.approx(
        {"band_air_db": -19.0, "width_high_db": -7.5}
    )


def test_an_unknown_name_says_the_nearest(bank):
    with pytest.raises(UnknownNameError, match="did you mean out"):
        bank.step({"aut": 1.0})


def test_a_bank_comes_back_as_it_was_written(bank, tmp_path):
    again = read_bank(write_bank(bank, tmp_path / "bank.json"), encoder=ENCODER)
    assert again.made == bank.made and list(again.styles) == list(bank.styles)
    for name in bank.styles:
        assert again[name].similarity(bank[name]) > 1 - 1e-6 and again[name].heard == bank[name].heard


@pytest.mark.parametrize(
    ("change", "said"),
    [({"encoder": "other"}, "another encoder.*training.bank"), ({"format": "else"}, "not an emotion bank")],
)
def test_a_bank_that_cannot_be_used_says_how_to_make_it_again(bank, tmp_path, change, said):
    path = write_bank(bank, tmp_path / "bank.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=said):
        read_bank(path, encoder=ENCODER)
    with pytest.raises(InputError, match="cannot be read"):
        read_bank(tmp_path / "none.json", encoder=ENCODER)
