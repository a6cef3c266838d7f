"""What a data set is mixed of: kinds of chain, sorts of block, domains, and how far the contents vary.

wide       everything an effect can do, a quarter of it the retrieval task's effects; ladders and the pretext
mastering  equalisers and compressors above all, mild or strong, told apart on contents of any tone
relatives  other makes of what the ten effects do, none of the ten: echoes, gates, clippers, rooms, filters
knobs      one knob of one effect at ten places, the others held anywhere
usual      the same with the others where they mostly stand
without    what is left when the ten effects of the retrieval task are never heard in training
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from daiw_master.training.style import chains

#: The data sets that the shipped weights were learned from.
LEARNED = ("train-wide", "train-mastering", "train-knobs", "train-usual")


@dataclass(frozen=True)
class Mix:
    """Shares that sum to one: `kinds` of chain (`chains`), `modes` of block (`blocks`), `domains` of clip."""

    name: str
    kinds: Mapping[str, float]
    modes: Mapping[str, float]
    domains: Mapping[str, float]
    #: How many contents get another tone, as another room, instrument or record would have.
    toned: float = 0.0
    #: None of the retrieval task's ten effects is in any of its chains.
    without_retrieval: bool = False
    #: Its blocks are drawn with seeds of their own.
    salt: int = 0


_MODES = {"mixed": 0.74, "ladder": 0.16, "pretext": 0.10}
_DOMAINS = {"midi": 0.56, "audio": 0.36, "speech": 0.08}
MIXES = {
    mix.name: mix
    for mix in (
        Mix("wide", chains.WEIGHTS, _MODES, _DOMAINS),
        Mix("without", chains.WEIGHTS_WITHOUT, _MODES, _DOMAINS, without_retrieval=True, salt=1),
        Mix(
            "mastering",
            {"A": 0.10, "B": 0.30, "C": 0.07, "D": 0.45, "E": 0.05, "F": 0.015, "I": 0.015},
            {"mixed": 1.0},
            {"midi": 0.27, "recast": 0.26, "audio": 0.19, "games": 0.24, "speech": 0.04},
            toned=0.4,
            salt=2,
        ),
        Mix(
            "relatives",
            {"R": 0.72, "B": 0.12, "D": 0.15, "I": 0.01},
            {"mixed": 1.0},
            {"midi": 0.40, "recast": 0.1, "audio": 0.32, "games": 0.1, "speech": 0.08},
            without_retrieval=True,
            salt=4,
        ),
        Mix(
            "knobs",
            {},
            {"rail": 1.0},
            {"midi": 0.32, "recast": 0.1, "audio": 0.32, "games": 0.1, "speech": 0.16},
            toned=0.3,
            salt=3,
        ),
        Mix(
            "usual",
            {},
            {"usual": 1.0},
            {"midi": 0.37, "recast": 0.1, "audio": 0.37, "speech": 0.16},
            toned=0.2,
            salt=5,
        ),
    )
}
