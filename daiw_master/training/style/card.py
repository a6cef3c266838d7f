"""The model card: what the encoder heard, what it was taught, and what may be done with it, from the data."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from daiw_master.errors import InputError
from daiw_master.neural.weights_file import told_in
from daiw_master.training.style.blocks import CHAINS, CONTENTS, SHARD
from daiw_master.training.style.contents import Store
from daiw_master.training.style.shards import Shards
from daiw_master.training.style.works import SPLITS, TRAINING_DOMAINS

#: Kinds of chain in words.
KINDS = {
    "A": "one to five of the ten retrieval effects",
    "B": "shelves and peaks up to 26/18 dB, mostly with a compressor",
    "C": "one to six of the retrieval effects and equaliser bands together",
    "D": "a mastering engineer's shelves and light compressor",
    "E": "modules of the house's own stack",
    "F": "ZamEQ2 and ZamCompX2 (VST3)",
    "I": "nothing",
    "R": "one to five relatives of the retrieval effects, none of the ten",
}
#: Sorts of block in words, where their name says too little.
MODES = {
    "rail": "on rails (one knob of one effect at ten places, the others held anywhere)",
    "usual": "on rails (one knob of one effect at ten places, the others mostly near the plugin's defaults)",
}


def card(
    data: Path, names: Sequence[str], weights: Path | None = None, results: Mapping | None = None
) -> str:
    """The card as markdown. InputError where the data are missing; `results` is a table of name: value."""
    sets = [Shards(data, name) for name in names]
    for shards in sets:
        if not shards.paths:
            raise InputError(f"{shards.folder} holds no blocks; a card speaks of data that are there")
    lines = ["# The style encoder", ""]
    if weights is not None:
        lines += [*_fit(weights), ""]
    blocks = SHARD * sum(len(shards.paths) for shards in sets)
    lines += [
        "## What it heard",
        f"{blocks} blocks of {CONTENTS} contents under the same {CHAINS} chains: "
        f"{blocks * CONTENTS * CHAINS} renders.",
        "",
        *itertools.chain.from_iterable(map(_mixed, sets)),
        "",
        "None of the chains lies within the five test styles; parameters are continuous, so none is of the "
        "lists of the retrieval task, nor, but for the distortion's only knob, a row of the parameter task.",
        "",
        "| clips of 6 s | " + " | ".join(TRAINING_DOMAINS) + " |",
        "|---|" + "---|" * len(TRAINING_DOMAINS),
        *_clips(data),
        "",
        "Works, songs and voices were dealt to one side by a hash of their name before anything was "
        "rendered; each side of the MIDI has soundfonts of its own:",
        *_soundfonts(data),
        "",
        "## Under which licences the training clips come",
        *_licences(data),
        "",
        "The weights hold statistics of these sounds, none of the sounds.",
    ]
    if results:
        lines += ["", "## What it reaches", "| | |", "|---|---|"]
        lines += [f"| {key} | {value} |" for key, value in results.items()]
    return "\n".join(lines) + "\n"


def _mixed(shards: Shards) -> Iterator[str]:
    told = shards.manifest

    def shares(of: Mapping[str, float], words: Mapping[str, str]) -> str:
        return ", ".join(f"{share:.3g} {words.get(name, name)}" for name, share in of.items())

    yield (
        f"- {shards.folder.name}: {len(shards.paths) * SHARD} blocks, seed {told['seed']}, manifest "
        f"{told['hash']}, descriptor {told['descriptor']}"
    )
    if told["kinds"]:
        yield f"  - chains: {shares(told['kinds'], KINDS)}"
    yield f"  - blocks: {shares(told['modes'], MODES)}; contents: {shares(told['domains'], {})}"
    if told["toned"]:
        yield f"  - {told['toned']:.0%} of the contents were given another tone first"


def _fit(weights: Path) -> Iterator[str]:
    from safetensors import safe_open

    told = told_in(weights)
    with safe_open(weights, "pt") as file:
        count = sum(file.get_tensor(name).numel() for name in file.keys())  # noqa: SIM118
    yield f"{count / 1e6:.2f} M numbers, {weights.stat().st_size / 2**20:.1f} MB."
    for key, value in sorted(told.items()):
        yield f"- {key}: {value}"


def _stores(data: Path, split: str) -> dict[str, Store]:
    found = {}
    for domain in TRAINING_DOMAINS:
        if (Path(data) / "contents" / f"{split}-{domain}.jsonl").is_file():
            found[domain] = Store(data, split, domain)
    return found


def _clips(data: Path) -> Iterator[str]:
    for split in SPLITS:
        stores = _stores(data, split)
        found = [stores.get(domain) for domain in TRAINING_DOMAINS]
        cells = [f"{len(store)} of {len(store.groups)} works" if store else "none" for store in found]
        yield f"| {split} | " + " | ".join(cells) + " |"


def _soundfonts(data: Path) -> Iterator[str]:
    for split in SPLITS:
        store = _stores(data, split).get("midi")
        if store:
            counted = Counter(entry.soundfont for entry in store.entries)
            yield f"- {split}: " + ", ".join(f"{font} ({n} clips)" for font, n in counted.most_common())


def _licences(data: Path) -> Iterator[str]:
    counted = Counter(e.licence or "unstated" for s in _stores(data, "train").values() for e in s.entries)
    for licence, clips in sorted(counted.items()):
        yield f"- {licence}: {clips} clips"


def read_results(path: Path) -> dict:
    """A JSON object of results. InputError where it is none."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} holds no results in JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path} holds a {type(found).__name__}; results are one JSON object")
    return found
