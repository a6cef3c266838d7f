"""Blocks on disk: shards written by several processes, and one reader for the fit.

`DATA/blocks/NAME/00012.npz` holds blocks 192 to 207: features (16, 40, D) float16, dry (16, 4, D) and the
facts of each block as JSON. `manifest.json` beside them says what they are made of; a run with another
seed, other contents or another descriptor does not go on in the same folder.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from daiw_master.errors import InputError
from daiw_master.training.style.blocks import CHAINS, CONTENTS, SHARD, make_block
from daiw_master.training.style.contents import Store, one_thread
from daiw_master.training.style.mixes import MIXES, Mix

#: What is told of every block, beside its facts.
ARRAYS = ("features", "dry", "kinds", "modes", "effects", "presets", "places")


@dataclass(frozen=True)
class Blocks:
    """Blocks in memory. `features` (n, 40, D) float16: render r of a block is content r // 10, chain r % 10.

    `kinds` (n, 10) letters; `effects` and `presets` (n, 10) are the pretext's labels, -1 where a chain is
    none; `places` (n, 10) how far a rail's knob is turned, NaN elsewhere; `modes` (n,); `dry` (n, 4, D)
    what the untouched contents are told by.
    """

    features: np.ndarray
    dry: np.ndarray
    kinds: np.ndarray
    modes: np.ndarray
    effects: np.ndarray
    presets: np.ndarray
    places: np.ndarray
    facts: tuple[dict, ...]

    @property
    def by_content(self) -> np.ndarray:
        """The features as (n, 4 contents, 10 chains, D)."""
        return self.features.reshape(len(self.features), CONTENTS, CHAINS, -1)

    def of_modes(self, modes: Collection[str]) -> Blocks:
        """Those of some sorts alone. InputError where there are none."""
        chosen = np.isin(self.modes, list(modes))
        if not chosen.any():
            known = ", ".join(sorted(set(self.modes.tolist())))
            raise InputError(f"there are no blocks of mode {' or '.join(modes)}; there are: {known}")
        arrays = {key: getattr(self, key)[chosen] for key in ARRAYS}
        return Blocks(**arrays, facts=tuple(itertools.compress(self.facts, chosen)))


def joined(sets: Sequence[Blocks]) -> Blocks:
    """Several sets as one, in their order."""
    if len(sets) == 1:
        return sets[0]
    arrays = {key: np.concatenate([getattr(one, key) for one in sets]) for key in ARRAYS}
    return Blocks(**arrays, facts=tuple(itertools.chain.from_iterable(one.facts for one in sets)))


class Shards:
    """The shards of one data set, also while more are being made."""

    def __init__(self, data: Path, name: str = "train-wide"):
        self.folder = Path(data) / "blocks" / name
        self.paths = sorted(self.folder.glob("[0-9]*.npz"))

    @property
    def manifest(self) -> dict:
        return json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))

    def load(self, most: int | None = None) -> Blocks:
        """All blocks, or the first `most`. InputError where there are none."""
        paths = self.paths if most is None else self.paths[: -(-most // SHARD)]
        if not paths:
            raise InputError(
                f"{self.folder} holds no blocks; make them by `python -m daiw_master.training.style blocks`"
            )
        facts: list[dict] = []
        features = dry = np.empty(0)
        for number, path in enumerate(paths):
            with np.load(path) as shard:
                if not number:  # one array from the start: the data are too large to hold twice
                    whole = len(paths) * SHARD
                    features = np.empty((whole, *shard["features"].shape[1:]), np.float16)
                    dry = np.empty((whole, *shard["dry"].shape[1:]), np.float16)
                features[number * SHARD : (number + 1) * SHARD] = shard["features"]
                dry[number * SHARD : (number + 1) * SHARD] = shard["dry"]
                facts += json.loads(shard["facts"].tobytes())
        cut = slice(most)

        def told(key: str, missing: float | str) -> np.ndarray:
            return np.array([[chain.get(key, missing) for chain in b["chains"]] for b in facts])[cut]

        return Blocks(
            features[cut],
            dry[cut],
            told("kind", ""),
            np.array([block["mode"] for block in facts])[cut],
            told("effect", -1),
            told("preset", -1),
            told("at", np.nan),
            tuple(facts[cut]),
        )


def make(
    data: Path,
    count: int,
    *,
    name: str = "train-wide",
    split: str = "train",
    seed: int = 0,
    processes: int = 2,
    mix: Mix = MIXES["wide"],
    until: float | None = None,
    say: Callable[[str], None] = print,
) -> int:
    """Make the shards of `count` blocks that are not there yet, lowest first; the number of blocks there.

    `until` (seconds since the epoch) begins no shard after that time. Stopped, the next call goes on.
    """
    folder = Path(data) / "blocks" / name
    folder.mkdir(parents=True, exist_ok=True)
    _agree(folder, _manifest(data, split, seed, mix))
    shards = range(-(-count // SHARD))
    todo = [number for number in shards if not _path(folder, number).is_file()]
    say(f"{name}: {len(shards) - len(todo)} of {len(shards)} shards are there")
    start = time.monotonic()
    jobs = ((str(data), name, split, seed, number, mix.name) for number in todo)
    for done, _ in enumerate(_made(jobs, processes, until), 1):
        elapsed = time.monotonic() - start
        left = (len(todo) - done) * elapsed / done
        renders = done * SHARD * CONTENTS * CHAINS / elapsed
        progress = f"{done * SHARD} of {len(todo) * SHARD} blocks"
        say(f"{name}: {progress}, {renders:.0f} renders/s, {left:.0f} s left")
    return SHARD * sum(_path(folder, number).is_file() for number in shards)


def _made(jobs: Iterator[tuple], processes: int, until: float | None) -> Iterator[None]:
    """Do the jobs, so many at a time, and yield after each; none is begun after `until`."""
    timely = itertools.takewhile(lambda _: until is None or time.time() < until, jobs)
    if processes < 2:
        for job in timely:
            yield _make_shard(*job)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=one_thread) as pool:
        running = {pool.submit(_make_shard, *job) for job in itertools.islice(timely, processes)}
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(_make_shard, *job) for job in itertools.islice(timely, len(finished))}
            for future in finished:
                yield future.result()


def _make_shard(data: str, name: str, split: str, seed: int, number: int, mix: str) -> None:
    """In a worker: one shard, written beside its place and moved there when it is whole."""
    stores = _stores(data, split, mix)
    blocks = [make_block(stores, MIXES[mix], seed, number * SHARD + i) for i in range(SHARD)]
    path = _path(Path(data) / "blocks" / name, number)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    told = json.dumps([block.facts for block in blocks], ensure_ascii=False).encode()
    with open(part, "wb") as file:
        np.savez(
            file,
            features=np.stack([block.features for block in blocks]),
            dry=np.stack([block.dry for block in blocks]),
            facts=np.frombuffer(told, np.uint8),
        )
    os.replace(part, path)


@cache
def _stores(data: str, split: str, mix: str) -> tuple[Store, ...]:
    return tuple(stores_of(Path(data), split, MIXES[mix]))


def stores_of(data: Path, split: str, mix: Mix = MIXES["wide"]) -> list[Store]:
    """The mix's domains of a split, as far as they are there. InputError where none is."""
    found = [d for d in mix.domains if (Path(data) / "contents" / f"{split}-{d}.jsonl").is_file()]
    stores = [store for store in (Store(data, split, domain) for domain in found) if len(store)]
    if not stores:
        raise InputError(f"{data} holds no {split} contents; make them by the step `contents`")
    return stores


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.npz"


