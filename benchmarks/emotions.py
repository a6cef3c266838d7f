"""Does the master carry the feeling? Three tables from what benchmarks/matrix.py measured.

    python benchmarks/matrix.py && python benchmarks/emotions.py

1. Claimed cells (|ask| >= 2 tolerances): sign and size. 2. Cells claimed as zero, and asks cut as
infeasible. 3. Identifiability with loudness removed, on features nothing steers, relative to each
song's own neutral, leave one song out (chance 20 %).
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

OUT = Path(__file__).resolve().parent / "results" / "matrix"
FELT = ("grief", "rage", "hope", "nostalgia", "fear")
#: Loudness-range and attack claims need music of some length; UI blips are not songs.
SHORTEST_S = 10.0


def load() -> list[dict]:
    records = [json.loads(path.read_text()) for path in sorted(OUT.glob("*.json"))]
    finished = [(record, record["emotions"]["neutral"]) for record in records if "failed" not in record]
    return [r for r, neutral in finished if neutral["seconds"] >= SHORTEST_S and "features" in neutral]


def cells(records):
    """(song, emotion, row) for every heard target."""
    for record in records:
        for emotion in FELT:
            for row in record["emotions"][emotion]["report"]["targets"]:
                if row["neutral"] is not None:
                    yield record["song"], emotion, row


def claimed_table(records) -> None:
    by_cell = defaultdict(list)
    infeasible, asked = [], 0
    for song, emotion, row in cells(records):
        claimed = abs(row["planned"]) >= 2 * row["tolerance"] - 1e-9
        asked += claimed
        if claimed and row["cut"]:
            infeasible.append((song, emotion, row["target"], row["cut"]))
        if claimed and not row["cut"]:
            by_cell[emotion, row["target"]].append((row["after"] - row["neutral"], row["shift"]))
    print(f"\n### Claimed cells (|ask| >= 2 tolerances) on {len(records)} songs\n")
    print("| emotion | target | songs | asked (median) | got (median) | sign right | size within ±50 % |")
    print("|---|---|---|---|---|---|---|")
    signs, sizes, total = 0, 0, 0
    for (emotion, target), pairs in sorted(by_cell.items()):
        got, ask = np.array(pairs).T
        sign, size = (got * ask > 0), (np.abs(got - ask) <= 0.5 * np.abs(ask))
        signs, sizes, total = signs + sign.sum(), sizes + size.sum(), total + len(got)
        print(
            f"| {emotion} | {target} | {len(got)} | {np.median(ask):+.2f} | {np.median(got):+.2f} | "
            f"{sign.sum()}/{len(got)} | {size.mean():.0%} |"
        )
    print(
        f"\nall claimed: sign right {signs}/{total}, size within ±50 % {sizes / max(total, 1):.1%}; "
        f"infeasible asks {len(infeasible)} of {asked} ({len(infeasible) / max(asked, 1):.1%})"
    )
    reasons = defaultdict(int)
    for _, emotion, target, why in infeasible:
        reasons[f"{emotion} {target}: {why.partition(':')[0].partition(',')[0][:60]}"] += 1
    for reason, count in sorted(reasons.items(), key=lambda item: -item[1])[:25]:
        print(f"- {count} x {reason}")


def zero_table(records) -> None:
    kept = defaultdict(list)
    for _, _, row in cells(records):
        if abs(row["planned"]) < 0.25 * row["tolerance"]:
            kept[row["target"]].append(abs(row["after"] - row["neutral"]) <= 2 * row["tolerance"])
    print("\n### Cells claimed as zero: share within 2 tolerances of the song's neutral\n")
    for target, values in kept.items():
        print(f"- {target}: {np.mean(values):.0%} of {len(values)}")
    print(f"- all: {np.mean(np.concatenate([np.array(v) for v in kept.values()])):.1%}")
    done = defaultdict(list)
    for record in records:
        for emotion in FELT:
            for row in record["emotions"][emotion]["report"]["targets"]:
                if (
                    row["target"] in ("reverb_decay_s", "reverb_wet_db", "drive_db")
                    and row["asked"] is not None
                ):
                    done[row["target"]].append(row["verdict"] == "met")
    for target, values in done.items():
        print(f"- done on the stage, {target}: {np.mean(values):.0%} of {len(values)} within tolerance")


def identify(x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> float:
    """Leave-one-song-out accuracy of a shrunk linear discriminant (Ledoit-Wolf-like, fixed 0.3)."""
    right = 0
    for group in np.unique(groups):
        train, test = groups != group, groups == group
        mean, spread = x[train].mean(0), x[train].std(0) + 1e-9
        a, b = (x[train] - mean) / spread, (x[test] - mean) / spread
        centres = np.stack([a[y[train] == c].mean(0) for c in range(len(FELT))])
        within = a - centres[y[train]]
        cov = within.T @ within / len(a)
        cov = 0.7 * cov + 0.3 * np.trace(cov) / len(cov) * np.eye(len(cov))
        weights = np.linalg.solve(cov, centres.T)
        scores = b @ weights - 0.5 * np.einsum("cf,fc->c", centres, weights)
        right += (scores.argmax(1) == y[test]).sum()
    return right / len(y)


def identifiability(records) -> None:
    print("\n### Identifiability, loudness removed, unsteered features, leave one song out (chance 20 %)\n")
    for key, title in (
        ("features", "closed loop (this tool)"),
        ("open_loop_features", "fixed open-loop settings"),
    ):
        x, y, groups = [], [], []
        for index, record in enumerate(records):
            base = np.array(record["emotions"]["neutral"]["features"])
            for label, emotion in enumerate(FELT):
                if key in record["emotions"][emotion]:
                    x.append(np.array(record["emotions"][emotion][key]) - base)
                    y.append(label)
                    groups.append(index)
        if x:
            accuracy = identify(np.array(x), np.array(y), np.array(groups))
            print(f"- {title}: {accuracy:.1%} of {len(y)} masters of {len(set(groups))} songs")


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    records = load()
    claimed_table(records)
    zero_table(records)
    identifiability(records)


if __name__ == "__main__":
    main()
