"""A song on the bench: gain-staged, its send at hand, room left for the tail."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from daiw_master.audio import Audio
from daiw_master.errors import InputError
from daiw_master.meters.loudness import integrated_loudness
from daiw_master.units import gain_from_db

#: Where every song sits before the chain, so that a threshold means the same on every song. Far
#: enough below full scale that float stages never see an odd level, near what plugins expect.
STAGE_LUFS = -20.0
#: Below this a signal is taken for silence: there is nothing to master.
SILENT_LUFS = -90.0
#: A reverb tail is left to ring this far beyond its nominal time (60 dB) before it is cut.
TAIL_MARGIN = 1.25
#: What each role of a MIDI song sends to the reverb. Lows in a room are mud: bass, kick and low drums
#: stay dry; the rest of the kit at half level keeps its grip.
SEND_WEIGHTS = {"bass": 0.0, "kick": 0.0, "drums": 0.5}


@dataclass(frozen=True)
class Song:
    """What goes into the chain. `x` (1, channels, time) at -20 LUFS; `send` is what the reverb
    hears when the song came as stems; `is_midi` says whether a room may be added unasked."""

    x: torch.Tensor
    rate: int
    send: torch.Tensor | None = None
    tempo_bpm: float | None = None
    is_midi: bool = False
    staging_db: float = 0.0

    def with_tail(self, decay_s: float) -> Song:
        """The same song with silence behind it, so that a reverb may ring out."""
        pad = round(decay_s * TAIL_MARGIN * self.rate)
        grow = torch.nn.functional.pad
        send = None if self.send is None else grow(self.send, (0, pad))
        return Song(grow(self.x, (0, pad)), self.rate, send, self.tempo_bpm, self.is_midi, self.staging_db)


def put_on_bench(
    audio: Audio, *, send: Audio | None = None, tempo_bpm: float | None = None, is_midi: bool = False
) -> Song:
    """Bring a song to the bench's level; silence, NaN and infinity are refused here.

    Raises `InputError` where there is nothing to master.
    """
    if audio.samples.shape[-1] == 0:
        raise InputError("the audio holds no samples; nothing to master")
    if not bool(torch.isfinite(audio.samples).all()):
        raise InputError("the audio holds NaN or infinite samples; repair or export it again")
    loudness = float(integrated_loudness(audio.batch, audio.rate))
    if loudness < SILENT_LUFS:
        raise InputError(f"the audio is silent (louder than {SILENT_LUFS:g} LUFS is needed); nothing to master")
    staging_db = STAGE_LUFS - loudness
    gain = gain_from_db(staging_db)
    return Song(
        audio.batch * gain,
        audio.rate,
        None if send is None else send.batch * gain,
        tempo_bpm,
        is_midi,
        staging_db,
    )


def send_of(stems: Iterable[tuple[str, Audio]]) -> Audio | None:
    """What the reverb hears of a song that came as stems: (role, sound) pairs, weighted and summed.

    None where nothing is left to send (a bass or kick alone): then the whole song is sent.
    """
    send = None
    for role, audio in stems:
        weight = SEND_WEIGHTS.get(role, 1.0)
        if weight:
            part = audio.samples * weight
            send = audio.with_samples(part if send is None else send.samples + part)
    return send
