"""The bench: one song in front of one chain. Try settings, hear the master, reuse what stays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch

from daiw_master.knobs.reverb import NO_WET_DB
from daiw_master.meters import heard_in
from daiw_master.meters.loudness import integrated_loudness, short_term
from daiw_master.meters.tone import Spectrum, SpectrumWalk
from daiw_master.meters.traces import TRACES, Scan, loudness_scan
from daiw_master.meters.walk import walked
from daiw_master.refine.song import Song
from daiw_master.sounds import Sound, Store, told
from daiw_master.stack.chain import chain_space, flows_of, run_chain
from daiw_master.stack.deliver import DeliveredSound, deliver_sound
from daiw_master.stack.dynamics import ride_gain_db
from daiw_master.stack.effect import Effect, Setting
from daiw_master.stack.flow import Flow, stream
from daiw_master.units import gain_from_db

#: Delivered by a closed loop at the very end, never inside the search.
LAST_STAGES = ("loudness", "limiter")
#: Rides the finished mix along the song's form: needs the whole song, so no window knows it.
AUTOMATION = "automation"
#: The two knobs of those stages that are targets by another name.
DELIVERY_KNOBS = {"loudness.loudness_lufs": "loudness_lufs", "limiter.ceiling_dbtp": "true_peak_dbtp"}
#: Windows the solver listens to: a bar or two each, at a soft, a middle and a loud place.
WINDOW_S = 6.0
WINDOW_LEVELS = (0.2, 0.5, 0.95)


#: Told what is being done, and what share of it is.
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Take:
    """One full pass: the settings, the sound, what is heard in it and how it was delivered.

    `seen` and `tones`: the walks through the sound as it will be written, for meters that ask more.
    """

    settings: Mapping[str, float]
    sound: Sound
    heard: Mapping[str, float]
    delivered: DeliveredSound
    seen: Scan
    tones: Spectrum


class Bench:
    """One song, one chain. The reverb's output is kept: most searches leave the room alone.

    `placed` is what shapes the sound; automation (`moving`) follows it, and delivery ends it. Sounds
    are worked out block by block and laid down in `store`: in memory or, where they are long, on disk.
    """

    def __init__(
        self, song: Song, placed: Mapping[str, Effect], store: Store | None = None, keep_room: bool = True
    ):
        self.song = song
        self.store = store or Store()
        self.moving = {place: effect for place, effect in placed.items() if effect.name == AUTOMATION}
        last = (*LAST_STAGES, AUTOMATION)
        self.placed = {place: effect for place, effect in placed.items() if effect.name not in last}
        self.space = chain_space(placed)
        names = list(self.placed)
        # a single pass needs no room laid down, and its filters may melt into their neighbours
        rooms = [names.index(place) for place, e in self.placed.items() if e.name == "reverb" and keep_room]
        kept = 1 + max(rooms, default=-1)
        self._room = {place: self.placed[place] for place in names[:kept]}
        self._rest = {place: self.placed[place] for place in names[kept:]}
        self._kept: tuple[tuple, Sound] | None = None
        self._last: tuple[dict, Sound] | None = None

    @property
    def behind_room(self) -> Mapping[str, Effect]:
        """What the room's output goes through; the whole chain where there is no room."""
        return self._rest

    def after_room(self, settings: Mapping[str, float]) -> Sound:
        """The song up to and with the reverb; computed once per room."""
        key = tuple(sorted((k, v) for k, v in settings.items() if k.partition(".")[0] in self._room))
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, self._from_the_song(self._room, settings))
        return self._kept[1]

    def shaped(self, settings: Mapping[str, float], progress: Progress = lambda what, done: None) -> Sound:
        """The song, standing still, through the whole chain but for loudness and limiter."""
        if self._last is None or self._last[0] != settings:
            self._last = None  # free the old one before the new one is made
            if self._room:
                made = self._through(self._rest, self.after_room(settings), settings, progress=progress)
            else:
                made = self._from_the_song(self._rest, settings, progress)
            self._last = (dict(settings), made)
        return self._last[1]

    def ridden(self, settings: Mapping[str, float], progress: Progress = lambda what, done: None) -> Sound:
        """The shaped song with its form ridden: what is delivered. Cheap beside what it stands on."""
        extras = {"tail": self.song.tail}
        if self.song.energy is not None:
            extras["energy"] = self.song.energy
        moving = {
            place: effect
            for place, effect in self.moving.items()
            if not effect.rests_at(
                {k.partition(".")[2]: v for k, v in settings.items() if k.partition(".")[0] == place}
            )
        }
        return self._through(moving, self.shaped(settings, progress), settings, **extras)

    def before(self, place: str, settings: Mapping[str, float]) -> Sound:
        """What reaches the effect at `place`: the whole song."""
        if place in self._room:
            return self._through(_until(self._room, place), self.song.x, settings)
        return self._through(_until(self._rest, place), self.after_room(settings), settings)

    def _from_the_song(
        self,
        placed: Mapping[str, Effect],
        settings: Mapping[str, float],
        progress: Progress = lambda what, done: None,
    ) -> Sound:
        """The song through some of the chain; its room hears the send, where there is one."""
        rooms = [place for place, effect in placed.items() if effect.name == "reverb"]
        rooms = [place for place in rooms if settings.get(f"{place}.wet_db", NO_WET_DB) > NO_WET_DB]
        if self.song.send is None or not rooms:
            return self._through(placed, self.song.x, settings, progress=progress)
        dry = self._through(_until(placed, rooms[0]), self.song.x, settings)
        names = list(placed)
        wet = {name: placed[name] for name in names[names.index(rooms[0]) :]}
        return self._through(wet, dry, settings, send=self.song.send, progress=progress)

    def _through(
        self,
        placed: Mapping[str, Effect],
        sound: Sound,
        settings: Mapping[str, float],
        send: Sound | None = None,
        progress: Progress = lambda what, done: None,
        **extras,
    ) -> Sound:
        """A sound through some of the chain, laid down; where nothing is to be done, the sound itself."""
        flows = flows_of(placed, sound.rate, sound.channels, settings, length=sound.time, **extras)
        if not flows:
            return sound
        blocks = told(self._flowing(flows, sound, send), sound.time, partial(progress, "processing"))
        return self.store.keep(blocks, sound.channels, sound.rate, sound.time)

    def _flowing(
        self, flows: Sequence[Flow], sound: Sound, send: Sound | None = None
    ) -> Iterator[torch.Tensor]:
        """A sound through flows, block by block, never all of it at once."""
        beside = {} if send is None else {"send": send}
        with torch.no_grad():
            yield from stream(
                flows, sound, lambda: self.store.place(sound.channels, sound.rate, sound.time), **beside
            )

    def ridden_before(self, place: str, settings: Mapping[str, float]) -> Iterator[torch.Tensor]:
        """What the compressor of the dynamics at `place` hears: the song up to there, ridden, in blocks."""
        effect = self.placed[place]
        ride = {f"{place}.{param.name}": param.default for param in effect.params}
        ride[f"{place}.ride"] = settings.get(f"{place}.ride", 0.0)
        if place in self._room:
            upto, sound = _until(self._room, place), self.song.x
        else:
            upto, sound = _until(self._rest, place), self.after_room(settings)
        line = {**upto, place: effect}
        flows = flows_of(line, sound.rate, sound.channels, {**settings, **ride}, length=sound.time)
        yield from self._flowing(flows, sound)

    def windows_before(self, place: str, settings: Mapping[str, float]) -> torch.Tensor:
        """What reaches the effect at `place`, in the windows only."""
        if place in self._room:
            return self._windows_of(self.before(place, settings))
        return run_chain(_until(self._rest, place), self.windows(settings), self.song.rate, settings)

    def play(self, windows: torch.Tensor, settings: Mapping[str, Setting]) -> torch.Tensor:
        """Windows (batch, channels, time), taken after the room, through the rest of the chain."""
        return run_chain(self._rest, windows, self.song.rate, settings)

    @torch.no_grad()
    def take(
        self,
        settings: Mapping[str, float],
        loudness_lufs: float,
        ceiling_dbtp: float,
        max_reduction_db: float,
        quick: bool = False,
        still: bool = False,
    ) -> Take:
        """A full pass at these settings, delivered at a loudness under a ceiling, and heard.

        `still`: without automation, as a search listens that must not fight it.
        """
        delivered = self.delivered(
            settings, loudness_lufs, ceiling_dbtp, max_reduction_db, quick, still, keep=TRACES
        )
        # heard as it will be written: silence behind the tail would count as a soft passage
        written = self.rung_out(delivered.sound)
        seen, tones = delivered.seen.until(written.time), walked(SpectrumWalk(written.rate), written.blocks())
        asked = {"loudness_lufs": loudness_lufs, "true_peak_dbtp": ceiling_dbtp}
        return Take(
            {**settings, **{knob: asked[name] for knob, name in DELIVERY_KNOBS.items() if knob in settings}},
            delivered.sound,
            {name: float(value) for name, value in heard_in(seen, tones).items()},
            delivered,
            seen,
            tones,
        )

    @torch.no_grad()
    def delivered(
        self,
        settings: Mapping[str, float],
        loudness_lufs: float,
        ceiling_dbtp: float,
        max_reduction_db: float,
        quick: bool = False,
        still: bool = False,
        keep: Collection[str] = ("loud",),
        progress: Progress = lambda what, done: None,
    ) -> DeliveredSound:
        """A full pass, delivered but not listened to further; `keep`: the traces of it that will be read."""
        limiter = {
            name: settings[f"limiter.{name}"]
            for name in ("release_ms", "lookahead_ms")
            if f"limiter.{name}" in settings
        }
        shaped = self.shaped(settings, progress) if still else self.ridden(settings, progress)
        if self._bedded:
            # a bed never ends: it stops with the music, and what follows must not count as loudness
            shaped = self.song.rung_out(shaped, over_noise=True)
        return deliver_sound(
            shaped,
            loudness_lufs,
            ceiling_dbtp,
            store=self.store,
            keep=keep,
            progress=partial(progress, "delivering"),
            max_reduction_db=max_reduction_db,
            quick=quick,
            **limiter,
        )

    def rung_out(self, y: Sound) -> Sound:
        """A delivered master as it will be written: without the silence behind its tail."""
        return y if self._bedded else self.song.rung_out(y)

    @property
    def _bedded(self) -> bool:
        """Whether a bed of noise lies under the song, its tail and all."""
        return any(effect.name == "noise" for effect in self.placed.values())

    def window_starts(self) -> list[int]:
        """Where the solver listens: soft, middle and loud places of the song, in samples."""
        length = round(WINDOW_S * self.song.rate)
        total = self.song.x.time
        if total <= len(WINDOW_LEVELS) * length:
            return [0]
        hop_s = 0.5
        trace = short_term(self._seen, hop_ms=1000 * hop_s)[0]
        # short_term's window ends 3 s after its start; centre ours on it
        starts = (torch.arange(trace.shape[-1]) * hop_s * self.song.rate).long() - (
            length - 3 * self.song.rate
        ) // 2
        starts = starts.clamp(0, total - length)
        audible = trace > trace.max() - 25.0
        order = trace[audible].argsort()
        chosen = [order[round(level * (len(order) - 1))] for level in WINDOW_LEVELS]
        return [int(starts[audible][i]) for i in chosen]

    @cached_property
    def _seen(self) -> Scan:
        """The walk through the song as it came to the bench."""
        return loudness_scan(self.song.x)

    def windows(self, settings: Mapping[str, float]) -> torch.Tensor:
        """The chosen windows after the room, (windows, channels, time)."""
        return self._windows_of(self.after_room(settings))

    def _windows_of(self, sound: Sound) -> torch.Tensor:
        starts = self.window_starts()
        length = round(WINDOW_S * self.song.rate) if len(starts) > 1 else self.song.x.time
        return torch.cat([sound.read(start, start + length) for start in starts])

    def predicted_range(self, shaped: Sound, rides: Sequence[float]) -> list[float]:
        """Loudness range for each position of the level rider, read off the loudness trace alone."""
        hop_s = 0.1
        trace = short_term(loudness_scan(shaped), hop_ms=1000 * hop_s)
        return [range_of_trace(trace[0] + ride_gain_db(trace, ride, hop_s)[0]) for ride in rides]


def _until(placed: Mapping[str, Effect], place: str) -> dict[str, Effect]:
    """The effects that stand before `place`."""
    names = list(placed)
    return {name: placed[name] for name in names[: names.index(place)]}


def range_of_trace(short_term_lufs: torch.Tensor) -> float:
    """Loudness range in LU of a short-term loudness trace (EBU Tech 3342, section 4)."""
    levels = short_term_lufs.double()
    levels = levels[levels > -70.0]
    if not len(levels):
        return 0.0
    gate = 10 * torch.log10((10 ** (levels / 10)).mean()) - 20.0
    levels = levels[levels > gate]
    return float(levels.quantile(0.95) - levels.quantile(0.10))


def loudness_matched(x: torch.Tensor, rate: int, reference_lufs: torch.Tensor) -> torch.Tensor:
    """Each batch item gained to its reference loudness, so that tone is compared, not level."""
    return x * gain_from_db(reference_lufs - integrated_loudness(x, rate)).reshape(-1, 1, 1)