def _manifest(data: Path, split: str, seed: int, mix: Mix) -> dict:
    """What decides every number of every block, and a hash of it."""
    from daiw_master.training.style import chains, rails, relatives

    clips = {s.domain: [e.row for e in s.entries] for s in stores_of(data, split, mix)}
    told = {
        "seed": seed,
        "split": split,
        "mix": mix.name,
        "kinds": dict(mix.kinds),
        "modes": dict(mix.modes),
        "domains": dict(mix.domains),
        "toned": mix.toned,
        "clips": {domain: len(rows) for domain, rows in clips.items()},
        "contents": hashlib.sha256(json.dumps(clips).encode()).hexdigest()[:16],
        "chains": chains.digest(),
        "descriptor": descriptor_digest(),
    }
    if "R" in mix.kinds:
        told["relatives"] = relatives.digest()
    if mix.modes.keys() & {"rail", "usual"}:
        told["rails"] = rails.digest("usual" in mix.modes)
    return {**told, "hash": hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]}


@cache
def descriptor_digest() -> str:
    """Which descriptor this is: a hash of what it tells of a fixed sound, to two decimals of its size."""
    import torch

    from daiw_master.neural.descriptor import describe

    torch.set_num_threads(1)
    probe = np.random.default_rng(5).standard_normal((1, 2, 96_000)).astype(np.float32)
    told = describe(torch.from_numpy(probe))[0].numpy()
    return f"{len(told)}-{hashlib.sha256(np.round(told, 1).tobytes()).hexdigest()[:12]}"


def _agree(folder: Path, manifest: dict) -> None:
    path = folder / "manifest.json"
    if path.is_file():
        there = json.loads(path.read_text(encoding="utf-8"))
        other = [key for key in manifest if there.get(key) != manifest[key] and key != "hash"]
        if other:
            raise InputError(f"{folder} was begun with another {', '.join(other)}; use another --name")
        return
    part = path.with_suffix(".part")
    part.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)
