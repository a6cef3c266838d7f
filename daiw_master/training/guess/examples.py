"""What the guesser learns from: dry clips through random parts of the general chain, told by the descriptor.

There are two kinds. Of a sound as it is heard, room and echoes included, it learns which stages there
are. How their knobs stand it learns as well from sounds whose space was taken away, which is how it will
be asked (`transfer.believed`). Clips come from the style encoder's training contents, so no test work and
no test soundfont is among them. Example n of a kind follows from (seed, n); a shard of them appears whole
or not at all.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from daiw_master.refine.ito.general import KNOBS, STAGES, Stage
from daiw_master.training.guess.varied import aged, together, transposed
from daiw_master.training.style.blocks import WARM_UP
from daiw_master.training.style.clips import RATE
from daiw_master.training.style.contents import Store

SHARD = 256
#: How many stages an example has: one, two, none, or each with this chance.
ONE, TWO, NONE, EACH = 0.30, 0.25, 0.05, 0.45
#: A band of the equaliser stands in it so often; two equalisers in five are mild.
BAND, MILD, MILDER = 0.8, 0.4, 0.5
#: Dry clips enter the chain this loud, and this far from it (standard deviation).
DRY_LUFS, SPREAD_DB = -20.0, 1.5
MONO, SWAPPED = 0.1, 0.5
#: A varied clip has company so often, which is weaker by up to so much.
COMPANY, UNDER_DB = 0.35, 12.0
#: How often a bare example's space is taken away, how often one stage of it is overheard then, and how
#: far off its knobs are read (turns, standard deviation; about as `space_of` does on development pairs).
TAKEN, OVERHEARD = 0.75, 0.07
MISREAD = {
    "reverb.room_size": 0.05, "reverb.damping": 0.03, "reverb.wet_level": 0.025, "reverb.width": 0.05,
    "delay.feedback": 0.04, "delay.mix": 0.02, "delay.delay_s": 0.0,
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A kind of examples: its folder, how often each domain of the contents plays, what it adds to the seed.

    `bare`: the clips are varied, and delay and reverb are taken away again as well as they can be read.
    """

    folder: str
    domains: dict[str, float]
    salt: int
    bare: bool = False


HEARD = Kind("guess", {"midi": 0.7, "audio": 0.25, "speech": 0.05}, 0)
BARE = Kind(
    "guess-bare", {"midi": 0.4, "recast": 0.2, "games": 0.15, "audio": 0.2, "speech": 0.05}, 7, bare=True
)
KINDS = (HEARD, BARE)


def draw(rng: np.random.Generator) -> dict[str, float]:
    """Settings of a random part of the general chain, by full name; knobs of stages not in it are absent."""
    u = rng.random()
    if u < ONE:
        stages = [STAGES[rng.integers(len(STAGES))]]
    elif u < ONE + TWO:
        stages = [STAGES[i] for i in rng.choice(len(STAGES), 2, replace=False)]
    elif u < ONE + TWO + NONE:
        stages = []
    else:
        stages = [stage for stage in STAGES if rng.random() < EACH]
    settings: dict[str, float] = {}
    for stage in stages:
        settings |= _turned(stage, rng)
    return settings


def _turned(stage: Stage, rng: np.random.Generator) -> dict[str, float]:
    settings = {**stage.fixed, **{knob.name: float(knob.physical(rng.random())) for knob in stage.knobs}}
    if stage.name != "eq":
        return settings
    bands = list(stage.rows)
    kept = [band for band in bands if rng.random() < BAND] or [bands[rng.integers(len(bands))]]
    mild = MILDER if rng.random() < MILD else 1.0
    for band in bands:
        settings[f"{band}.gain_db"] *= mild if band in kept else 0.0
    return settings


