"""A song that sounds while torch and the stack are still being loaded."""

from __future__ import annotations

import contextlib
from pathlib import Path

#: What may speak of single parts, or of the rate: with one of these the song waits until it has been read.
_READ_FIRST = ("intent", "extras", "rules", "presets")


def begun_early(midi: Path, given: dict, soundfont: Path | None, stems: Path | None):
    """The rendering of a song, begun in the background; a context, None in it where that has to wait.

    What is wrong with the song or the soundfont is told later, in the same words.
    """
    if any(given.get(name) for name in _READ_FIRST):
        return contextlib.nullcontext()
    from daiw_master.knobs.reverb import SEND_WEIGHTS
    from daiw_master.midi import begin_render

    rate = int(given["rate"]) if given["rate"] else 44100
    return begin_render(midi, rate=rate, soundfont=soundfont, stems=stems is not None, sends=SEND_WEIGHTS)
