"""All or nothing: a file appears whole under its name, or the old one stays as it was."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from daiw_master.errors import WriteError
from daiw_master.files.leftovers import Claim, sweep


def check_place(path: str | os.PathLike) -> Path:
    """Where a file would really land (links followed), or a `WriteError` saying why it cannot.

    Costs nothing, so it can be asked before minutes of work are spent.
    """
    target = Path(os.path.realpath(path))
    folder = target.parent
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise WriteError(f"cannot write {path}: the folder {folder} {what}")
    if target.is_dir():
        raise WriteError(f"cannot write {path}: it is a folder; add a file name")
    if target.exists() and not target.is_file():
        # os.replace on /dev/null would turn the device into a sound file.
        raise WriteError(f"cannot write {path}: it is not a regular file")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise WriteError(f"cannot write {path}: no permission to write into {folder}")
    return target


@contextlib.contextmanager
def staged(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an error.

    Whatever goes wrong inside (full disk, interrupt, bug), the temporary file is removed and an
    existing target stays untouched. A process that is killed outright leaves its temporary file; the
    next call for any file of that folder removes it. `OSError` becomes `WriteError`.
    """
    target = check_place(path)
    sweep(target.parent)
    try:
        # Same folder: os.replace is only atomic within one file system.
        with Claim(target) as claim:
            if target.exists():
                shutil.copymode(target, claim.path)
            yield claim.path
            _to_disk(claim.path)
            claim.become(target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise WriteError(f"cannot write {path}: {reason}; nothing was changed") from error


def write_text_atomic(path: str | os.PathLike, text: str) -> Path:
    """Write a report or preset as UTF-8, whole or not at all; returns the path written."""
    with staged(path) as part, open(part, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
    return Path(path)


def _to_disk(path: Path) -> None:
    """Push the bytes to the disk before the name points at them, so that a power cut cannot leave
    a complete-looking empty file."""
    with open(path, "r+b") as file:
        os.fsync(file.fileno())
