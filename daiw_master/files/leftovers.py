"""Unfinished files: named so that they are known as ours, locked while their writer lives, swept after.

A writer that is killed cannot tidy up; the next one that works in the same folder does it for all.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: a file somebody has open cannot be removed there, which is lock enough
    fcntl = None

_LONGEST_NAME = 255  # bytes of a file name on every common file system
#: `.song.wav.0123456789ab.daiw-part.wav`; where there are no locks, `-PID-START` follows the token.
_OURS = re.compile(r"\..+\.[0-9a-f]{12}(?:-(?P<pid>\d+)-(?P<start>\d+))?\.daiw-part(?:\.[^.]*)?", re.DOTALL)
_LIVING: set[Path] = set()  # of this process


class Claim:
    """An empty file beside `target` that no sweep touches while this object is held.

    Whoever finds the file can tell whether its writer lives: the writer holds an advisory lock on it,
    which the kernel drops with the process. Where the file system has no locks, the name carries the
    process and when it started. Use it in a `with` block: what still stands at its end is removed.
    """

    def __init__(self, target: Path):
        self.path, self._file = _claimed(target)
        _LIVING.add(self.path)

    def __enter__(self) -> Claim:
        return self

    def become(self, target: Path) -> None:
        """Take the name of `target`, at once and whole."""
        if fcntl is None:
            self._close()  # Windows renames no open file
        os.replace(self.path, target)

    def __exit__(self, *exc_info) -> None:
        with contextlib.suppress(OSError):
            self._close()
            self.path.unlink(missing_ok=True)
        _LIVING.discard(self.path)

    def _close(self) -> None:
        if self._file >= 0:
            file, self._file = self._file, -1
            os.close(file)


def sweep(folder: Path) -> None:
    """Remove from a folder what dead writers left there; what a living one holds stays."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _OURS.fullmatch(entry.name)
            if match and Path(entry.path) not in _LIVING:
                with contextlib.suppress(OSError):
                    _remove_if_dead(Path(entry.path), match)


def _claimed(target: Path) -> tuple[Path, int]:
    owner = ""
    while True:
        part = target.with_name(_name(target, secrets.token_hex(6) + owner))
        file = os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        locked = _lock(file)
        # Between making and locking it a sweep may have taken the file for a dead one and removed it.
        if (locked or owner or fcntl is None) and _is_at(file, part):
            return part, file
        if locked is None:
            owner = f"-{os.getpid()}-{_started(os.getpid()) or 0}"
        os.close(file)
        part.unlink(missing_ok=True)


def _name(target: Path, token: str) -> str:
    """The suffix stays last: encoders and tag writers go by it."""
    tail = f".{token}.daiw-part{target.suffix}"
    room = _LONGEST_NAME - 1 - len(os.fsencode(tail))
    return f".{os.fsencode(target.name)[:room].decode(errors='ignore')}{tail}"


def _remove_if_dead(part: Path, match: re.Match) -> None:
    if match["pid"] and _alive(int(match["pid"]), int(match["start"])):
        return
    if fcntl is None:
        part.unlink()
        return
    file = os.open(part, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return
        # Removed while locked, so that nobody can begin to live in it in between.
        if (match["pid"] or _lock(file)) and _is_at(file, part):
            part.unlink()
    finally:
        os.close(file)


def _lock(file: int) -> bool | None:
    """Whether the lock is ours now; None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _alive(pid: int, start: int) -> bool:
    if start and Path("/proc/self/stat").exists():
        return _started(pid) == start
    if os.name == "nt":
        return False  # the open file itself refuses to be removed
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # somebody else's process
    return True


def _started(pid: int) -> int | None:
    """When a process began, in clock ticks since the machine did (proc(5), stat field 22)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return int(fields.rpartition(")")[2].split()[19])  # field 2 is a name and may hold spaces
