"""What a stage did: reverb time, wet level and drive, read between its input and its output.

None of these can be read off a finished mix; where we made the sound, they can be proven.
"""

from __future__ import annotations

import math

import torch

from daiw_master.errors import InputError
from daiw_master.meters.traces import scan
from daiw_master.units import db_from_power

_FIR_S = 0.0116  # 512 taps at 44.1 kHz
_RIDGE = 1e-9


def energy_decay_db(impulse_response: torch.Tensor) -> torch.Tensor:
    """What is left of a tail from each moment on: (..., time) -> (..., time) dB, 0 at the start.

    Schroeder 1965: backward integration of the squared response.
    """
    left = impulse_response.double().square().flip(-1).cumsum(-1).flip(-1)
    return 10 * torch.log10((left / left[..., :1].clamp_min(1e-300)).clamp_min(1e-30))


def decay_time_s(
    impulse_response: torch.Tensor, rate: int, band_hz: tuple[float, float] | None = None
) -> torch.Tensor:
    """Time for a reverb's tail to fall by 60 dB: (batch, channels, time) -> (batch,) s.

    T30 of ISO 3382-1: straight line through -5 to -35 dB of the energy decay, extrapolated; the
    channels' energies are summed. `band_hz` reads one band only. Give the wet part alone. A response
    without a tail reads 0.
    """
    response = impulse_response.double()
    if band_hz is not None:
        size = response.shape[-1]
        hz = torch.fft.rfftfreq(2 * size, 1 / rate, dtype=torch.float64, device=response.device)
        # Skirts of a third of an octave: steeper ones would ring for longer than a small room.
        low, high = (torch.log2(hz.clamp_min(1.0) / edge) * 3 for edge in band_hz)
        skirt = (low + 0.5).clamp(0, 1) * (0.5 - high).clamp(0, 1)
        shape = torch.sin(skirt * math.pi / 2) ** 2
        response = torch.fft.irfft(torch.fft.rfft(response, n=2 * size) * shape, n=2 * size)[..., :size]
    energy = response.square().sum(1)
    left = energy.flip(-1).cumsum(-1).flip(-1)
    tiny = torch.finfo(left.dtype).tiny
    level = 10 * torch.log10((left / left[..., :1].clamp_min(tiny)).clamp_min(1e-30))
    used = ((level <= -5) & (level >= -35)).to(level.dtype)
    count = used.sum(-1, keepdim=True)
    time = torch.arange(level.shape[-1], dtype=level.dtype, device=level.device) / rate
    time = (time - (time * used).sum(-1, keepdim=True) / count.clamp_min(1)) * used
    spread = time.square().sum(-1)
    slope = (time * level).sum(-1) / spread.clamp_min(tiny)
    readable = (slope < 0) & (count[:, 0] > 2)
    return torch.where(readable, -60 / torch.where(readable, slope, torch.full_like(slope, -1.0)), 0.0)


def wet_db(dry: torch.Tensor, wet: torch.Tensor, rate: int) -> torch.Tensor:
    """How loud the reverb is against the dry sound: (batch, channels, time) each -> (batch,) dB.

    K-weighted energy of the whole of `wet` (without the dry sound) over that of `dry`, ungated: a
    tail in the rests counts. Silence against sound reads -120.
    """
    sound, reverb = scan(dry, rate).loud.sum(-1), scan(wet, rate).loud.sum(-1)
    return db_from_power(reverb / sound.clamp_min(torch.finfo(sound.dtype).tiny)).to(dry.dtype)


def drive_db(dry: torch.Tensor, wet: torch.Tensor, rate: int) -> torch.Tensor:
    """Harmonics added: what no filter of `dry` explains in `wet`, against `wet`: (batch,) dB.

    Residual of the best linear fit (Wiener-Hopf: 12 ms FIR by least squares), channel by channel,
    so that gain, delay up to 9 ms and a filter's colour cost nothing. Silence, and a stage that
    only scales, read under -80; a steep low cut, longer than the FIR, leaves about -40. What a
    delay pushes past the end counts as missing: let the sound end in silence. Give it seconds, for a
    short sound can be fitted by chance.
    """
    if dry.shape != wet.shape:
        raise InputError(f"drive compares like with like; got {tuple(dry.shape)} and {tuple(wet.shape)}")
    taps = 1 << round(math.log2(_FIR_S * rate))
    ahead = taps // 4  # taps before time zero: a linear-phase stage may be early
    own, cross, power = _correlations(dry, wet, taps, ahead)
    tiny = torch.finfo(own.dtype).tiny
    with torch.no_grad():
        # The ridge, 90 dB down, keeps bands that hold nothing from being fitted to rounding.
        column = own.detach().clone()
        column[..., 0] = column[..., 0] * (1 + _RIDGE) + tiny
        fir = _toeplitz_solved(column, cross.detach())
        shared = torch.fft.rfft(fir, n=2 * taps).abs().square()
        shared = torch.fft.irfft(shared, n=2 * taps)[..., :taps]  # the FIR's own correlation
        shared[..., 1:] *= 2
    # At the optimum the residual does not depend on the FIR to first order, so it may stay a constant.
    residual = power - 2 * (fir * cross).sum(-1) + (shared * own).sum(-1)
    share = residual.clamp_min(0.0).sum(1) / power.sum(1).clamp_min(tiny)
    return db_from_power(share).to(dry.dtype)


def _toeplitz_solved(column: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Solutions of symmetric Toeplitz systems, rows of (batch, channels, taps), by Levinson-Durbin."""
    from scipy.linalg import solve_toeplitz  # a tenth of a second, for those who probe a drive

    pairs = zip(column.flatten(0, 1).cpu().numpy(), right.flatten(0, 1).cpu().numpy(), strict=True)
    solved = [torch.from_numpy(solve_toeplitz(first, goal)) for first, goal in pairs]
    return torch.stack(solved).reshape(right.shape).to(right.device)


def _correlations(
    dry: torch.Tensor, wet: torch.Tensor, taps: int, ahead: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sums over time in float64: dry with its own past by lag 0, 1, 2 ..., (batch, channels, taps); wet
    with dry by lag -ahead, 1 - ahead ..., (batch, channels, taps); the energy of wet (batch, channels).
    """
    length = dry.shape[-1]
    size = 1 << min(16, math.ceil(math.log2(length + 2 * taps)))
    block = size - 2 * taps
    own = cross = power = torch.zeros(1, dtype=torch.float64, device=dry.device)
    for start in range(0, length, block):
        before = min(taps, start)
        around = dry[..., start - before : start + block + taps].double()
        around = torch.nn.functional.pad(around, (taps - before, 0))
        around = torch.fft.rfft(around, n=size)
        for_dry, for_wet = (
            torch.fft.rfft(s[..., start : start + block].double(), n=size) for s in (dry, wet)
        )
        # c[m] = sum over n of s[n] dry[n - taps + m]: lag k stands at m = taps - k
        own = own + for_dry.conj() * around
        cross = cross + for_wet.conj() * around
        power = power + wet[..., start : start + block].double().square().sum(-1)
    own, cross = (torch.fft.irfft(spectrum, n=size).flip(-1) for spectrum in (own, cross))
    zero = size - 1 - taps  # where lag 0 stands after the flip
    return own[..., zero : zero + taps], cross[..., zero - ahead : zero - ahead + taps], power
