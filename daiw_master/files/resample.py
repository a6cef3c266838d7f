"""Another sample rate for the same sound: one Kaiser-windowed sinc, evaluated phase by phase."""

from __future__ import annotations

import math
from functools import lru_cache

import torch

from daiw_master.audio import Audio
from daiw_master.errors import InputError

#: Stop band and where it begins: all of the lower Nyquist frequency is used up to PASS of it.
STOP_DB = 100.0
PASS = 0.907  # 20 kHz at 44.1 kHz
_BLOCK = 2**17
#: Ratios beyond this many phases (44100 -> 44099) would need gigabytes of coefficients.
_MOST_PHASES = 2000


def resample(audio: Audio, rate: int) -> Audio:
    """The same sound at another sample rate, in time with the old one to the sample.

    Flat to 0.001 dB up to 90.7 % of the lower Nyquist frequency (20 kHz at 44.1 kHz), at least 95 dB
    down from that Nyquist frequency on; zero delay; ceil(n * rate / old) samples. `InputError` for
    rates outside 8 to 384 kHz and for ratios of more than 2000 phases.
    """
    if not 8000 <= rate <= 384000:
        raise InputError(f"sample rate is {rate}; it must lie between 8000 and 384000 Hz")
    if rate == audio.rate:
        return audio
    common = math.gcd(audio.rate, rate)
    up, down = rate // common, audio.rate // common
    if max(up, down) > _MOST_PHASES:
        raise InputError(f"{audio.rate} Hz cannot be converted to {rate} Hz: no small whole-number ratio")
    bank, reach = _phases(up, down)
    bank = bank.to(audio.samples.dtype)
    channels, length = audio.samples.shape
    wanted = -(-length * up // down)
    rounds = -(-wanted // up)  # every round reads `down` inputs and gives `up` outputs
    padded_length = (rounds - 1) * down + bank.shape[-1]
    padded = torch.nn.functional.pad(audio.samples, (reach, max(0, padded_length - reach - length)))
    pieces = []
    per_block = max(1, _BLOCK // down)
    for first in range(0, rounds, per_block):
        count = min(per_block, rounds - first)
        begin = first * down
        piece = padded[:, begin : begin + (count - 1) * down + bank.shape[-1]]
        out = torch.nn.functional.conv1d(piece.unsqueeze(1), bank, stride=down)
        pieces.append(out.transpose(1, 2).reshape(channels, -1))
    return Audio(torch.cat(pieces, dim=-1)[:, :wanted], rate, audio.tags)


@lru_cache(maxsize=8)
def _phases(up: int, down: int) -> tuple[torch.Tensor, int]:
    """(up, 1, taps) filters and how many inputs they reach back.

    Output k sits at input time k * down / up; phase p = k mod up reads
    h(t) = sinc(2 fc t) * kaiser(t), t in input samples (Crochiere & Rabiner 1983, section 2.3).
    """
    nyquist = 0.5 * min(1.0, up / down)  # in cycles per input sample
    transition = (1 - PASS) * nyquist
    centre = nyquist - transition / 2
    beta = 0.1102 * (STOP_DB - 8.7)  # Kaiser 1974
    half = math.ceil((STOP_DB - 7.95) / (14.36 * transition) / 2)
    offsets = torch.arange(up, dtype=torch.float64) * down / up
    taps = torch.arange(-half, half + down + 1, dtype=torch.float64)
    t = taps - offsets.unsqueeze(1)
    window = torch.special.i0(beta * (1 - (t / (half + 1)) ** 2).clamp_min(0).sqrt()) / torch.special.i0(
        torch.tensor(beta, dtype=torch.float64)
    )
    bank = 2 * centre * torch.sinc(2 * centre * t) * window * (t.abs() <= half + 1)
    # Unity gain at DC for every phase, so that no phase pattern is heard on steady sound.
    bank = bank / bank.sum(dim=1, keepdim=True)
    return bank.unsqueeze(1), half
