"""How far a transfer is from the ground truth: six scores that no method optimises, and their tests.

Two scores hear spectra (MR-STFT, Bark), four hear one property each (crest, width, loudness, loudness
range). All are distances: 0 is the ground truth itself. For MR-STFT and Bark the sound is first brought
to the loudness of the ground truth; crest, width and loudness range do not change with gain; the
loudness error is taken from the sound as its method delivers it.
"""

from __future__ import annotations

import math

import torch

from daiw_master.meters.loudness import integrated_loudness, loudness_range
from daiw_master.meters.traces import scan
from daiw_master.units import POWER_FLOOR, gain_from_db

RATE = 48_000
#: Frame sizes of the multi-resolution distance (Yamamoto et al. 2020, Parallel WaveGAN), hop a quarter.
FRAMES = (512, 1024, 2048)
#: Magnitudes are heard down to this far under the loudest one of the ground truth: 80 dB.
STFT_FLOOR = 1e-4
#: Edges of the Bark bands in Hz (Zwicker 1961).
BARK_HZ = (
    20, 100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700, 4400,
    5300, 6400, 7700, 9500, 12000, 15500,
)  # fmt: skip
BARK_FRAME = 4096
#: A Bark band is heard down to this far under the loudest band of the ground truth's middle.
BARK_FLOOR_DB = -70.0
#: Narrower than this is mono.
WIDTH_FLOOR_DB = -50.0

SCORES = {
    "mr_stft": "MR-STFT",
    "bark_db": "Bark dB",
    "crest_db": "crest dB",
    "width_db": "width dB",
    "loudness_lu": "loudness LU",
    "range_lu": "range LU",
}
#: What ours must win against every rival; the range of five seconds of music is shown beside them.
JUDGED = ("mr_stft", "bark_db", "crest_db", "width_db", "loudness_lu")


def scores(sound: torch.Tensor, truth: torch.Tensor, rate: int = RATE) -> dict[str, float]:
    """Every distance of one sound (2, time) from the ground truth (2, time), by name of `SCORES`."""
    seen = [scan(x[None], rate, keep=("loud",)) for x in (sound, truth)]
    loudness, wanted = (float(integrated_loudness(one)) for one in seen)
    ranges = [float(loudness_range(one, absolute_gate=False)) for one in seen]
    matched = sound * gain_from_db(wanted - loudness)
    return {
        "mr_stft": mr_stft(matched, truth),
        "bark_db": float((bark_db(matched, truth, rate) - bark_db(truth, truth, rate)).abs().mean()),
        "crest_db": abs(crest_db(sound) - crest_db(truth)),
        "width_db": abs(width_db(sound) - width_db(truth)),
        "loudness_lu": abs(loudness - wanted),
        "range_lu": abs(ranges[0] - ranges[1]),
    }


def mr_stft(sound: torch.Tensor, truth: torch.Tensor) -> float:
    """Multi-resolution STFT distance: spectral convergence + mean |log magnitude ratio|, over `FRAMES`.

    Left and right (2, time) count alike.
    """
    total = 0.0
    for frame in FRAMES:
        window = torch.hann_window(frame, dtype=truth.dtype)
        ours, theirs = (
            torch.stft(x, frame, frame // 4, window=window, return_complex=True).abs() for x in (sound, truth)
        )
        floor = max(float(theirs.max()) * STFT_FLOOR, 1e-9)
        ours, theirs = ours.clamp_min(floor), theirs.clamp_min(floor)
        converged = torch.linalg.norm(ours - theirs) / torch.linalg.norm(theirs)
        total += float(converged + (ours.log() - theirs.log()).abs().mean())
    return total / len(FRAMES)


def bark_db(sound: torch.Tensor, truth: torch.Tensor, rate: int) -> torch.Tensor:
    """Long-term level of 24 Bark bands of middle and side (2, 24) in dB, heard as far down as `truth`."""
    bands = _bark_power(sound, rate)
    floor = _bark_power(truth, rate)[0].max() * 10 ** (BARK_FLOOR_DB / 10)
    return 10 * torch.log10(bands.clamp_min(max(float(floor), POWER_FLOOR)))


def _bark_power(sound: torch.Tensor, rate: int) -> torch.Tensor:
    left, right = sound
    pair = torch.stack([left + right, left - right]) / 2
    window = torch.hann_window(BARK_FRAME, dtype=pair.dtype)
    spectrum = torch.stft(pair, BARK_FRAME, BARK_FRAME // 2, window=window, return_complex=True)
    power = spectrum.abs().square().mean(-1)
    hz = torch.fft.rfftfreq(BARK_FRAME, 1 / rate, dtype=pair.dtype)
    band = torch.bucketize(hz, torch.tensor(BARK_HZ, dtype=pair.dtype), right=True)
    return torch.stack([power[:, band == n].sum(-1) for n in range(1, len(BARK_HZ))], dim=-1)


def crest_db(sound: torch.Tensor) -> float:
    """The highest sample of either channel above the mean power of both, in dB."""
    power = max(float(sound.square().mean()), POWER_FLOOR)
    return 10 * math.log10(max(float(sound.abs().max()) ** 2, POWER_FLOOR) / power)


def width_db(sound: torch.Tensor) -> float:
    """Power of the side against the middle, in dB, not under `WIDTH_FLOOR_DB`."""
    left, right = sound
    side, middle = float((left - right).square().mean()), float((left + right).square().mean())
    return max(10 * math.log10(max(side, POWER_FLOOR) / max(middle, POWER_FLOOR)), WIDTH_FLOOR_DB)


def sign_test(ours: list[float], theirs: list[float]) -> tuple[int, int, float]:
    """Paired sign test that ours is the smaller: (wins, losses, one-sided p). Ties are left out."""
    from scipy.stats import binomtest

    wins = sum(a < b for a, b in zip(ours, theirs, strict=True))
    losses = sum(a > b for a, b in zip(ours, theirs, strict=True))
    p = binomtest(wins, wins + losses, 0.5, "greater").pvalue if wins + losses else 1.0
    return wins, losses, float(p)


def removed(distance: float, of_input: float) -> float:
    """The share of the input's distance that a method takes away: 1 is the ground truth, 0 the input."""
    return 1 - distance / max(of_input, 1e-9)
