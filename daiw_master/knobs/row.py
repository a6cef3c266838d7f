"""What a row of knobs is: a name, what it is for, and its knobs."""

from __future__ import annotations

from typing import NamedTuple

from daiw_master.params import Param


class Row(NamedTuple):
    """An effect as the user meets it, before any sound is touched."""

    name: str
    about: str
    params: tuple[Param, ...]
