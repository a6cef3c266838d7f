"""Filters in the middle of a song: frames while a file streams by, no delay at all while somebody plays."""

from __future__ import annotations

import torch

from daiw_master.sounds import BLOCK
from daiw_master.stack.flow import Flow
from daiw_master.stack.frames import AT_ONCE, frame
from daiw_master.stack.linear import Linear, Ready
from daiw_master.stack.partitioned import Partitioned

#: With blocks of at least this many samples a filter may wait for a frame; below, it answers at once.
FRAMED = 1 << 13
#: How long a sound of unknown length is taken to be when frames are chosen.
LONG = 1 << 23


class Filter(Flow):
    """A linear stage, running: an equaliser, a room, a crossover, or several of them made one.

    With a `block` of FRAMED samples or more it works in the frames of `Linear`, and holds back just
    under one frame's new samples and the filter's own lead: `latency`. With smaller blocks it is heard
    at once, whatever lengths are pushed: only the lead is held back (a partitioned convolution whose
    parts are `block` long). Its state is a few times the filter's length and does not grow.

    A `send` may be pushed beside x, from the first block on or never. All blocks are (batch, channels,
    n) in the dtype and on the device of the filter's taps. `length`: of the whole sound, if known.
    """

    def __init__(self, linear: Linear, *, block: int = BLOCK, length: int | None = None):
        self.linear, self.block, self.length = linear, block, length
        self._went = self._came = 0
        self._running: _Framed | _AtOnce | None = None
        self._size, self._hop = self._frame() if block >= FRAMED else (2 * block, block)

    @property
    def latency(self) -> int:
        return self.linear.lead + (self._hop - 1 if self.block >= FRAMED else 0)

    def merged(self, following: Flow) -> Flow | None:
        if not isinstance(following, Filter) or self._running or following.block != self.block:
            return None
        one = self.linear.then(following.linear)
        return None if one is None else Filter(one, block=self.block, length=self.length)

    @torch.no_grad()
    def push(self, x: torch.Tensor, send: torch.Tensor | None = None) -> torch.Tensor:
        send = None if self.linear.room is None else send  # nobody hears it
        if self._running is None:
            kind = _Framed if self.block >= FRAMED else _AtOnce
            self._running = kind(self.linear, x, self._size, self._hop, sent=send is not None)
        self._went += x.shape[-1]
        self._running.take(x, send)
        return self._handed(self._went - self.latency)

    @torch.no_grad()
    def finish(self) -> torch.Tensor | None:
        if self._came == self._went:
            return None
        self._running.end(self._went - self._came)
        return self._handed(self._went)

    @torch.no_grad()
    def resume(self, before: Filter) -> None:
        """Go on from the sound another filter without delay has heard, so that a knob may be turned while
        music plays: the same `block` and lead, no send."""
        if before._running is not None:
            if self._running is None:
                self._running = _AtOnce(self.linear, before._running.like, self._size, self._hop, sent=False)
            self._running.resume(before._running)
            self._went, self._came = before._went, before._came

    def _handed(self, stop: int) -> torch.Tensor:
        """Everything up to sample `stop`, as evenly as it went in however long the frames are."""
        count = max(stop - self._came, 0)
        self._came += count
        return self._running.give(count)

    def _frame(self) -> tuple[int, int]:
        linear, time = self.linear, LONG if self.length is None else max(self.length, 1)
        if self.length is not None:
            self.linear = linear = linear.shortened(time)
        return frame(linear.rings, time, at_once=self.block)


class _Waiting:
    """Consecutive pieces of sound, put in at the end and taken from the front."""

    def __init__(self, like: torch.Tensor, silence: int = 0):
        self._pieces = [like.new_zeros(*like.shape[:-1], silence)]
        self.count = silence

    def put(self, piece: torch.Tensor) -> None:
        if piece.shape[-1]:
            self._pieces.append(piece)
            self.count += piece.shape[-1]

    def first(self, count: int) -> torch.Tensor:
        """The first `count` samples, which stay."""
        if self._pieces[0].shape[-1] < count:
            self._pieces = [torch.cat(self._pieces, dim=-1)]
        return self._pieces[0][..., :count]

    def drop(self, count: int) -> None:
        self.count -= count
        while count:
            piece = self._pieces[0]
            if piece.shape[-1] <= count and len(self._pieces) > 1:
                count -= piece.shape[-1]
                del self._pieces[0]
            else:
                self._pieces[0] = piece[..., count:]
                return


