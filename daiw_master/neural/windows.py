"""Where a sound is listened to for its style: a few windows, spread over all of it that is music."""

from __future__ import annotations

import torch
from torch.nn import functional

from daiw_master.errors import InputError
from daiw_master.files import resampled
from daiw_master.neural.descriptor import SHORTEST
from daiw_master.neural.encoder import STYLE_RATE, STYLE_WINDOW
from daiw_master.sounds import Sound
from daiw_master.stack.hops import averaged_blocks

#: So many windows say what a song sounds like; more of them change its embedding by less than its spread.
MOST_WINDOWS = 24
#: A window this far below the loudest one is a fade, a breath or an ending.
GATE_DB = 20.0
#: Below this a sound is silence, dBFS.
SILENT_DB = -80.0
#: Less than this is a click with no style to hear, seconds.
LEAST_S = 0.5
#: How finely the level is followed, seconds.
HOP_S = 0.1


@torch.no_grad()
def windows_of(sound: Sound, name: str = "the sound", most: int = MOST_WINDOWS) -> torch.Tensor:
    """The windows of a sound of any length, (windows, 2, STYLE_WINDOW or less) at STYLE_RATE, in order.

    They overlap by half at most, lie evenly over what stands above the gate, and only they are
    resampled and held. A sound shorter than one window is heard as it is, (1, 2, time): its embedding lies
    as near that of a whole window (cosine 0.95 at 3.5 s, 0.92 at 2 s) as one window lies to its
    neighbour (0.90), with silence behind it less (0.79, 0.71), repeated from its beginning less too
    (0.89, 0.85). Below two seconds it is heard to and fro, which leaves no seams. Mono has two equal
    sides. `InputError` where the sound is silent, shorter than half a second, or holds NaN.
    """
    seconds = sound.time / sound.rate
    if seconds < LEAST_S:
        raise InputError(f"{name}: {seconds:.2f} s long; a style takes at least {LEAST_S:g} s of sound")
    hop = round(HOP_S * sound.rate)
    power = averaged_blocks((block.double().square().mean(1) for block in sound.blocks()), hop).flatten()
    if not torch.isfinite(power).all():
        raise InputError(f"{name}: holds NaN or infinite samples; export it again")
    if power.max() <= 10 ** (SILENT_DB / 10):
        raise InputError(f"{name}: silent; there is no style to hear")
    heard = resampled(sound, STYLE_RATE)
    if heard.time <= STYLE_WINDOW:
        return _stereo(_filled(heard.read(0, heard.time)))
    last = heard.time - STYLE_WINDOW
    starts = [min(round(start_s * STYLE_RATE), last) for start_s in _starts_s(power, seconds, most)]
    return torch.cat([_stereo(heard.read(start, start + STYLE_WINDOW)) for start in starts])


def _starts_s(power: torch.Tensor, seconds: float, most: int) -> list[float]:
    """Where the windows begin, seconds: half a window apart, above the gate, thinned out evenly."""
    window_s = STYLE_WINDOW / STYLE_RATE
    last = seconds - window_s
    starts = torch.linspace(0.0, last, 1 + max(1, round(2 * last / window_s)), dtype=torch.float64)
    total = functional.pad(power.cumsum(0), (1, 0))
    first = (starts / HOP_S).long()
    until = ((starts + window_s) / HOP_S).long().clamp(max=len(power))
    level = (total[until] - total[first]) / (until - first)
    kept = starts[level >= level.max() * 10 ** (-GATE_DB / 10)]
    if len(kept) > most:
        kept = kept[torch.linspace(0, len(kept) - 1, most).round().long()]
    return kept.tolist()


def _filled(x: torch.Tensor) -> torch.Tensor:
    """A sound (1, channels, time) to and fro until it is as long as the shortest that can be described."""
    if x.shape[-1] >= SHORTEST:
        return x
    round_trip = torch.cat([x, x.flip(-1)], dim=-1)
    return round_trip.repeat(1, 1, -(-SHORTEST // round_trip.shape[-1]))[..., :SHORTEST]


def _stereo(x: torch.Tensor) -> torch.Tensor:
    return x.float() if x.shape[1] == 2 else x.float().expand(-1, 2, -1)
