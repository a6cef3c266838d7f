"""The exciter: the harmonics that were asked for, at the level that was asked for, and nothing else."""

from __future__ import annotations

import math

import pytest
import torch

from daiw_master.stack import oversample
from daiw_master.stack.exciter import EXCITER, polynomial
from daiw_master.stack.oversample import down, gathered, rising, spread, up
from tests import signals
from tests.stack.spectra import lines_db


def db(ratio: torch.Tensor) -> float:
    return 20 * math.log10(float(ratio))


def added(hz: float, rate: int = 44100, **settings: float) -> tuple[torch.Tensor, torch.Tensor]:
    x = signals.sine(hz, 1.0, rate, dtype=torch.float64)
    made = (EXCITER(x, rate, **settings) - x)[0, 0, rate // 5 : -rate // 5]
    return lines_db(made, rate)


@pytest.mark.parametrize("rate", [44100, 96000])
@pytest.mark.parametrize("drive_db", [0.0, 12.0, 30.0])
@pytest.mark.parametrize("hz", [8000.0, 7001.0, 5513.0])
def test_aliasing_stays_60_db_below_the_sound(hz, drive_db, rate):
    """At full mix: everything that is no harmonic is folded down, and measured against the sine."""
    freqs, level_db = added(hz, rate, mix_db=0.0, drive_db=drive_db)
    harmonic = torch.zeros(len(freqs), dtype=torch.bool)
    for k in range(1, 8):
        harmonic |= (freqs - k * hz).abs() < 60
    assert level_db[~harmonic].max() < -75
    assert level_db[harmonic].max() > -12


@pytest.mark.parametrize(("even_odd", "wanted", "unwanted"), [(-1.0, 2, 3), (1.0, 3, 2)])
def test_the_balance_chooses_even_or_odd(even_odd, wanted, unwanted):
    freqs, level_db = added(3000.0, cutoff_hz=1500.0, mix_db=-20.0, even_odd=even_odd)

    def at(k: int) -> float:
        return float(level_db[(freqs - k * 3000).abs() < 60].max())

    assert at(wanted) == pytest.approx(-20, abs=1.0)
    assert at(unwanted) < -120
    assert at(1) < -60  # the band itself is neither raised nor lowered


def test_drive_makes_the_upper_harmonics_stronger():
    def seventh(drive_db: float) -> float:
        freqs, level_db = added(2500.0, cutoff_hz=1500.0, mix_db=-20.0, even_odd=1.0, drive_db=drive_db)
        return float(level_db[(freqs - 17500).abs() < 60].max())

    assert seventh(0.0) < seventh(12.0) - 10 < seventh(30.0) - 10


@pytest.mark.parametrize("level_db", [-60.0, -30.0, 0.0, 20.0])
@pytest.mark.parametrize("signal", [signals.music(3.0), signals.noise(2.0)])
def test_the_harmonics_land_where_the_mix_says(signal, level_db):
    """Against the band above the cutoff, from hardly audible to far over full scale, two mixes."""
    x = signal * 10 ** (level_db / 20)
    spectrum = torch.fft.rfft(x.double())
    hz = torch.arange(spectrum.shape[-1]) * 44100 / x.shape[-1]
    band = torch.fft.irfft(spectrum * (hz > 2000), x.shape[-1])
    for mix_db in (-30.0, -12.0):
        made = EXCITER(x, 44100, mix_db=mix_db, cutoff_hz=2000.0) - x
        assert db(made.std() / band.std()) == pytest.approx(mix_db, abs=3.0)


def test_silence_and_what_lies_below_the_band_stay_alone():
    x = signals.music(2.0)
    x[..., 30000:60000] = 0.0
    y = EXCITER(x, 44100, mix_db=0.0)
    # the high-pass rings for 5.5 ms; nothing else may reach into the rest
    assert y[..., 30600:59400].abs().max() < 1e-6
    low = signals.sine(100.0, dtype=torch.float64) * torch.hann_window(44100, dtype=torch.float64)
    assert (EXCITER(low, 44100, mix_db=0.0) - low).abs().max() < 1e-5


def test_no_offset_is_added():
    x = signals.noise(1.0, dtype=torch.float64)
    assert (EXCITER(x, 44100, mix_db=0.0, even_odd=-1.0) - x).mean().abs() < 1e-5


def test_the_mix_fades_in_from_exactly_nothing():
    x = signals.noise(0.5)
    assert torch.equal(EXCITER(x, 44100, mix_db=-60.0), x)
    assert (EXCITER(x, 44100, mix_db=-59.9) - x).abs().max() < 1e-4


def test_long_sounds_have_no_seams():
    """Several blocks: the second half alone sounds as it does after the first."""
    x = signals.noise(3.0, dtype=torch.float64)
    half = 88 * 700  # a whole number of hops
    alone = EXCITER(x[..., half:], 44100, mix_db=0.0)
    assert (EXCITER(x, 44100, mix_db=0.0)[..., half:] - alone)[..., 4000:].abs().max() < 1e-9


def test_a_full_scale_sine_gets_exactly_harmonics_two_to_seven():
    """The polynomial against the curves it is cut from: tanh's own Fourier coefficients."""
    column = torch.full((1, 1, 1), 20.0, dtype=torch.float64)
    coefficients = [float(c) for c in polynomial(column, torch.ones_like(column))]
    phase = torch.arange(4096, dtype=torch.float64) * (2 * math.pi / 4096)
    u = phase.cos()
    got = torch.fft.rfft(sum(c * u ** (k + 2) for k, c in enumerate(coefficients))).real / 2048
    curve = torch.fft.rfft((10 * u).tanh()).real / 2048
    assert (got[[3, 5, 7]] / got[3] - curve[[3, 5, 7]] / curve[3]).abs().max() < 1e-6
    assert (got[[3, 5, 7]] ** 2).sum() == pytest.approx(1.0, abs=1e-9)
    assert got[8:].abs().max() < 1e-12


@pytest.mark.parametrize("hz", [100.0, 5000.0, 14000.0])
def test_four_times_the_rate_is_the_same_sound(hz):
    x = signals.sine(hz, 0.2, dtype=torch.float64)
    dense = signals.sine(hz, 0.2, 4 * 44100, dtype=torch.float64)
    inner = slice(400, -400)
    assert (up(x) - dense)[..., inner].abs().max() < 3e-4
    assert (down(dense) - x)[..., inner].abs().max() < 3e-4


def test_what_has_no_room_at_the_low_rate_is_gone():
    dense = signals.sine(23000.0, 0.2, 4 * 44100, dtype=torch.float64)
    assert down(dense)[..., 100:-100].abs().max() < 2e-4


@pytest.mark.parametrize("shape", [(5136,), (3, 5136), (2, 2, 5136)])
def test_a_kernel_slides_as_the_products_do(shape, monkeypatch):
    """Long stretches in float32 go through one convolution, others frame by frame: the same matrices."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    matrix = rising(16, 4, x)

    def there_and_back():
        high = spread(x, matrix)
        return high, gathered(high, matrix.t())

    kernel, asked = oversample._slid, []
    monkeypatch.setattr(oversample, "_slid", lambda *given: asked.append(1) or kernel(*given))
    slid = there_and_back()
    monkeypatch.setattr(oversample, "WORTH_A_KERNEL", 1 << 30)
    for found, product in zip(slid, there_and_back(), strict=True):
        torch.testing.assert_close(found, product, atol=1e-6 * float(product.abs().max()), rtol=0)
    assert len(asked) == 2
