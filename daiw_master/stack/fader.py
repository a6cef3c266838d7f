"""A fader in the middle of a song: sound is held back until the gain that moves it is known."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch

from daiw_master.sounds import BLOCK
from daiw_master.stack.envelope import Fader
from daiw_master.stack.flow import Flow

#: Samples of a file that are turned together: a trace of thirty thousand values costs little more than
#: one of eight thousand, since most of it is the number of steps.
GATHERED = 4 * BLOCK


class FaderFlow(Flow):
    """One or more layers of sound, each turned along its own gain, hop by hop.

    A gain is reached at the end of its hop, so a hop that is not yet complete waits. Whoever fills in
    `gains` may hold back whole hops too (a shaper looks ahead).
    """

    def __init__(self, hop: int, block: int, batch: int = 1) -> None:
        self.hop, self.batch = hop, batch
        self._least = 1 if block < BLOCK else GATHERED  # new samples that are worth a start
        self._fader = Fader(hop)
        self._waiting: list[tuple[torch.Tensor, ...]] = []  # every layer's sound, in pieces
        self._time = 0  # its length
        self._measured = 0  # hops of it that `gains` has seen

    def layers(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The sounds the faders stand on, all of one length: here the sound itself."""
        return (x,)

    def last_layers(self) -> tuple[torch.Tensor, ...]:
        """What `layers` still held back, at the end of the sound."""
        return ()

    @abstractmethod
    def gains(self, sounds: tuple[torch.Tensor, ...], last: bool) -> tuple[torch.Tensor, ...]:
        """The next gains (batch, hops), one for each layer, as far as they are known by now.

        `sounds`: what is new of each layer, whole hops (and with `last` the rest of the sound, after
        which every gain must have come).
        """

    @torch.no_grad()
    def push(self, x: torch.Tensor, **beside: torch.Tensor) -> torch.Tensor:
        made = self._moved(self.layers(x), last=False)
        return x.new_empty(max(len(x), self.batch), x.shape[1], 0) if made is None else made

    @torch.no_grad()
    def finish(self) -> torch.Tensor | None:
        return self._moved(self.last_layers(), last=True)

    def _moved(self, new: tuple[torch.Tensor, ...], last: bool) -> torch.Tensor | None:
        hop, time = self.hop, self._time + (new[0].shape[-1] if new else 0)
        hops = -(-time // hop) if last else time // hop
        if not hops if last else (hops - self._measured) * hop < self._least:
            if time > self._time:
                # live, what was pushed may be written over; a file's blocks are kept as they are
                self._keep(new if self._least > 1 else tuple(sound.clone() for sound in new), time)
            return None
        pieces = [*self._waiting, new] if new else self._waiting
        sounds = (
            pieces[0]
            if len(pieces) == 1
            else tuple(torch.cat(layer, dim=-1) for layer in zip(*pieces, strict=True))
        )
        gains = self.gains(tuple(sound[..., self._measured * hop : hops * hop] for sound in sounds), last)
        ready = gains[0].shape[-1]
        made = self._fader(
            *((sound[..., : ready * hop], gain) for sound, gain in zip(sounds, gains, strict=True))
        )
        self._measured, self._waiting = hops - ready, []
        self._keep(tuple(sound[..., ready * hop :].clone() for sound in sounds), max(time - ready * hop, 0))
        return made

    def _keep(self, sounds: tuple[torch.Tensor, ...], time: int) -> None:
        self._waiting.append(sounds)
        self._time = time


def waiting_time(step: int, block: int, ahead: int = 0, late: int = 0) -> int:
    """Latency in samples of a stage that makes whole steps and looks `ahead` from each.

    What goes in is `late` already. A file comes in blocks of any length, and is gathered. Live, where
    every push is a whole number of `block`s, nothing waits but what their common measure leaves over.
    """
    if block >= BLOCK:
        return late + ahead + step - 1 + GATHERED
    common = math.gcd(step, block)
    return late + (-late % common) + ahead + step - common
