"""Parameter estimation scored for every method: error and correlation of the positions found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.style import parameters_ceiling
from benchmarks.style.methods import Method, embedded
from benchmarks.style.parameters import Parameters, by_grid, by_search
from benchmarks.style.scores import bootstrap
from benchmarks.style.tables import Table, interval, share


def pearson(found: np.ndarray, wanted: np.ndarray) -> float:
    """Correlation of two rows of positions; 0 where one of them never moves: it tells nothing."""
    found, wanted = found - found.mean(), wanted - wanted.mean()
    scale = np.sqrt((found @ found) * (wanted @ wanted))
    return float(found @ wanted / scale) if scale > 1e-12 else 0.0


def spearman(found: np.ndarray, wanted: np.ndarray) -> float:
    from scipy.stats import rankdata

    return pearson(rankdata(found), rankdata(wanted))


#: Rows of the ceiling, by what the regression is asked.
CEILING = {"compared": "told each knob, compared", "outright": "told each knob, outright"}


def scored(
    trials: Parameters, methods: Sequence[Method], features: Mapping[str, np.ndarray], learnt: Mapping
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
        "ceiling": {
            way: _one(positions, wanted, knobs)
            for way, positions in parameters_ceiling.told(trials, features, learnt).items()
        },
    }
    if "ours" in found:
        clips = np.array([own for own, _ in trials.body["pairs"]])
        told["against"] = {
            name: _against(found["ours"]["grid"], ways["grid"], wanted, list(knobs), clips)
            for name, ways in found.items()
            if name != "ours"
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
    """One line a method: Pearson by knob; mean Pearson, Spearman and error; what the search reaches."""
    knobs = told["knobs"]
    heads = ("", *knobs, "Pearson", "Spearman", "MSE", "CMA-ES", "ours -", "95 %")
    rows = []
    for method in methods:
        grid, search = (told["methods"][method.name][way] for way in ("grid", "search"))
        versus = told.get("against", {}).get(method.name, {}).get("mean")
        rows.append(
            [
                method.title,
                *(share(grid[knob]["pearson"]) for knob in knobs),
                share(grid["mean"]["pearson"]),
                share(grid["mean"]["spearman"]),
                share(grid["mean"]["mse"]),
                share(search["mean"]["pearson"]),
                *((share(versus["difference"]), interval(versus["interval"])) if versus else ("", "")),
            ]
        )
    rest = {CEILING[way]: one for way, one in told["ceiling"].items()} | {"any position": told["chance"]}
    for name, one in rest.items():
        rows.append(
            [
                name,
                *(share(one[knob]["pearson"]) for knob in knobs),
                *(share(one["mean"][score]) for score in ("pearson", "spearman", "mse")),
                *[""] * 3,
            ]
        )
    title = (
        f"Parameter estimation, {told['domain']} ({told['split']}): {told['trials']} trials a knob, Pearson"
    )
    return Table(title, heads, rows, [_lost(told, methods)] if "against" in told else [])


def _lost(told: dict, methods: Sequence[Method]) -> str:
    found = []
    for method in methods:
        for knob in told["knobs"] if method.family != "ours" else ():
            versus = told["against"][method.name][knob]
            if versus["difference"] < 0:
                low, high = versus["interval"]
                sure = "surely" if high < 0 else "perhaps"
                found.append(f"{method.title} at {knob} ({sure}: {share(-high)} to {share(-low)})")
    return f"A baseline is higher in: {'; '.join(found) or 'no cell'}"
