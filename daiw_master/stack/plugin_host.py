"""A foreign effect, loaded, set and played: every sound as if it were the first it hears.

Knows nothing of the rest of the package: the process that plays one plugin (`isolated_worker`) imports
it by its folder and starts in a third of a second.
"""

from __future__ import annotations

import gc
import importlib.util
from collections.abc import Callable, Mapping

import numpy as np


class Unloadable(Exception):
    """The plugin is there no more, or does not load; says why in one line."""


#: Switches that move other knobs: never ours to turn.
PROGRAMS = ("program", "preset")


def load(path: str, plugin_name: str | None = None):
    """A VST3 as pedalboard loads it, without the minute that some take."""
    import pedalboard

    _ask_less(pedalboard)
    try:
        return pedalboard.load_plugin(path, plugin_name=plugin_name)
    except (ImportError, ValueError, RuntimeError) as error:
        raise Unloadable(" ".join(str(error).split())) from error


def _ask_less(pedalboard) -> None:
    """Keep pedalboard from turning, a thousand times, a knob that nobody here may turn.

    Where a knob names one value only, pedalboard moves it through its whole range to find others, and
    does so twice. ZamVerb reads its room anew at every move of its program: two minutes.
    """
    inner = getattr(pedalboard, "_pedalboard", None)
    asked = getattr(inner, "get_text_for_raw_value", None)
    if asked is None or hasattr(asked, "asks_less"):
        return

    def text_of(parameter, raw_value: float, slow: bool = False) -> str | None:
        name = parameter.name.lower()
        ours = parameter.is_automatable and not any(word in name for word in PROGRAMS)
        return asked(parameter, raw_value, slow and ours)

    text_of.asks_less = True
    inner.get_text_for_raw_value = text_of


class Vst3:
    """One VST3 plugin. `channels` it takes at a time; `forgets`: whether its reset is a clean start."""

    def __init__(self, path: str, plugin_name: str | None, channels: int, forgets: bool):
        self.path, self.plugin_name, self.channels, self.forgets = path, plugin_name, channels, forgets
        self._plugin = None

    def start(self) -> None:
        """Load the plugin; `Unloadable` where that fails."""
        if self._plugin is None:
            self._plugin = load(self.path, self.plugin_name)

    def play(self, wave: np.ndarray, rate: int, wanted: Mapping[str, float | bool | str]) -> np.ndarray:
        """A sound (channels, time) through the plugin at these settings, from a clean start."""
        if len(wave) == self.channels:
            return self._pass(wave, rate, wanted)
        if self.channels == 1:
            return np.concatenate([self._pass(side, rate, wanted) for side in np.split(wave, len(wave))])
        return self._pass(np.repeat(wave, 2, axis=0), rate, wanted).mean(axis=0, keepdims=True)

    def _pass(self, wave: np.ndarray, rate: int, wanted: Mapping) -> np.ndarray:
        if not self.forgets:
            # Its reset leaves something of the last sound or setting behind; only a new one is clean.
            self.close()
        self.start()
        for name, value in wanted.items():
            setattr(self._plugin, name, value)
        return self._plugin(wave, rate, reset=True)

    def close(self) -> None:
        if self._plugin is not None:
            self._plugin = None
            gc.collect()  # a plugin and its parameters hold each other


class Maker:
    """An effect that is a Python class, one of pedalboard's or of the file it was written in.

    A new instance for every sound costs microseconds and cannot remember the last one.
    """

    def __init__(self, file: str | None, name: str):
        self.file, self.name = file, name
        self._make: Callable | None = None

    def start(self) -> None:
        """Find the class; `Unloadable` where it is not there."""
        if self.file is None:
            import pedalboard as module
        else:
            spec = importlib.util.spec_from_file_location("isolated_effect", self.file)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        self._make = getattr(module, self.name, None)
        if self._make is None:
            raise Unloadable(f"{self.file or 'pedalboard'} has no {self.name} at its top level")

    def play(self, wave: np.ndarray, rate: int, wanted: Mapping[str, float | bool | str]) -> np.ndarray:
        """A sound (channels, time) through a new instance made with these settings."""
        return self._make(**wanted)(wave, rate, reset=True)


def host_of(source: Mapping) -> Vst3 | Maker:
    """Whoever plays what `source` describes: the arguments of `Vst3` or of `Maker`."""
    return Vst3(**source) if "path" in source else Maker(**source)
