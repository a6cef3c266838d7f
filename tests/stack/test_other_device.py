"""Every effect, forwards and back, would run on a GPU: no tensor is left behind on the processor."""

from __future__ import annotations

import pytest
import torch

from daiw_master.meters.true_peak import true_peak
from daiw_master.stack import EFFECTS, HOUSE_CHAIN, accelerated
from daiw_master.stack.chain import qualified
from daiw_master.stack.population import Population
from tests import signals
from tests.pretend_device import CPU, GPU, PretendedGPU

RATE = 44100


@pytest.fixture
def gpu():
    before = accelerated.use(kernels=False)  # a pretended GPU runs no kernels
    rounded = torch.backends.cudnn.allow_tf32
    with PretendedGPU() as mode:
        yield mode
    accelerated.use(**before)
    torch.backends.cudnn.allow_tf32 = rounded


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
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
    ((_, y),) = population.run(settings)
    assert y.device == GPU
    gpu.unseen = GPU
    losses, slopes = population.gradient(settings, lambda y: y.square().mean((1, 2, 3)))
    assert losses.device == GPU and (slopes["eq.tilt_db"] != 0).all()
    assert not gpu.mixed, "\n".join(gpu.mixed)


def test_the_true_peak_is_found_without_asking(gpu):
    """On a GPU every point is read and nothing is asked; the peak and its gradient are the same."""
    clicks = torch.zeros(1, 2, 4000)
    clicks[0, 1, 0], clicks[0, 0, 3999] = 0.7, -0.71
    x = torch.cat([signals.noise(4000 / RATE), clicks, torch.zeros(1, 2, 4000)])
    with torch._C.DisableTorchFunction():
        near, there = x.clone().requires_grad_(), gpu.take(x)
    wanted, got = true_peak(near, RATE), true_peak(there.requires_grad_(), RATE)
    assert got.device == GPU and not gpu.waits and not gpu.mixed
    assert torch.allclose(got, wanted, atol=1e-4)
    gpu.unseen = GPU
    slopes = [torch.autograd.grad(peaks[:2].sum(), own)[0] for peaks, own in ((wanted, near), (got, there))]
    assert torch.allclose(*slopes, atol=1e-4)


def test_the_limiter_says_there_what_it_says_here(gpu):
    """A batch of look-aheads at once, the whole grid at once: the same samples."""
    x = signals.music(0.5)
    settings = {
        "ceiling_dbtp": torch.tensor([-9.0, -6.0, -12.0]),
        "lookahead_ms": torch.tensor([1.5, 3.0, 9.0]),
        "release_ms": torch.tensor([30.0, 80.0, 300.0]),
    }
    for learning in (False, True):
        with torch.set_grad_enabled(learning):
            here, there = (EFFECTS["limiter"](own, RATE, **settings) for own in (x, gpu.take(x)))
        assert there.device == GPU and not gpu.mixed
        assert (here - there.cpu()).abs().max() < 1e-5


@pytest.mark.parametrize("name", HOUSE_CHAIN)
def test_questions_do_not_grow_with_the_batch(name, gpu):
    """A GPU that is asked for numbers item by item spends its time waiting."""
    effect, asked = EFFECTS[name], []
    known = {**effect.space.defaults(), **effect.engaged}
    for batch in (2, 7):
        gpu.waits.clear()
        settings = {knob: torch.full((batch,), float(value)) for knob, value in known.items()}
        if "lookahead_ms" in settings:
            settings["lookahead_ms"] = torch.linspace(2.0, 4.0, batch)
        with torch.no_grad():
            effect(gpu.take(signals.music(0.4)), RATE, **settings)
        asked.append(sum(gpu.waits.values()))
    assert asked[0] == asked[1], gpu.waits