def make(data: Path, kind: Kind, count: int, seed: int = 0, say: Callable[[str], None] = print) -> int:
    """Make the shards of `count` examples of a kind that are not there yet; the number of examples there."""
    stores = [Store(data, "train", domain) for domain in kind.domains]
    folder = data / kind.folder
    folder.mkdir(parents=True, exist_ok=True)
    shards = -(-count // SHARD)
    start, made = time.process_time(), 0
    for number in range(shards):
        path = folder / f"{number:05d}.npz"
        if path.is_file():
            continue
        told = [example(kind, stores, seed, number * SHARD + i) for i in range(SHARD)]
        part = path.with_suffix(".part")
        facts = json.dumps([settings for _, settings in told]).encode()
        with open(part, "wb") as file:
            features = np.stack([numbers for numbers, _ in told])
            np.savez(file, features=features, facts=np.frombuffer(facts, np.uint8))
        os.replace(part, path)
        made += SHARD
        say(
            f"{kind.folder}: {number + 1} of {shards} shards, "
            f"{(time.process_time() - start) / made:.4f} CPU s an example"
        )
    return SHARD * len(list(folder.glob("[0-9]*.npz")))


def example(
    kind: Kind, stores: Sequence[Store], seed: int, number: int
) -> tuple[np.ndarray, dict[str, float]]:
    """One sound's description (D,) float16 and the settings of what is still in it."""
    import torch

    from daiw_master.neural.descriptor import describe

    rng = np.random.default_rng([seed + kind.salt, number])
    while True:
        settings = draw(rng)
        sound = played(settings, _content(kind, stores, rng))[:, WARM_UP:]
        peak = float(np.abs(sound).max())
        if np.isfinite(peak) and peak > 1e-4:
            break
    with torch.inference_mode():
        window = torch.from_numpy(np.ascontiguousarray(sound))[None]
        if kind.bare:
            window, settings = without_its_space(window, settings, rng)
        told = describe(window)[0].numpy()
    return np.clip(told, -6e4, 6e4).astype(np.float16), settings


def without_its_space(window, settings: dict[str, float], rng: np.random.Generator):
    """A sound (1, 2, time), most often without its delay and reverb, and the settings of what is left.

    They are taken away as somebody does who has read them off the sound: nearly right.
    """
    from daiw_master.refine.ito.space import without_space

    space = {place: _of(place, settings) for place in ("delay", "reverb")}
    if not any(space.values()) or rng.random() >= TAKEN:
        return window, settings
    knobs = {knob.name: knob for knob in KNOBS}
    for own in space.values():
        if not own or rng.random() < OVERHEARD:
            continue
        read = dict(own)
        for name in own:
            if name in knobs:
                u = float(knobs[name].normalised(own[name])) + MISREAD[name] * rng.standard_normal()
                read[name] = float(knobs[name].physical(min(max(u, 0.0), 1.0)))
        window = without_space(window, read)
        settings = {name: value for name, value in settings.items() if name not in own}
    return window, settings


def _of(place: str, settings: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in settings.items() if name.startswith(f"{place}.")}


def played(settings: dict[str, float], sound: np.ndarray) -> np.ndarray:
    """(2, time) float32 at 48 kHz through the part of the general chain that has settings."""
    import torch

    from daiw_master.refine.ito.general import general_chain
    from daiw_master.stack.chain import run_chain

    places = {name.partition(".")[0] for name in settings}
    stages = [stage.name for stage in STAGES if places & set(stage.rows)]
    with torch.inference_mode():
        x = torch.from_numpy(sound)[None]
        return run_chain(general_chain(stages), x, RATE, settings)[0].numpy()


def _content(kind: Kind, stores: Sequence[Store], rng: np.random.Generator) -> np.ndarray:
    """A dry clip (2, time): any work of a domain is as likely as another."""
    import torch

    from daiw_master.meters.loudness import integrated_loudness

    shares = np.array([kind.domains[store.domain] for store in stores])
    store = stores[rng.choice(len(stores), p=shares / shares.sum())]
    clip = _clip(store, rng)
    if kind.bare:
        clip = aged(transposed(clip, rng), rng)
        if store.domain != "speech" and rng.random() < COMPANY:
            other = aged(transposed(_clip(store, rng), rng), rng)
            clip = together(clip, other, rng.uniform(0, UNDER_DB))
    if rng.random() < MONO:
        clip = np.repeat(clip.mean(0, keepdims=True), 2, axis=0)
    elif rng.random() < SWAPPED:
        clip = clip[::-1]
    clip = np.ascontiguousarray(clip)
    loudness = float(integrated_loudness(torch.from_numpy(clip)[None], RATE))
    wanted = DRY_LUFS + SPREAD_DB * rng.standard_normal()
    return clip * np.float32(10 ** ((wanted - loudness) / 20))


def _clip(store: Store, rng: np.random.Generator) -> np.ndarray:
    groups = list(store.groups.values())
    members = groups[rng.integers(len(groups))]
    return store.clip(members[rng.integers(len(members))])
