"""Every effect, forwards and back, would run on a GPU: no tensor is left behind on the processor."""

from __future__ import annotations

import pytest
import torch

from daiw_master.stack import EFFECTS, HOUSE_CHAIN, accelerated
from daiw_master.stack.chain import qualified
from daiw_master.stack.population import Population
from tests import signals
from tests.pretend_device import CPU, GPU, PretendedGPU

RATE = 44100


@pytest.fixture
def gpu():
    before = accelerated.use(kernels=False)  # a pretended GPU runs no kernels
    with PretendedGPU() as mode:
        yield mode
    accelerated.use(**before)


def test_the_pretence_sees_what_would_go_wrong(gpu):
    x = gpu.take(torch.ones(3))
    assert x.device == GPU and x.is_cuda and not x.is_cpu and torch.ones(3).device == CPU
    y = x * 2.0 + torch.tensor(1.0) + torch.zeros(3, device=x.device) + torch.arange(3).to(x)
    assert y.device == GPU and not gpu.mixed, "numbers may meet anything; the rest was moved"
    x + torch.zeros(3)
    torch.cat([x, torch.zeros(3)])
    assert len(gpu.mixed) == 2
    assert not gpu.waits
    assert bool((x > 0).any()) and x.cpu().device == CPU
    assert sum(gpu.waits.values()) == 2


@pytest.mark.parametrize("effect", EFFECTS.values(), ids=EFFECTS)
def test_no_tensor_is_left_on_the_processor(effect, gpu):
    """Settings may stay beside the processor; everything of the sound's size is where the sound is."""
    x = gpu.take(getattr(signals, effect.probe)(0.25))
    known = {**effect.space.defaults(), **effect.engaged}
    settings = {name: torch.tensor([float(value)] * 2) for name, value in known.items()}
    if effect.differentiable:
        settings = {name: value.requires_grad_() for name, value in settings.items()}
    y = effect(x, RATE, **settings)
    assert y.device == GPU
    assert not gpu.mixed, "\n".join(gpu.mixed)
    if effect.differentiable:
        gpu.unseen = GPU
        y.square().sum().backward()
        assert not gpu.mixed, "\n".join(gpu.mixed)


def test_a_population_works_where_its_sound_is(gpu):
    chain = qualified([EFFECTS[name] for name in HOUSE_CHAIN])
    settings = {f"{place}.{k}": v for place, effect in chain.items() for k, v in effect.engaged.items()}
    settings |= {"eq.tilt_db": torch.tensor([-1.0, 0.0, 1.0]), "reverb.decay_s": 0.3}
    x = signals.music(0.25)
    population = Population(chain, gpu.take(x), RATE)
    assert population.workers == 1, "a GPU is one worker"
    ((_, y),) = population.run(settings)
    assert y.device == GPU
    gpu.unseen = GPU
    losses, slopes = population.gradient(settings, lambda y: y.square().mean((1, 2, 3)))
    assert losses.device == GPU and (slopes["eq.tilt_db"] != 0).all()
    assert not gpu.mixed, "\n".join(gpu.mixed)
