"""A chain whose best settings are known and a listener that hears them: searches tested in milliseconds."""

from __future__ import annotations

import torch
from torch.nn import functional

from daiw_master.params import Param
from daiw_master.stack.effect import Effect, per_item

RATE = 48_000
KNOBS = ("low", "mid", "high")
#: One tone for each knob, exactly on a line of a 480-sample transform.
LINES = (4, 20, 90)


def tones(windows: int = 1, time: int = 480) -> torch.Tensor:
    """(windows, 2, time): the three tones, equally loud."""
    clock = torch.arange(time) / 480
    x = sum(torch.sin(2 * torch.pi * line * clock + line) for line in LINES)
    return 0.1 * x.expand(windows, 2, time).contiguous()


def turned(x: torch.Tensor, rate: int, **gains_db) -> torch.Tensor:
    """x with each tone at its gain."""
    spectrum = torch.fft.rfft(x)
    count = max(len(x), *(torch.as_tensor(gain_db).numel() for gain_db in gains_db.values()))
    gain = torch.ones(count, 1, spectrum.shape[-1])
    for name, line in zip(KNOBS, LINES, strict=True):
        near = functional.one_hot(torch.tensor(line), spectrum.shape[-1])
        by = 10 ** (per_item(gains_db[f"{name}_db"], x) / 20)
        gain = gain * (1 + near * (by - 1))
    return torch.fft.irfft(spectrum * gain, n=x.shape[-1])


def paint(name: str = "paint", process=turned, **given) -> Effect:
    """An effect with a gain for each tone."""
    params = tuple(Param(f"{knob}_db", -20, 20, 0, "dB") for knob in KNOBS)
    return Effect(name, "three gains", params, process, **given)


def hear(x: torch.Tensor) -> torch.Tensor:
    """(batch, 2, time) -> (batch, 3): how loud each tone is against the others, in log power."""
    lines = torch.fft.rfft(x.mean(1)).abs()[:, list(LINES)]
    level = torch.log(lines / lines.mean(-1, keepdim=True) + 1e-6)
    return functional.normalize(torch.cat([level, torch.ones_like(level[:, :1])], -1), dim=-1)


def target(**gains_db: float) -> torch.Tensor:
    """What is heard at these settings of the paint."""
    settings = {f"{knob}_db": 0.0 for knob in KNOBS} | gains_db
    return hear(turned(tones(), RATE, **settings))[0]
