"""What the guesser learns from: dry clips through random parts of the general chain, told by the descriptor.

Clips come from the style encoder's training contents, so no test work and no test soundfont is among them.
Example n follows from (seed, n); a shard of them appears whole or not at all.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from daiw_master.refine.ito.general import STAGES, Stage
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
DOMAINS = {"midi": 0.7, "audio": 0.25, "speech": 0.05}


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


def make(
    data: Path, stores: Sequence[Store], count: int, seed: int = 0, say: Callable[[str], None] = print
) -> int:
    """Make the shards of `count` examples that are not there yet; the number of examples there."""
    folder = data / "guess"
    folder.mkdir(parents=True, exist_ok=True)
    shards = -(-count // SHARD)
    start, made = time.process_time(), 0
    for number in range(shards):
        path = folder / f"{number:05d}.npz"
        if path.is_file():
            continue
        told = [example(stores, seed, number * SHARD + i) for i in range(SHARD)]
        part = path.with_suffix(".part")
        facts = json.dumps([settings for _, settings in told]).encode()
        with open(part, "wb") as file:
            features = np.stack([numbers for numbers, _ in told])
            np.savez(file, features=features, facts=np.frombuffer(facts, np.uint8))
        os.replace(part, path)
        made += SHARD
        say(f"{number + 1} of {shards} shards, {(time.process_time() - start) / made:.4f} CPU s an example")
    return SHARD * len(list(folder.glob("[0-9]*.npz")))


def example(stores: Sequence[Store], seed: int, number: int) -> tuple[np.ndarray, dict[str, float]]:
    """One sound's description (D,) float16 and the settings it was made with."""
    import torch

    from daiw_master.neural.descriptor import describe

    rng = np.random.default_rng([seed, number])
    while True:
        settings = draw(rng)
        sound = played(settings, _content(stores, rng))[:, WARM_UP:]
        peak = float(np.abs(sound).max())
        if np.isfinite(peak) and peak > 1e-4:
            break
    with torch.inference_mode():
        told = describe(torch.from_numpy(sound)[None])[0].numpy()
    return np.clip(told, -6e4, 6e4).astype(np.float16), settings


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


def _content(stores: Sequence[Store], rng: np.random.Generator) -> np.ndarray:
    """A dry clip (2, time): any work of a domain is as likely as another."""
    import torch

    from daiw_master.meters.loudness import integrated_loudness

    shares = np.array([DOMAINS[store.domain] for store in stores])
    store = stores[rng.choice(len(stores), p=shares / shares.sum())]
    groups = list(store.groups.values())
    members = groups[rng.integers(len(groups))]
    clip = store.clip(members[rng.integers(len(members))])
    if rng.random() < MONO:
        clip = np.repeat(clip.mean(0, keepdims=True), 2, axis=0)
    elif rng.random() < SWAPPED:
        clip = clip[::-1]
    clip = np.ascontiguousarray(clip)
    loudness = float(integrated_loudness(torch.from_numpy(clip)[None], RATE))
    wanted = DRY_LUFS + SPREAD_DB * rng.standard_normal()
    return clip * np.float32(10 ** ((wanted - loudness) / 20))
