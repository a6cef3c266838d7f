"""The recursions against their own definitions, written as loops in float64."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.signal import lfilter

from daiw_master.stack.recursion import Memory, attack_release, linear_recurrence, one_pole
from daiw_master.units import smoothing_from_ms

LENGTHS = (1, 2, 47, 64, 65, 300, 5000, 20000)


def trace(count: int, batch: int = 1, seed: int = 0) -> torch.Tensor:
    """Decaying hits, rests and noise in dB: what a gain computer hands to its smoother."""
    generator = torch.Generator().manual_seed(seed)
    n = torch.arange(count, dtype=torch.float64)
    hits = 25 * torch.exp(-torch.remainder(n, 1300) / 250)
    noise = 4 * torch.randn(batch, count, generator=generator, dtype=torch.float64)
    return (hits - 5 + noise).clamp_min(0)


def coefficient(*times_ms: float, rate: float = 2756.25) -> torch.Tensor:
    return smoothing_from_ms(torch.tensor(times_ms, dtype=torch.float64), rate)


def branching_reference(x: list[float], attack: float, release: float) -> list[float]:
    """Giannoulis et al. 2012, eq. 16, sample by sample."""
    state, out = x[0], []
    for value in x:
        c = attack if value > state else release
        state = c * state + (1 - c) * value
        out.append(state)
    return out


@pytest.mark.parametrize("count", LENGTHS)
def test_one_pole_is_the_filter_scipy_runs(count):
    x = trace(count, batch=2)
    c = coefficient(0.5, 400.0)
    for row in range(2):
        pole = float(c[row])
        expected, _ = lfilter([1 - pole], [1, -pole], x[row].numpy(), zi=[pole * float(x[row, 0])])
        torch.testing.assert_close(one_pole(x, c)[row], torch.from_numpy(expected), atol=1e-10, rtol=0)


def test_one_pole_falls_into_silence_without_a_floor_of_rounding():
    x = torch.zeros(1, 4000)
    x[:, 0] = 1.0
    y = one_pole(x, coefficient(50.0))
    expected = -10 * 3999 / (0.05 * 2756.25) / math.log(10)  # y = c^n: 1/e of power per 50 ms
    assert (y >= 0).all()
    assert 10 * math.log10(float(y[0, -1])) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("count", LENGTHS)
def test_linear_recurrence_is_the_loop(count):
    generator = torch.Generator().manual_seed(3)
    a = torch.rand(2, count, generator=generator, dtype=torch.float64) * 2 - 1
    b = torch.randn(2, count, generator=generator, dtype=torch.float64)
    state, expected = torch.zeros(2, dtype=torch.float64), []
    for n in range(count):
        state = a[:, n] * state + b[:, n]
        expected.append(state)
    torch.testing.assert_close(linear_recurrence(a, b), torch.stack(expected, 1), atol=1e-12, rtol=0)


@pytest.mark.parametrize("count", LENGTHS)
@pytest.mark.parametrize("times_ms", [(5.0, 200.0), (200.0, 20.0), (0.5, 2000.0), (50.0, 50.0)])
def test_attack_release_is_the_loop_to_a_millionth_of_a_db(count, times_ms):
    x = trace(count)
    attack, release = coefficient(*times_ms).split(1)
    expected = branching_reference(x[0].tolist(), float(attack), float(release))
    error = (attack_release(x, attack, release)[0] - torch.tensor(expected, dtype=torch.float64)).abs()
    assert error.max() <= 1e-6


def test_attack_release_in_float32_stays_within_rounding():
    x = trace(20000)
    attack, release = coefficient(5.0, 200.0).split(1)
    exact = attack_release(x, attack, release)
    error = (attack_release(x.float(), attack, release).double() - exact).abs()
    assert error.max() <= 1e-5


def test_each_row_has_its_own_times():
    x = trace(6000, batch=3)
    attack, release = coefficient(1.0, 30.0, 100.0), coefficient(500.0, 100.0, 20.0)
    together = attack_release(x, attack, release)
    for row in range(3):
        alone = attack_release(x[row : row + 1], attack[row : row + 1], release[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-9, rtol=0)


def test_a_constant_is_left_alone():
    x = torch.full((1, 3000), 7.25, dtype=torch.float64)
    attack, release = coefficient(30.0, 300.0).split(1)
    torch.testing.assert_close(one_pole(x, attack), x, atol=1e-12, rtol=0)
    torch.testing.assert_close(attack_release(x, attack, release), x, atol=0, rtol=0)


def test_nan_goes_through_at_once():
    x = trace(1 << 19)
    x[0, 1000] = math.nan
    attack, release = coefficient(5.0, 200.0).split(1)
    y = attack_release(x, attack, release)
    assert y[0, :1000].isfinite().all() and y[0, 1000:].isnan().any()


def test_gradients_are_true():
    x = trace(70, batch=2).add(0.01 * torch.arange(70)).requires_grad_()
    fast = torch.tensor([0.6, 0.8], dtype=torch.float64, requires_grad=True)
    slow = torch.tensor([0.95, 0.9], dtype=torch.float64, requires_grad=True)
    shared = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    a = (torch.rand(2, 70, dtype=torch.float64) * 0.98).requires_grad_()
    assert torch.autograd.gradcheck(one_pole, (x, slow))
    assert torch.autograd.gradcheck(linear_recurrence, (a, x))
    assert torch.autograd.gradcheck(attack_release, (x, fast, slow))
    assert torch.autograd.gradcheck(attack_release, (x, slow, shared))


def cut(x: torch.Tensor, pieces) -> list[torch.Tensor]:
    """A trace in pieces of these lengths, over and over."""
    parts, start, turn = [], 0, 0
    while start < x.shape[1]:
        parts.append(x[:, start : start + pieces[turn % len(pieces)]])
        start, turn = start + pieces[turn % len(pieces)], turn + 1
    return parts


CUTS = [(1,), (16,), (64,), (1500,), (3, 0, 1, 70, 5000, 16)]


@pytest.mark.parametrize("heard", [True, False], ids=["heard", "learning"])
@pytest.mark.parametrize("pieces", CUTS)
@pytest.mark.parametrize("batch", [1, 3])
def test_a_trace_in_pieces_is_the_loop_over_the_whole(batch, pieces, heard):
    """Every recursion, on plain numbers and abreast, carried over every cut in float64."""
    x = trace(6000 if min(pieces) > 1 or len(pieces) > 1 else 400, batch)
    fast, slow = coefficient(*[5.0, 50.0, 0.5][:batch]), coefficient(*[400.0, 20.0, 2000.0][:batch])
    generator = torch.Generator().manual_seed(3)
    a = torch.rand(x.shape, generator=generator, dtype=torch.float64) * 2 - 1
    memories = Memory(), Memory(), Memory()
    with torch.set_grad_enabled(not heard):
        followed = [attack_release(part, fast, slow, memories[0]) for part in cut(x, pieces)]
        smoothed = [one_pole(part, slow, memories[1]) for part in cut(x, pieces)]
        driven = [
            linear_recurrence(fade, part, memories[2])
            for fade, part in zip(cut(a, pieces), cut(x, pieces), strict=True)
        ]
    for row in range(batch):
        values, up, down = x[row].tolist(), float(fast[row]), float(slow[row])
        expected = torch.tensor(branching_reference(values, up, down), dtype=torch.float64)
        torch.testing.assert_close(torch.cat(followed, 1)[row], expected, atol=1e-9, rtol=0)
        pole, state, expected = [], values[0], []
        for value in values:
            state = down * state + (1 - down) * value
            pole.append(state)
        expected = torch.tensor(pole, dtype=torch.float64)
        torch.testing.assert_close(torch.cat(smoothed, 1)[row], expected, atol=1e-9, rtol=0)
        drive, state = [], 0.0
        for fade, value in zip(a[row].tolist(), values, strict=True):
            state = fade * state + value
            drive.append(state)
        expected = torch.tensor(drive, dtype=torch.float64)
        torch.testing.assert_close(torch.cat(driven, 1)[row], expected, atol=1e-9, rtol=0)
        for memory, parts in zip(memories, (followed, smoothed, driven), strict=True):
            assert memory.last.dtype == torch.float64 and memory.last.shape == (batch,)
            torch.testing.assert_close(memory.last[row], parts[-1][row, -1], atol=1e-9, rtol=0)


def test_a_float32_trace_in_pieces_does_not_drift():
    """2 s of release, 16 values at a time: the state between pieces is not rounded to the trace's float32."""
    x = trace(20000).float()
    attack, release = coefficient(5.0, 2000.0).split(1)
    memory, poles = Memory(), Memory()
    with torch.no_grad():
        followed = torch.cat([attack_release(part, attack, release, memory) for part in cut(x, (16,))], 1)
        smoothed = torch.cat([one_pole(part, release, poles) for part in cut(x, (16,))], 1)
    exact = branching_reference(x[0].tolist(), float(attack), float(release))
    assert (followed[0].double() - torch.tensor(exact, dtype=torch.float64)).abs().max() < 4e-6
    exact, state = [], float(x[0, 0])
    for value in x[0].tolist():
        state = float(release) * state + (1 - float(release)) * value
        exact.append(state)
    assert (smoothed[0].double() - torch.tensor(exact, dtype=torch.float64)).abs().max() < 4e-6


