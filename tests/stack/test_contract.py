"""What every effect promises, generated from the rows: a new row is tested by being in the list.

Where all knobs are asked the same question, they are asked as one batch: row i of the batch turns
knob i. That is allowed because `test_a_batch_is_a_loop` holds.
"""

from __future__ import annotations

import functools
import math

import pytest
import torch

from daiw_master.errors import InputError, OutOfRangeError, UnknownNameError
from daiw_master.params import UNIT_OF_SUFFIX
from daiw_master.stack import EFFECTS, Effect
from tests import signals

RATE = 44100
every_row = pytest.mark.parametrize("effect", EFFECTS.values(), ids=EFFECTS)
RESTING = {name: effect for name, effect in EFFECTS.items() if effect.identity_at_default}
SMOOTH = {name: effect for name, effect in EFFECTS.items() if effect.differentiable}
every_smooth_row = pytest.mark.parametrize("effect", SMOOTH.values(), ids=SMOOTH)
every_knob = pytest.mark.parametrize(
    ("effect", "param"),
    [
        pytest.param(effect, param, id=f"{name}.{param.name}")
        for name, effect in EFFECTS.items()
        for param in effect.params
    ],
)


def probe(effect: Effect, seconds: float, dtype=torch.float32, rate: int = RATE) -> torch.Tensor:
    return getattr(signals, effect.probe)(seconds, rate=rate, dtype=dtype)


def engaged(effect: Effect) -> dict[str, float]:
    """The settings under which every knob of this effect can be heard."""
    return {**effect.space.defaults(), **effect.engaged}


def inner_vector(effect: Effect) -> torch.Tensor:
    """`engaged` as positions, kept away from the ends so that a knob can be turned both ways."""
    return effect.space.vector(engaged(effect)).double().clamp(0.05, 0.95)


