"""Echoes and room of a reference: whether they are there, and their settings, read off its ripple."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import torch

from daiw_master.neural.encoder import STYLE_RATE
from daiw_master.refine.ito import ripple
from daiw_master.refine.ito.echo import echo_times_s
from daiw_master.refine.ito.general import STAGES, general_chain

#: A stage is there if its ripple removes so many deviations more than it adds (chance stays under ten).
FOUND = 60.0
#: An echo whose ripple differs more than this between bars and registers is the music's own.
STEADY = 0.18
#: Where a search for each stage begins: every one of these is looked at.
_FEEDBACKS, _MIXES = (0.1, 0.35, 0.6), (0.12, 0.25, 0.45)
_ROOMS, _DAMPINGS, _WETS = (0.08, 0.25, 0.45, 0.65, 0.85), (0.2, 0.6), (0.08, 0.16, 0.3)
#: So many lines of the autocorrelation are looked at; in a groove the music's own come first.
_ECHOES = 16
_STEP, _EVALUATIONS = 0.08, 45
#: A filter's hollows under -15 dB are not filled up again.
_LEAST = 0.03


def space_of(windows: torch.Tensor) -> dict[str, float]:
    """Settings of the delay and the reverb of the general chain as windows (windows, 2, time) tell them.

    Knobs of a stage that is not heard are absent. Sounds shorter than a window tell nothing: empty.
    """
    if windows.shape[-1] != ripple.STYLE_WINDOW:
        return {}
    ripples = ripple.heard_ripples(windows)
    heard = ripples.mean(0)
    flat = torch.ones(ripple.STYLE_WINDOW // 2 + 1, dtype=torch.complex64)
    room = _room(heard, flat)
    delay, _ = _delay(ripples, windows, _responses(room)[0] if room else flat)
    if delay:
        room = _room(heard, _delay_of(delay))
    settings = {**delay, **room}
    if settings:
        settings = _settled(heard, settings)
    if room:
        own = {name: value for name, value in settings.items() if name.startswith("reverb.")}
        width = ripple.width_told(windows, *_responses(own))
        settings["reverb.width"] = min(max(width, 0.0), 1.0)
    return settings


def without_space(windows: torch.Tensor, settings: Mapping[str, float]) -> torch.Tensor:
    """A sound (windows, 2, STYLE_WINDOW) as it was before its delay and reverb, as far as can be told.

    Each filter is turned round; where it has let hardly anything pass, little is brought back.
    """
    stages = [name for name in ("delay", "reverb") if any(k.startswith(f"{name}.") for k in settings)]
    return undone(windows, stages, settings, _LEAST) if stages else windows


def undone(
    windows: torch.Tensor, stages: list[str], settings: Mapping[str, float], least: float
) -> torch.Tensor:
    """A sound (windows, 2, STYLE_WINDOW) before some linear stages of the general chain.

    `least`: a filter's hollows under this power are not filled up again.
    """
    fixed = {k: v for stage in STAGES if stage.name in stages for k, v in stage.fixed.items()}
    chain = general_chain(stages)
    middle, across = ripple.response_of(chain, {**fixed, **settings})
    # a room hears the middle only: the sides pass it by, but nothing else
    others = {place: effect for place, effect in chain.items() if place != "reverb"}
    beside = ripple.response_of(others, settings)[0]
    mid, side = (torch.fft.rfft((windows[:, 0] + sign * windows[:, 1]) / 2) for sign in (1, -1))
    mid = mid * _turned_round(middle, least)
    side = (side - across * mid) * _turned_round(beside, least)
    mid, side = torch.fft.irfft(mid), torch.fft.irfft(side)
    return torch.stack([mid + side, mid - side], dim=1)


def _turned_round(response: torch.Tensor, least: float) -> torch.Tensor:
    return response.conj() / (response.abs().square() + least)


def _delay_of(settings: Mapping[str, float]) -> torch.Tensor:
    return ripple.delay_response(*_numbers("delay", settings))


def _numbers(place: str, settings: Mapping[str, float]) -> list[float]:
    stage = next(stage for stage in STAGES if stage.name == place)
    return [settings[knob.name] for knob in stage.knobs]


def _responses(room: Mapping[str, float]) -> tuple[torch.Tensor, torch.Tensor]:
    stage = next(stage for stage in STAGES if stage.name == "reverb")
    return ripple.response_of(general_chain(["reverb"]), {**stage.fixed, "reverb.width": 1.0, **room})


@lru_cache(maxsize=64)
def _wet(room_size: float, damping: float) -> torch.Tensor:
    """The wet part alone at full level, middle to middle; at any other level it is so much of it."""
    wet = {"reverb.room_size": room_size, "reverb.damping": damping, "reverb.wet_level": 1.0}
    return _responses({**wet, "reverb.dry_level": 0.0})[0]


def _room(heard: torch.Tensor, before: torch.Tensor) -> dict[str, float]:
    """The room of a coarse grid that explains most, behind what came before it; empty where none does."""
    best, most = {}, ripple.told(heard, ripple.ripple_of(before)) + FOUND
    for size in _ROOMS:
        for damping in _DAMPINGS:
            for wet in _WETS:
                expected = ripple.ripple_of(before * (1 + wet * _wet(size, damping)))
                gained = ripple.told(heard, expected)
                if gained > most:
                    most = gained
                    best = {"reverb.room_size": size, "reverb.damping": damping, "reverb.wet_level": wet}
    return best


def _delay(
    ripples: torch.Tensor, windows: torch.Tensor, behind: torch.Tensor
) -> tuple[dict[str, float], float]:
    """The delay that explains most, at one of the sound's echo times, before the room behind it.

    Empty and 0 where no echo is the same in all the music.
    """
    heard, without = ripples.mean(0), ripple.ripple_of(behind)
    alone, registers = ripple.told(heard, without), ripple.sounding_registers(windows)
    low, high = next((k.low, k.high) for s in STAGES for k in s.knobs if k.name == "delay.delay_s")
    best, most = {}, FOUND
    for seconds, _ in echo_times_s(windows.transpose(0, 1).flatten(1), STYLE_RATE, _ECHOES):
        if not low <= seconds <= high:
            continue
        usual = ripple.ripple_of(behind * ripple.delay_response(seconds, _FEEDBACKS[1], _MIXES[1]))
        if ripple.unsteadiness(ripples, without, usual, registers) > STEADY:
            continue
        for feedback in _FEEDBACKS:
            for mix in _MIXES:
                expected = ripple.ripple_of(behind * ripple.delay_response(seconds, feedback, mix))
                gained = ripple.told(heard, expected) - alone
                if gained > most:
                    most = gained
                    best = {"delay.delay_s": seconds, "delay.feedback": feedback, "delay.mix": mix}
    return best, most if best else 0.0


def _settled(heard: torch.Tensor, settings: Mapping[str, float]) -> dict[str, float]:
    """All knobs that shape the ripple, moved together to where they explain most."""
    knobs = [
        knob
        for stage in STAGES
        for knob in stage.knobs
        if knob.name in settings and knob.name not in ("delay.delay_s", "reverb.width")
    ]

    def cost(u: list[float]) -> float:
        now = {**settings, **{k.name: float(k.physical(p)) for k, p in zip(knobs, u, strict=True)}}
        response = _delay_of(now) if "delay.delay_s" in now else None
        if "reverb.wet_level" in now:
            room = {name: value for name, value in now.items() if name.startswith("reverb.")}
            middle = _responses(room)[0]
            response = middle if response is None else response * middle
        return float((heard - ripple.ripple_of(response)).square().sum()) / float(heard.square().mean())

    start = [float(knob.normalised(settings[knob.name])) for knob in knobs]
    point, _ = ripple.descend(cost, start, _STEP, _EVALUATIONS)
    return {**settings, **{k.name: float(k.physical(p)) for k, p in zip(knobs, point, strict=True)}}
