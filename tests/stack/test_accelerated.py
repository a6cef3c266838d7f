"""What is faster says the same: every kernel against its plain torch twin."""

from __future__ import annotations

import os
import shutil
import sys

import pytest
import torch

from daiw_master.stack import EFFECTS, accelerated, recursion
from tests import signals


@pytest.fixture(autouse=True)
def as_before():
    before = accelerated.use()
    yield
    accelerated.use(**before)


@pytest.fixture(scope="module")
def kernels():
    """The kernels on this machine's GPU, or in triton's interpreter where there is none."""
    if not torch.cuda.is_available():
        os.environ["TRITON_INTERPRET"] = "1"  # read when a kernel is defined
    pytest.importorskip("triton", reason="triton is not installed; the kernels have nothing to run in")
    from daiw_master.stack import triton_scans

    yield triton_scans
    os.environ.pop("TRITON_INTERPRET", None)


def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def trace(batch: int, count: int, seed: int = 0) -> torch.Tensor:
    """Levels that wander and jump, dB."""
    generator = torch.Generator().manual_seed(seed)
    steps = torch.randn(batch, count, generator=generator, dtype=torch.float64)
    return steps.cumsum(1) + 10 * (torch.rand(batch, count, generator=generator) > 0.98)


#: Shorter than a chunk, exactly one, one and a bit, several.
LENGTHS = (1, 7, 512, 1025, 2100)


@pytest.mark.parametrize("count", LENGTHS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scan_is_its_twin(kernels, count, dtype):
    b = trace(2, count).to(dtype)
    a = torch.rand(2, count, generator=torch.Generator().manual_seed(1)).to(dtype)
    wanted = recursion.linear_recurrence(a, b)
    got = kernels.scan(a.to(device()), b.to(device())).cpu()
    assert got.dtype == dtype
    assert torch.allclose(got, wanted, rtol=1e-5 if dtype == torch.float32 else 1e-12, atol=1e-5)


@pytest.mark.parametrize("count", LENGTHS)
def test_follower_is_its_twin(kernels, count):
    x = trace(3, count)
    attack = torch.tensor([0.5, 0.99, 0.0], dtype=torch.float64)
    release = torch.tensor([0.995, 0.9, 0.999], dtype=torch.float64)
    wanted = recursion.attack_release(x, attack, release)
    got = kernels.follow(x.to(device()), attack, release).cpu()
    assert (got - wanted).abs().max() < 1e-9


def test_a_trace_cut_in_two_goes_on_where_it_was(kernels):
    x = trace(2, 900).to(device())
    a = torch.full_like(x, 0.97)
    times = torch.tensor([0.8], dtype=torch.float64), torch.tensor([0.99], dtype=torch.float64)
    whole = kernels.scan(a, x), kernels.follow(x, *times)
    first = kernels.scan(a[:, :333], x[:, :333]), kernels.follow(x[:, :333], *times)
    rest = (
        kernels.scan(a[:, 333:], x[:, 333:], first[0][:, -1]),
        kernels.follow(x[:, 333:], *times, first[1][:, -1]),
    )
    for together, head, tail in zip(whole, first, rest, strict=True):
        assert (torch.cat([head, tail], dim=1) - together).abs().max() < 1e-9


def test_recursions_take_the_kernels_where_they_may(kernels, monkeypatch):
    """Forwards and back, the whole recursion through the kernels says what plain torch says."""
    attack, release = (torch.tensor([c], dtype=torch.float64, requires_grad=True) for c in (0.9, 0.99))
    x = trace(2, 300).requires_grad_()

    def both() -> list[torch.Tensor]:
        needle = recursion.attack_release(x, attack, release)
        smooth = recursion.one_pole(x, release)
        inputs = torch.autograd.grad((needle * x).sum() + (smooth * needle).sum(), (x, attack, release))
        return [needle, smooth, *inputs]

    plain = both()
    monkeypatch.setattr(recursion, "kernels_for", lambda like: kernels)
    for fast, slow in zip(both(), plain, strict=True):
        assert torch.allclose(fast, slow, rtol=1e-9, atol=1e-9)


def test_no_gpu_and_no_triton_mean_plain_torch(monkeypatch):
    assert accelerated.kernels_for(torch.zeros(1)) is None, "a sound on the processor"
    monkeypatch.setitem(sys.modules, accelerated._KERNELS, None)  # an import of it fails
    accelerated._kernels.cache_clear()
    assert accelerated._kernels() is None
    monkeypatch.undo()
    accelerated._kernels.cache_clear()


def test_choices_come_back():
    assert accelerated.use() == {"kernels": True, "fusing": False}
    assert accelerated.use(kernels=False) == {"kernels": True, "fusing": False}
    assert accelerated.use(fusing=True) == {"kernels": False, "fusing": False}
    assert accelerated.use() == {"kernels": False, "fusing": True}


@accelerated.fusible
def bent(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """sine of the square"""
    return a * (x * x).sin().clamp_min(0.1) + x


def test_unasked_nothing_is_compiled(monkeypatch):
    monkeypatch.setattr(torch, "compile", None)
    x = torch.linspace(-2, 2, 9)
    assert torch.equal(bent(x, x), x * (x * x).sin().clamp_min(0.1) + x)
    assert bent.__doc__ == "sine of the square"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler warns about its own parts
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize("name", ["dynamics", "imager"])
def test_fused_is_its_twin(name):
    effect = EFFECTS[name]
    settings = {knob: torch.tensor([value, value]) for knob, value in effect.engaged.items()}
    for seconds in (0.3, 0.45):
        x = signals.music(seconds).requires_grad_()
        accelerated.use(fusing=False)
        plain = effect(x, 44100, **settings)
        accelerated.use(fusing=True)
        fused = effect(x, 44100, **settings)
        assert torch.allclose(fused, plain, atol=1e-6)
        (one,), (other,) = (torch.autograd.grad(y.square().sum(), x) for y in (plain, fused))
        assert torch.allclose(one, other, atol=1e-5)
