"""The style encoder's blocks as examples for the guesser: other orders, other effects beside, rougher labels.

There are many more of them than of the guesser's own; it meets them first.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from daiw_master.training.guess.fit import labels
from daiw_master.training.style.blocks import CONTENTS
from daiw_master.training.style.shards import Shards

#: What the general chain calls a knob of theirs by another name.
_RENAMED = {"delay.delay_seconds": "delay.delay_s"}
#: pedalboard's room at this dry level lets the sound itself through unchanged.
_DRY = 0.5


def settings_of(chain: Mapping) -> dict[str, float]:
    """A block's chain by the general chain's names; a room's wet part counts against its own dry part."""
    settings: dict[str, float] = {}
    for step in chain["steps"]:
        for knob, value in step.items():
            if knob != "effect":
                name = f"{step['effect']}.{knob}"
                settings[_RENAMED.get(name, name)] = float(value)
    if "reverb.dry_level" in settings:
        settings["reverb.wet_level"] *= _DRY / max(settings["reverb.dry_level"], 0.02)
    return settings


def blocks_of(data: Path, most: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Descriptions (n, D), stages (n, stages), positions (n, knobs) of every render of every block."""
    blocks = Shards(data).load(most)
    told = [[labels(settings_of(chain)) for chain in facts["chains"]] for facts in blocks.facts]
    there = np.array([[a for a, _ in block] for block in told])
    places = np.array([[b for _, b in block] for block in told])
    count = len(blocks.features)
    # render r of a block is content r // 10 under chain r % 10
    there, places = (np.repeat(a[:, None], CONTENTS, axis=1).reshape(count * 40, -1) for a in (there, places))
    return blocks.features.reshape(count * 40, -1), there, places
