"""A song that sounds while torch and the stack are still being loaded."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daiw_master.midi import Rendering

#: What may speak of single parts, or of the rate: with one of these the song waits until it has been read.
_READ_FIRST = ("intent", "extras", "rules", "presets")
#: Longer songs are laid down on disk while they are rendered; this one is held in memory.
_LONGEST_S = 600.0
#: The library plays a millisecond at a time between two events and then asks for Python's lock; at the
#: usual 5 ms before the imports let go of it, the song would hardly get anywhere beside them.
_SWITCH_S = 1e-4


@contextlib.contextmanager
def begun_early(
    midi: Path, given: dict, soundfont: Path | None, stems: Path | None
) -> Iterator[Rendering | None]:
    """The rendering of a song, begun in the background; None where that has to wait, or gains nothing.

    What is wrong with the song or the soundfont is told later, in the same words.
    """
    if any(given.get(name) for name in _READ_FIRST) or cores() < 2:
        yield None
        return
    from daiw_master.knobs.reverb import SEND_WEIGHTS
    from daiw_master.midi import begin_render

    rate = int(given["rate"]) if given["rate"] else 44100
    patience = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        how = {"rate": rate, "soundfont": soundfont, "stems": stems is not None, "sends": SEND_WEIGHTS}
        with begin_render(midi, max_duration_s=_LONGEST_S, **how) as begun:
            yield begun
    finally:
        sys.setswitchinterval(patience)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