class _Framed:
    """A linear stage in frames of overlap-save: nothing is made before a whole frame has come."""

    def __init__(self, linear: Linear, like: torch.Tensor, size: int, hop: int, sent: bool):
        self.like = like[..., :0]
        self.ready = Ready(linear, like.shape[1], size, hop, sent)
        self.frames = max(1, AT_ONCE // (hop * like.shape[1]))
        history = size - hop - linear.lead
        self.x = _Waiting(like, history)
        self.send = _Waiting(like, history) if sent else None
        self.made = _Waiting(like.expand(max(linear.batch, len(like)), -1, -1))

    def take(self, x: torch.Tensor, send: torch.Tensor | None) -> None:
        self.x.put(x)
        if self.send is not None:
            self.send.put(send)
        size, hop = self.ready.size, self.ready.hop
        while self.x.count >= size:
            self._make(min((self.x.count - size) // hop + 1, self.frames))

    def _make(self, count: int) -> None:
        ready, stop = self.ready, self.ready.size + (count - 1) * self.ready.hop
        x = self.x.first(stop)
        answer = ready.answer(
            None if ready.plain and self.send else ready.heard(x),
            None if self.send is None else ready.heard(self.send.first(stop)),
        )
        self.made.put(x[..., ready.size - ready.hop :] + answer if ready.plain else answer)
        self.x.drop(count * ready.hop)
        if self.send is not None:
            self.send.drop(count * ready.hop)

    def end(self, left: int) -> None:
        """Silence after the sound, until the last `left` samples are made."""
        missing = left - self.made.count
        if missing > 0:
            frames = -(-missing // self.ready.hop)
            short = self.ready.size + (frames - 1) * self.ready.hop - self.x.count
            silence = self.like.new_zeros(*self.like.shape[:-1], max(short, 0))
            self.take(silence, silence)

    def give(self, count: int) -> torch.Tensor:
        given = self.made.first(count)
        self.made.drop(count)
        return given


class _AtOnce:
    """A linear stage without delay: what can be known of a sample's answer is made when it comes."""

    def __init__(self, linear: Linear, like: torch.Tensor, size: int, block: int, sent: bool):
        self.like, self.plain = like[..., :0], linear.room is not None and not linear.firs
        straight, same, mirrored = linear.taps(like.shape[1], sent)
        self.paired = same.is_complex()
        self.straight = None if straight is None else Partitioned(straight, None, block, like)
        self.answer = Partitioned(same, mirrored, block, like)
        self.skip = linear.lead
        self.sent = sent
        self.made = _Waiting(like.expand(max(linear.batch, len(like)), -1, -1))

    def take(self, x: torch.Tensor, send: torch.Tensor | None) -> None:
        if not x.shape[-1]:
            return
        y = self.answer.push(self._sides(send if self.sent else x))
        if self.straight is not None:
            y = y + self.straight.push(self._sides(x))
        if self.paired:
            y = torch.view_as_real(y[:, 0]).movedim(-1, 1)
        y = x + y if self.plain else y
        late = min(self.skip, y.shape[-1])
        self.skip -= late
        self.made.put(y[..., late:])

    def _sides(self, x: torch.Tensor) -> torch.Tensor:
        return torch.complex(x[:, 0], x[:, 1]).unsqueeze(1) if self.paired else x

    def end(self, left: int) -> None:
        short = left - self.made.count
        if short > 0:
            silence = self.like.new_zeros(*self.like.shape[:-1], short + self.skip)
            self.take(silence, silence)

    give = _Framed.give

    def resume(self, before: _AtOnce) -> None:
        self.answer.resume(before.answer)
        self.skip, self.made = before.skip, _Waiting(self.like)
        self.made.put(before.made.first(before.made.count))
