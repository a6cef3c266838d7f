"""The live chain itself: blocks, knobs and what they take in time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from daiw_master.errors import InputError, OutOfRangeError
from daiw_master.live.lines import Desk, latency_of
from daiw_master.live.slot import Line, Slot
from daiw_master.stack import HOUSE_CHAIN, effect_named
from daiw_master.stack.chain import chain_space, qualified
from daiw_master.stack.effect import Effect

#: Samples in a block.
SMALLEST, LARGEST = 64, 512
#: Blocks played before the first, so that nothing is loaded or planned while music plays.
REHEARSAL = 8

Block = TypeVar("Block", np.ndarray, torch.Tensor)


class Latency(NamedTuple):
    """How late the sound comes out."""

    samples: int
    ms: float


class Live:
    """The mastering chain while somebody plays: a block of sound in, the same block mastered out.

        live = daiw_master.Live({"eq.tilt_db": 1.0, "dynamics.ratio": 2.0}, rate=48000, block=256)
        def callback(indata, outdata, frames, time, status):   # sounddevice's; JACK's looks alike
            outdata[:] = live.process(indata.T).T              # (channels, frames), frames == 256
        ...
        live.set({"eq.tilt_db": -0.5})                         # from any thread, without a click
        print(live.latency.ms, live.latencies)                 # what to tell the host

    `settings` and `chain` are those of `Stack`: physical values by full name, effects by name or as rows;
    the house chain if none is named. Every block is `block` samples long (64 to 512, the same for the
    life of the object): only so the latency is exact and the work in each block the same. `process` takes
    numpy or torch (channels, block) and gives back a new one of the same kind and dtype; it works in
    float32, and a block with NaN or infinity in it is played as silence and counted in `spoilt`.

    Reverb, equaliser and dynamics are those of a file, sample for sample, without any look-ahead (the
    shaper: 16 samples). The exciter looks 9 ms ahead in place of 67. The imager looks nowhere: its bands
    have a file's widths but turn the side's phase between them, and its correlation floor follows in
    place of foreseeing. Loudness is a slow gain towards the target (at most 0.5 dB a second, held in silence
    and in soft passages), or stands at `gain_db` if you give one. The limiter aims 0.3 dB under its
    ceiling, because nobody can read the true peak of what is still to come: of 41 recordings driven to
    -9 LUFS none went over at 16x (white noise did, by 0.4 dB). Whatever must hear the whole
    song first (a ride, an automation) or more than 10 ms ahead is refused in one line.

    An effect keeps its place in time when it rests, so that it may be turned on without a jump: leave out
    of the chain what you will not need. A change that would need more time than was set aside is refused.

    In a callback, call `gc.freeze()` once after building: Python's collector then has nothing to look at.
    """

    def __init__(
        self,
        settings: Mapping[str, float] | None = None,
        rate: int = 48000,
        chain: Iterable[str | Effect] | None = None,
        block: int = LARGEST,
        channels: int = 2,
        gain_db: float | None = None,
    ):
        if not SMALLEST <= block <= LARGEST:
            raise OutOfRangeError("block", block, SMALLEST, LARGEST, "samples")
        if channels not in (1, 2):
            raise InputError(f"Live was asked for {channels} channels; it plays mono (1) or stereo (2)")
        rows = HOUSE_CHAIN if chain is None else chain
        self.rate, self.block, self.channels = rate, block, channels
        self._placed = qualified([effect_named(row) if isinstance(row, str) else row for row in rows])
        self._space = chain_space(self._placed)
        self._desk = Desk(rate, channels, block, gain_db)
        self._settings = {**self._space.defaults(), **self._checked(settings or {})}
        self._lock = threading.Lock()
        self._pending: dict[str, Line] = {}
        #: Blocks that held something that is no number.
        self.spoilt = 0
        with _quick():
            self._room = {place: self._set_aside(place) for place in self._placed}
            rehearsal = self._built()
            for _ in range(REHEARSAL):
                y = 0.1 * torch.randn(1, channels, block)
                for slot in rehearsal.values():
                    y = slot(y)
            self._slots = self._built()

    @property
    def settings(self) -> dict[str, float]:
        """Every knob as it stands, by full name."""
        return dict(self._settings)

    @property
    def latencies(self) -> dict[str, Latency]:
        """How late each effect is, in chain order."""
        return {place: self._latency(samples) for place, samples in self._room.items()}

    @property
    def latency(self) -> Latency:
        """How late the sound comes out of the chain: exactly so many samples, whatever the knobs do."""
        return self._latency(sum(self._room.values()))

    def process(self, block: Block) -> Block:
        """The next block, (channels, block), mastered; the one that came stays as it is."""
        x = self._taken(block)
        with _quick():
            if self._pending:
                self._begin_change()
            for slot in self._slots.values():
                x = slot(x)
        if isinstance(block, torch.Tensor):
            return x[0].to(block.dtype, copy=True)
        return x[0].numpy().astype(block.dtype)

    def set(self, changes: Mapping[str, float] | None = None, /, **named: float) -> None:
        """Turn knobs while it plays: `live.set({"eq.tilt_db": 1.0})`, or `**{"eq.tilt_db": 1.0}`.

        From any thread. The new filters are made here; from the next block on, one effect a block, the sound
        goes over to them in 20 ms (effects that cannot take over the memory of what they were listen for
        0.1 s first). All or nothing: `UnknownNameError`, `OutOfRangeError` and `InputError` leave
        everything as it was.
        """
        wanted = self._checked({**(changes or {}), **named})
        with self._lock:
            settings = {**self._settings, **wanted}
            turned = {name.rpartition(".")[0] for name in wanted if settings[name] != self._settings[name]}
            with _quick():
                lines = {place: self._line(place, settings) for place in self._placed if place in turned}
            self._settings = settings
            self._pending |= lines

    def reset(self) -> None:
        """Forget all sound: the next block is the first. Knobs stay where they are."""
        with self._lock:
            self._pending.clear()
            with _quick():
                self._slots = self._built()

    def _latency(self, samples: int) -> Latency:
        return Latency(samples, 1000 * samples / self.rate)

    def _checked(self, settings: Mapping[str, float]) -> dict[str, float]:
        return {name: float(value) for name, value in self._space.check(settings).items()}

    def _own(self, place: str, settings: Mapping[str, float]) -> dict[str, float]:
        return {param.name: settings[f"{place}.{param.name}"] for param in self._placed[place].params}

    def _set_aside(self, place: str) -> int:
        """The latency an effect is given: what it needs now, and what any of its knobs would, if allowed."""
        effect, own = self._placed[place], self._own(place, self._settings)
        most = latency_of(self._desk.flows(place, effect, own))
        for name, value in effect.engaged.items():
            with contextlib.suppress(InputError):
                most = max(most, latency_of(self._desk.flows(place, effect, {**own, name: value})))
        return most

    def _line(self, place: str, settings: Mapping[str, float]) -> Line:
        flows = self._desk.flows(place, self._placed[place], self._own(place, settings))
        needed, room = latency_of(flows), self._room[place]
        if needed > room:
            raise InputError(
                f"{place} would be {needed} samples late at these settings; {room} were set aside when this "
                f"Live was built: build a new one"
            )
        return Line(flows, room, torch.zeros(1, self.channels, self.block))

    def _built(self) -> dict[str, Slot]:
        return {
            place: Slot(self._line(place, self._settings), self.rate, self.block) for place in self._placed
        }

    def _begin_change(self) -> None:
        """Let the next effect go over to what was asked of it, if its last change is over."""
        if not self._lock.acquire(blocking=False):  # somebody is turning a knob: in the next block, then
            return
        try:
            ready = (place for place in self._pending if not self._slots[place].changing)
            place = next(ready, None)  # one a block: taking a memory over is work
            if place is not None:
                self._slots[place].change(self._pending.pop(place))
        finally:
            self._lock.release()

    def _taken(self, block: Block) -> torch.Tensor:
        """A copy of our own, (1, channels, block) float32: flows remember what they were given."""
        shape = (self.channels, self.block)
        if tuple(block.shape) != shape:
            raise InputError(
                f"a block of shape {tuple(block.shape)} came; this Live plays (channels, samples) = {shape}"
            )
        if isinstance(block, torch.Tensor):
            x = block.detach().to("cpu", torch.float32, copy=True)
        else:
            x = torch.from_numpy(np.array(block, dtype=np.float32))
        if not bool(torch.isfinite(x.sum())):
            self.spoilt += 1
            x = torch.zeros(shape)
        return x.unsqueeze(0)


@contextlib.contextmanager
def _quick() -> Iterator[None]:
    """One thread, no graph, and the tiniest numbers are zero; the caller's own ways come back afterwards."""
    threads = torch.get_num_threads()
    flushed = bool(np.array(5e-324) * np.array(1.0) == 0.0)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_flush_denormal(flushed)
        torch.set_num_threads(threads)
