"""A window that slides sees what a window cut out sees."""

from __future__ import annotations

import pytest
import torch

from daiw_master.stack.lean import Lean
from daiw_master.stack.sliding import earlier, sliding_max

#: One window for all, and one for each row: of one span, of several, powers of two and not.
WINDOWS = ([1], [2], [7], [64], [1, 2, 3], [5, 5, 7], [31, 8, 64])


def traces() -> torch.Tensor:
    return torch.randn(3, 200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("windows", WINDOWS, ids=str)
def test_the_largest_of_every_window(windows):
    x = traces()
    count = 200 - max(windows) + 1
    wanted = torch.stack(
        [x[row].unfold(-1, windows[row % len(windows)], 1)[:count].amax(-1) for row in range(3)]
    )
    assert torch.equal(sliding_max(x, windows), wanted)
    if len(windows) > 1:  # one sound, a window for each of several
        alone = sliding_max(x[:1], windows)
        for row, window in enumerate(windows):
            assert torch.equal(alone[row], x[0].unfold(-1, window, 1)[:count].amax(-1))


@pytest.mark.parametrize("windows", WINDOWS, ids=str)
@pytest.mark.parametrize("rows", [1, 3])
def test_the_gradient_goes_to_the_largest(windows, rows):
    x = traces()[:rows, :90].requires_grad_()
    assert torch.autograd.gradcheck(lambda t: sliding_max(t, windows), x)


def test_earlier_is_a_shift():
    x = torch.arange(20.0).expand(2, -1)
    assert earlier(x, [3], 5)[0].tolist() == [12, 13, 14, 15, 16]
    assert earlier(x, [0, 4], 3).tolist() == [[17, 18, 19], [13, 14, 15]]


@pytest.mark.parametrize("learning", [False, True])
def test_windows_together_are_windows_one_by_one(learning):
    """As on a GPU, where a batch of look-aheads is one batch; `meta` only says that it is no processor."""
    settings = {
        "release_ms": torch.tensor([40.0, 90.0, 200.0]),
        "lookahead_ms": torch.tensor([1.3, 6.0, 2.2]),
    }
    settings = {name: value.requires_grad_(learning) for name, value in settings.items()}
    over = torch.relu(traces().repeat(1, 20)).float()

    def run(lean: Lean) -> torch.Tensor:
        starts = range(0, 4000 - lean.reach - 999, 1000)
        blocks = [lean(over[:, start : start + 1000 + lean.reach]) for start in starts]
        return torch.cat(blocks, dim=-1)

    with torch.set_grad_enabled(learning):
        apart, together = Lean(44100, **settings), Lean(44100, **settings)
        one = together._parts[0]
        keep = torch.exp(-1000 / (settings["release_ms"].double() * 44100)).reshape(-1, 1)
        window = (settings["lookahead_ms"].double() * 44.1).reshape(-1, 1)
        together._parts = [type(one)(keep, window, together.block)]
        made, other = run(together), run(apart)
    assert made.shape == other.shape
    assert (made - other).abs().max() < 1e-9
    if learning:
        slopes = [torch.autograd.grad(y.square().sum(), list(settings.values())) for y in (made, other)]
        for mine, theirs in zip(*slopes, strict=True):
            assert torch.allclose(mine, theirs, rtol=1e-5)
