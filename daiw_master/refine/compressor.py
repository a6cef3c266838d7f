"""How hard the compressor works on a song, from its first to its last moment, in bounded memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from daiw_master.meters.loudness import momentary
from daiw_master.meters.traces import ScanWalk
from daiw_master.refine.bench import Bench
from daiw_master.stack.curves import compressor_reduction_db, detected_db
from daiw_master.stack.envelope import control_hop, power_trace
from daiw_master.stack.recursion import Memory

#: Its work is read this often, and where the song is music: within 20 LU of its loudest 400 ms.
HOP_S, WINDOW_S, MUSIC_LU = 0.01, 0.4, 20.0


@dataclass(frozen=True)
class Work:
    """Reduction in dB (>= 0) over a song: mean and most within every `hop_s`, two (hops,); and its music.

    `level_lufs`: the loudness of every 400 ms of what the compressor hears.
    """

    hop_s: float
    mean_db: torch.Tensor
    most_db: torch.Tensor
    level_lufs: torch.Tensor

    @property
    def over_music_db(self) -> torch.Tensor:
        """The mean reduction of every 400 ms that is music."""
        hops = len(self.mean_db) // max(1, len(self.level_lufs))
        if not hops:
            return self.mean_db
        whole = self.mean_db[: hops * len(self.level_lufs)].reshape(len(self.level_lufs), hops).mean(-1)
        return whole[self.level_lufs > self.level_lufs.max() - MUSIC_LU]


def dynamics_of(bench: Bench) -> str | None:
    """Where the chain has its (first) dynamics."""
    return next((place for place, effect in bench.placed.items() if effect.name == "dynamics"), None)


@torch.no_grad()
def compressor_work(bench: Bench, settings: Mapping[str, float]) -> Work | None:
    """The compressor's reduction at these settings, after the rider; None where it does not work."""
    place = dynamics_of(bench)
    if place is None or settings.get(f"{place}.ratio", 1.0) <= 1.0:
        return None
    params = bench.placed[place].params
    own = {param.name: float(settings.get(f"{place}.{param.name}", param.default)) for param in params}
    hop = control_hop(bench.song.rate)
    clock, memories = bench.song.rate / hop, defaultdict(Memory)
    times = (own["attack_ms"], own["release_ms"])
    frames = max(1, round(HOP_S * clock))
    heard, means, most = ScanWalk(bench.song.rate, keep=("loud",)), [], []
    sound_left, trace_left = torch.empty(1, bench.song.x.channels, 0), torch.empty(1, 0)

    def read(sound: torch.Tensor, last: bool = False) -> None:
        """Whole control hops of sound into whole hops of reading; what is over waits."""
        nonlocal sound_left, trace_left
        sound = torch.cat([sound_left.to(sound), sound], dim=-1)
        ready = sound.shape[-1] if last else sound.shape[-1] // hop * hop
        sound_left = sound[..., ready:].clone()
        if ready:
            level = detected_db(power_trace(sound[..., :ready], hop), clock, *times, memories["level"])
            reduction = compressor_reduction_db(
                level, clock, own["threshold_db"], own["ratio"], own["knee_db"], *times, memories["needle"]
            )
            trace_left = torch.cat([trace_left.to(reduction), reduction], dim=-1)
        if last and trace_left.shape[-1]:  # the last hop may be a short one
            fill = trace_left[:, -1:].expand(-1, -trace_left.shape[-1] % frames)
            trace_left = torch.cat([trace_left, fill], dim=-1)
        whole = trace_left.shape[-1] // frames * frames
        hops = trace_left[0, :whole].unflatten(-1, (-1, frames))
        means.append(hops.mean(-1).cpu())
        most.append(hops.amax(-1).cpu())
        trace_left = trace_left[:, whole:].clone()

    for block in bench.ridden_before(place, settings):
        heard.add(block)
        read(block)
    read(sound_left[..., :0], last=True)
    level_lufs = momentary(heard.done(), hop_ms=1000 * WINDOW_S)[0].cpu()
    return Work(frames * hop / bench.song.rate, torch.cat(means), torch.cat(most), level_lufs)
