"""True peak: the standard's cases, analytic sines, and a second implementation in benchmarks/."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import torch

from daiw_master.errors import OutOfRangeError
from daiw_master.meters.true_peak import sample_peak, true_peak
from tests.meters.ebu import RATE, faded_sine, one_loud_period
from tests.signals import impulse, music, noise, sine


def _benchmark():
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "true_peak.py"
    spec = importlib.util.spec_from_file_location("true_peak_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BENCHMARK = _benchmark()


@pytest.mark.parametrize("oversample", [4, 16])
@pytest.mark.parametrize(
    ("share", "amplitude", "phase", "expected"),
    [
        (1 / 4, 0.5, 0, -6.0),
        (1 / 4, 0.5, 45, -6.0),
        (1 / 6, 0.5, 60, -6.0),
        (1 / 8, 0.5, 67.5, -6.0),
        (1 / 4, 1.41, 45, 3.0),
    ],
    ids=["case15", "case16", "case17", "case18", "case19"],
)
def test_ebu_3341_sines(share, amplitude, phase, expected, oversample):
    read = true_peak(faded_sine(share, amplitude, phase), RATE, oversample).item()
    assert expected - 0.4 <= read <= expected + 0.2
    assert read == pytest.approx(20 * math.log10(amplitude), abs=0.01), "far inside the tolerance"


def test_ebu_3341_cases_20_to_23_one_loud_period():
    peaks = [true_peak(x, RATE).item() for x in one_loud_period()]
    assert all(-0.4 <= peak <= 0.2 for peak in peaks)
    assert max(peaks) - min(peaks) < 0.02, "where the samples fall does not matter"
    samples = [sample_peak(x).item() for x in one_loud_period()]
    assert max(samples) - min(samples) > 1.0, "or the case is no case"


@pytest.mark.parametrize("share", [0.05, 0.21, 0.4, 0.45])
def test_a_sine_reads_its_amplitude(share):
    x = faded_sine(share, 0.8, 10, seconds=2.0)
    # 16 points a sample miss the crest by at most cos(pi * share / 16), 0.034 dB at 0.45.
    assert true_peak(x, RATE).item() == pytest.approx(20 * math.log10(0.8), abs=0.035)


def clipped_noise() -> torch.Tensor:
    return (noise(3.0, level_db=-3.0, seed=5)).clamp(-1, 1)


def full_scale_square() -> torch.Tensor:
    return torch.sign(sine(997.0, 2.0))


HARD = {
    "music": lambda: music(6.0),
    "loud music": lambda: (6 * music(6.0)).clamp(-1, 1),
    "noise": lambda: noise(3.0),
    "clipped noise": clipped_noise,
    "square": full_scale_square,
    "near the band edge": lambda: sine(0.499 * 44100, 2.0, level_db=-1.0),
    "impulse": lambda: impulse(0.2),
    "last sample": lambda: impulse(0.2).flip(-1),
    "one sample": lambda: torch.full((1, 1, 1), -0.5),
    "one channel": lambda: noise(1.0, channels=1),
    "a step between blocks": lambda: torch.cat([torch.zeros(1, 2, 32768), torch.ones(1, 2, 32768)], dim=-1),
}


@pytest.mark.parametrize("name", HARD)
def test_the_search_misses_nothing(name):
    """The pruned search against every point of the grid, by scipy, and against benchmarks/true_peak.py."""
    x = HARD[name]()
    read = true_peak(x, 44100).item()
    padded = np.pad(x[0].double().numpy(), ((0, 0), (64, 64)))
    full = scipy.signal.upfirdn(BENCHMARK.low_pass(), padded, up=16)
    assert read == pytest.approx(20 * math.log10(np.abs(full).max()), abs=0.001)
    assert read == pytest.approx(BENCHMARK.true_peak_dbtp(x[0].numpy(), block=5000), abs=0.001)
    assert read >= sample_peak(x).item() - 1e-5


def test_the_benchmark_filter_stops():
    taps = BENCHMARK.low_pass()
    frequency, response = scipy.signal.freqz(taps / BENCHMARK.OVERSAMPLE, worN=1 << 15, fs=16.0)
    level = 20 * np.log10(np.abs(response) + 1e-12)
    assert level[frequency >= 0.5475].max() <= -80
    assert np.abs(level[frequency <= 0.453]).max() <= 0.001


def test_the_benchmark_is_a_command(tmp_path, monkeypatch, capsys):
    from pedalboard.io import AudioFile

    path = tmp_path / "master.wav"
    with AudioFile(str(path), "w", 44100, 2, bit_depth=32) as file:
        file.write((0.5 * noise(0.5)).numpy()[0])
    for ceiling, code in (("30", 0), ("-60", 1)):
        monkeypatch.setattr("sys.argv", ["true_peak.py", str(path), "--ceiling", ceiling])
        assert BENCHMARK.main() == code
    assert "dBTP" in capsys.readouterr().out


def test_silence_batch_and_input():
    assert true_peak(torch.zeros(1, 2, 100), RATE).item() == pytest.approx(-120)
    x = torch.cat([music(1.0), noise(1.0), torch.zeros(1, 2, 44100)])
    kept = x.clone()
    torch.testing.assert_close(true_peak(x, 44100), torch.cat([true_peak(item[None], 44100) for item in x]))
    assert torch.equal(x, kept)


def test_gradient_is_that_of_the_point():
    x = noise(0.01, dtype=torch.float64, seed=9).requires_grad_()
    assert torch.autograd.gradcheck(lambda y: true_peak(y, 44100), x, atol=1e-6)
    quiet = torch.zeros(1, 2, 50, requires_grad=True)
    true_peak(quiet, 44100).sum().backward()
    assert quiet.grad.isfinite().all()


@pytest.mark.parametrize("oversample", [0, 2, 12])
def test_wrong_oversampling_is_refused(oversample):
    with pytest.raises(OutOfRangeError, match="oversample"):
        true_peak(torch.zeros(1, 1, 10), RATE, oversample)
