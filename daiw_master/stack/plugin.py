"""Other people's effects as rows of ours: pedalboard's built-ins and any VST3 file.

They stand in a chain like every other effect, but offer no gradient: the evolutionary search may turn
their knobs, the gradient may not. Tails beyond the end of the sound are cut; latency a plugin reports
is compensated by pedalboard. A plugin that rolls dice makes each master a little different. A VST3
plays in a process of its own (see `isolated`), pedalboard's own effects in ours.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from daiw_master.errors import InputError, MissingDependencyError, UnknownNameError
from daiw_master.knobs.pedalboard import ROWS, PluginRow, pedalboard_name
from daiw_master.params import UNIT_OF_SUFFIX, Param
from daiw_master.stack import plugin_cache, plugin_probe
from daiw_master.stack.effect import Effect, Setting, at_rest
from daiw_master.stack.isolated import LOAD_TIMEOUT_S, isolated
from daiw_master.stack.plugin_flow import item_of, plugin_flows
from daiw_master.stack.plugin_here import here

#: Filters of pedalboard misbehave at and above the Nyquist frequency.
_HIGHEST_OF_RATE = 0.49

_ROW_OF = {row.plugin: row for row in ROWS}


def effect_from_pedalboard(
    plugin_class: type | str,
    params: Sequence[Param] | None = None,
    *,
    name: str | None = None,
    about: str = "",
    fixed: Mapping[str, float | bool] | None = None,
    apart: bool = False,
    timeout_s: float | None = None,
) -> Effect:
    """A pedalboard effect as a row: `effect_from_pedalboard("Chorus")`.

    For the classes in `PEDALBOARD`, knobs are known. For any other class give `params`, named like
    the class's own attributes: pedalboard does not report ranges. `fixed` values are passed on as
    they are. With `apart` it plays in a process of its own, at most `timeout_s` for one sound; then a
    class of your own must stand at the top level of a file. `InputError` without ranges,
    `UnknownNameError` for a knob the class does not have.
    """
    title = plugin_class if isinstance(plugin_class, str) else plugin_class.__name__
    row = _ROW_OF.get(title)
    if params is not None:
        row = PluginRow(title, about, tuple(params))
    if row is None:
        if isinstance(plugin_class, str):
            raise UnknownNameError("pedalboard effect", title, _ROW_OF)
        raise InputError(f"{title}: pedalboard does not say how far its knobs turn; pass params=[Param(...)]")
    if not isinstance(plugin_class, str):
        for param in row.params:
            if not hasattr(plugin_class, row.attributes.get(param.name, param.name)):
                own = [word for word in dir(plugin_class) if not word.startswith("_")]
                raise UnknownNameError(f"{title} knob", param.name, own)
    constants = {**row.fixed, **(fixed or {})}

    def load(rate: int, values: Mapping[str, float]) -> Callable[..., np.ndarray]:
        return _class(plugin_class)(**_attributes(row, rate, {**values, **constants}))

    def play(wave: np.ndarray, rate: int, many: Sequence[Mapping[str, float]]) -> Iterable[np.ndarray]:
        # A new instance each time costs microseconds and cannot remember the last sound.
        return (load(rate, values)(wave, rate, reset=True) for values in many)

    def play_apart(wave: np.ndarray, rate: int, many: Sequence[Mapping[str, float]]) -> Iterable[np.ndarray]:
        wanted = [_attributes(row, rate, {**values, **constants}) for values in many]
        return isolated(title, _source(plugin_class), timeout_s).play(wave, rate, wanted)

    process = _batched(play_apart if apart else play, title)
    return Effect(
        name=name or pedalboard_name(title),
        about=about or row.about,
        params=row.params,
        process=process,
        flow=None if apart else plugin_flows(load, process, title),
        differentiable=False,
        identity_at_default=row.identity_at_default,
        engaged=row.engaged,
    )


def effect_from_vst3(
    path: str | os.PathLike,
    plugin_name: str | None = None,
    *,
    apart: bool = True,
    timeout_s: float | None = None,
) -> Effect:
    """A VST3 file as a row, its knobs and ranges as the plugin reports them.

    Mono plugins run on each channel by itself; stereo plugins fed mono get it on both sides and are
    folded down. Switches become knobs from 0 to 1 (on from 0.5), lists of choices become knobs that
    hold the choice's number; meters, bypass and program switches are left out. Ranges are asked once
    per file and its modification time, and kept (see `plugin_cache`). `InputError` for what is missing,
    no plugin, an instrument, or crashes while loading; for a file with several plugins `plugin_name`
    picks one.

    It plays in a process of its own, at most `timeout_s` for one sound (default: 20 s and four times
    the sound's length): what it prints is not heard, and a crash is a `PluginError`. `apart=False` plays
    it here: a little faster, and a crash of the plugin is a crash of ours.
    """
    file = Path(os.path.realpath(path))
    if not file.exists():
        raise InputError(f"{path}: no such plugin")
    found = _discover(_Key(str(file), _changed(file), _size(file), plugin_name))

    def play(wave: np.ndarray, rate: int, many: Sequence[Mapping[str, float]]) -> Iterable[np.ndarray]:
        wanted = [
            {name: knob.to_plugin(values[name]) for name, knob in found.knobs.items()} for values in many
        ]
        plays = isolated(found.name, found.source, timeout_s).play if apart else here(found.source)
        return plays(wave, rate, wanted)

    return Effect(
        name=_slug(found.name),
        about=f"{found.name} (VST3, {'mono' if found.channels == 1 else 'stereo'})",
        params=tuple(knob.param for knob in found.knobs.values()),
        process=_batched(play, found.name),
        differentiable=False,
        identity_at_default=False,
    )


def _attributes(row: PluginRow, rate: int, values: Mapping[str, float | bool]) -> dict[str, float | bool]:
    """A row's settings as its class is given them."""
    wanted = {row.attributes.get(key, key): value for key, value in values.items()}
    for key, value in wanted.items():
        if key.startswith(("cutoff", "centre_frequency")):
            wanted[key] = min(value, _HIGHEST_OF_RATE * rate)
    return wanted


def _source(plugin_class: type | str) -> dict[str, str | None]:
    """Where another process finds the class."""
    found = _class(plugin_class)
    if found.__module__.partition(".")[0].startswith("pedalboard"):
        return {"file": None, "name": found.__name__}
    return {"file": inspect.getfile(found), "name": found.__qualname__}


@dataclass(frozen=True)
class _Key:
    """One plugin of one file as it is today."""

    path: str
    changed_ns: int
    size: int
    plugin_name: str | None


@dataclass(frozen=True)
class _Knob:
    """How a number of ours becomes what the plugin wants to be given."""

    param: Param
    kind: str
    choices: tuple[str, ...] = ()
    step: float | None = None

    def to_plugin(self, value: float) -> float | bool | str:
        if self.kind == "switch":
            return value >= 0.5
        if self.kind == "choice":
            return self.choices[round(value)]
        if self.step:
            value = self.param.low + round((value - self.param.low) / self.step) * self.step
        # float32 vectors overshoot a range by rounding; plugins refuse that
        return min(max(value, self.param.low), self.param.high)


@dataclass(frozen=True)
class _Found:
    key: _Key
    name: str
    channels: int
    forgets: bool
    knobs: Mapping[str, _Knob]

    @property
    def source(self) -> dict:
        """What `plugin_host` needs to know to play it."""
        return {
            "path": self.key.path, "plugin_name": self.key.plugin_name,
            "channels": self.channels, "forgets": self.forgets,
        }  # fmt: skip


_DISCOVERED: dict[_Key, _Found] = {}


def _discover(key: _Key) -> _Found:
    """What the plugin says about itself, asked in another process the first time and then kept."""
    if key not in _DISCOVERED:
        kept = plugin_cache.recalled(key)
        if kept is not None:
            try:
                _DISCOVERED[key] = _found(key, kept)
                return _DISCOVERED[key]
            except (KeyError, TypeError, ValueError):
                pass  # a broken note is written anew
        report = _ask(key)
        _DISCOVERED[key] = _found(key, report)
        plugin_cache.keep(key, report)
    return _DISCOVERED[key]


def _found(key: _Key, report: Mapping) -> _Found:
    knobs = {knob["name"]: _knob(knob) for knob in report["knobs"]}
    return _Found(key, str(report["name"]), int(report["channels"]), bool(report["forgets"]), knobs)


def _ask(key: _Key) -> dict:
    command = [sys.executable, plugin_probe.__file__, key.path]
    if key.plugin_name is not None:
        command.append(key.plugin_name)
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LOAD_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise InputError(f"{key.path}: the plugin does not answer within {LOAD_TIMEOUT_S:g} s") from None
    if done.returncode or not done.stdout:
        raise InputError(f"{key.path}: the plugin crashes while loading (exit status {done.returncode})")
    report = json.loads(done.stdout)
    if "error" in report:
        raise InputError(f"{key.path}: not usable as an effect: {report['error']}")
    return report


def _knob(report: dict) -> _Knob:
    name, kind, default = report["name"], report["kind"], float(report["default"])
    if kind == "switch":
        return _Knob(Param(name, 0, 1, default, about="a switch: on from 0.5"), kind)
    if kind == "choice":
        choices = tuple(report["choices"])
        about = "; ".join(f"{i} {choice}" for i, choice in enumerate(choices))
        return _Knob(Param(name, 0, len(choices) - 1, default, about=about), kind, choices)
    low, high = report["low"], report["high"]
    unit = next((unit for end, unit in UNIT_OF_SUFFIX.items() if name.endswith(end)), report["unit"])
    # Ears hear frequency and time in ratios; a range of five octaves or more is searched that way.
    scale = "log" if unit in ("Hz", "ms", "s") and low > 0 and high / low >= 32 else "linear"
    return _Knob(Param(name, low, high, default, unit, scale), kind, step=report["step"])


def _changed(file: Path) -> int:
    """When a plugin, or anything in its bundle, was last changed."""
    return max(part.stat().st_mtime_ns for part in (file, *file.rglob("*")))


def _size(file: Path) -> int:
    """How large a plugin and all of its bundle is."""
    return sum(part.stat().st_size for part in (file, *file.rglob("*")))


def _class(plugin_class: type | str) -> type:
    if not isinstance(plugin_class, str):
        return plugin_class
    import pedalboard  # 0.14 s, only when one of its effects sounds

    found = getattr(pedalboard, plugin_class, None)
    if found is None:
        raise MissingDependencyError(
            f"{plugin_class} is not in this pedalboard ({pedalboard.__version__}); pip install -U pedalboard"
        )
    return found


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")


def _batched(play: Callable[..., Iterable[np.ndarray]], title: str) -> Callable[..., torch.Tensor]:
    """A player of one sound (channels, time) at each of many settings, for every sound of a batch."""

    def process(x: torch.Tensor, rate: int, **settings: Setting) -> torch.Tensor:
        y = at_rest(x.detach(), settings)
        if y.shape[-1] == 0:
            return y
        many = [{name: item_of(value, i) for name, value in settings.items()} for i in range(len(y))]
        # one sound for everybody goes to the plugin once
        for first, last in [(0, len(y))] if len(x) == 1 else [(i, i + 1) for i in range(len(y))]:
            wave = y[first].to("cpu", torch.float32, copy=True).numpy()
            try:
                for i, out in enumerate(play(wave, rate, many[first:last]), first):
                    _take(np.asarray(out), y[i], title, many[i])
            except (ValueError, RuntimeError) as error:
                raise InputError(f"{title} refuses this sound: {' '.join(str(error).split())}") from error
        return y

    return process


def _take(out: np.ndarray, sound: torch.Tensor, title: str, values: Mapping[str, float]) -> None:
    """What a plugin gave, in place of the sound it was given and as long; refused where it is no sound."""
    if out.ndim != 2 or len(out) != len(sound):
        raise InputError(f"{title} gave shape {out.shape}; it must be ({len(sound)} channels, time)")
    if not np.isfinite(out).all():
        raise InputError(f"{title} gave NaN or infinity at {values}")
    length = min(out.shape[-1], sound.shape[-1])
    sound[:, :length] = torch.from_numpy(out[:, :length]).to(sound)
    sound[:, length:] = 0.0


#: pedalboard's own effects by row name; nothing is imported until one of them sounds.
PEDALBOARD: dict[str, Effect] = {
    effect.name: effect for effect in (effect_from_pedalboard(row.plugin) for row in ROWS)
}
