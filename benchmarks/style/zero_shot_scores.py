"""Zero-shot trials scored for every method: shares with intervals, recalls, confusion, sign test, ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.style import fits
from benchmarks.style.cache import DESCRIPTION
from benchmarks.style.leak import leaky_accuracy
from benchmarks.style.methods import Method, embedded
from benchmarks.style.scores import bootstrap, sign_test, wilson
from benchmarks.style.styles import RENDERED, STYLES, WARMS
from benchmarks.style.tables import Table, chances, interval, share
from benchmarks.style.zero_shot import SHOWN_SHOTS, ZeroShot

CEILING = "ceiling_{warm}"


def scored(
    trials: ZeroShot, methods: Sequence[Method], features: Mapping[str, np.ndarray], learnt: Mapping
) -> dict:
    """Everything a table or a JSON file says of one domain. Trials with a silent sound count for nobody."""
    right, results = {}, {}
    for method in methods:
        vectors = embedded(method, features)
        answers = {(w, k): trials.answers(vectors, w, k) for w in WARMS for k in SHOWN_SHOTS}
        results[method.name], right[method.name] = _one(answers)
        results[method.name]["published_split"] = leaky_accuracy(trials, vectors)
    told = {
        "domain": trials.domain,
        "split": trials.split,
        "trials": len(trials.body["trials"]) * len(STYLES) * len(WARMS),
        "works": len({clip.work for clip in trials.clips}),
        "clips": len(trials.clips),
        "chance": 1 / len(STYLES),
        "methods": results,
        "ceiling": {warm: ceiling(trials, features, learnt, warm) for warm in WARMS},
    }
    if "ours" in results:
        works = np.repeat(trials.query_works(), len(STYLES))
        told["against"] = {
            name: _against(right["ours"], right[name], np.concatenate([works] * len(WARMS)))
            for name in results
            if name != "ours"
        }
        for family in ("plain", "trained"):
            of_family = [m.name for m in methods if m.family == family]
            if of_family:
                told[f"best_{family}"] = max(of_family, key=lambda name: results[name]["accuracy"])
    return told


def _one(answers: Mapping[tuple[str, int], np.ndarray]) -> tuple[dict, np.ndarray]:
    """One method's scores, and whether each trial with one prototype was right (NaN: it did not count)."""
    wanted = np.arange(len(STYLES))
    result: dict = {"shots": {}, "warm": {}}
    for shots in SHOWN_SHOTS:
        both = np.concatenate([answers[warm, shots] for warm in WARMS])
        counted = both >= 0
        hits, count = int((both == wanted)[counted].sum()), int(counted.sum())
        result["shots"][str(shots)] = {"accuracy": hits / max(count, 1), "interval": wilson(hits, count)}
    for warm in WARMS:
        one = answers[warm, 1]
        result["warm"][warm] = float((one == wanted)[one >= 0].mean())
    both = np.concatenate([answers[warm, 1] for warm in WARMS])
    counted = both >= 0
    result["accuracy"] = result["shots"]["1"]["accuracy"]
    result["interval"] = result["shots"]["1"]["interval"]
    result["recall"] = {
        style: float((both[:, i] == i)[counted[:, i]].mean()) for i, style in enumerate(STYLES)
    }
    result["confusion"] = {
        style: {other: float((both[:, i] == j)[counted[:, i]].mean()) for j, other in enumerate(STYLES)}
        for i, style in enumerate(STYLES)
    }
    return result, np.where(counted, both == wanted, np.nan).ravel()


def _against(ours: np.ndarray, theirs: np.ndarray, works: np.ndarray) -> dict:
    both = ~np.isnan(ours) & ~np.isnan(theirs)
    wins, losses, p = sign_test(ours[both], theirs[both])
    difference = ours[both] - theirs[both]
    low_high = bootstrap(works[both], lambda chosen: float(difference[chosen].mean()))
    return {
        "difference": float(difference.mean()),
        "interval": low_high,
        "wins": wins,
        "losses": losses,
        "p": p,
    }


