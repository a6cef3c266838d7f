"""What a stage did: reverb time, wet level and drive, read between its input and its output.

None of these can be read off a finished mix; where we made the sound, they can be proven.
"""

from __future__ import annotations

import math

import torch

from daiw_master.errors import InputError
from daiw_master.measure.traces import scan
from daiw_master.units import db_from_power

#: A bin of the input this far under the loudest explains nothing of the output.
_UNEXPLAINED = 1e-10


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

    Residual of the best linear fit per frequency, S_yy - |S_xy|^2 / S_xx (Bendat & Piersol,
    coherent output power), channel by channel over half-overlapped Hann frames of 93 ms, so gain,
    EQ and delays up to about 10 ms cost nothing. Needs a second of sound or more; a purely linear stage
    reads under about -60, silence -120.
    """
    if dry.shape != wet.shape:
        raise InputError(
            f"drive compares like with like; got shapes {tuple(dry.shape)} and {tuple(wet.shape)}"
        )
    size = min(1 << round(math.log2(0.093 * rate)), 1 << max(4, (dry.shape[-1] // 16).bit_length()))
    hop = size // 2
    window = torch.hann_window(size, dtype=dry.dtype, device=dry.device)
    sums = [torch.zeros(1)] * 3
    step = 64 * hop
    length = dry.shape[-1]
    for start in range(0, max(1, length - hop), step):
        stop = min(length, start + step + hop)
        short = max(0, size - (stop - start))
        x, y = (torch.nn.functional.pad(s[..., start:stop], (0, short)) for s in (dry, wet))
        x, y = (torch.fft.rfft(s.unfold(-1, size, hop) * window) for s in (x, y))
        parts = (x.abs().square(), y.abs().square(), x.conj() * y)
        parts = [part.sum(2).to(torch.complex128 if part.is_complex() else torch.float64) for part in parts]
        sums = parts if start == 0 else [a + b for a, b in zip(sums, parts, strict=True)]
    xx, yy, xy = sums
    tiny = torch.finfo(xx.dtype).tiny
    known = torch.maximum(xx, _UNEXPLAINED * xx.amax(-1, keepdim=True)).clamp_min(tiny)
    residual = (yy - (xy.real.square() + xy.imag.square()) / known).clamp_min(0.0)
    return db_from_power(residual.sum((1, 2)) / yy.sum((1, 2)).clamp_min(tiny)).to(dry.dtype)
