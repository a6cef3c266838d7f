"""What a spectrum says: shared by the tests of everything that bends, holds or filters a sound."""

from __future__ import annotations

import torch

from daiw_master.stack import Effect
from tests import signals


def lines_db(signal: torch.Tensor, rate: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Frequencies in Hz and levels in dB of a steady sound (time,), side lobes below -160 dB."""
    window = torch.signal.windows.kaiser(signal.shape[-1], beta=22, dtype=torch.float64)
    spectrum = torch.fft.rfft(signal.double() * window).abs() / (window.sum() / 2)
    return torch.arange(len(spectrum)) * rate / len(signal), 20 * spectrum.clamp_min(1e-12).log10()


def sine_through(
    effect: Effect, hz: float, level_db: float = 0.0, rate: int = 44100, **settings: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """`lines_db` of a sine that went through an effect, its beginning and end left out."""
    x = signals.sine(hz, 1.0, rate, level_db, dtype=torch.float64)
    return lines_db(effect(x, rate, **settings)[0, 0, rate // 5 : -rate // 5], rate)


def line_db(lines: tuple[torch.Tensor, torch.Tensor], hz: float) -> float:
    """The level of the line at a frequency."""
    freqs, level_db = lines
    return float(level_db[(freqs - hz).abs() < 60].max())


def folded_db(lines: tuple[torch.Tensor, torch.Tensor], hz: float) -> float:
    """The strongest line that is no harmonic of `hz`, against the strongest of all."""
    freqs, level_db = lines
    away = (freqs / hz - (freqs / hz).round()).abs() * hz
    return float(level_db[away > 60].max() - level_db.max())


def response_db(effect: Effect, hz: torch.Tensor, rate: int = 44100, **settings: float) -> torch.Tensor:
    """An effect's gain at some frequencies, read off its answer to a click in the middle of a second."""
    click = signals.impulse(1.0, rate, dtype=torch.float64).roll(rate // 2, -1)
    spectrum = torch.fft.rfft(effect(click, rate, **settings)[0, 0]).abs()
    return 20 * spectrum[hz.round().long()].clamp_min(1e-12).log10()
