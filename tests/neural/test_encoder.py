"""The encoder as a module: unit vectors, halves, files."""

from __future__ import annotations

import pytest
import torch

from daiw_master.errors import InputError
from daiw_master.neural.descriptor import statistics
from daiw_master.neural.encoder import (
    STYLE_RATE,
    WEIGHTS,
    StyleEncoder,
    load_encoder,
    style_encoder,
)
from daiw_master.neural.weights_file import told_in, write_weights

SMALL = dict(hidden=16, mid_size=6, side_hidden=8, side_size=2)


def sounds(count: int = 2) -> torch.Tensor:
    x = torch.randn(count, 2, 2 * STYLE_RATE, generator=torch.Generator().manual_seed(0))
    return x * torch.exp(-6.0 * (torch.arange(x.shape[-1]) / STYLE_RATE % 0.4))


def test_the_shipped_encoder_is_small_and_gives_unit_vectors():
    encoder = style_encoder()
    assert encoder is style_encoder()
    assert sum(p.numel() for p in encoder.parameters()) <= 5_000_000
    assert WEIGHTS.stat().st_size <= 12_000_000
    e = encoder(sounds())
    assert e.shape == (2, encoder.size)
    torch.testing.assert_close(e.norm(dim=-1), torch.ones(2))
    assert not encoder.training and not any(p.requires_grad for p in encoder.parameters())


def test_the_mid_half_does_not_hear_the_side():
    torch.manual_seed(0)
    encoder = StyleEncoder(members=2, **SMALL).eval()
    x = sounds()
    mono = x.mean(1, keepdim=True).expand(-1, 2, -1)
    wide, narrow = (torch.cat(encoder.parts(encoder.describe(s)), -1) for s in (x, mono))
    assert encoder.mid_size == 12 and encoder.size == 16 == wide.shape[-1]
    torch.testing.assert_close(wide[:, :12], narrow[:, :12], atol=1e-3, rtol=1e-3)
    assert (wide[:, 12:] - narrow[:, 12:]).abs().max() > 1e-3


def test_the_way_uphill_reaches_the_sound():
    x = sounds(1).requires_grad_()
    target = style_encoder()(sounds(2)[1:])
    (style_encoder()(x) @ target.T).sum().backward()
    assert x.grad.isfinite().all() and x.grad.abs().max() > 0


def test_an_encoder_goes_through_its_file(tmp_path):
    torch.manual_seed(1)
    encoder = StyleEncoder(members=2, **SMALL).eval()
    described = encoder.describe(sounds())
    encoder.mean.copy_(described.mean(0) + 1e5)
    encoder.mean[1] += 0.125  # more digits than half precision can hold, and a mean of its own for each
    encoder.scale.fill_(1e5)
    path = tmp_path / "e.safetensors"
    write_weights(encoder, path, {"steps": "3"})
    read = load_encoder(path)
    assert read.shape == encoder.shape and len(read.digest) == 12
    assert torch.equal(read.mean, encoder.mean) and torch.equal(read.scale, encoder.scale)
    torch.testing.assert_close(read.head(described), encoder.head(described), atol=3e-3, rtol=1e-2)
    assert told_in(path)["steps"] == "3"


@pytest.mark.parametrize("content", [b"", b"not weights at all"])
def test_other_files_are_refused(tmp_path, content: bytes):
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no style encoder"):
        load_encoder(path)
    with pytest.raises(InputError, match="no weights"):
        told_in(path)


def test_what_was_first_heard_without_learning_can_be_learnt_through_later():
    """Places of quantiles are worked out once and kept: also where nobody learns at that time."""
    statistics._places.cache_clear()
    x = torch.rand(3, 50)
    with torch.inference_mode():
        first = statistics.quantiles(x, (0.1, 0.77))
    x.requires_grad_()
    again = statistics.quantiles(x, (0.1, 0.77))
    torch.testing.assert_close(again, torch.quantile(x, torch.tensor([0.1, 0.77]), dim=-1).T)
    assert torch.equal(first, again.detach())
    again.sum().backward()
    assert x.grad.sum() == pytest.approx(6.0)
