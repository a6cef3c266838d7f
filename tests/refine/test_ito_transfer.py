"""A transfer finds the chain behind a reference on another piece, and says what it did."""

from __future__ import annotations

import pytest
import torch

from daiw_master.errors import InputError
from daiw_master.meters.loudness import integrated_loudness
from daiw_master.neural.encoder import STYLE_RATE, STYLE_WINDOW
from daiw_master.refine.ito.general import STAGE_NAMES, STAGES, general_chain
from daiw_master.refine.ito.space import without_space
from daiw_master.refine.ito.transfer import (
    Belief,
    Recipe,
    believed,
    louder,
    loudness_of,
    transfer,
    windows_of,
)
from daiw_master.stack.chain import run_chain

ROOM = {"reverb.room_size": 0.5, "reverb.damping": 0.4, "reverb.wet_level": 0.3, "reverb.dry_level": 0.5,
        "reverb.width": 1.0}  # fmt: skip


def plucked(seed: int) -> torch.Tensor:
    """(2, STYLE_WINDOW): noise bursts and tones at uneven times."""
    generator = torch.Generator().manual_seed(seed)
    x, place = torch.zeros(2, STYLE_WINDOW), 0
    while place < STYLE_WINDOW - 1:
        end = min(place + int(torch.randint(5000, 15_000, (1,), generator=generator)), STYLE_WINDOW)
        time = torch.arange(end - place) / STYLE_RATE
        hz = 80 * 2 ** (4 * float(torch.rand(1, generator=generator)))
        tone = sum(torch.sin(6.2832 * hz * n * time) / n for n in range(1, 9))
        hiss = torch.randn(2, end - place, generator=generator)
        x[:, place:end] = torch.exp(-8 * time) * (0.3 * tone + 0.3 * hiss)
        place = end
    return louder(x, -20.0)


def roomy(x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return run_chain(general_chain(["reverb"]), x[None], STYLE_RATE, ROOM)[0]


def test_lists_come_in_order_of_likelihood():
    belief = Belief({"highpass": -2.0, "eq": 0.5, "reverb": 3.0}, {}, {})
    lists = belief.lists(3)
    assert [stages for stages, _ in lists] == [("eq", "reverb"), ("reverb",), ("highpass", "eq", "reverb")]
    assert [likely for _, likely in lists] == sorted((likely for _, likely in lists), reverse=True)
    assert sum(2.718281828**likely for _, likely in belief.lists(8)) == pytest.approx(1.0)


def test_beside_a_compressor_stands_an_equaliser():
    odds = {"highpass": 4.0, "eq": -5.0, "compressor": 3.0, "reverb": -9.0}
    assert Belief(odds, {}, {}).lists(1)[0][0] == ("eq", "compressor")
    assert Belief({**odds, "compressor": -3.0}, {}, {}).lists(1)[0][0] == ("highpass",)
    sums = sum(2.718281828**likely for _, likely in Belief(odds, {}, {}).lists(16))
    assert sums == pytest.approx(1.0)


def test_a_room_is_heard_and_given_to_another_piece():
    reference, dry = louder(roomy(plucked(1)), -15.0), plucked(2)
    belief = believed(reference[None])
    assert belief.odds["reverb"] > 5 and belief.odds["delay"] < -5
    assert set(belief.odds) == set(STAGE_NAMES)
    made = transfer(dry, reference, belief=Belief({**dict.fromkeys(STAGE_NAMES, -5.0), "reverb": 5.0},
                                                  belief.places, belief.spreads))  # fmt: skip
    assert made.stages == ("reverb",) and made.sound.shape == dry.shape
    assert made.settings["reverb.wet_level"] == pytest.approx(0.3, abs=0.06)
    assert float(integrated_loudness(made.sound[None], STYLE_RATE)) == pytest.approx(-15.0, abs=1.0)
    made_as_loud, truth = louder(made.sound, -15.0), louder(roomy(dry), -15.0)
    assert (made_as_loud - truth).norm() < 0.5 * (louder(dry, -15.0) - truth).norm()


def test_a_dark_piece_loses_less_to_a_low_pass_than_a_bright_one():
    bright = plucked(6)
    dark = louder(
        run_chain(
            general_chain(["lowpass"]), bright[None], STYLE_RATE, {"lowpass.cutoff_frequency_hz": 900.0}
        )[0],
        -20.0,
    )
    settings = {"lowpass.cutoff_frequency_hz": 1500.0}
    reference = run_chain(general_chain(["lowpass"]), bright[None], STYLE_RATE, settings)[0]
    whole = float(integrated_loudness(reference[None], STYLE_RATE))
    truth = run_chain(general_chain(["lowpass"]), dark[None], STYLE_RATE, settings)
    wanted = loudness_of(dark, reference, ["lowpass"], settings)
    assert whole < wanted and abs(wanted - float(integrated_loudness(truth, STYLE_RATE))) < abs(
        whole - float(integrated_loudness(truth, STYLE_RATE))
    )
    assert loudness_of(dark, reference, [], {}) == whole


def test_space_is_taken_away_again():
    dry = plucked(3)
    wet = roomy(dry)
    back = without_space(wet[None], {k: v for k, v in ROOM.items() if k != "reverb.dry_level"})[0]
    assert (back - dry).norm() < 0.5 * (wet - dry).norm()
    assert torch.equal(without_space(wet[None], {}), wet[None])


def test_a_search_around_the_belief_is_never_worse_and_repeats():
    dry, reference = plucked(4), louder(plucked(5), -14.0)
    places = {knob.name: 0.5 for stage in STAGES for knob in stage.knobs}
    belief = Belief({**dict.fromkeys(STAGE_NAMES, -5.0), "lowpass": 1.0}, places, dict.fromkeys(places, 0.1))
    still = transfer(dry, reference, belief=belief)
    recipe = Recipe(lists=2, searched=1, popsize=4, generations=2)
    found, again = (transfer(dry, reference, belief=belief, recipe=recipe, seed=3) for _ in range(2))
    assert found.settings == again.settings and found.heard > still.heard
    assert found.stages != ("lowpass",) or found.similarity >= still.similarity


def test_windows_lie_over_the_whole_sound():
    assert windows_of(torch.zeros(2, 1000)).shape == (1, 2, 1000)
    x = torch.arange(3 * STYLE_WINDOW).expand(2, -1)
    windows = windows_of(x)
    assert windows.shape == (3, 2, STYLE_WINDOW) and int(windows[2, 0, -1]) == 3 * STYLE_WINDOW - 1


def test_mono_is_refused_in_words():
    with pytest.raises(InputError, match=r"the reference has shape \(1, 9\)"):
        transfer(plucked(1), torch.zeros(1, 9))
