"""What comes to the desk: a song as sound, its parts where they are known, and where it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch

from daiw_master.audio import Audio
from daiw_master.form import Form, form_of
from daiw_master.form.form import OWN
from daiw_master.midi import Rendered
from daiw_master.parts import edited, send_of
from daiw_master.plan import Plan
from daiw_master.refine.song import Song, put_on_bench
from daiw_master.sounds import Sound, faded_out, part, sound_of, whole
from daiw_master.stack.hops import averaged_blocks

#: `--preview`: the loudest stretch of the song, this long.
PREVIEW_S = 20.0
#: A cut ends within this: hard to the ear, without the click of a step.
CUT_FADE_MS = 2.0
#: A finished file's music is over where nothing later comes within this of its loudest tenth of a second.
OVER_DB = -26.0


@dataclass(frozen=True)
class Material:
    """One song before mastering. `rendered` holds stems and sections where it came as MIDI, `send` is
    what its reverb hears, `last_note_s` when the last key is let go; an excerpt begins at `start_s`."""

    name: str
    mix: Sound
    rendered: Rendered | None = None
    send: Sound | None = None
    last_note_s: float | None = None
    start_s: float = 0.0
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_midi(self) -> bool:
        return self.rendered is not None

    @property
    def tempo_bpm(self) -> float | None:
        return self.rendered.tempo_bpm if self.rendered else None

    @classmethod
    def of_midi(cls, name: str, rendered: Rendered) -> Material:
        """A MIDI song rendered with `sends=SEND_WEIGHTS`."""
        send = None if rendered.send is None else sound_of(rendered.send)
        return cls(name, sound_of(rendered.mix), rendered, send, rendered.last_note_s)

    def without_stems(self) -> Material:
        """The same song when nobody needs its parts any more: they weigh as much as the song."""
        return replace(self, rendered=self.rendered and replace(self.rendered, stems=()))

    def previewed(self, seconds: float = PREVIEW_S) -> Material:
        """Only the loudest seconds of it."""
        start, stop = _loudest(self.mix, seconds)
        rendered = self.rendered
        if rendered:
            stems = tuple(replace(stem, audio=_cut(stem.audio, start, stop)) for stem in rendered.stems)
            rendered = replace(rendered, stems=stems)
        send = None if self.send is None else part(self.send, start, stop)
        mix = part(self.mix, start, stop)
        start_s = start / self.mix.rate
        return replace(self, mix=mix, rendered=rendered, send=send, last_note_s=None, start_s=start_s)

    def form(self, plan: Plan) -> Form:
        """How the song moves over time in this plan: by its own sections, unless something else is said."""
        name = plan.form or (None if plan.energies else OWN)
        if self.rendered is None:
            return form_of(name, plan.energies, (), self.mix.time / self.mix.rate)
        song = self.rendered
        return form_of(name, plan.energies, song.sections, song.duration_s, song.density)

    def song(self, plan: Plan | None = None) -> tuple[Song, list[str]]:
        """The song on the bench as a plan wants it (parts edited, its end cut), and remarks on that."""
        mix, send, notes = self.mix, self.send, []
        if plan is not None and plan.parts:
            mix, send, notes = self._edited(plan.parts)
        if plan is not None and plan.tail == "cut":
            end = self._end()
            mix = _hard_end(mix, end)
            send = None if send is None else _hard_end(send, end)
        return put_on_bench(mix, send=send, tempo_bpm=self.tempo_bpm, is_midi=self.is_midi), notes

    def _edited(self, parts: Mapping) -> tuple[Sound, Sound | None, list[str]]:
        """Mix and send with single parts changed; a finished file has none, and that is said."""
        if self.rendered is None:
            who = " and ".join(parts)
            note = f"what was asked of the {who} is left alone: a finished file holds no single parts"
            return self.mix, self.send, [note]
        stems = self.rendered.stems
        mix = Audio(whole(self.mix)[0], self.mix.rate)
        song = edited(mix, stems, parts, self.rendered.detected)
        send = send_of(((stem.role, stem.audio) for stem in stems), song.send_gains)
        send = None if send is None else sound_of(send)
        who = [line for line in self.rendered.detected if line.partition(":")[0] in song.applied]
        return sound_of(song.mix), send, [*who, *song.notes]

    def _end(self) -> int:
        """The sample after the last note, or after the last moment of a file that is still music."""
        length = self.mix.time
        if self.last_note_s is not None:
            return min(length, round(self.last_note_s * self.mix.rate))
        hop = self.mix.rate // 10
        power = _power(self.mix, hop)[: length // hop]
        music = (power > power.max() * 10 ** (OVER_DB / 10)).nonzero() if len(power) else power
        return min(length, (int(music[-1]) + 1) * hop) if len(music) else length


def _hard_end(sound: Sound, end: int) -> Sound:
    return faded_out(part(sound, 0, end), min(end, round(CUT_FADE_MS * sound.rate / 1000)))


def _power(sound: Sound, hop: int) -> torch.Tensor:
    """Mean power per hop, the channels together: (hops,)."""
    return averaged_blocks((block.square().mean(1) for block in sound.blocks()), hop)


def _loudest(sound: Sound, seconds: float) -> tuple[int, int]:
    """Start and end sample of the loudest seconds, by mean power."""
    length = min(round(seconds * sound.rate), sound.time)
    hop = sound.rate // 4
    power = torch.nn.functional.pad(_power(sound, hop).cumsum(0), (1, 0))
    starts = range(0, sound.time - length + 1, hop)
    hops = length // hop
    loudest = (power[hops:][: len(starts)] - power[: len(starts)]).argmax() if hops else 0
    start = starts[int(loudest)]
    return start, start + length


def _cut(audio: Audio, start: int, stop: int) -> Audio:
    return audio.with_samples(audio.samples[:, start:stop])
