"""Retrieval scored for every method: mean reciprocal rank, accuracy among 2 to 25, by chain length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.style.methods import Method, embedded
from benchmarks.style.retrieval import CANDIDATES, LENGTHS, Retrieval
from benchmarks.style.scores import (
    accuracy_at,
    bootstrap,
    chance_reciprocal_rank,
    mean_reciprocal_rank,
    ranks,
)
from benchmarks.style.tables import Table, interval, share

SHOWN_CANDIDATES = (2, 5, 10, 25)


def scored(trials: Retrieval, methods: Sequence[Method], features: Mapping[str, np.ndarray]) -> dict:
    """Everything a table or a JSON file says of one domain; examples with a silent sound are left out."""
    similarity = {method.name: trials.similarity(embedded(method, features)) for method in methods}
    heard = ~np.any([np.isnan(value).any(1) for value in similarity.values()], axis=0)
    told = {
        "domain": trials.domain,
        "split": trials.split,
        "works": len({clip.work for clip in trials.clips}),
        "silent": int((~heard).sum()),
        "chance": {
            "mrr": chance_reciprocal_rank(CANDIDATES),
            **{f"accuracy_at_{k}": 1 / k for k in SHOWN_CANDIDATES},
        },
        "variants": {},
    }
    for variant in dict.fromkeys(row[0] for row in trials.body["examples"]):
        chosen = heard & trials.where(variant)
        part = {"examples": int(chosen.sum()), "methods": {}}
        for method in methods:
            own = similarity[method.name][chosen]
            lengths = {
                length: similarity[method.name][chosen & trials.where(variant, length)]
                for length in LENGTHS
                if (chosen & trials.where(variant, length)).any()
            }
            part["methods"][method.name] = _one(own, lengths)
        if "ours" in similarity:
            reciprocal = {name: 1 / ranks(value[chosen]) for name, value in similarity.items()}
            part["against"] = {
                name: _ratio(reciprocal["ours"], reciprocal[name]) for name in reciprocal if name != "ours"
            }
            part["lost"] = _lost(part["methods"], methods)
        told["variants"][variant] = part
    return told


def _one(similarity: np.ndarray, lengths: Mapping[int, np.ndarray]) -> dict:
    reciprocal = 1 / ranks(similarity)
    return {
        "mrr": mean_reciprocal_rank(similarity),
        "interval": bootstrap(np.arange(len(reciprocal)), lambda chosen: float(reciprocal[chosen].mean())),
        "accuracy": [accuracy_at(similarity, k) for k in range(2, CANDIDATES + 1)],
        "by_length": {
            str(length): {"mrr": mean_reciprocal_rank(own), "accuracy": accuracy_at(own, CANDIDATES)}
            for length, own in lengths.items()
        },
    }


def _ratio(ours: np.ndarray, theirs: np.ndarray) -> dict:
    """How many times our mean reciprocal rank is theirs; examples drawn again in pairs for the interval."""
    each = np.arange(len(ours))
    low_high = bootstrap(each, lambda chosen: float(ours[chosen].mean() / theirs[chosen].mean()))
    return {"ratio": float(ours.mean() / theirs.mean()), "interval": low_high}


def _lost(results: Mapping[str, dict], methods: Sequence[Method]) -> list[str]:
    """The cells where a baseline stands above ours."""
    found = []
    for method in methods:
        if method.family == "ours":
            continue
        for length, cell in results[method.name]["by_length"].items():
            if cell["mrr"] > results["ours"]["by_length"][length]["mrr"]:
                found.append(f"{method.title} at N = {length}")
    return found


def table(told: dict, variant: str, methods: Sequence[Method]) -> Table:
    """One line a method: MRR with its interval, accuracies, MRR by N, ratio ours : theirs."""
    part = told["variants"][variant]
    heads = (
        "", "MRR", "95 %", *(f"acc@{k}" for k in SHOWN_CANDIDATES), *(f"N={n}" for n in LENGTHS),
        "ours :", "95 %",
    )  # fmt: skip
    rows = []
    for method in methods:
        r = part["methods"][method.name]
        versus = part.get("against", {}).get(method.name)
        rows.append(
            [
                method.title,
                share(r["mrr"]),
                interval(r["interval"]),
                *(share(r["accuracy"][k - 2]) for k in SHOWN_CANDIDATES),
                *(share(r["by_length"].get(str(n), {}).get("mrr", float("nan"))) for n in LENGTHS),
                *((f"{versus['ratio']:.2f}", _plain(versus["interval"])) if versus else ("", "")),
            ]
        )
    chance = told["chance"]
    rows.append(
        [
            "chance",
            share(chance["mrr"]),
            "",
            *(share(chance[f"accuracy_at_{k}"]) for k in SHOWN_CANDIDATES),
            *[""] * (len(LENGTHS) + 2),
        ]
    )
    words = "1 to N effects" if variant == "uniform" else "N effects"
    title = (
        f"Style retrieval, {told['domain']} ({told['split']}), {words}: {part['examples']} examples of "
        f"{CANDIDATES} candidates, {told['works']} works"
    )
    notes = []
    if told["silent"]:
        notes.append(f"{told['silent']} examples left out: one of their sounds is silent")
    if "lost" in part:
        notes.append(f"A baseline wins in: {', '.join(part['lost']) or 'no cell'}")
    return Table(title, heads, rows, notes)


def _plain(low_high: Sequence[float]) -> str:
    return f"{low_high[0]:.2f}-{low_high[1]:.2f}"
