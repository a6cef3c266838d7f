"""A population is its candidates one by one, only sooner."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from daiw_master.errors import InputError, MissingDependencyError, OutOfRangeError, UnknownNameError
from daiw_master.stack import EFFECTS, HOUSE_CHAIN
from daiw_master.stack.chain import chain_space, qualified, run_chain
from daiw_master.stack.plugin import effect_from_pedalboard
from daiw_master.stack.population import Population
from tests import signals

RATE = 44100
COUNT = 5
HOUSE = qualified([EFFECTS[name] for name in HOUSE_CHAIN])
#: Short rooms keep the tests short.
ROOM = {"reverb.decay_s": 0.4, "reverb.wet_db": -20.0}


@pytest.fixture(scope="module")
def sound() -> torch.Tensor:
    return signals.music(0.6)


def candidates(count: int = COUNT, seed: int = 0) -> dict[str, torch.Tensor | float]:
    """Every knob of the house chain somewhere in the middle of its range, for each candidate elsewhere."""
    generator = torch.Generator().manual_seed(seed)
    space = chain_space(HOUSE)
    positions = 0.2 + 0.6 * torch.rand(count, len(space), generator=generator, dtype=torch.float64)
    return {**{name: value.float() for name, value in space.values(positions).items()}, "reverb.decay_s": 0.4}


def alone(settings: dict, i: int) -> dict[str, torch.Tensor | float]:
    return {k: v[i : i + 1] if isinstance(v, torch.Tensor) else v for k, v in settings.items()}


def played(population: Population, settings: dict) -> torch.Tensor:
    parts = []
    for which, y in population.run(settings):
        assert which.start == sum(map(len, parts)), "in order"
        parts.append(y)
    return torch.cat(parts)


def power(y: torch.Tensor) -> torch.Tensor:
    return y.square().mean((1, 2, 3))


def test_the_same_samples_as_one_by_one(sound):
    settings = candidates()
    together = played(Population(HOUSE, sound, RATE, group=3), settings)
    assert together.shape == (COUNT, 1, *sound.shape[1:])
    for i in range(COUNT):
        single = run_chain(HOUSE, sound, RATE, alone(settings, i))
        assert (together[i] - single).abs().max() < 1e-5


def test_every_candidate_is_heard_on_every_window(sound):
    windows = torch.cat([sound, 0.4 * sound.flip(1), 0.7 * sound.roll(5000, -1)])
    settings = candidates(3)
    together = played(Population(HOUSE, windows, RATE, group=2), settings)
    assert together.shape == (3, *windows.shape)
    for i in range(3):
        for w in range(3):
            single = run_chain(HOUSE, windows[w : w + 1], RATE, alone(settings, i))
            assert (together[i, w] - single[0]).abs().max() < 1e-5


def test_grouping_does_not_matter(sound):
    settings = candidates()
    sounds = [played(Population(HOUSE, sound, RATE, group=group), settings) for group in (1, 2, COUNT, 99)]
    for other in sounds[1:]:
        assert (other - sounds[0]).abs().max() < 1e-5


def test_any_number_of_workers_makes_the_same_bits(sound):
    settings = candidates()
    made = []
    for workers in (1, 2, 3):
        population = Population(HOUSE, sound, RATE, group=1, workers=workers)
        made.append((played(population, settings), *population.gradient(settings, power)))
    for sounds, losses, slopes in made[1:]:
        assert torch.equal(sounds, made[0][0])
        assert torch.equal(losses, made[0][1])
        for name, slope in slopes.items():
            assert torch.equal(slope, made[0][2][name]), name


def test_the_gradient_is_that_of_one_by_one(sound):
    settings = candidates(3)
    losses, slopes = Population(HOUSE, sound, RATE, group=2).gradient(settings, power)
    assert set(slopes) == {name for name, value in settings.items() if isinstance(value, torch.Tensor)}
    for i in range(3):
        own = {
            name: value.detach().requires_grad_() if isinstance(value, torch.Tensor) else value
            for name, value in alone(settings, i).items()
        }
        loss = run_chain(HOUSE, sound, RATE, own).square().mean()
        loss.backward()
        assert float(losses[i]) == pytest.approx(float(loss.detach()), rel=1e-5)
        for name, slope in slopes.items():
            wanted = 0.0 if own[name].grad is None else float(own[name].grad)
            assert float(slope[i]) == pytest.approx(wanted, rel=2e-3, abs=1e-7), name


def test_listening_keeps_one_reading_a_candidate(sound):
    settings = candidates()
    population = Population(HOUSE, sound, RATE, group=2)
    readings = population.listen(settings, power)
    assert readings.shape == (COUNT,)
    assert torch.allclose(readings, power(played(population, settings)), rtol=1e-6)


def test_what_everybody_shares_is_made_once(sound):
    calls = []
    reverb = HOUSE["reverb"]

    def counted(x, rate, **settings):
        calls.append(len(x))
        return reverb.process(x, rate, **settings)

    placed = {**HOUSE, "reverb": replace(reverb, process=counted)}
    settings = {**ROOM, "eq.tilt_db": torch.linspace(-2, 2, COUNT)}
    together = played(Population(placed, sound, RATE, group=1, workers=1), settings)
    assert calls == [1]
    single = run_chain(HOUSE, sound, RATE, alone(settings, 3))
    assert (together[3] - single).abs().max() < 1e-5


def test_a_send_goes_to_the_room(sound):
    send = 0.5 * sound.flip(1)
    settings = {"reverb.decay_s": 0.4, "reverb.wet_db": torch.tensor([-20.0, -12.0])}
    placed = {"reverb": HOUSE["reverb"]}
    windows, sends = torch.cat([sound, 0.3 * sound]), torch.cat([send, 0.1 * send])
    together = played(Population(placed, windows, RATE, send=sends), settings)
    for i in range(2):
        single = run_chain(placed, windows, RATE, alone(settings, i), send=sends)
        assert (together[i] - single).abs().max() < 1e-5


def test_nothing_turned_is_the_sound_itself_and_a_copy(sound):
    before = sound.clone()
    quiet = {"eq": HOUSE["eq"]}
    ((which, y),) = Population(quiet, sound, RATE).run({})
    assert which == slice(0, 1) and torch.equal(y[0], sound)
    y.zero_()
    assert torch.equal(sound, before)


def test_a_plugin_may_run_but_not_learn(sound):
    try:
        shelf = effect_from_pedalboard("HighShelfFilter")
        placed = qualified([EFFECTS["eq"], shelf, EFFECTS["imager"]])
        gains = torch.tensor([-6.0, 0.0, 6.0])
        settings = {"eq.tilt_db": gains / 6, f"{shelf.name}.gain_db": gains}
        population = Population(placed, sound, RATE, group=2, workers=2)
        together = played(population, settings)
        for i in range(3):
            single = run_chain(placed, sound, RATE, alone(settings, i))
            assert (together[i] - single).abs().max() < 1e-5
        with pytest.raises(InputError, match=f"{shelf.name} offers no gradient"):
            population.gradient(settings, power)
        # in front of all that learns, its knobs the same for all, it is part of the sound
        first = Population(qualified([shelf, EFFECTS["eq"]]), sound, RATE)
        _, slopes = first.gradient({f"{shelf.name}.gain_db": 6.0, "eq.tilt_db": gains / 6}, power)
        assert (slopes["eq.tilt_db"] != 0).all()
    except MissingDependencyError as error:
        pytest.skip(str(error))


def test_two_rooms_do_not_go_into_one_filter(sound):
    placed = qualified([EFFECTS["reverb"], EFFECTS["eq"], EFFECTS["reverb"]])
    settings = {f"{place}.decay_s": 0.3 for place in ("reverb", "reverb_2")}
    settings |= {"reverb.wet_db": torch.tensor([-20.0, -14.0]), "reverb_2.wet_db": -18.0, "eq.tilt_db": 1.0}
    together = played(Population(placed, sound, RATE), settings)
    for i in range(2):
        single = run_chain(placed, sound, RATE, alone(settings, i))
        assert (together[i] - single).abs().max() < 1e-5


def test_refusals_say_what_came(sound):
    quadrophony = torch.cat([sound, sound], dim=1)
    with pytest.raises(InputError, match="4 channels"):
        Population(HOUSE, quadrophony, RATE).listen({"reverb.wet_db": torch.tensor([-20.0])}, power)
    population = Population(HOUSE, sound, RATE)
    with pytest.raises(InputError, match="population.*shape"):
        Population(HOUSE, sound[0], RATE)
    with pytest.raises(UnknownNameError, match="eq.tilt_db"):
        population.listen({"eq.tilt": 1.0}, power)
    with pytest.raises(OutOfRangeError, match="eq.tilt_db"):
        population.listen({"eq.tilt_db": torch.tensor([0.0, 99.0])}, power)
    with pytest.raises(InputError, match="eq.tilt_db has 2 values; the others have 3"):
        population.listen({"eq.tilt_db": torch.zeros(2), "eq.peak_1_gain_db": torch.zeros(3)}, power)
    with pytest.raises(InputError, match="at least one candidate"):
        population.listen({"eq.tilt_db": torch.zeros(0)}, power)
    with pytest.raises(InputError, match="nothing can learn"):
        population.gradient({"eq.tilt_db": 1.0}, power)
    with pytest.raises(InputError, match="of 2 candidates; needed"):
        population.listen({"eq.tilt_db": torch.ones(2)}, torch.mean)


def test_threads_are_as_before(sound):
    before = torch.get_num_threads()
    settings = {"eq.tilt_db": torch.linspace(-1, 1, 4)}
    for workers in (1, 2):
        walk = Population({"eq": HOUSE["eq"]}, sound, RATE, group=1, workers=workers).run(settings)
        next(walk)
        assert torch.get_num_threads() == before
        walk.close()
        assert torch.get_num_threads() == before


def test_rooms_of_any_length_in_any_order(sound):
    """Groups are put together by length; who asked first is answered first."""
    placed = qualified([EFFECTS["reverb"], EFFECTS["eq"]])
    settings = {
        "reverb.wet_db": -12.0,
        "reverb.decay_s": torch.tensor([1.2, 0.3, 0.9, 0.2, 0.6]),
        "eq.tilt_db": torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]),
    }
    population = Population(placed, sound, RATE, group=2)

    losses, towards = population.gradient(settings, power)
    heard = torch.cat([power(y) for _, y in population.run(settings)])
    assert torch.allclose(population.listen(settings, power), heard, rtol=1e-5)
    for i in range(5):
        loss, slope = population.gradient(alone(settings, i), power)
        assert torch.allclose(losses[i], loss[0], rtol=1e-4)
        assert torch.allclose(towards["eq.tilt_db"][i], slope["eq.tilt_db"][0], rtol=1e-3)
