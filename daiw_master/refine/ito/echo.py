"""When a recording answers itself: the times of its echoes, read off its spectrum's ripple."""

from __future__ import annotations

import math

import torch

from daiw_master.refine.ito.ripple import neighbourhood

#: Where echoes are looked for, seconds: below it a room's combs stand, above it feedback has died away.
SHORTEST_S, LONGEST_S = 0.045, 1.0
#: Outside of this a recording holds rumble and hiss that answer nobody.
LOWEST_HZ, HIGHEST_HZ = 80.0, 14_000.0
#: The spectrum's own shape, over so many Hz, is taken off before its ripple is read; a lone partial
#: counts no more than so many times its neighbourhood.
SHAPE_HZ, LOUDEST_PARTIAL = 40.0, 8.0
#: Two peaks closer than this are one echo, seconds.
APART_S = 0.0005


def echo_times_s(x: torch.Tensor, rate: int, most: int = 5) -> list[tuple[float, float]]:
    """The likeliest echoes of a sound (channels, time): (seconds, how far it stands out), strongest first.

    The autocorrelation of the whitened sound: an electronic echo repeats every sample and stands there as
    one sharp line, exact to the sample. Music that repeats by the bar draws lines as well; which of them
    is an echo is not told here. How far one stands out is counted in typical deviations of the rest.
    Empty for sounds shorter than two of the longest echoes.
    """
    samples = x.shape[-1]
    if samples < 2 * LONGEST_S * rate:
        return []
    size = 1 << math.ceil(math.log2(2 * samples))
    power = torch.fft.rfft(x.double(), size).abs().square().sum(0)
    hz = torch.fft.rfftfreq(size, 1 / rate, dtype=power.dtype)
    shape = neighbourhood(power, SHAPE_HZ * size / rate)
    ripple = (power / shape.clamp_min(1e-9 * float(power.max()) + 1e-30)).clamp_max(LOUDEST_PARTIAL)
    heard = (hz > LOWEST_HZ) & (hz < HIGHEST_HZ)
    ripple = torch.where(heard, ripple - ripple[heard].mean(), 0.0)
    first, last = round(SHORTEST_S * rate), round(LONGEST_S * rate)
    answer = torch.fft.irfft(ripple)[first:last]
    typical = 1.4826 * float(answer.abs().median())
    if typical <= 0.0:
        return []
    found, apart = [], round(APART_S * rate)
    for _ in range(most):
        place = int(answer.argmax())
        found.append(((first + place) / rate, float(answer[place]) / typical))
        answer[max(0, place - apart) : place + apart + 1] = 0.0
    return found
