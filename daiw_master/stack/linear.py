"""Linear stages as data: filters, a room, and neighbours of them made one, by what they answer to a click.

Every stage here is

    y = after * (before * x  +  room * send),        where the send, if none is given, is before * x

with any number of filters before and after and at most one room. A stereo sound travels as one complex
signal z = left + j right: then a filter on both channels is one product, and any matrix of filters
between two channels is y = same * z + mirrored * conj(z). One complex transform does both sides, and a
room that turns the stereo field (left' = p L - q R, right' = q L + p R) is the single filter p + j q.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import torch
from torch.nn import functional

from daiw_master.stack.frames import AT_ONCE, FILLED, GROUP, frame, power_of_two

#: A sound's transforms are kept for so many ways of cutting it into frames. Groups come in order of their
#: rooms' length, so that old ways hardly come again, and each takes 16 bytes for every bin of its frames.
CUTS_KEPT = 2


class Fir(NamedTuple):
    """One filter: taps (batch or 1, channels or 1, taps), `lead` of them before time zero."""

    taps: torch.Tensor
    lead: int = 0


class Pair(NamedTuple):
    """Two channels answering two: same * z + mirrored * conj(z), z = left + j right.

    Complex taps (batch or 1, 1, taps) each; `mirrored` is None where the matrix only turns and scales.
    `across` (batch or 1, 1, 1) in its place stands for mirrored = across * conj(same): a turn that is
    made narrower afterwards.
    """

    same: torch.Tensor
    mirrored: torch.Tensor | None = None
    across: torch.Tensor | None = None


def pair(matrix: torch.Tensor) -> Pair:
    """A matrix of filters (batch or 1, 2 outputs, 2 inputs, taps) as a pair."""
    (ll, lr), (rl, rr) = (row.unbind(1) for row in matrix.unbind(1))
    same, mirrored = torch.complex(ll + rr, rl - lr) / 2, torch.complex(ll - rr, rl + lr) / 2
    return Pair(same.unsqueeze(1), mirrored.unsqueeze(1))


@dataclass(frozen=True)
class Linear:
    """What a line of linear stages does to a sound: see the top of this file.

    `linear(x)` or `linear(x, send)` is the whole sound through it, differentiable to x, the send and
    all taps; `linear.then(next)` is both in one. A room on a stereo sound is a `Pair`, on a mono sound
    a `Fir`. Tensors of a batch of one broadcast.
    """

    before: tuple[Fir, ...] = ()
    room: Fir | Pair | None = None
    after: tuple[Fir, ...] = ()

    @property
    def firs(self) -> tuple[Fir, ...]:
        return self.before + self.after

    @property
    def rings(self) -> int:
        """Samples of the answer to a click, those before time zero included."""
        parts = [fir.taps for fir in self.firs] + ([] if self.room is None else [self.room[0]])
        return sum(taps.shape[-1] - 1 for taps in parts) + 1

    @property
    def lead(self) -> int:
        """Samples of the answer that come before the click."""
        return sum(fir.lead for fir in self.firs)

    @property
    def batch(self) -> int:
        parts = [fir.taps for fir in self.firs] + [part for part in self._room_parts() if part is not None]
        return max(map(len, parts), default=1)

    def then(self, following: Linear) -> Linear | None:
        """Both as one stage; None where they do not fit in one (two rooms, sides filtered apart)."""
        if following.room is None:
            if self.room is None:
                one = Linear(self.before + following.firs)
            else:
                one = Linear(self.before, self.room, self.after + following.firs)
        elif self.room is None and not self.lead:
            one = Linear(self.firs + following.before, following.room, following.after)
        else:
            return None
        apart = any(fir.taps.shape[1] > 1 for fir in one.firs)
        return None if apart and isinstance(one.room, Pair) else one

    def groups(self, size: int) -> Iterator[Linear]:
        """The stage for so many items of its batch at a time, again and again the same where it has one."""
        befores = [_groups(fir.taps, size) for fir in self.before]
        afters = [_groups(fir.taps, size) for fir in self.after]
        rooms = [None if part is None else _groups(part, size) for part in self._room_parts()]
        while True:
            yield Linear(
                tuple(Fir(next(taps), fir.lead) for fir, taps in zip(self.before, befores, strict=True)),
                self.room and type(self.room)(*(part if part is None else next(part) for part in rooms)),
                tuple(Fir(next(taps), fir.lead) for fir, taps in zip(self.after, afters, strict=True)),
            )

    def _room_parts(self) -> tuple[torch.Tensor | None, ...]:
        return self.room[:1] if isinstance(self.room, Fir) else self.room or ()

    def shortened(self, taps: int) -> Linear:
        """The same with no part longer than `taps`: what comes later never meets a sample."""

        def firs(them: tuple[Fir, ...]) -> tuple[Fir, ...]:
            # What one filter puts before the sound, another may carry into it.
            return tuple(Fir(fir.taps[..., : taps + self.lead], fir.lead) for fir in them)

        room = self.room
        if isinstance(room, Fir):
            room = Fir(room.taps[..., :taps])
        elif room is not None:
            room = Pair(*(part if part is None else part[..., :taps] for part in room))
        return Linear(firs(self.before), room, firs(self.after))

    def __call__(
        self, x: torch.Tensor, send: torch.Tensor | None = None, kept: dict | None = None
    ) -> torch.Tensor:
        """The sound through the stage, (batch, channels, time), as long as it came in.

        For many calls on one x (1, channels, time) (a population in groups) hand the same dict as
        `kept`, empty at first: the sound's last transforms stay in it. It belongs to this x, which must
        not ask for a gradient; with a send it is not used.
        """
        send = None if self.room is None else send  # nobody hears it
        batch, time = max(self.batch, len(x), 1 if send is None else len(send)), x.shape[-1]
        if not time or (not self.firs and self.room is None):
            return x.expand(batch, -1, -1).clone()
        kept = kept if len(x) == 1 and send is None else None
        learning = torch.is_grad_enabled()
        whole = None if learning else x.new_empty(batch, *x.shape[1:])
        stage = self.shortened(time)
        size, _ = frame(stage.rings, time, stage.batch)
        group = max(2, _room_for(x, GROUP) // (x.shape[1] * size))
        sends = itertools.repeat(None) if send is None else _groups(send, group)
        parts = []
        for first, *own in zip(
            range(0, batch, group), stage.groups(group), _groups(x, group), sends, itertools.repeat(kept)
        ):
            if not learning:
                _fill(whole[first : first + group], *own)
            elif group < batch:
                parts.append(remade(_joined, *own))
            else:
                parts.append(_joined(*own))
        return whole if not learning else parts[0] if len(parts) == 1 else torch.cat(parts)

    def taps(
        self, channels: int, sent: bool = False
    ) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor | None]:
        """(straight, same, mirrored): the answers to a click of x and of what the room hears, each whole.

        Complex for a stereo pair; `straight` is None where the sound passes as it is or is part of
        `same`, as it is without a send. (batch or 1, 1 or channels, rings).
        """
        ready = Ready(self, channels, power_of_two(self.rings), self.rings, sent)

        def back(spectrum: torch.Tensor | None) -> torch.Tensor | None:
            if spectrum is None:
                return None
            taps = torch.fft.ifft(spectrum) if ready.paired else torch.fft.irfft(spectrum, ready.size)
            return taps[..., 0, : self.rings]

        return back(ready.straight), back(ready.same), back(ready.mirrored)

    def blocks(
        self, x: torch.Tensor, send: torch.Tensor | None = None, kept: dict | None = None
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """The whole batch block by block: yields (start, block); the blocks join to the whole."""
        time, channels = x.shape[-1], x.shape[1]
        stage = self.shortened(time)
        batch = max(stage.batch, len(x), 1 if send is None else len(send))
        at_once = max(_room_for(x, AT_ONCE) // (batch * channels), 1)
        size, hop = frame(stage.rings, time, stage.batch, at_once)
        ready = Ready(stage, channels, size, hop, sent=send is not None)
        frames = max(1, at_once // hop)
        for start in range(0, time, frames * hop):
            count = min(frames, -(-(time - start) // hop))
            block = ready.answer(*ready.spectra(x, send, start, count, kept))[..., : time - start]
            yield start, x[..., start : start + block.shape[-1]] + block if ready.plain else block


class Ready:
    """A linear stage with its spectra taken, for frames of `size` samples of which `hop` are new.

    Overlap-save (Oppenheim and Schafer, Discrete-Time Signal Processing, 8.7.3): the first size - hop
    samples of a frame's answer are wrapped around the circle and belong to the frame before. `plain`:
    nothing filters x itself, which is then to be added to the answer as it is.
    """

    def __init__(self, stage: Linear, channels: int, size: int, hop: int, sent: bool = False):
        self.size, self.hop, self.lead = size, hop, stage.lead
        self.paired = channels == 2 and all(fir.taps.shape[1] == 1 for fir in stage.firs + _firs(stage.room))
        self.plain = stage.room is not None and not stage.firs
        ahead, after = self._product(stage.before), self._product(stage.after)
        self.straight = ahead if after is None else after if ahead is None else ahead * after
        self.same, self.mirrored = self._room(stage.room, after if sent else self.straight)
        if stage.room is None:
            self.same, self.straight = self.straight, None
        elif not self.plain and not sent:
            self.same, self.straight = self.same + self.straight, None

    def heard(self, part: torch.Tensor) -> torch.Tensor:
        """Frames' spectra (batch, 1 or channels, frames, bins) of (batch, channels, size + n hops)."""
        if self.paired:
            part = torch.complex(part[:, 0], part[:, 1]).unsqueeze(1)
        frames = part.unfold(-1, self.size, self.hop)
        return torch.fft.fft(frames) if self.paired else torch.fft.rfft(frames)

    def spectra(
        self, x: torch.Tensor, send: torch.Tensor | None, start: int, count: int, kept: dict | None
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]:
        """What `count` frames from output sample `start` on hear of a whole sound and its send, and that
        mirrored."""
        known = {} if kept is None else self._known(kept)
        if (start, count) in known:
            return known[start, count]
        own, sent = (
            None if sound is None else self.heard(_window(sound, self, start, count))
            for sound in (None if self.plain and send is not None else x, send)
        )
        source = own if sent is None else sent
        heard = own, sent, None if self.mirrored is None else mirror(source).resolve_conj()
        known[start, count] = heard
        return heard

    def _known(self, kept: dict) -> dict:
        """Of what is kept of a sound, that which was cut for stages like this one."""
        like = (self.size, self.hop, self.lead, self.paired, self.mirrored is None)
        known = kept.get(like)
        if known is None:
            for oldest in list(kept)[: len(kept) + 1 - CUTS_KEPT]:
                kept.pop(oldest, None)
            known = kept.setdefault(like, {})
        return known

    def answer(
        self,
        x: torch.Tensor | None,
        send: torch.Tensor | None = None,
        mirrored: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """What the frames with these spectra sound like: (batch, channels, frames * hop).

        `mirrored` is that of what the room hears, where somebody has it already.
        """
        source = x if send is None else send
        y = source * self.same
        if self.mirrored is not None:
            y = torch.addcmul(y, mirror(source) if mirrored is None else mirrored, self.mirrored)
        if self.straight is not None:
            y = torch.addcmul(y, x, self.straight)
        if not self.paired:
            return torch.fft.irfft(y, self.size)[..., self.size - self.hop :].flatten(-2)
        sound = torch.view_as_real(torch.fft.ifft(y)[:, 0, :, self.size - self.hop :])
        return sound.movedim(-1, 1).flatten(-2)

    def _product(self, firs: tuple[Fir, ...]) -> torch.Tensor | None:
        return reduce(torch.mul, map(self._spectrum, firs)) if firs else None

    def _spectrum(self, fir: Fir) -> torch.Tensor:
        transform = torch.fft.fft if self.paired else torch.fft.rfft
        return transform(fir.taps, self.size).unsqueeze(-2)

    def _room(
        self, room: Fir | Pair | None, filtered: torch.Tensor | None
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """The room's spectra, its answers filtered by real taps with this spectrum."""
        if room is None:
            return None, None
        parts = (
            (self._spectrum(room), None)
            if isinstance(room, Fir)
            else (None if part is None else torch.fft.fft(part, self.size).unsqueeze(-2) for part in room[:2])
        )
        same, mirrored = (part if part is None or filtered is None else part * filtered for part in parts)
        if isinstance(room, Pair) and room.across is not None:
            mirrored = room.across.unsqueeze(-1) * mirror(same)  # of real taps the mirror is themselves
        return same, mirrored


def _room_for(x: torch.Tensor, samples: int) -> int:
    return samples if x.device.type == "cpu" else FILLED


def _firs(room: Fir | Pair | None) -> tuple[Fir, ...]:
    return (room,) if isinstance(room, Fir) else ()


def _groups(x: torch.Tensor, size: int) -> Iterator[torch.Tensor]:
    """So many items at a time; a single one again and again. (A split's gradient is put together once.)"""
    return itertools.repeat(x) if len(x) == 1 else iter(x.split(size))


def mirror(spectrum: torch.Tensor) -> torch.Tensor:
    """The transform of conj(z) from that of z: conj Z(-f)."""
    return torch.cat([spectrum[..., :1], spectrum[..., 1:].flip(-1)], dim=-1).conj()


def _window(x: torch.Tensor, ready: Ready, start: int, count: int) -> torch.Tensor:
    """What `count` frames from output sample `start` on hear; silence outside the sound."""
    first = start + ready.lead - (ready.size - ready.hop)
    last = first + (count - 1) * ready.hop + ready.size
    part = x[..., max(first, 0) : max(min(last, x.shape[-1]), 0)]
    return functional.pad(part, (max(-first, 0), last - max(first, 0) - part.shape[-1]))


def _fill(whole: torch.Tensor, stage: Linear, x: torch.Tensor, *beside) -> None:
    for start, block in stage.blocks(x, *beside):
        whole[..., start : start + block.shape[-1]] = block


def _joined(stage: Linear, x: torch.Tensor, *beside) -> torch.Tensor:
    blocks = [block for _, block in stage.blocks(x, *beside)]
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks, dim=-1)


def remade(make: Callable[..., torch.Tensor], *given, **settings) -> torch.Tensor:
    """`make(...)`, of which nothing but what was given is kept for the way back: there it is made again."""
    from torch.utils.checkpoint import checkpoint

    return checkpoint(make, *given, use_reentrant=False, preserve_rng_state=False, **settings)
