"""A song of our own to try the instrument on: "The Last Ferry", two minutes for ten players."""

from __future__ import annotations

from pathlib import Path

TITLE = "The Last Ferry"
#: The shipped file; `python -m daiw_master.demo.compose` writes it again, byte for byte.
SONG = Path(__file__).resolve().parent / "the_last_ferry.mid"
