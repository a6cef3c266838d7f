"""Parameter estimation scored for every method: error and correlation of the positions found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.style import rehearsed
from benchmarks.style.methods import Method, embedded
from benchmarks.style.parameters import Parameters, by_grid, by_search
from benchmarks.style.scores import bootstrap
from benchmarks.style.tables import Table, interval, share

#: A listener's row that has rehearsed the knobs; the rows that are ours.
_REHEARSED = "{} rehearsed"
OURS = ("ours", _REHEARSED.format("ours"))


def pearson(found: np.ndarray, wanted: np.ndarray) -> float:
    """Correlation of two rows of positions; 0 where one of them never moves: it tells nothing."""
    found, wanted = found - found.mean(), wanted - wanted.mean()
    scale = np.sqrt((found @ found) * (wanted @ wanted))
    return float(found @ wanted / scale) if scale > 1e-12 else 0.0


def spearman(found: np.ndarray, wanted: np.ndarray) -> float:
    from scipy.stats import rankdata

    return pearson(rankdata(found), rankdata(wanted))


def scored(
    trials: Parameters,
    methods: Sequence[Method],
    features: Mapping[str, np.ndarray],
    ears: rehearsed.Ears,
    weights: Path | None = None,
) -> dict:
    """Everything a table or a JSON file says: by knob and method, by the grid and by the search."""
    knobs = trials.knobs()
    wanted = np.array([knob.targets for knob in knobs.values()])[:, None]  # (knobs, 1, targets)
    shape = (len(knobs), len(trials.body["pairs"]), wanted.shape[-1])
    wanted = np.broadcast_to(wanted, shape)
    found: dict[str, dict[str, np.ndarray]] = {}
    for method in methods:
        alike = trials.similarity(embedded(method, features))
        curves = alike.reshape(-1, alike.shape[-1])
        searched = np.array([by_search(curve, number) for number, curve in enumerate(curves)])
        found[method.name] = {"grid": by_grid(alike), "search": searched.reshape(shape)}
    # chance: any position, as a method would say that hears nothing
    guess = np.random.default_rng(trials.seed).random(shape)
    told = {
        "domain": trials.domain,
        "split": trials.split,
        "trials": int(np.prod(shape[1:])),
        "knobs": list(knobs),
        "methods": {
            name: {way: _one(positions, wanted, knobs) for way, positions in ways.items()}
            for name, ways in found.items()
        },
        "chance": _one(guess, wanted, knobs),
    }
    read = rehearsed.read(trials, features, ears, weights)
    told["rehearsed"] = {name: _one(positions, wanted, knobs) for name, positions in read.items()}
    clips = np.array([own for own, _ in trials.body["pairs"]])
    others = {name: ways["grid"] for name, ways in found.items() if name != "ours"}
    others |= {_REHEARSED.format(name): positions for name, positions in read.items() if name != "ours"}
    for key, ours in (
        ("against", found.get("ours", {}).get("grid")),
        ("against rehearsed", read.get("ours")),
    ):
        if ours is not None:
            told[key] = {
                name: _against(ours, theirs, wanted, list(knobs), clips) for name, theirs in others.items()
            }
    return told


def _one(found: np.ndarray, wanted: np.ndarray, knobs: Sequence[str]) -> dict:
    result: dict = {}
    for place, knob in enumerate(knobs):
        own, truth = found[place].ravel(), wanted[place].ravel()
        result[knob] = {
            "mse": float(((own - truth) ** 2).mean()),
            "pearson": pearson(own, truth),
            "spearman": spearman(own, truth),
        }
    result["mean"] = {
        score: float(np.mean([result[knob][score] for knob in knobs]))
        for score in ("mse", "pearson", "spearman")
    }
    return result


def _against(
    ours: np.ndarray, theirs: np.ndarray, wanted: np.ndarray, knobs: Sequence[str], clips: np.ndarray
) -> dict:
    """Our Pearson minus theirs, knob by knob and on average; matched clips drawn again with their pairs."""
    pairs = np.arange(ours.shape[1])

    def difference(places: Sequence[int], chosen: np.ndarray) -> float:
        each = [
            pearson(ours[k, chosen].ravel(), wanted[k, chosen].ravel())
            - pearson(theirs[k, chosen].ravel(), wanted[k, chosen].ravel())
            for k in places
        ]
        return float(np.mean(each))

    told = {}
    asked = {knob: [place] for place, knob in enumerate(knobs)} | {"mean": list(range(len(knobs)))}
    for name, places in asked.items():
        low_high = bootstrap(clips, lambda chosen, at=places: difference(at, chosen), draws=400)
        told[name] = {"difference": difference(places, pairs), "interval": low_high}
    return told


def table(told: dict, methods: Sequence[Method]) -> Table:
    """One line a method: Pearson by knob; mean Pearson, Spearman and error; what the search reaches; and

    how far ours stand above it, by likeness and rehearsed.
    """
    knobs = told["knobs"]
    heads = ("", *knobs, "Pearson", "Spearman", "MSE", "CMA-ES", "ours -", "95 %", "rehearsed -", "95 %")
    titles = _titles(methods)
    lines = [(method.name, told["methods"][method.name]["grid"]) for method in methods]
    lines += [(_REHEARSED.format(name), one) for name, one in told["rehearsed"].items()]
    if told["rehearsed"]:
        lines.sort(key=lambda line: line[0] not in OURS)  # both of ours on top
    rows = []
    for name, one in [*lines, ("any position", told["chance"])]:
        searched = told["methods"].get(name, {}).get("search")
        rows.append(
            [
                titles.get(name, name),
                *(share(one[knob]["pearson"]) for knob in knobs),
                *(share(one["mean"][score]) for score in ("pearson", "spearman", "mse")),
                share(searched["mean"]["pearson"]) if searched else "",
                *_above(told.get("against", {}).get(name)),
                *_above(told.get("against rehearsed", {}).get(name)),
            ]
        )
    title = (
        f"Parameter estimation, {told['domain']} ({told['split']}): {told['trials']} trials a knob, Pearson"
    )
    notes = [
        f"A baseline is higher than {who} in: {_lost(told[key], knobs, titles)}"
        for key, who in (("against", "ours"), ("against rehearsed", "ours, rehearsed"))
        if key in told
    ]
    return Table(title, heads, rows, notes)


def _titles(methods: Sequence[Method]) -> dict[str, str]:
    titles = {method.name: method.title for method in methods}
    return titles | {_REHEARSED.format(name): row.title for name, row in rehearsed.LISTENERS.items()}


def _above(versus: dict | None) -> tuple[str, str]:
    if versus is None:
        return ("", "")
    return share(versus["mean"]["difference"]), interval(versus["mean"]["interval"])


def _lost(against: dict, knobs: Sequence[str], titles: Mapping[str, str]) -> str:
    found = []
    for name, versus in against.items():
        for knob in knobs:
            if versus[knob]["difference"] < 0:
                low, high = versus[knob]["interval"]
                sure = "surely" if high < 0 else "perhaps"
                found.append(f"{titles[name]} at {knob} ({sure}: {share(-high)} to {share(-low)})")
    return "; ".join(found) or "no cell"
