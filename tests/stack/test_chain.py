"""A chain is a list; a stack is that list as a module a generator trains through."""

from __future__ import annotations

import pytest
import torch

from daiw_master.errors import InputError, MissingDependencyError, OutOfRangeError, UnknownNameError
from daiw_master.params import Param
from daiw_master.stack import EFFECTS, HOUSE_CHAIN, HOUSE_ORDER, Effect, Stack, in_house_order
from daiw_master.stack.chain import chain_space, qualified, run_chain
from daiw_master.stack.plugin import effect_from_pedalboard
from tests import signals

RATE = 44100


def doubler(x, rate, *, gain_db):
    return x * 10.0 ** (torch.as_tensor(gain_db).reshape(-1, 1, 1) / 20)


def offset(x, rate, *, by):
    return x + torch.as_tensor(by).reshape(-1, 1, 1)


GAIN = Effect("gain", "level", (Param("gain_db", -60, 60, 0, "dB"),), doubler)
OFFSET = Effect("offset", "direct current", (Param("by", -1, 1, 0),), offset)


def test_the_house_chain_is_all_of_it_in_order():
    assert tuple(Stack().placed) == HOUSE_CHAIN
    assert HOUSE_CHAIN[-1] == "limiter", "nothing after it may raise a peak"
    names = list(Stack().space)
    assert names == [f"{place}.{p.name}" for place in HOUSE_CHAIN for p in EFFECTS[place].params]


def test_every_effect_of_the_house_has_a_place():
    assert in_house_order(HOUSE_CHAIN) == HOUSE_CHAIN
    assert set(EFFECTS) - set(HOUSE_ORDER) == {"multiband"}
    assert set(HOUSE_ORDER) <= set(EFFECTS)


def test_what_a_plan_takes_in_stands_at_its_place():
    added = ("clipper", "tape", "noise", "wow", "bits")
    assert in_house_order([*HOUSE_CHAIN, *added]) == (
        "reverb", "eq", "dynamics", "tape", "wow", "exciter", "bits", "imager", "noise", "clipper",
        "loudness", "limiter",
    )  # fmt: skip
    without = [name for name in HOUSE_CHAIN if name != "dynamics"]
    assert in_house_order([*without, "tape"])[2] == "tape"
    guests = in_house_order(["limiter", "pedalboard_chorus", "eq", "automation", "multiband"])
    assert guests == ("eq", "pedalboard_chorus", "multiband", "automation", "limiter")


def test_order_is_heard():
    """(x + 0.5) * 2 is not x * 2 + 0.5."""
    x = torch.zeros(1, 1, 4)
    settings = {"gain.gain_db": 20.0, "offset.by": 0.5}
    assert torch.allclose(Stack([OFFSET, GAIN], settings)(x, RATE), torch.full_like(x, 5.0))
    assert torch.allclose(Stack([GAIN, OFFSET], settings)(x, RATE), torch.full_like(x, 0.5))


def test_bypass_is_not_being_in_the_list():
    x = signals.noise(0.1)
    assert torch.equal(Stack([])(x, RATE), x)
    assert torch.allclose(Stack(["eq"])(x, RATE), x, atol=1e-6)


def test_a_second_of_a_kind_has_its_own_name_and_knobs():
    placed = qualified([GAIN, OFFSET, GAIN, GAIN])
    assert list(placed) == ["gain", "offset", "gain_2", "gain_3"]
    assert list(chain_space(placed)) == ["gain.gain_db", "offset.by", "gain_2.gain_db", "gain_3.gain_db"]
    x = torch.ones(1, 1, 2)
    y = run_chain(placed, x, RATE, {"gain.gain_db": 20.0, "gain_3.gain_db": 20.0})
    assert torch.allclose(y, 100 * x)


def test_settings_go_by_name_and_override_once():
    stack = Stack([GAIN], {"gain.gain_db": 20.0})
    x = torch.ones(1, 1, 2)
    assert torch.allclose(stack(x, RATE, {"gain.gain_db": 40.0}), 100 * x)
    assert torch.allclose(stack(x, RATE), 10 * x), "an override is for one call"


def test_one_batch_holds_many_settings():
    x = torch.ones(1, 1, 3)
    y = Stack([GAIN, OFFSET])(x, RATE, {"gain.gain_db": torch.tensor([0.0, 20.0]), "offset.by": 1.0})
    assert torch.allclose(y[:, 0, 0], torch.tensor([2.0, 11.0]))


