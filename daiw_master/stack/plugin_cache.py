"""What plugins said about themselves, kept on disk: asking a large one takes seconds.

One small file for each plugin in `DAIW_MASTER_CACHE`, else in the user's cache folder. A note is good for
one state of the plugin's file, one pedalboard and one way of asking; what cannot be read is asked
again, and where nothing can be written, nothing is kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import sys
import tempfile
from dataclasses import asdict
from functools import cache
from pathlib import Path

from daiw_master.stack import plugin_host, plugin_probe


def cache_folder() -> Path:
    """Where notes are kept: DAIW_MASTER_CACHE, else the platform's place for what can be made again."""
    if own := os.environ.get("DAIW_MASTER_CACHE"):
        return Path(own)
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "daiw-master"
    if sys.platform == "darwin":
        return Path("~/Library/Caches/daiw-master").expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~/AppData/Local")).expanduser() / "daiw-master"
    return Path("~/.cache/daiw-master").expanduser()


def recalled(key) -> dict | None:
    """What was kept about exactly this plugin; None where that is nothing, or cannot be read."""
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        note = json.loads(_place(key).read_text(encoding="utf-8"))
        if isinstance(note, dict) and note.get("of") == _of(key) and isinstance(note.get("says"), dict):
            return note["says"]
    return None


def keep(key, says: dict) -> None:
    """Keep what a plugin said, whole or not at all; a full or forbidden disk is no error."""
    with contextlib.suppress(OSError, RuntimeError):
        place = _place(key)
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=place.parent, suffix=".part")
        try:
            with open(handle, "w", encoding="utf-8") as file:
                json.dump({"of": _of(key), "says": says}, file)
            os.replace(name, place)
        except BaseException:
            os.unlink(name)
            raise


def _place(key) -> Path:
    digest = hashlib.sha256(json.dumps(_of(key), sort_keys=True).encode()).hexdigest()
    return cache_folder() / "vst3" / f"{digest[:32]}.json"


def _of(key) -> dict:
    """Everything that an answer depends on."""
    return {**asdict(key), "pedalboard": importlib.metadata.version("pedalboard"), "asked_by": _asked_by()}


@cache
def _asked_by() -> str:
    """Which code asks; another way of asking gets other answers."""
    code = b"".join(Path(module.__file__).read_bytes() for module in (plugin_host, plugin_probe))
    return hashlib.sha256(code).hexdigest()[:16]
