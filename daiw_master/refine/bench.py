"""The bench: one song in front of one chain. Try settings, hear the master, reuse what stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from daiw_master.meters import heard
from daiw_master.meters.loudness import integrated_loudness, short_term
from daiw_master.refine.song import Song
from daiw_master.stack.chain import chain_space, run_chain
from daiw_master.stack.deliver import Delivered, deliver
from daiw_master.stack.dynamics import ride_gain_db
from daiw_master.stack.effect import Effect, Setting
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


@dataclass(frozen=True)
class Take:
    """One full pass: the settings, the sound, what is heard in it and how it was delivered."""

    settings: Mapping[str, float]
    samples: torch.Tensor
    heard: Mapping[str, float]
    delivered: Delivered


class Bench:
    """One song, one chain. The reverb's output is kept: most searches leave the room alone.

    `placed` is what shapes the sound; automation (`moving`) follows it, and delivery ends it.
    """

    def __init__(self, song: Song, placed: Mapping[str, Effect]):
        self.song = song
        self.moving = {place: effect for place, effect in placed.items() if effect.name == AUTOMATION}
        last = (*LAST_STAGES, AUTOMATION)
        self.placed = {place: effect for place, effect in placed.items() if effect.name not in last}
        self.space = chain_space(placed)
        names = list(self.placed)
        kept = 1 + max((names.index(p) for p, e in self.placed.items() if e.name == "reverb"), default=-1)
        self._room = {place: self.placed[place] for place in names[:kept]}
        self._rest = {place: self.placed[place] for place in names[kept:]}
        self._kept: tuple[tuple, torch.Tensor] | None = None
        self._last: tuple[dict, torch.Tensor] | None = None

    def after_room(self, settings: Mapping[str, float]) -> torch.Tensor:
        """The song up to and with the reverb; computed once per room."""
        key = tuple(sorted((k, v) for k, v in settings.items() if k.partition(".")[0] in self._room))
        if self._kept is None or self._kept[0] != key:
            extras = {} if self.song.send is None else {"send": self.song.send}
            self._kept = (key, run_chain(self._room, self.song.x, self.song.rate, settings, **extras))
        return self._kept[1]

    def shaped(self, settings: Mapping[str, float]) -> torch.Tensor:
        """The song, standing still, through the whole chain but for loudness and limiter."""
        if self._last is None or self._last[0] != settings:
            self._last = None  # free the old one before the new one is made
            self._last = (
                dict(settings),
                run_chain(self._rest, self.after_room(settings), self.song.rate, settings),
            )
        return self._last[1]

    def ridden(self, settings: Mapping[str, float]) -> torch.Tensor:
        """The shaped song with its form ridden: what is delivered. Cheap beside what it stands on."""
        extras = {"tail": self.song.tail}
        if self.song.energy is not None:
            extras["energy"] = self.song.energy
        x = self.shaped(settings)
        for place, effect in self.moving.items():
            own = {k.partition(".")[2]: v for k, v in settings.items() if k.partition(".")[0] == place}
            x = x if effect.rests_at(own) else effect(x, self.song.rate, **own, **extras)
        return x

    def before(self, place: str, settings: Mapping[str, float]) -> torch.Tensor:
        """What reaches the effect at `place`: the whole song."""
        if place in self._room:
            return run_chain(_until(self._room, place), self.song.x, self.song.rate, settings)
        return run_chain(_until(self._rest, place), self.after_room(settings), self.song.rate, settings)

    def windows_before(self, place: str, settings: Mapping[str, float]) -> torch.Tensor:
        """What reaches the effect at `place`, in the windows only."""
        if place in self._room:
            return self._windows_of(self.before(place, settings))
        return run_chain(_until(self._rest, place), self.windows(settings), self.song.rate, settings)

    def play(self, windows: torch.Tensor, settings: Mapping[str, Setting]) -> torch.Tensor:
        """Windows (batch, channels, time), taken after the room, through the rest of the chain."""
        return run_chain(self._rest, windows, self.song.rate, settings)

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
        limiter = {
            name: settings[f"limiter.{name}"]
            for name in ("release_ms", "lookahead_ms")
            if f"limiter.{name}" in settings
        }
        shaped = self.shaped(settings) if still else self.ridden(settings)
        if self._bedded:
            # a bed never ends: it stops with the music, and what follows must not count as loudness
            shaped = self.song.rung_out(shaped, over_noise=True)
        delivered = deliver(
            shaped,
            self.song.rate,
            loudness_lufs,
            ceiling_dbtp,
            max_reduction_db=max_reduction_db,
            quick=quick,
            **limiter,
        )
        # heard as it will be written: silence behind the tail would count as a soft passage
        written = self.rung_out(delivered.samples)
        values = heard(written, self.song.rate, delivered.seen.until(written.shape[-1]))
        asked = {"loudness_lufs": loudness_lufs, "true_peak_dbtp": ceiling_dbtp}
        return Take(
            {**settings, **{knob: asked[name] for knob, name in DELIVERY_KNOBS.items() if knob in settings}},
            delivered.samples,
            {name: float(value) for name, value in values.items()},
            delivered,
        )

    def rung_out(self, y: torch.Tensor) -> torch.Tensor:
        """A delivered master as it will be written: without the silence behind its tail."""
        return y if self._bedded else self.song.rung_out(y)

    @property
    def _bedded(self) -> bool:
        """Whether a bed of noise lies under the song, its tail and all."""
        return any(effect.name == "noise" for effect in self.placed.values())

    def window_starts(self) -> list[int]:
        """Where the solver listens: soft, middle and loud places of the song, in samples."""
        length = round(WINDOW_S * self.song.rate)
        total = self.song.x.shape[-1]
        if total <= len(WINDOW_LEVELS) * length:
            return [0]
        hop_s = 0.5
        trace = short_term(self.song.x, self.song.rate, hop_ms=1000 * hop_s)[0]
        # short_term's window ends 3 s after its start; centre ours on it
        starts = (torch.arange(trace.shape[-1]) * hop_s * self.song.rate).long() - (
            length - 3 * self.song.rate
        ) // 2
        starts = starts.clamp(0, total - length)
        audible = trace > trace.max() - 25.0
        order = trace[audible].argsort()
        chosen = [order[round(level * (len(order) - 1))] for level in WINDOW_LEVELS]
        return [int(starts[audible][i]) for i in chosen]

    def windows(self, settings: Mapping[str, float]) -> torch.Tensor:
        """The chosen windows after the room, (windows, channels, time)."""
        return self._windows_of(self.after_room(settings))

    def _windows_of(self, sound: torch.Tensor) -> torch.Tensor:
        starts = self.window_starts()
        length = round(WINDOW_S * self.song.rate) if len(starts) > 1 else self.song.x.shape[-1]
        return torch.cat([sound[..., start : start + length] for start in starts])

    def predicted_range(self, shaped: torch.Tensor, rides: Sequence[float]) -> list[float]:
        """Loudness range for each position of the level rider, read off the loudness trace alone."""
        hop_s = 0.1
        trace = short_term(shaped, self.song.rate, hop_ms=1000 * hop_s)
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
