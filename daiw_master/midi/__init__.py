"""MIDI to sound: libfluidsynth and a soundfont, dry, in float, with stems."""

from __future__ import annotations

import importlib

#: Loaded when first asked for, so that `doctor` can look at the synthesiser where torch is broken.
_HOMES = {
    "RATES": "job",
    "Rendered": "job",
    "Stem": "job",
    "render_midi": "midi",
    "render_midi_to": "midi",
    "begin_render": "midi",
    "Rendering": "record",
    "Section": "timeline",
    "SoundFont": "soundfont",
    "find_soundfont": "soundfont",
}
__all__ = list(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
