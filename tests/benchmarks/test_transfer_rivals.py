"""The rivals of the transfer benchmark do what they are said to do, and are no straw men."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from benchmarks.style import transfer_es, transfer_matchering
from benchmarks.style.transfer_rules import matched_spectrum, rule_based
from daiw_master.meters.loudness import integrated_loudness

RATE = 48_000


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return 0.1 * np.random.default_rng(1).standard_normal((2, 4 * RATE))


def _shelf(x: np.ndarray) -> np.ndarray:
    """A gentle low-pass shelf: y[n] = 0.6 x[n] + 0.4 x[n-1]."""
    return lfilter([0.6, 0.4], [1.0], x)


def _level_db(x: np.ndarray, low: float, high: float) -> float:
    power = np.square(np.abs(np.fft.rfft(x.mean(0))))
    hz = np.fft.rfftfreq(x.shape[-1], 1 / RATE)
    return 10 * np.log10(power[(hz > low) & (hz < high)].mean())


def test_match_eq_recovers_a_known_curve(noise):
    other = 0.1 * np.random.default_rng(2).standard_normal((2, 4 * RATE))
    made = matched_spectrum(noise, _shelf(other), RATE)
    for low, high in ((500, 2000), (4000, 7000), (10_000, 14_000), (16_000, 20_000)):
        assert _level_db(made, low, high) == pytest.approx(_level_db(_shelf(noise), low, high), abs=1.0)


def test_the_filter_s_delay_is_taken_out_or_left_in(noise):
    def delay(made: np.ndarray) -> int:
        answer = np.fft.irfft(np.fft.rfft(made[0]) * np.conj(np.fft.rfft(noise[0])))
        lag = int(np.abs(answer).argmax())
        return min(lag, len(answer) - lag)

    assert delay(matched_spectrum(noise, _shelf(noise), RATE)) <= 1
    assert delay(matched_spectrum(noise, _shelf(noise), RATE, compensated=False)) == pytest.approx(
        1024, abs=1
    )


def test_rules_bring_a_softer_piece_up_to_the_reference(noise):
    swelling = noise * np.linspace(0.1, 1.0, noise.shape[-1]) ** 2
    x, reference = (torch.from_numpy(a).float() for a in (swelling, noise))
    made = rule_based(x, reference, RATE, repaired=True)
    loudness, wanted, before = (float(integrated_loudness(a[None], RATE)) for a in (made, reference, x))
    assert before < wanted - 3 and loudness == pytest.approx(wanted, abs=1.5)
    published = rule_based(x, reference, RATE, repaired=False)
    assert float(published.abs().max()) == pytest.approx(10 ** (-12 / 20), rel=1e-3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_matchering_answers(noise):
    if not transfer_matchering.installed():
        pytest.skip("matchering is not installed (pip install daiw-master[bench])")
    x = torch.from_numpy(noise).float()
    made = transfer_matchering.matchering(x * 0.3, torch.from_numpy(_shelf(noise)).float(), RATE)
    assert made.shape == x.shape and made.isfinite().all()
    highs = _level_db(made.double().numpy(), 16_000, 20_000) - _level_db(made.double().numpy(), 500, 2000)
    assert highs < -6, "the reference has few highs"


def test_the_published_space_has_31_linear_knobs():
    assert len(transfer_es.SPACE) == 31
    x = 0.1 * torch.randn(2, RATE, generator=torch.Generator().manual_seed(1)).numpy()
    made = transfer_es.played(np.full(31, 0.5), x)
    assert made.shape == x.shape and np.abs(made).max() == pytest.approx(1.0)
    silent = transfer_es.played(np.full(31, 0.5), np.zeros_like(x))
    assert not silent.any()
