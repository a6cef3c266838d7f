"""How the music stands up: crest within moments, and the strength of attacks. Gain changes nothing here."""

from __future__ import annotations

import torch
from torch.nn.functional import max_pool1d, pad

from daiw_master.meters.loudness import relative_gate
from daiw_master.meters.traces import TICKS_PER_S, Scan


def _share_db(value: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    tiny = torch.finfo(value.dtype).tiny
    return 10 * torch.log10(value.clamp_min(tiny)) - 10 * torch.log10(reference.clamp_min(tiny))


def crest_db(seen: Scan) -> torch.Tensor:
    """Peak above average within 400 ms, averaged over the music: (batch,) dB. A sine reads 3.01.

    Sample peak of the louder channel against the mean power of the channels, every 100 ms, in the
    moments within 20 LU of the music's loudness.
    """
    weights = relative_gate(seen.windows(seen.loud, 0.4, 0.1))
    power = seen.windows(seen.energy.mean(1), 0.4, 0.1)
    crest = _share_db(seen.window_peaks(0.4, 0.1).square(), power).clamp_min(0.0)
    return (weights * crest).sum(-1) / weights.sum(-1)


#: An attack's first moments, what came before them, and how close two attacks may stand.
_FIRST_MS, _BEFORE_MS, _APART_MS = 10.0, 100.0, 50.0
#: The strongest attacks count, one for every two seconds of music. A fixed share, not a threshold:
#: with a threshold, sharper attacks let new weak ones in and the mean falls as every attack rises.
_ATTACKS_PER_S = 0.5
#: What came before counts as no softer than 20 dB under the music, or a rest would decide.
_BEFORE_FLOOR = 1e-2


def _ticks(duration_ms: float) -> int:
    return round(duration_ms * TICKS_PER_S / 1000)


def onset_db(seen: Scan) -> torch.Tensor:
    """Attack strength: how far the strongest attacks rise above what came before, (batch,) dB.

    K-weighted energy of 10 ms against the 100 ms before it, at its local maxima, in the music
    (within 20 LU of its loudness); mean of the strongest, one per two seconds. Pads read 2 to 4,
    a piano 7 to 10, dry drums 20 to 30. A sound under 0.11 s reads 0.
    """
    first, before = _ticks(_FIRST_MS), _ticks(_BEFORE_MS)
    if seen.whole_ticks < first + before:
        return torch.zeros_like(seen.loud[:, 0])
    total = pad(seen.loud[:, : seen.whole_ticks].cumsum(-1), (1, 0))
    attack = (total[:, before + first :] - total[:, before:-first]) / first
    gate = relative_gate(attack)
    level = (attack * gate).sum(-1, keepdim=True) / gate.sum(-1, keepdim=True)
    past = (total[:, before:-first] - total[:, : -before - first]) / before
    del total  # an hour has a million ticks
    rise = _share_db(attack, torch.maximum(past, level * _BEFORE_FLOOR)).clamp_min(0.0)
    del attack, past

    with torch.no_grad():
        apart = _ticks(_APART_MS)
        top = max_pool1d(rise, 2 * apart + 1, 1, apart) == rise
        weight = torch.where(top, gate, 0.0)
        wanted = _ATTACKS_PER_S * gate.sum(-1, keepdim=True) / TICKS_PER_S
        del gate
        most = int(top.sum(-1).max())
        order = rise.masked_fill(~top, -1.0).topk(most, dim=-1).indices
        weight = weight.gather(-1, order)
        weight = torch.minimum(weight, (wanted - (weight.cumsum(-1) - weight)).clamp_min(0.0))
        share = weight / weight.sum(-1, keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny)
    return (rise.gather(-1, order) * share).sum(-1)
