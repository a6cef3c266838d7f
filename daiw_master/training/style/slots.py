"""The plan of the contents: which works give how many clips, from which place, on which soundfont.

A slot is one clip to be made. Slots are dealt round by round over the groups, so that a method of 48
studies does not outweigh a song; everything follows from the seed.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from daiw_master.errors import InputError
from daiw_master.midi.soundfont import FOLDERS
from daiw_master.training.style.speech_clip import voices
from daiw_master.training.style.works import Work

#: How many clips are asked for.
COUNTS = {
    ("train", "midi"): 2000,
    ("train", "audio"): 640,
    ("train", "speech"): 130,
    ("train", "recast"): 2000,
    ("train", "games"): 1500,
    ("dev", "midi"): 130,
    ("dev", "audio"): 64,
    ("dev", "speech"): 32,
    ("test", "midi"): 270,
    ("test", "audio"): 110,
    ("test", "speech"): 52,
}
#: Soundfonts by side: file names and how often each plays. The test's is never heard in training.
SOUNDFONTS: dict[str, dict[str, float]] = {
    "train": {"FluidR3_GM.sf2": 0.45, "TimGM6mb.sf2": 0.35, "OPL-3_FM_128M.sf2": 0.20},
    "dev": {"sf_GMbank.sf2": 1.0},
    "test": {"MuseScore_General_Lite.sf3": 1.0},
}
#: No more clips than this from one group, and one for at least so many seconds of a file.
MOST_PER_GROUP, SECONDS_PER_CLIP = 12, 7.0


@dataclass(frozen=True)
class Slot:
    """One clip to be made: the `part`-th of `parts` stretches of a work; `row` is its place in the store."""

    row: int
    work: Work
    part: int
    parts: int
    soundfont: Path | None
    seed: int


def deal(
    works: Sequence[Work], count: int, seed: int, soundfonts: Mapping[Path, float] | None = None
) -> list[Slot]:
    """At most `count` slots over the works' groups, in turn; works of a group take turns as well."""
    rng = np.random.default_rng([seed, 1])
    groups: dict[str, list[Work]] = defaultdict(list)
    for work in sorted(works, key=lambda w: (w.group, w.name)):
        groups[work.group].append(work)
    hands = []
    for group in sorted(groups, key=lambda g: hashlib.sha256(f"{seed}:{g}".encode()).digest()):
        members = groups[group]
        members = [members[i] for i in rng.permutation(len(members))]
        room = {
            w.name: max(1, int(w.seconds / SECONDS_PER_CLIP)) if w.seconds else MOST_PER_GROUP
            for w in members
        }
        hand = []
        while len(hand) < MOST_PER_GROUP and any(room.values()):
            for work in members:
                if room[work.name] and len(hand) < MOST_PER_GROUP:
                    room[work.name] -= 1
                    hand.append(work)
        hands.append(hand)
    dealt = [hand[turn] for turn in range(MOST_PER_GROUP) for hand in hands if turn < len(hand)][:count]
    totals: dict[str, int] = defaultdict(int)
    for work in dealt:
        totals[work.name] += 1
    taken: dict[str, int] = defaultdict(int)
    fonts = list(soundfonts or ())
    shares = np.array([(soundfonts or {})[font] for font in fonts], float)
    slots = []
    for row, work in enumerate(dealt):
        font = fonts[rng.choice(len(fonts), p=shares / shares.sum())] if fonts else None
        slots.append(Slot(row, work, taken[work.name], totals[work.name], font, int(rng.integers(2**31))))
        taken[work.name] += 1
    return slots


def deal_speech(recordings: Sequence[Work], split: str, count: int, seed: int) -> list[Slot]:
    """Recorded readers first (two clips each), then espeak-ng's voices of that side in turn."""
    slots = [Slot(0, work, part, 2, None, seed) for work in recordings for part in range(2)]
    speakers = voices(split)
    order = np.random.default_rng([seed, 2]).permutation(len(speakers))
    while len(slots) < count:
        voice = speakers[order[len(slots) % len(order)]]
        work = Work("speech", voice.name, f"espeak-ng/{voice.name}", Path(), "made here", split)
        slots.append(Slot(0, work, 0, 1, None, 0))
    return [
        Slot(row, s.work, s.part, s.parts, None, int(np.random.default_rng([seed, 3, row]).integers(2**31)))
        for row, s in enumerate(slots[:count])
    ]


def soundfonts_of(split: str, folders: Sequence[Path] = ()) -> dict[Path, float]:
    """The soundfonts of one side with their shares. InputError names those that are not installed."""
    found: dict[Path, float] = {}
    for name, share in SOUNDFONTS[split].items():
        places = [Path(folder).expanduser() / name for folder in (*folders, *FOLDERS)]
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            short = re.sub(r"\.sf[23]$", "", name)
            raise InputError(f"the soundfont {short} for {split} is not in {', '.join(FOLDERS)}")
        found[path] = share
    return found