def ceiling(trials: ZeroShot, features: Mapping[str, np.ndarray], learnt: Mapping, warm: str) -> float | None:
    """How many of all clips a classifier names that was trained on these very five styles."""
    name = CEILING.format(warm=warm)
    if name not in learnt or DESCRIPTION not in features:
        return None
    rendered = [*range(4), RENDERED.index(f"warm_{warm}")]
    described = features[DESCRIPTION].reshape(len(trials.clips), len(RENDERED), -1)[:, rendered]
    logits = learnt[name](described.reshape(-1, described.shape[-1]))
    heard = ~np.isnan(logits).any(1)
    wanted = np.tile(np.arange(len(STYLES)), len(trials.clips))
    return float((logits.argmax(1) == wanted)[heard].mean())


def table(told: dict, methods: Sequence[Method]) -> Table:
    """One line a method: one prototype with its interval, both warms, recalls, three and five prototypes."""
    heads = (
        "",
        "accuracy",
        "95 %",
        "warm pub.",
        "warm int.",
        *STYLES,
        "3 protot.",
        "5 protot.",
        "ours -",
        "95 %",
    )
    rows = []
    for method in methods:
        r = told["methods"][method.name]
        versus = told.get("against", {}).get(method.name)
        rows.append(
            [
                method.title,
                share(r["accuracy"]),
                interval(r["interval"]),
                *(share(r["warm"][warm]) for warm in WARMS),
                *(share(r["recall"][style]) for style in STYLES),
                *(share(r["shots"][str(shots)]["accuracy"]) for shots in SHOWN_SHOTS[1:]),
                *((share(versus["difference"]), interval(versus["interval"])) if versus else ("", "")),
            ]
        )
    ceiling = [told["ceiling"][warm] for warm in WARMS]
    if None not in ceiling:
        blank = [""] * (len(heads) - 5)
        rows.append(["trained on these styles", share(sum(ceiling) / 2), "", *map(share, ceiling), *blank])
    rows.append(["chance", share(told["chance"]), *[""] * (len(heads) - 2)])
    title = (
        f"Zero-shot style, {told['domain']} ({told['split']}): {told['trials']} trials, {told['clips']} clips"
        f" of {told['works']} works"
    )
    return Table(title, heads, rows, _notes(told))


def _notes(told: dict) -> list[str]:
    notes = []
    for family, words in (("plain", "best baseline"), ("trained", "best trained on our labels")):
        name = told.get(f"best_{family}")
        if name:
            versus = told["against"][name]
            notes.append(
                f"Against the {words} ({name}): {share(versus['difference'])} "
                f"(95 % {interval(versus['interval'])} over works; {versus['wins']} trials only ours, "
                f"{versus['losses']} only theirs, {chances(versus['p'])})"
            )
    pair = ("ours", told["best_plain"]) if "best_plain" in told else ()
    leaky = [told["methods"][name]["published_split"] for name in pair]
    if leaky and None not in leaky:
        notes.append(
            f"With the published split, where each style has tracks of its own: ours {share(leaky[0])}, "
            f"{told['best_plain']} {share(leaky[1])}"
        )
    if "ours" in told["methods"]:
        confusion = told["methods"]["ours"]["confusion"]
        mistakes = [
            f"{style} for {other} {share(value)}"
            for style, row in confusion.items()
            for other, value in row.items()
            if style != other and value >= 0.03
        ]
        if mistakes:
            notes.append(f"Ours mistakes {', '.join(mistakes)}")
    return notes


def ceilings(features: np.ndarray, styles: Sequence[str], decay: float) -> dict[str, fits.Linear]:
    """Classifiers of the five styles, one a warm; features (count, size) and each row's rendered style."""
    told = {}
    for warm in WARMS:
        names = [*STYLES[:4], f"warm_{warm}"]
        rows = np.array([style in names for style in styles])
        labels = np.array([names.index(style) for style in np.asarray(styles)[rows]])
        told[CEILING.format(warm=warm)] = fits.classifier(features[rows], labels, decay)
    return told
