"""Other people's effects as rows of ours: pedalboard's built-ins and any VST3 file.

They stand in a chain like every other effect, but offer no gradient: the evolutionary search may turn
their knobs, the gradient may not. Tails beyond the end of the sound are cut; latency a plugin reports
is compensated by pedalboard. A plugin that rolls dice makes each master a little different. Plugins
run in this process: a crash while processing is a crash of ours (a crash while loading is caught,
see `plugin_probe`).
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from daiw_master.errors import InputError, MissingDependencyError, UnknownNameError
from daiw_master.knobs.pedalboard import ROWS, PluginRow, pedalboard_name
from daiw_master.params import UNIT_OF_SUFFIX, Param
from daiw_master.stack import plugin_probe
from daiw_master.stack.effect import Effect, Setting, at_rest
from daiw_master.stack.plugin_flow import item_of, plugin_flows

#: Loading runs through every knob of a plugin; a large one with impulse responses takes a minute.
LOAD_TIMEOUT_S = 180.0
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
) -> Effect:
    """A pedalboard effect as a row: `effect_from_pedalboard("Chorus")`.

    For the classes in `PEDALBOARD`, knobs are known. For any other class give `params`, named like
    the class's own attributes: pedalboard does not report ranges. `fixed` values are passed on as
    they are. `InputError` without ranges, `UnknownNameError` for a knob the class does not have.
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

    def run(wave: np.ndarray, rate: int, values: Mapping[str, float]) -> np.ndarray:
        # A new instance each time costs microseconds and cannot remember the last sound.
        return load(rate, values)(wave, rate, reset=True)

    def load(rate: int, values: Mapping[str, float]) -> Callable[..., np.ndarray]:
        return _instance(plugin_class, row, rate, {**values, **constants})

    process = _batched(run, title)
    return Effect(
        name=name or pedalboard_name(title),
        about=about or row.about,
        params=row.params,
        process=process,
        flow=plugin_flows(load, process, title),
        differentiable=False,
        identity_at_default=row.identity_at_default,
        engaged=row.engaged,
    )


def effect_from_vst3(path: str | os.PathLike, plugin_name: str | None = None) -> Effect:
    """A VST3 file as a row, its knobs and ranges as the plugin reports them.

    Mono plugins run on each channel by itself; stereo plugins fed mono get it on both sides and are
    folded down. Switches become knobs from 0 to 1 (on from 0.5), lists of choices become knobs that
    hold the choice's number; meters, bypass and program switches are left out. Ranges are asked once
    per file and its modification time. `InputError` for what is missing, no plugin, an instrument, or
    crashes while loading; for a file with several plugins `plugin_name` picks one.
    """
    file = Path(os.path.realpath(path))
    if not file.exists():
        raise InputError(f"{path}: no such plugin")
    found = _discover(_Key(str(file), _changed(file), plugin_name))

    def run(wave: np.ndarray, rate: int, values: Mapping[str, float]) -> np.ndarray:
        wanted = {name: knob.to_plugin(values[name]) for name, knob in found.knobs.items()}
        with _HOST, quiet(), _same_arithmetic():
            if wave.shape[0] == found.channels:
                return _play(found, wave, rate, wanted)
            if found.channels == 1:
                return np.concatenate(
                    [_play(found, side, rate, wanted) for side in np.split(wave, len(wave))]
                )
            return _play(found, np.repeat(wave, 2, axis=0), rate, wanted).mean(axis=0, keepdims=True)

    return Effect(
        name=_slug(found.name),
        about=f"{found.name} (VST3, {'mono' if found.channels == 1 else 'stereo'})",
        params=tuple(knob.param for knob in found.knobs.values()),
        process=_batched(run, found.name),
        differentiable=False,
        identity_at_default=False,
    )


