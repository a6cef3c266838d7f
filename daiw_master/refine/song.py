"""A song on the bench: gain-staged, its send at hand, room left for the tail."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from daiw_master.audio import Audio
from daiw_master.errors import InputError
from daiw_master.meters.loudness import integrated_loudness
from daiw_master.meters.traces import ScanWalk
from daiw_master.sounds import Held, Sound, part, sound_of, told, turned, whole, with_silence
from daiw_master.units import db_from_gain, gain_from_db

#: Where every song sits before the chain, so that a threshold means the same on every song. Far
#: enough below full scale that float stages never see an odd level, near what plugins expect.
STAGE_LUFS = -20.0
#: Below these a signal is taken for silence: there is nothing to master. A recording this quiet is
#: noise; a render is clean however quiet (a single note at velocity 1 peaks at -107 dBFS).
SILENT_LUFS = -80.0
SILENT_RENDER_DBFS = -120.0
#: A reverb tail is left to ring this far beyond its nominal time (60 dB) before it is cut.
TAIL_MARGIN = 1.25
#: A tail is over when it stays below this; what follows would be dithered silence.
TAIL_END_DB = -85.0
#: Over a bed of noise it is over where hops of this length no longer stand out of the bed.
BED_S = 0.25
#: What is left of it then is faded out, so that no step is heard.
FADE_S = 0.05


@dataclass(frozen=True)
class Song:
    """What goes into the chain. `x` at -20 LUFS; `send` is what the reverb hears when the song came
    as stems; `is_midi` says whether a room may be added unasked; `tail` samples
    at its end are silence left for a reverb. `energy` (frames,) in [-1, 1] is how strong the music is
    meant to be from its first to its last moment, tail left out: there the last one goes on."""

    x: Sound
    rate: int
    send: Sound | None = None
    tempo_bpm: float | None = None
    is_midi: bool = False
    staging_db: float = 0.0
    tail: int = 0
    energy: torch.Tensor | None = None

    @property
    def duration_s(self) -> float:
        """How long the music is, without the silence behind it."""
        return (self.x.time - self.tail) / self.rate

    def to(self, device: str) -> Song:
        """The same song on another device, where it is held whole."""
        if device == "cpu":
            return self
        send = None if self.send is None else Held(whole(self.send).to(device), self.rate)
        return replace(self, x=Held(whole(self.x).to(device), self.rate), send=send)

    def with_tail(self, decay_s: float) -> Song:
        """The same song with silence behind it, so that a reverb may ring out."""
        pad = round(decay_s * TAIL_MARGIN * self.rate)
        send = None if self.send is None else with_silence(self.send, pad)
        return replace(self, x=with_silence(self.x, pad), send=send, tail=self.tail + pad)

    def rung_out(self, y: Sound, over_noise: bool = False) -> Sound:
        """A master of this song up to where its tail is over; never shorter than the song.

        `over_noise`: a bed that never ends lies under it; the tail is over where it sinks into that.
        """
        if not self.tail:
            return y
        length = y.time - self.tail
        tail = y.read(length, y.time)[0]
        if over_noise:
            last = _end_over_noise(tail, round(BED_S * self.rate))
        else:
            loud = (tail.abs() > gain_from_db(TAIL_END_DB)).any(0).nonzero()
            last = int(loud[-1]) + 1 if len(loud) else 0
        rest = last + round(FADE_S * self.rate) if last else 0
        return part(y, 0, min(length + rest, y.time))


def _end_over_noise(tail: torch.Tensor, hop: int) -> int:
    """Where a tail (channels, time) has sunk into the bed at its own end, in samples."""
    power = tail[:, : tail.shape[-1] // hop * hop].square().mean(0).unflatten(-1, (-1, hop)).mean(-1)
    if not len(power):
        return 0
    # the median of the last half: a click of crackle is no music
    above = (power > 2.0 * power[len(power) // 2 :].median()).long()
    # music leaves no gaps on its way down; what sticks out later is the bed's own
    return hop * int(above.cumprod(0).sum())


def put_on_bench(
    audio: Audio | Sound,
    *,
    send: Audio | Sound | None = None,
    tempo_bpm: float | None = None,
    is_midi: bool = False,
    progress: Callable[[float], None] = lambda done: None,
) -> Song:
    """Bring a song to the bench's level; silence, NaN and infinity are refused here.

    Raises `InputError` where there is nothing to master.
    """
    sound = sound_of(audio)
    if sound.time == 0:
        raise InputError("the audio holds no samples; nothing to master")
    peak, heard = 0.0, ScanWalk(sound.rate, keep=("loud",))
    for block in told(sound.blocks(), sound.time, progress):
        highest = float(block.abs().max())
        if not math.isfinite(highest):
            raise InputError("the audio holds NaN or infinite samples; repair or export it again")
        peak = max(peak, highest)
        heard.add(block)
    silent = InputError("the audio is silent; nothing to master")
    if peak <= gain_from_db(SILENT_RENDER_DBFS):
        raise silent
    # meters have a floor at -120: bring the peaks up to full scale before asking them
    loudness = float(integrated_loudness(heard.done().louder(1 / peak))) + db_from_gain(peak)
    if not is_midi and loudness < SILENT_LUFS:
        raise silent
    staging_db = STAGE_LUFS - loudness
    gain = gain_from_db(staging_db)
    return Song(
        turned(sound, gain),
        sound.rate,
        None if send is None else turned(sound_of(send), gain),
        tempo_bpm,
        is_midi,
        staging_db,
    )
