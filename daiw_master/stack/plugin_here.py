"""A VST3 in this process: faster by a copy of the sound, and a crash of the plugin is a crash of ours."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch

from daiw_master.errors import PluginError
from daiw_master.stack.plugin_host import Unloadable, Vst3

_HOST = threading.RLock()
_PLUGINS: dict[str, Vst3] = {}


def here(source: Mapping) -> Callable[..., Iterator[np.ndarray]]:
    """What plays this plugin: `play(wave, rate, wanted)` gives a sound for each of the settings wanted."""

    def play(wave: np.ndarray, rate: int, wanted: Sequence[Mapping]) -> Iterator[np.ndarray]:
        for values in wanted:
            with _HOST, quiet(), same_arithmetic():
                plugin = _PLUGINS.setdefault(json.dumps(source), Vst3(**source))
                try:
                    out = plugin.play(wave, rate, values)
                except Unloadable as why:
                    raise PluginError(f"{source['path']} no longer loads: {why}") from None
            yield out

    return play


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


@contextlib.contextmanager
def same_arithmetic() -> Iterator[None]:
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
            for plugin in _PLUGINS.values():
                plugin.close()
            _PLUGINS.clear()
