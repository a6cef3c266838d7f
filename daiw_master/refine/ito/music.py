"""Music to rehearse on: MIDI and recordings as the dry windows that a chain will be played on."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import torch

from daiw_master.errors import InputError
from daiw_master.files import open_sound
from daiw_master.formats import MIDI_ENDINGS, SOUND_ENDINGS
from daiw_master.midi import render_midi
from daiw_master.neural.descriptor import SHORTEST
from daiw_master.neural.encoder import STYLE_RATE
from daiw_master.refine.ito.windows import LEVELS, choose_windows
from daiw_master.refine.song import put_on_bench
from daiw_master.sounds import sound_of

#: Music before each window that sets rooms and compressors going.
LEAD_S = 1.0


def music_files(paths: Iterable[str | os.PathLike]) -> list[Path]:
    """The MIDI files and recordings among files and folders (and the folders in these), each once.

    InputError where a file is neither, does not exist, or none is found.
    """
    found: dict[Path, None] = {}
    given = [Path(path) for path in paths]
    for path in given:
        if path.is_dir():
            found.update(dict.fromkeys(p for p in sorted(path.rglob("*")) if _is_music(p)))
        elif not path.is_file():
            raise InputError(f"{path}: no such file or folder")
        elif not _is_music(path):
            raise InputError(
                f"{path.name}: music is {', '.join((*MIDI_ENDINGS, *SOUND_ENDINGS))}, or a folder of these"
            )
        else:
            found[path] = None
    if not found:
        raise InputError(f"no MIDI and no recordings in {', '.join(map(str, given))}")
    return list(found)


def dry_windows(path: Path, soundfont: str | os.PathLike | None = None) -> torch.Tensor:
    """Up to three windows of a piece (windows, 2, lead and time) at 48 kHz, at the level a chain is fed.

    A loud place, a middle one and a soft one, each behind `LEAD_S` of what comes before it. InputError,
    with the file's name, where there is nothing to play or it is shorter than anything can be heard in.
    """
    try:
        is_midi = path.suffix.lower() in MIDI_ENDINGS
        heard = render_midi(path, rate=STYLE_RATE, soundfont=soundfont).mix if is_midi else open_sound(path)
        x = choose_windows(put_on_bench(sound_of(heard), is_midi=is_midi).x, len(LEVELS), lead_s=LEAD_S).x
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error
    if x.shape[-1] < SHORTEST + round(LEAD_S * STYLE_RATE):
        raise InputError(f"{path.name}: shorter than {SHORTEST / STYLE_RATE:.1f} s; no style can be heard")
    return x if x.shape[1] == 2 else x.expand(-1, 2, -1)


def _is_music(path: Path) -> bool:
    return path.suffix.lower() in (*MIDI_ENDINGS, *SOUND_ENDINGS)
