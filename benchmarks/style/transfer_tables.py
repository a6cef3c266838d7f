"""What the transfer benchmark shows: medians, who beats whom, and how much of the distance is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks.style.tables import Table, chances
from benchmarks.style.transfer_chains import CHAINS
from benchmarks.style.transfer_methods import RIVALS
from benchmarks.style.transfer_scores import JUDGED, SCORES, removed, sign_test

Rows = Sequence[Mapping[str, float | str]]
#: Spectral distances of which a share can be said to be removed.
REMOVED = ("mr_stft", "bark_db")


def against(told: Mapping[str, Rows]) -> dict[str, dict[str, tuple[int, int, float]]]:
    """rival -> score -> (pairs ours is nearer, pairs the rival is, one-sided p); empty without ours."""
    if "ours" not in told:
        return {}
    return {
        rival: {score: sign_test(_of(told["ours"], score), _of(told[rival], score)) for score in SCORES}
        for rival in told
        if rival not in ("ours", "oracle")
    }


def overall(told: Mapping[str, Rows], name: str) -> Table:
    """Every method's median distances from the ground truth, and what they cost."""
    tests = against(told)
    rows = []
    for method, row in told.items():
        cells = [f"{median(_of(row, score)):.2f}" for score in SCORES]
        cells += [f"{median(_of(row, 'cpu_s')):.1f}", f"{median(_of(row, 'wall_s')):.1f}"]
        rows.append([method, *cells, f"{median(_of(row, 'heard')):.0f}"])
    notes = ["medians; 0 is the ground truth; loudness as delivered, the other scores do not hear it"]
    for rival, of_scores in tests.items():
        said = ", ".join(
            f"{SCORES[score]} {wins}:{losses} {chances(p)}" for score, (wins, losses, p) in of_scores.items()
        )
        judged = all(of_scores[score][2] < 0.01 for score in JUDGED)
        verdict = " (beaten in all five)" if judged else ""
        notes.append(f"ours against {rival}{verdict if rival in RIVALS else ''}: {said}")
    heads = ["method", *SCORES.values(), "CPU s", "wall s", "candidates"]
    return Table(f"transfer, {name}, {len(next(iter(told.values())))} pairs", heads, rows, notes)


def by_chain(told: Mapping[str, Rows], chains: Sequence[str], name: str) -> Table:
    """How much of the input's distance each method removes, chain by chain (medians over pairs)."""
    methods = [method for method in told if method not in ("input", "oracle")]
    rows = []
    for score in REMOVED if "input" in told else ():
        shares = shares_removed(told, score)
        for sort, members in _sorts(chains).items():
            cells = [_percent([shares[method][i] for i in members]) for method in methods]
            rows.append([f"{sort}, {SCORES[score]}", *cells])
    notes = ["share of the distance between input and ground truth that is gone; below 0 is farther away"]
    return Table(f"distance removed, {name}", ["chain", *methods], rows, notes)


def shares_removed(told: Mapping[str, Rows], score: str) -> dict[str, list[float]]:
    """method -> the share of the input's distance it removes from each pair."""
    inputs = _of(told["input"], score)
    return {
        method: [removed(d, of_input) for d, of_input in zip(_of(row, score), inputs, strict=True)]
        for method, row in told.items()
    }


def _sorts(chains: Sequence[str]) -> dict[str, list[int]]:
    """Which pairs belong to every chain, and to chains of one, two and more effects."""
    found = {chain: [i for i, one in enumerate(chains) if one == chain] for chain in CHAINS}
    for effects, title in ((1, "one effect"), (2, "two effects")):
        found[f"**{title}**"] = [i for i, one in enumerate(chains) if CHAINS[one][0] == effects]
    return {title: members for title, members in found.items() if members}


def _percent(values: Sequence[float]) -> str:
    return f"{100 * median(values):.0f} %"


def _of(rows: Rows, key: str) -> list[float]:
    return [float(row[key]) for row in rows]