def test_gradients_inside_a_later_piece_are_true():
    x = trace(70).add(0.01 * torch.arange(70)).requires_grad_()
    fast = torch.tensor([0.6], dtype=torch.float64, requires_grad=True)
    slow = torch.tensor([0.95], dtype=torch.float64, requires_grad=True)

    def resumed(run):
        def of_a_piece(*inputs):
            memory = Memory()
            memory.last = torch.tensor([9.0], dtype=torch.float64)
            return run(*inputs, memory)

        return of_a_piece

    assert torch.autograd.gradcheck(resumed(one_pole), (x, slow))
    a = (0.9 * torch.cos(x.detach())).requires_grad_()
    assert torch.autograd.gradcheck(resumed(linear_recurrence), (a, x))
    assert torch.autograd.gradcheck(resumed(attack_release), (x, fast, slow))


def test_rows_that_rise_fast_beside_rows_that_rise_slowly_in_pieces():
    x = trace(3000, batch=2)
    attack, release = coefficient(5.0, 300.0), coefficient(200.0, 20.0)
    memory = Memory()
    together = torch.cat([attack_release(part, attack, release, memory) for part in cut(x, (999,))], 1)
    for row in range(2):
        expected = branching_reference(x[row].tolist(), float(attack[row]), float(release[row]))
        expected = torch.tensor(expected, dtype=torch.float64)
        torch.testing.assert_close(together[row], expected, atol=1e-9, rtol=0)