def test_extras_reach_only_who_takes_them():
    heard = {}

    def listener(x, rate, *, send=None):
        heard["send"] = send
        return x

    taker = Effect("taker", "", (), listener, takes=("send",))
    send = torch.ones(1, 2, 8)
    Stack([GAIN, taker])(torch.zeros(1, 2, 8), RATE, send=send)
    assert heard["send"] is send


def test_wrong_names_values_and_shapes_are_refused():
    with pytest.raises(UnknownNameError, match="unknown effect 'eqq'; did you mean eq"):
        Stack(["eqq"])
    with pytest.raises(UnknownNameError, match=r"did you mean eq\.tilt_db"):
        Stack(["eq"], {"eq.tilt": 1.0})
    with pytest.raises(OutOfRangeError, match=r"eq\.tilt_db is 99; .*-12 and 12 dB"):
        Stack(["eq"], {"eq.tilt_db": 99.0})
    with pytest.raises(OutOfRangeError, match=r"eq\.tilt_db"):
        Stack(["eq"])(torch.zeros(1, 2, 8), RATE, {"eq.tilt_db": -13.0})
    with pytest.raises(InputError, match="batch, channels, time"):
        Stack(["eq"])(torch.zeros(2, 8), RATE)


@pytest.fixture(scope="module")
def trainable():
    settings = {
        "dynamics.ratio": 2.0,
        "dynamics.threshold_db": -30.0,
        "reverb.wet_db": -20.0,
        "exciter.mix_db": -20.0,
    }
    stack = Stack(settings=settings, trainable=True)
    x = signals.music(1.0).requires_grad_()
    y = stack(x, RATE)
    (y.square().mean() + y.diff(dim=-1).square().mean()).backward()
    return stack, x, y


def test_a_generator_trains_through_the_house_chain(trainable):
    """Every sample of the sound and every knob in the position learns; nothing is NaN."""
    stack, x, y = trainable
    assert y.shape == x.shape and y.isfinite().all()
    assert x.grad.isfinite().all() and (x.grad != 0).double().mean() > 0.99
    assert stack.position.grad.isfinite().all()
    named = dict(zip(stack.trainable_names, stack.position.grad.tolist(), strict=True))
    for knob in (
        "eq.peak_3_gain_db",
        "dynamics.ratio",
        "reverb.wet_db",
        "imager.high_width_db",
        "exciter.mix_db",
    ):
        assert named[knob] != 0.0, knob


def test_position_is_a_parameter_like_any_other(trainable):
    stack, _, _ = trainable
    assert [name for name, _ in stack.named_parameters()] == ["position"]
    assert set(stack.trainable_names) == set(stack.space), "the whole house chain is differentiable"
    copy = Stack(trainable=True)
    copy.load_state_dict(stack.state_dict())
    with torch.no_grad():
        settings = copy.current()
    for name, value in stack.settings.items():
        # float32 positions: a knob comes back to a millionth of its range
        span = stack.space[name].high - stack.space[name].low
        assert float(settings[name]) == pytest.approx(value, abs=2e-6 * span, rel=1e-5), name
    assert list(Stack().parameters()) == []


def test_adam_finds_the_tilt_that_was_hidden():
    x = signals.noise(0.3)
    wanted = Stack(["eq"], {"eq.tilt_db": 4.0})(x, RATE)
    stack = Stack(["eq"], trainable=True)
    optimiser = torch.optim.Adam(stack.parameters(), lr=0.03)
    losses = []
    for _ in range(25):
        loss = (stack(x, RATE) - wanted).square().mean()
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < 0.2 * losses[0]


def test_positions_beyond_the_ends_are_held_at_the_ends():
    stack = Stack([GAIN], trainable=True)
    with torch.no_grad():
        stack.position.fill_(7.0)
    assert float(stack.current()["gain.gain_db"].detach()) == pytest.approx(60.0)


def test_a_plugin_stands_in_the_list_like_any_effect():
    try:
        shelf = effect_from_pedalboard("HighShelfFilter")
        x = signals.music(1.0)
        stack = Stack(
            ["eq", shelf, "imager"], {f"{shelf.name}.gain_db": 12.0, "eq.tilt_db": 1.0}, trainable=True
        )
        with torch.no_grad():
            y = stack(x, RATE)
    except MissingDependencyError as error:
        pytest.skip(str(error))
    assert y.shape == x.shape
    assert float(y.diff().square().mean()) > 2 * float(x.diff().square().mean()), "the shelf is heard"
    assert not shelf.differentiable
    assert not [name for name in stack.trainable_names if name.startswith(shelf.name)]
    assert any(name.startswith("imager.") for name in stack.trainable_names)
