"""The soundfont of the last song stays loaded for the next: one, however many songs are played.

What is kept is the font's table of contents; its samples come and go with the presets in use. A font
lives as long as the synth that read it (its samples are read through that synth's loader), so a silent
one keeps it, and lends it to the synths that play. To one at a time, because the library does not lock
it; whoever comes meanwhile reads another.
"""

from __future__ import annotations

import ctypes
import threading
from pathlib import Path
from typing import NamedTuple


class Font(NamedTuple):
    """A loaded soundfont: the file as it was when it was read, and its places in C memory."""

    file: tuple[str, int, int]
    pointer: int
    keeper: int
    settings: int


#: A keeper makes no sound. Only presets in use are read: 169 -> 56 MiB with FluidR3.
_KEEPER_SETTINGS = {
    b"synth.dynamic-sample-loading": 1,
    b"synth.lock-memory": 0,
    b"synth.threadsafe-api": 0,
    b"synth.polyphony": 1,
    b"synth.reverb.active": 0,
    b"synth.chorus.active": 0,
}
_lock = threading.Lock()
_kept: Font | None = None


def lend(lib: ctypes.CDLL, synth: int, path: Path) -> Font | None:
    """Give a new synth its soundfont; None where that cannot be loaded."""
    global _kept
    state = path.stat()
    file = (str(path.absolute()), state.st_mtime_ns, state.st_size)
    with _lock:
        font, _kept = _kept, None
    if font is not None and font.file != file:
        _drop(lib, font)
        font = None
    font = font or _read(lib, file)
    if font is not None:
        lib.fluid_synth_add_sfont(synth, font.pointer)
    return font


def take_back(lib: ctypes.CDLL, synth: int, font: Font) -> None:
    """Take the soundfont from a synth that is about to be deleted, and keep it in place of an older one."""
    global _kept
    lib.fluid_synth_remove_sfont(synth, font.pointer)
    with _lock:
        older, _kept = _kept, font
    if older is not None:
        _drop(lib, older)


def _read(lib: ctypes.CDLL, file: tuple[str, int, int]) -> Font | None:
    settings = lib.new_fluid_settings()
    for name, value in _KEEPER_SETTINGS.items():
        lib.fluid_settings_setint(settings, name, value)
    keeper = lib.new_fluid_synth(settings)
    # 0: the keeper chooses no presets, so it holds no samples
    if keeper and lib.fluid_synth_sfload(keeper, file[0].encode(), 0) >= 0:
        return Font(file, lib.fluid_synth_get_sfont(keeper, 0), keeper, settings)
    if keeper:
        lib.delete_fluid_synth(keeper)
    lib.delete_fluid_settings(settings)
    return None


def _drop(lib: ctypes.CDLL, font: Font) -> None:
    lib.delete_fluid_synth(font.keeper)
    lib.delete_fluid_settings(font.settings)


def forget(lib: ctypes.CDLL) -> None:
    """Give the kept soundfont's memory back."""
    global _kept
    with _lock:
        font, _kept = _kept, None
    if font is not None:
        _drop(lib, font)
