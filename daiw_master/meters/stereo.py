"""How wide: side against mid by band, correlation, and what a mono speaker loses."""

from __future__ import annotations

import torch

from daiw_master.meters.loudness import gated_blocks, lufs, masked_mean, masked_quantile, relative_gate
from daiw_master.meters.tone import Spectrum, band_energies
from daiw_master.meters.traces import Scan
from daiw_master.targets import WIDTH_EDGES_HZ

#: Mono reads -80 dB, a sound that is all side +20.
WIDTH_FLOOR_DB, WIDTH_TOP_DB = -80.0, 20.0


def side_to_mid_db(mid: torch.Tensor, side: torch.Tensor) -> torch.Tensor:
    """side / mid in dB between floor and top; the divisor is never under 1 % of what it divides."""
    divisor = torch.maximum(mid, side * 10 ** (-WIDTH_TOP_DB / 10)).clamp_min(torch.finfo(mid.dtype).tiny)
    return 10 * torch.log10((side / divisor).clamp_min(10 ** (WIDTH_FLOOR_DB / 10)))


def widths_db(seen: Spectrum) -> torch.Tensor:
    """Side against mid, 20 log10(side / mid), in the four bands of `WIDTH_EDGES_HZ`: (batch, 4) dB."""
    mid, side = seen.gated()
    return side_to_mid_db(band_energies(mid, WIDTH_EDGES_HZ), band_energies(side, WIDTH_EDGES_HZ))


def side_db(seen: Spectrum) -> torch.Tensor:
    """Side against mid over the whole spectrum: (batch,) dB."""
    mid, side = seen.gated()
    return side_to_mid_db(mid.sum(-1), side.sum(-1))


def correlation_p5(seen: Scan) -> torch.Tensor:
    """How close the channels come to fighting: 5th percentile of their correlation, (batch,) in -1 to 1.

    Blocks of 400 ms within 20 LU of the music's loudness. Mono reads 1; a sound in one channel
    only, 0.
    """
    gate = relative_gate(seen.windows(seen.loud, 0.4, 0.1)) > 0.5
    return masked_quantile(correlation(seen, 0.4, 0.1), gate, 0.05)


def correlation(seen: Scan, window_s: float, hop_s: float) -> torch.Tensor:
    """Left against right over time, in sliding windows: (batch, windows) in -1 to 1; mono reads 1."""
    left = seen.windows(seen.energy[:, 0], window_s, hop_s)
    right = seen.windows(seen.energy[:, -1 if seen.energy.shape[1] == 2 else 0], window_s, hop_s)
    # The cross term is signed: windows() would clip it, so it is carried as (l + r)^2 = l^2 + r^2 + 2 l r.
    both = seen.windows(seen.energy[:, 0] + seen.energy[:, -1] + 2 * seen.cross, window_s, hop_s)
    cross = (both - left - right) / 2
    tiny = torch.finfo(cross.dtype).tiny
    scale = left + right
    # One channel 120 dB under the other has no direction: the floor follows the louder one.
    norm = (left.clamp_min(1e-12 * scale) * right.clamp_min(1e-12 * scale)).clamp_min(tiny).sqrt()
    return (cross / norm).clamp(-1.0, 1.0)


def fold_down_loss_lu(seen: Scan) -> torch.Tensor:
    """Loudness lost when both speakers play (L + R)/2: (batch,) LU. Uncorrelated channels lose 3.

    Over the blocks that pass the gates of BS.1770 in stereo.
    """
    power, passed = gated_blocks(seen)
    mono = seen.windows(seen.loud_mid, 0.4, 0.1)
    return lufs(masked_mean(power, passed)) - lufs(masked_mean(mono, passed))