def turned_one_by_one(positions: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """(n,) positions as (n, n): row i has moved knob i by its step."""
    return positions + torch.diag(steps)


def physical(effect: Effect, positions: torch.Tensor) -> dict[str, torch.Tensor]:
    return effect.space.values(positions)


@functools.cache
def quarter_turns(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The engaged sound, and the sound with each knob moved by a quarter of its range."""
    effect = EFFECTS[name]
    x, positions = probe(effect, 2.0), effect.space.vector(engaged(effect)).double()
    steps = torch.where(positions <= 0.7, 0.25, -0.25).double()
    still = effect(x, RATE, **engaged(effect))
    return still, effect(x, RATE, **physical(effect, turned_one_by_one(positions, steps)))


@every_row
def test_settings_survive_the_vector(effect):
    space = effect.space
    torch.manual_seed(0)
    for positions in (torch.zeros(len(space)), torch.ones(len(space)), torch.rand(5, len(space))):
        values = space.values(positions.double())
        assert torch.allclose(space.vector(values), positions.double(), atol=1e-12)
        space.check({name: value.clamp(space[name].low, space[name].high) for name, value in values.items()})
    assert space.vector({}).isfinite().all()


@every_knob
def test_a_name_tells_its_unit(effect, param):
    promised = [suffix for suffix in UNIT_OF_SUFFIX if param.name.endswith(suffix)]
    assert param.unit == (UNIT_OF_SUFFIX[max(promised, key=len)] if promised else "")
    assert param.about, "every knob says what it does to the sound"


@every_knob
def test_a_refusal_names_knob_value_and_range(effect, param):
    x = torch.zeros(1, 2, 16)
    beyond = param.high + 1
    with pytest.raises(OutOfRangeError) as refusal:
        effect(x, RATE, **{param.name: beyond})
    for told in (param.name, f"{beyond:g}", f"{param.low:g}", f"{param.high:g}", param.unit):
        assert told in str(refusal.value)
    with pytest.raises(OutOfRangeError, match=param.name):
        effect(x, RATE, **{param.name: torch.tensor([param.default, param.low - 1])})
    with pytest.raises(OutOfRangeError, match=param.name):
        effect(x, RATE, **{param.name: math.nan})


@every_row
def test_unknown_knobs_and_wrong_shapes_are_refused(effect):
    first = effect.params[0].name
    with pytest.raises(UnknownNameError, match=first):
        effect(torch.zeros(1, 2, 16), RATE, **{first + "x": 1.0})
    with pytest.raises(InputError, match=r"\(2, 16\)"):
        effect(torch.zeros(2, 16), RATE)


@every_row
def test_engaged_settings_are_settings(effect):
    effect.space.check(engaged(effect))
    assert set(effect.engaged) <= set(effect.space)


@every_knob
def test_every_knob_is_alive(effect, param):
    """A quarter of its range moves the sound by at least -60 dB against the sound."""
    still, moved = quarter_turns(effect.name)
    heard = moved[list(effect.space).index(param.name)] - still[0]
    moved_db = 20 * math.log10(max(float(heard.std() / still.std()), 1e-9))
    assert moved_db >= -60


@pytest.mark.parametrize("effect", RESTING.values(), ids=RESTING)
def test_rest_is_identity_where_declared(effect):
    x = probe(effect, 1.0)
    assert (effect(x, RATE) - x).abs().max() <= 1e-6


@every_row
def test_the_input_is_untouched(effect):
    x = probe(effect, 0.5)
    before = x.clone()
    y = effect(x, RATE, **engaged(effect))
    y.mul_(0.0)
    effect(x, RATE).mul_(0.0)
    assert torch.equal(x, before)


@every_row
def test_the_same_settings_make_the_same_sound(effect):
    x = probe(effect, 0.5)
    assert torch.equal(effect(x, RATE, **engaged(effect)), effect(x, RATE, **engaged(effect)))


@every_row
def test_a_batch_is_a_loop(effect):
    """Three sounds with three settings at once, and one sound with three settings."""
    torch.manual_seed(1)
    wander = 0.1 * torch.rand(3, len(effect.params), dtype=torch.float64) - 0.05
    values = physical(effect, (inner_vector(effect) + wander).clamp(0, 1))
    sound = probe(effect, 0.7, torch.float64)
    sounds = torch.cat([sound, 0.5 * sound.flip(1), 0.3 * sound.roll(777, -1)])
    together = effect(sounds, RATE, **values)
    shared = effect(sound, RATE, **values)
    assert together.shape == shared.shape == sounds.shape
    for i in range(3):
        own = {name: value[i].item() for name, value in values.items()}
        assert (together[i] - effect(sounds[i : i + 1], RATE, **own)[0]).abs().max() < 1e-6
        assert (shared[i] - effect(sound, RATE, **own)[0]).abs().max() < 1e-6


def awkward(kind: str, channels: int, rate: int) -> torch.Tensor:
    length = 1 if kind == "one sample" else 4096
    if kind == "full-scale square":
        return signals.sine(441.0, length / rate, rate, channels=channels).sign()
    level = {"silence": 0.0, "DC": 1.0, "impulse": 0.0, "one sample": 0.7}[kind]
    x = torch.full((1, channels, length), level)
    if kind == "impulse":
        x[..., 100] = 1.0
    return x


@every_row
@pytest.mark.parametrize("rate", [44100, 96000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", ["silence", "DC", "impulse", "full-scale square", "one sample"])
def test_awkward_sounds_stay_finite(effect, kind, channels, rate):
    x = awkward(kind, channels, rate)
    for base in (effect.space.defaults(), engaged(effect)):
        settings = {name: torch.tensor([float(value)]) for name, value in base.items()}
        if effect.differentiable:
            x = x.detach().requires_grad_()
            settings = {name: value.requires_grad_() for name, value in settings.items()}
        y = effect(x, rate, **settings)
        assert y.shape == x.shape
        assert y.dtype == x.dtype
        assert y.isfinite().all()
        if kind == "silence":
            assert y.abs().max() < 1e-4
        if effect.differentiable:
            (y**2).sum().backward()
            assert x.grad.isfinite().all()
            for name, value in settings.items():
                assert value.grad is None or value.grad.isfinite().all(), name


@every_smooth_row
def test_gradients_point_where_the_sound_goes(effect):
    """Each knob's gradient against a central difference, on a functional that knob can move."""
    x, positions = probe(effect, 2.0, torch.float64), inner_vector(effect)
    n, step = len(positions), 1e-5
    still = positions.expand(n, n).clone().requires_grad_()
    y = effect(x, RATE, **physical(effect, still))
    with torch.no_grad():
        up, down = (
            effect(x, RATE, **physical(effect, turned_one_by_one(positions, sign * step * torch.ones(n))))
            for sign in (1, -1)
        )
        difference = (up - down) / (2 * step)
        towards = difference / difference.flatten(1).norm(dim=1).clamp_min(1e-12)[:, None, None]
        measured = (towards * difference).flatten(1).sum(1)
    (given,) = torch.autograd.grad((towards * y).sum(), still)
    wrong = [
        f"{name}: gradient {float(g):.3g}, difference {float(d):.3g}"
        for name, g, d in zip(effect.space, given.diagonal(), measured, strict=True)
        if not (d > 0 and abs(g - d) < 0.1 * d)
    ]
    assert not wrong


@every_smooth_row
def test_gradcheck_in_double_precision(effect):
    torch.manual_seed(2)
    x = probe(effect, 0.7, torch.float64)[..., -1024:].clone().requires_grad_()
    positions = inner_vector(effect).requires_grad_()

    def run(sound: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        return effect(sound, RATE, **physical(effect, u))

    assert torch.autograd.gradcheck(
        run, (x, positions), fast_mode=True, eps=1e-6, atol=1e-4, rtol=1e-3, nondet_tol=1e-9
    )
