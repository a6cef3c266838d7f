"""From a MIDI file to dry stereo sound: the mix, and the stems it is the sum of."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from daiw_master.midi.job import Job, Rendered, Stem
from daiw_master.midi.record import Recording, Rendering, lay_down

if TYPE_CHECKING:
    from daiw_master.sounds import Shelf, Spool

__all__ = ["MAX_DURATION_S", "TIMEOUT_S", "Rendered", "Stem", "begin_render", "render_midi", "render_midi_to"]

MAX_DURATION_S = 90 * 60.0
TIMEOUT_S = 900.0


def render_midi(
    path: str | os.PathLike,
    *,
    rate: int = 44100,
    soundfont: str | os.PathLike | None = None,
    stems: bool | Literal["roles"] = False,
    sends: Mapping[str, float] | None = None,
    max_duration_s: float = MAX_DURATION_S,
    timeout_s: float = TIMEOUT_S,
    progress: Callable[[float], None] | None = None,
) -> Rendered:
    """Play a MIDI file through a soundfont, dry, until its last note has rung out.

    `stems`: False for the mix alone, True for one stem a part (track and channel; drums split into
    kick with low toms, and the rest), "roles" for one a role, which needs far less memory on long
    songs. Stems sum to the mix, and the mix is the same bytes either way. `sends` asks for `send`: role
    -> amplitude weight, 1 where a role is not named; far cheaper than stems where that is all one needs
    them for. `progress` is called with 0..1. Raises InputError (unreadable, no notes, too long, too
    slow) and MissingDependencyError.
    """
    job = Job.of(path, rate, soundfont, stems, sends, max_duration_s, timeout_s)
    recording = Recording(job, progress)
    recording.play()
    return recording.rendered()


def render_midi_to(
    place: Callable[[int, int, int], Shelf | Spool],
    path: str | os.PathLike,
    *,
    rate: int = 44100,
    soundfont: str | os.PathLike | None = None,
    stems: bool | Literal["roles"] = False,
    sends: Mapping[str, float] | None = None,
    max_duration_s: float = MAX_DURATION_S,
    timeout_s: float = TIMEOUT_S,
    progress: Callable[[float], None] | None = None,
) -> Rendered:
    """As `render_midi`, but laid down where `place` says: an hour in bounded memory, the same samples.

    `place(channels, rate, time)` gives an empty Shelf or Spool (`sounds.Store().place`): once for the
    mix, once for each stem, once for the send, in this order; `time` is the most that may come. What
    comes back reads from them, so they stay open; on an error they are closed.
    """
    job = Job.of(path, rate, soundfont, stems, sends, max_duration_s, timeout_s)
    return lay_down(job, place, progress)


def begin_render(
    path: str | os.PathLike,
    *,
    rate: int = 44100,
    soundfont: str | os.PathLike | None = None,
    stems: bool | Literal["roles"] = False,
    sends: Mapping[str, float] | None = None,
    max_duration_s: float = MAX_DURATION_S,
    timeout_s: float = TIMEOUT_S,
    progress: Callable[[float], None] | None = None,
) -> Rendering:
    """As `render_midi`, but at once and in the background: use what comes back in a `with` block.

    Nothing is refused here: what `render_midi` would raise is raised by `Rendering.result()`.
    """
    return Rendering(lambda: Job.of(path, rate, soundfont, stems, sends, max_duration_s, timeout_s), progress)