def _instance(
    plugin_class: type | str, row: PluginRow, rate: int, values: Mapping[str, float | bool]
) -> Callable[..., np.ndarray]:
    wanted = {row.attributes.get(key, key): value for key, value in values.items()}
    for key, value in wanted.items():
        if key.startswith(("cutoff", "centre_frequency")):
            wanted[key] = min(value, _HIGHEST_OF_RATE * rate)
    return _class(plugin_class)(**wanted)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing that foreign code prints reaches the terminal: file descriptors 1 and 2 lead nowhere.

    Plugins write past Python's sys.stdout, so the descriptors themselves are turned away, and C's
    buffers emptied before they come back.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    kept = {}
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for descriptor in (1, 2):
            with contextlib.suppress(OSError):  # closed in some services; then nothing can be heard
                kept[descriptor] = os.dup(descriptor)
                os.dup2(nowhere, descriptor)
        yield
    finally:
        if os.name == "posix":
            ctypes.CDLL(None).fflush(None)
        for descriptor, copy in kept.items():
            os.dup2(copy, descriptor)
            os.close(copy)
        os.close(nowhere)


@dataclass(frozen=True)
class _Key:
    path: str
    changed_ns: int
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


_HOST = threading.RLock()
_PLUGINS: dict[_Key, object] = {}
_DISCOVERED: dict[_Key, _Found] = {}


def _discover(key: _Key) -> _Found:
    """What the plugin says about itself, asked in another process the first time."""
    if key not in _DISCOVERED:
        report = _ask(key)
        knobs = {knob["name"]: _knob(knob) for knob in report["knobs"]}
        _DISCOVERED[key] = _Found(key, report["name"], report["channels"], report["forgets"], knobs)
    return _DISCOVERED[key]


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


def _play(found: _Found, wave: np.ndarray, rate: int, wanted: Mapping[str, float | bool | str]) -> np.ndarray:
    """One pass through the plugin, from a clean start; call with `_HOST` held and inside `quiet()`."""
    if not found.forgets:
        # Its reset leaves something of the last sound or setting behind; only a new one is clean.
        _PLUGINS.pop(found.key, None)
        gc.collect()
    if found.key not in _PLUGINS:
        import pedalboard

        try:
            _PLUGINS[found.key] = pedalboard.load_plugin(found.key.path, plugin_name=found.key.plugin_name)
        except (ImportError, ValueError, RuntimeError) as error:
            raise InputError(f"{found.key.path}: no longer loads: {' '.join(str(error).split())}") from error
    plugin = _PLUGINS[found.key]
    for name, value in wanted.items():
        setattr(plugin, name, value)
    return plugin(wave, rate, reset=True)


@contextlib.contextmanager
def _same_arithmetic() -> Iterator[None]:
    """Plugins make the processor take the tiniest numbers for zero, and some leave it so: whatever this
    thread computes later would differ in its last bits. Put back what was.
    """
    flushed = _flushes_denormals()
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed)


def _flushes_denormals() -> bool:
    """Whether this thread's processor takes the smallest numbers for zero."""
    return bool(np.array(5e-324) * np.array(1.0) == 0.0)


@atexit.register
def _release() -> None:
    """Let plugins go while their farewells can still be kept off the terminal."""
    if _PLUGINS:
        with quiet():
            _PLUGINS.clear()
            gc.collect()  # a plugin and its parameters hold each other


def _changed(file: Path) -> int:
    """When a plugin, or anything in its bundle, was last changed."""
    return max(part.stat().st_mtime_ns for part in (file, *file.rglob("*")))


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


def _batched(run: Callable[..., np.ndarray], title: str) -> Callable[..., torch.Tensor]:
    """`run` on (channels, time) arrays, for every sound and its settings in turn."""

    def process(x: torch.Tensor, rate: int, **settings: Setting) -> torch.Tensor:
        y = at_rest(x.detach(), settings)
        if y.shape[-1] == 0:
            return y
        for i, sound in enumerate(y):
            values = {name: item_of(value, i) for name, value in settings.items()}
            wave = sound.to("cpu", torch.float32, copy=True).numpy()
            try:
                out = np.asarray(run(wave, rate, values))
            except (ValueError, RuntimeError) as error:
                raise InputError(f"{title} refuses this sound: {' '.join(str(error).split())}") from error
            if not np.isfinite(out).all():
                raise InputError(f"{title} gave NaN or infinity at {values}")
            length = min(out.shape[-1], sound.shape[-1])
            sound[:, :length] = torch.from_numpy(out[:, :length]).to(sound)
            sound[:, length:] = 0.0
        return y

    return process


#: pedalboard's own effects by row name; nothing is imported until one of them sounds.
PEDALBOARD: dict[str, Effect] = {
    effect.name: effect for effect in (effect_from_pedalboard(row.plugin) for row in ROWS)
}
