"""A fader in the middle of a song: sound is held back until the gain that moves it is known."""

from __future__ import annotations

import math

import torch

from daiw_master.sounds import BLOCK
from daiw_master.stack.envelope import Fader
from daiw_master.stack.flow import Flow


class FaderFlow(Flow):
    """One or more layers of sound, each turned along its own gain, hop by hop.

    A gain is reached at the end of its hop, so a hop that is not yet complete waits. Whoever fills in
    `gains` may hold back whole hops too (a shaper looks ahead).
    """

    def __init__(self, hop: int, batch: int = 1) -> None:
        self.hop, self.batch = hop, batch
        self._fader = Fader(hop)
        self._sounds: tuple[torch.Tensor, ...] = ()
        self._measured = 0  # hops of the waiting sound that `gains` has seen

    def layers(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The sounds the faders stand on, all of one length: here the sound itself."""
        return (x,)

    def last_layers(self) -> tuple[torch.Tensor, ...]:
        """What `layers` still held back, at the end of the sound."""
        return ()

    def gains(self, sounds: tuple[torch.Tensor, ...], last: bool) -> tuple[torch.Tensor, ...]:
        """The next gains (batch, hops), one for each layer, as far as they are known by now.

        `sounds`: what is new of each layer, whole hops (and with `last` the rest of the sound, after
        which every gain must have come).
        """
        raise NotImplementedError

    @torch.no_grad()
    def push(self, x: torch.Tensor, **beside: torch.Tensor) -> torch.Tensor:
        made = self._moved(self.layers(x), last=False)
        return x.new_empty(max(len(x), self.batch), x.shape[1], 0) if made is None else made

    @torch.no_grad()
    def finish(self) -> torch.Tensor | None:
        return self._moved(self.last_layers(), last=True)

    def _moved(self, new: tuple[torch.Tensor, ...], last: bool) -> torch.Tensor | None:
        sounds = _behind(self._sounds, new)
        if not sounds:
            return None
        time, hop = sounds[0].shape[-1], self.hop
        hops = -(-time // hop) if last else time // hop
        if hops == self._measured and not (last and hops):
            self._sounds = tuple(sound.clone() for sound in sounds)  # what was pushed may be written over
            return None
        fresh = tuple(sound[..., self._measured * hop : hops * hop] for sound in sounds)
        gains = self.gains(fresh, last)
        ready = gains[0].shape[-1]
        self._measured = hops - ready
        self._sounds = tuple(sound[..., ready * hop :].clone() for sound in sounds)
        if not ready:
            return None
        return self._fader(
            *((sound[..., : ready * hop], gain) for sound, gain in zip(sounds, gains, strict=True))
        )


def _behind(waiting: tuple[torch.Tensor, ...], new: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Each new sound behind what waits of it; no copy where nothing waits."""
    if not new or not waiting or waiting[0].shape[-1] == 0:
        return new or waiting
    return tuple(torch.cat(pair, dim=-1) for pair in zip(waiting, new, strict=True))


def waiting_time(step: int, ahead: int, block: int) -> int:
    """Latency in samples of a stage that makes whole steps and looks `ahead`.

    A file comes in blocks of any length: up to step - 1 samples wait for their step. Live, where every
    push is a whole number of `block`s, only what their common measure leaves over.
    """
    return ahead + step - (math.gcd(step, block) if block < BLOCK else 1)
