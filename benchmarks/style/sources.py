"""Where the dry clips of a benchmark come from: the corpus' stores, or folders somebody names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.style.clips import Clip, Shelf
from daiw_master.errors import InputError

DOMAINS = ("midi", "audio", "speech")
#: Clips taken from folders, per domain.
FROM_FOLDERS = {"midi": 240, "audio": 120, "speech": 60}


def shelf(data: Path, split: str, domain: str) -> Shelf:
    """The clips `python -m daiw_master.training.style contents` made. InputError where it has not."""
    from daiw_master.training.style.contents import Store

    store = Store(data, split, domain)
    clips = tuple(Clip(f"{e.row} {e.work} @ {e.start_s:g} s", e.group) for e in store.entries)
    return Shelf(store.array_path, clips, tuple(e.row for e in store.entries))


def from_folder(
    folder: Path,
    domain: str,
    into: Path,
    *,
    soundfont: Path | None = None,
    seed: int = 5,
    processes: int = 2,
    say: Callable[[str], None] = print,
) -> Shelf:
    """Clips of a folder's MIDI or sound files, every file a work of its own, rendered once into `into`.

    Which stretch of a file is taken follows from the seed. InputError: nothing there to be used.
    """
    from daiw_master.training.style import contents, slots, works
    from daiw_master.training.style.audio_clip import with_lengths

    found = works.folder_corpus(folder, "midi" if domain == "midi" else "audio", "test")
    if domain == "midi":
        if soundfont is None:
            fonts = slots.soundfonts_of("test")
        elif soundfont.is_file():
            fonts = {soundfont: 1.0}
        else:
            raise InputError(f"{soundfont}: no such soundfont")
    else:
        found, fonts = with_lengths(found), None
    dealt = slots.deal(found, FROM_FOLDERS[domain], seed, fonts)
    told = "\n".join(f"{s.work.path.resolve()} {s.part}/{s.parts} {s.soundfont} {s.seed}" for s in dealt)
    data = into / f"{domain}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"
    contents.make(data, "test", domain, dealt, processes, say)
    made = shelf(data, "test", domain)
    if not made.clips:
        raise InputError(f"{folder}: not one clip of six seconds in which something sounds all the time")
    return made


def check_domains(domains: Sequence[str]) -> None:
    for domain in domains:
        if domain not in DOMAINS:
            raise InputError(f"unknown domain {domain!r}; it is one of {', '.join(DOMAINS)}")
