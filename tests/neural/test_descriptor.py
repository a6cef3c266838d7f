"""The descriptor hears what was done to a sound, and does not hear its level."""

from __future__ import annotations

import pytest
import torch

from daiw_master.errors import InputError
from daiw_master.neural.descriptor import SHORTEST, describe, layout
from daiw_master.neural.descriptor.hearing import RATE, hear, power_spectrum
from daiw_master.neural.descriptor.spectrum import CEPSTRUM_LOW, combs
from daiw_master.neural.descriptor.statistics import autocorrelation, log_spaced, quantiles

LAYOUT = layout()


def song(seconds: float = 3.0, seed: int = 0) -> torch.Tensor:
    """Plucked noise, twice a second, a little wide: (1, 2, time)."""
    noise = torch.randn(1, 2, round(seconds * RATE), generator=torch.Generator().manual_seed(seed))
    t = torch.arange(noise.shape[-1]) / RATE
    return (noise + noise[:, :1]) * torch.exp(-8.0 * (t % 0.5))


def part(x: torch.Tensor, name: str) -> torch.Tensor:
    return describe(x)[0, LAYOUT[name]]


def test_gain_is_not_heard():
    x = song()
    torch.testing.assert_close(describe(0.01 * x), describe(x), atol=1e-3, rtol=1e-3)


def test_a_batch_is_its_sounds_one_by_one():
    x = torch.cat([song(seed=1), 0.3 * song(seed=2), song(seed=3).flip(1)])
    alone = torch.cat([describe(one[None]) for one in x])
    torch.testing.assert_close(describe(x), alone, atol=2e-3, rtol=1e-4)


@pytest.mark.parametrize("what", ["silence", "constant", "sine", "anti-phase", "click"])
def test_odd_sounds_give_finite_numbers_and_gradients(what: str):
    x = torch.zeros(1, 2, SHORTEST)
    if what == "constant":
        x = x + 0.5
    elif what == "sine":
        x = x + torch.sin(torch.arange(SHORTEST) * 0.1)
    elif what == "anti-phase":
        x = song(2.0)[:, :1] * torch.tensor([1.0, -1.0])[:, None]
    elif what == "click":
        x[..., SHORTEST // 2] = 1.0
    x = x.clone().requires_grad_()
    told = describe(x)
    told.sum().backward()
    assert told.isfinite().all()
    assert x.grad.isfinite().all()


def test_half_precision_can_hold_it():
    loudest = torch.cat([describe(song()), describe(torch.zeros(1, 2, SHORTEST))]).abs().max()
    assert loudest < 60_000


def test_wrong_shapes_are_refused():
    for shape in [(2, RATE * 3), (1, 1, RATE * 3), (1, 2, RATE)]:
        with pytest.raises(InputError, match="cannot be told"):
            describe(torch.zeros(shape))


def test_the_spectrum_adds_up_to_the_power():
    # Parseval: a stationary sound's frames hold its mean power
    x = torch.randn(1, 48_000, generator=torch.Generator().manual_seed(3))
    assert power_spectrum(x, 2048, 1024).sum(-1).mean() == pytest.approx(float(x.square().mean()), rel=0.02)


def test_a_shelf_moves_the_bands_it_moves():
    x = song()
    bright = torch.fft.irfft(
        torch.fft.rfft(x) * torch.where(torch.arange(x.shape[-1] // 2 + 1) > 4000 * 3, 2.0, 1.0)
    )
    moved = (part(bright, "tone") - part(x, "tone"))[:64]
    assert (moved[-16:] - moved[:32].mean()).mean() == pytest.approx(6.02, abs=0.3)


@pytest.mark.parametrize("delay", [48, 300, 1500, 6000])
def test_an_echo_shows_as_a_ripple_at_its_delay(delay: int):
    x = torch.randn(1, 2, 3 * RATE, generator=torch.Generator().manual_seed(4))
    x = x[:, :1].expand(-1, 2, -1)
    echoed = x.clone()
    echoed[..., delay:] += 0.7 * x[..., :-delay]
    change = combs(hear(echoed))[0] - combs(hear(x))[0]
    short = log_spaced(CEPSTRUM_LOW, 1024, 22)
    long = log_spaced(480, 8192, 40)
    edges, first = (short, CEPSTRUM_LOW) if delay < 1024 else (long, CEPSTRUM_LOW + len(short) - 1)
    expected = first + int((edges <= delay).sum()) - 1
    assert int(change[first : first + len(edges) - 1].argmax()) + first == expected


def test_compression_lowers_the_attack_and_lifts_what_follows():
    x = song(4.0)
    level = x.abs().amax(1, keepdim=True)
    level = torch.nn.functional.avg_pool1d(level, 481, 1, 240)
    pressed = x / (level + 0.01).sqrt()
    after, before = part(pressed, "after_onsets"), part(x, "after_onsets")
    assert (after[8:14] > before[8:14] + 0.5).all()  # 80 to 300 ms after an attack, whole sound
    assert part(pressed, "envelope")[0] > part(x, "envelope")[0] + 1.0  # crest has fallen


def test_clipping_fills_the_top_of_the_wave():
    x = song()
    clipped = x.clamp(-0.2 * x.abs().max(), 0.2 * x.abs().max())
    assert part(clipped, "waveform")[0] < part(x, "waveform")[0] - 0.5  # kurtosis


def test_width_is_told_in_the_side_alone():
    x = song()
    mid, side = x.mean(1, keepdim=True), 0.5 * (x[:, :1] - x[:, 1:])
    wider = torch.cat([mid + 2 * side, mid - 2 * side], 1)
    change = describe(wider) - describe(x)
    moved = change[0, LAYOUT["side_tone"]][:64]
    assert moved.mean() == pytest.approx(6.02, abs=0.05)
    assert part(wider, "tone").sub(part(x, "tone")).abs().max() < 1e-3


def test_quantiles_are_numpys():
    x = torch.randn(3, 50, generator=torch.Generator().manual_seed(5))
    at = (0.0, 0.1, 0.333, 0.9, 1.0)
    expected = torch.quantile(x, torch.tensor(at), dim=-1).T
    torch.testing.assert_close(quantiles(x, at), expected)


def test_autocorrelation_is_one_at_a_period():
    x = torch.sin(torch.arange(4000) * 2 * torch.pi / 40)
    found = autocorrelation(x, torch.tensor([20, 40]))
    assert found[0] < -0.95 and found[1] > 0.95
