"""Blocks: four contents under the same ten chains, told by the descriptor. The encoder learns from these.

In a block the same chain on another content is what belongs together, the other chains on the *same*
contents are what must be told apart: contents cannot help. Five sorts of block ("mode"):

mixed    ten chains of any kind, one in five a near copy of another
ladder   one chain with one or two knobs at ten places
rail     one knob of one effect at ten places (`rails`), the others held anywhere
usual    the same with the others held where they mostly stand
pretext  single effects at fixed presets (AFx-Rep's pretext: which effect, which preset)

Everything of block n follows from (mix, seed, n); shards of 16 blocks appear whole or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from daiw_master.errors import InputError
from daiw_master.training.style import chains, rails
from daiw_master.training.style.augment import augmented, toned
from daiw_master.training.style.clips import CLIP
from daiw_master.training.style.contents import Store
from daiw_master.training.style.mixes import Mix

CONTENTS, CHAINS, SHARD = 4, 10, 16
#: What a chain needs to get going (filters, compressors, rooms) is cut off.
WARM_UP = 25_856
WINDOW = CLIP - WARM_UP
NEAR_CHANCE, NEAR_AMOUNTS = 0.2, (0.06, 0.25)
#: A ladder is often built on a single effect: the finest differences there are.
ALONE_CHANCE = 0.5
#: Kinds a ladder may stand on.
_LADDER_KINDS = ("A", "A", "B", "D", "D", "D", "E")
#: A render is refused when it is this far below its content, or has no sound in most of its length.
SILENT_DB = -55.0
#: Half precision reaches 65504.
_HIGHEST_HALF = 6e4


@dataclass(frozen=True)
class Block:
    """One block's numbers: features (40, D) float16, render r is content r // 10 under chain r % 10."""

    features: np.ndarray
    dry: np.ndarray
    facts: dict


def make_block(stores: Sequence[Store], mix: Mix, seed: int, number: int) -> Block:
    """Block `number` of a mix: its contents, its chains, and what the descriptor tells of each render."""
    rng = np.random.default_rng([seed, number, mix.salt])
    picked = _pick(stores, mix, rng)
    dry = [augmented(store.clip(index), rng) for store, index in picked]
    if mix.toned:
        dry = [toned(content, rng) if rng.random() < mix.toned else content for content in dry]
    mode = str(rng.choice(list(mix.modes), p=list(mix.modes.values())))
    planned, sounds = _rendered(mode, dry, rng, mix)
    wet = [sound for of_content in zip(*sounds, strict=True) for sound in of_content]
    features = _described([*wet, *(content[:, WARM_UP:] for content in dry)])
    facts = {
        "number": number,
        "mode": mode,
        "chains": planned,
        "contents": [
            {"domain": s.domain, "row": s.entries[i].row, "group": s.entries[i].group} for s, i in picked
        ],
    }
    return Block(features[: CONTENTS * CHAINS], features[CONTENTS * CHAINS :], facts)


def _pick(stores: Sequence[Store], mix: Mix, rng: np.random.Generator) -> list[tuple[Store, int]]:
    """Four clips of four different works; works of a domain are equally likely, however many clips."""
    shares = np.array([mix.domains[store.domain] for store in stores])
    if sum(len(_group_names(store)) for store in stores) < CONTENTS:
        raise InputError(f"a block needs clips of {CONTENTS} different works; there are fewer")
    picked: list[tuple[Store, int]] = []
    groups: set[str] = set()
    while len(picked) < CONTENTS:
        store = stores[rng.choice(len(stores), p=shares / shares.sum())]
        names = _group_names(store)
        group = names[rng.integers(len(names))]
        if group not in groups:
            members = _members(store)[group]
            picked.append((store, members[rng.integers(len(members))]))
            groups.add(group)
    return picked


@lru_cache(maxsize=8)
def _members(store: Store) -> dict[str, list[int]]:
    return store.groups


@lru_cache(maxsize=8)
def _group_names(store: Store) -> list[str]:
    return sorted(_members(store))


def _rendered(mode: str, dry: list[np.ndarray], rng: np.random.Generator, mix: Mix):
    """Ten chains and their renders [chain][content]; a chain that leaves silence is drawn again."""
    planned: list[dict] = []
    sounds: list[list[np.ndarray]] = []
    rail = rails.draw(rng, mode == "usual") if mode in ("rail", "usual") else None
    rungs = rails.rungs(rng, rail, CHAINS) if rail else []
    floors = [float(np.square(content).mean()) * 10 ** (SILENT_DB / 10) for content in dry]
    while len(planned) < CHAINS:
        if mode == "ladder" and not planned and not rungs:
            rungs = _ladder(rng, mix)
        if rungs:
            chain = rungs.pop()
        else:
            chain = rails.rung(rng, rail) if rail else _another(mode, planned, rng, mix)
        if chain is None:
            continue
        wet = []
        for content, floor in zip(dry, floors, strict=True):
            sound = chains.render(chain, content)[:, WARM_UP:]
            if not _heard(sound, floor):
                break
            wet.append(sound)
        if len(wet) == len(dry):
            planned.append(chain)
            sounds.append(wet)
    return planned, sounds


def _ladder(rng: np.random.Generator, mix: Mix) -> list[dict]:
    """Chains that differ in one or two knobs of a chain, or of a single effect of it."""
    kinds = [k for k in _LADDER_KINDS if not mix.without_retrieval or k != "A"]
    chain = chains.draw(rng, str(rng.choice(kinds)), mix.without_retrieval)
    if rng.random() < ALONE_CHANCE:
        chain = {**chain, "steps": [chain["steps"][rng.integers(len(chain["steps"]))]]}
    return chains.ladder(rng, chain, CHAINS)


def _another(mode: str, planned: list[dict], rng: np.random.Generator, mix: Mix) -> dict | None:
    if mode == "pretext":
        chain = chains.single(rng, mix.without_retrieval)
        return None if chain in planned else chain
    copy = mode == "ladder" or rng.random() < NEAR_CHANCE
    origins = [chain for chain in planned if chain["steps"]]
    if copy and origins:
        amount = float(rng.uniform(*NEAR_AMOUNTS))
        return chains.near(rng, origins[rng.integers(len(origins))], amount)
    chain = chains.draw(rng, chains.kind_of(rng, mix.kinds), mix.without_retrieval)
    return None if not chain["steps"] and any(not other["steps"] for other in planned) else chain


def _heard(sound: np.ndarray, floor: float) -> bool:
    """Whether a render is a finite sound of more than this power, and not silent most of the time."""
    eighths = np.square(sound[:, : WINDOW // 8 * 8].reshape(2, 8, -1)).mean(axis=(0, 2))
    power = float(eighths.mean())
    if not np.isfinite(power):
        return False
    return power > floor and float(np.median(eighths)) > 1e-3 * float(eighths.max())


def _described(sounds: Sequence[np.ndarray]) -> np.ndarray:
    """(n, D) float16, one sound at a time: together they would not fit the cache."""
    import torch

    from daiw_master.neural.descriptor import describe

    with torch.inference_mode():
        told = [describe(torch.from_numpy(np.ascontiguousarray(sound))[None]) for sound in sounds]
    numbers = torch.cat(told).numpy()
    if not np.isfinite(numbers).all():
        raise FloatingPointError("the descriptor gave a number that is not finite")
    return np.clip(numbers, -_HIGHEST_HALF, _HIGHEST_HALF).astype(np.float16)
