"""`python -m benchmarks.style fit-baselines`: what baselines learn from train clips, tuned on dev trials.

MFCC and MIR learn from training sounds made here; the descriptor's fits read the blocks the encoder itself
is trained on, made of the same clips and chains. What MFCC whitening and LDA keep is chosen on the dev
trials, by zero-shot accuracy and mean reciprocal rank together, so that no baseline is a straw man.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.style import command, fits, quick, training_sounds, zero_shot
from benchmarks.style.cache import DESCRIPTION, features, kept
from benchmarks.style.clips import Shelf
from benchmarks.style.fits import Linear
from benchmarks.style.methods import FITS, unit
from benchmarks.style.sources import DOMAINS, shelf
from benchmarks.style.styles import RENDERED, WARMS
from benchmarks.style.trial_list import FOLDER
from benchmarks.style.zero_shot_scores import ceiling, ceilings

#: Chains a domain, and clips a domain for the five styles' classifier.
CHAINS = {"midi": 1800, "audio": 500, "speech": 100}
STYLED = {"midi": 170, "audio": 60, "speech": 20}
WHITENED = (10, 15, 20, 30, 40, 60)
#: LDA is tried with so many axes and so much shrinkage each.
DISCRIMINANTS, SHRINKAGES = (4, 8, 16, 32, 64), (0.01, 0.1, 0.5, 2.0)
DESCRIPTOR_AXES = 100
#: Weight decays the five styles' classifier is tried with.
DECAYS = (0.003, 0.01, 0.03, 0.1, 0.3)
#: Blocks of 40 renders the descriptor's fits read.
BLOCKS = 500

#: (feature, fit) to dev scores.
Judge = Callable[[str, Linear], Mapping[str, float]]


def main(arguments: Sequence[str]) -> int:
    given = command.learner("fit-baselines", __doc__ or "", FITS).parse_args(arguments)
    cache = command.cache_of(given)

    def said(line: str) -> None:
        print(line, flush=True)

    def judge(feature: str, fit: Linear) -> Mapping[str, float]:
        return quick.score(lambda x: unit(fit(x)), cache, feature)

    heard, labels = _training(given, cache, said)
    learnt = learn_meters(heard, labels, judge) | learn_descriptor(*_blocks(given), judge)
    learnt |= _styles(given, cache, said)
    fits.write(given.output, learnt)
    said(f"{given.output}: {', '.join(learnt)} from {len(labels)} sounds")
    return 0


def learn_meters(heard: Mapping[str, np.ndarray], labels: np.ndarray, judge: Judge) -> dict[str, Linear]:
    """The fits of MFCC and MIR from (sounds, size) each."""
    mfcc = heard["mfcc"]
    return {
        "mir": fits.z_score(heard["mir"]),
        "mfcc_whitened": _best("mfcc", {f"{n} axes": fits.whitening(mfcc, n) for n in WHITENED}, judge),
        "lda_mfcc": _best("mfcc", _discriminants(mfcc, labels), judge),
    }


def learn_descriptor(described: np.ndarray, labels: np.ndarray, judge: Judge) -> dict[str, Linear]:
    """The fits of the descriptor's columns, from (sounds, size) and which chain each went through."""
    return {
        "descriptor": fits.z_score(described),
        "descriptor_whitened": fits.whitening(described, DESCRIPTOR_AXES),
        "lda_descriptor": _best(DESCRIPTION, _discriminants(described, labels), judge),
    }


def _discriminants(x: np.ndarray, labels: np.ndarray) -> dict[str, Linear]:
    made = {}
    for shrinkage in SHRINKAGES:
        whole = fits.discriminants(x, labels, max(DISCRIMINANTS), shrinkage)
        for axes in DISCRIMINANTS:
            made[f"{axes} axes, {shrinkage:g}"] = replace(whole, matrix=whole.matrix[:, :axes])
    return made


def _best(feature: str, made: Mapping[str, Linear], judge: Judge) -> Linear:
    worth = {how: _worth(judge(feature, fit)) for how, fit in made.items()}
    chosen = max(worth, key=worth.__getitem__)
    print(f"{feature}: {'; '.join(f'{how} {w:.3f}' for how, w in worth.items())}. Kept: {chosen}", flush=True)
    return made[chosen]


def _blocks(given: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    from daiw_master.training.style.shards import Shards

    by_content = Shards(given.data).load(max(1, round(given.share * BLOCKS))).by_content
    blocks, contents, chains, size = by_content.shape
    labels = np.broadcast_to(
        np.arange(blocks * chains).reshape(blocks, 1, chains), (blocks, contents, chains)
    )
    return by_content.reshape(-1, size).astype(np.float32), labels.ravel()


def _worth(scores: Mapping[str, float]) -> float:
    """Zero-shot and retrieval count the same."""
    zero_shot_scores = [
        value for name, value in scores.items() if name.startswith("s2") and name[-2:] != "_5"
    ]
    ranks = [value for name, value in scores.items() if name.startswith("mrr_")]
    return float(np.mean(zero_shot_scores) + np.mean(ranks or [0.0]))


def _training(
    given: argparse.Namespace, cache: Path, say: Callable[[str], None]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    parts, labels = [], []
    for domain in DOMAINS:
        chains = max(2, round(given.share * CHAINS[domain]))
        sounds = training_sounds.draw(
            shelf(given.data, "train", domain), domain, chains=chains, seed=given.seed
        )
        parts.append(_heard(sounds, given, cache, say, ("mfcc", "mir")))
        labels.append(sounds.labels() + 1_000_000 * DOMAINS.index(domain))
    heard = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return _whole(heard, np.concatenate(labels))


def _styles(given: argparse.Namespace, cache: Path, say: Callable[[str], None]) -> dict[str, Linear]:
    """The ceiling: train clips in the five styles, and a classifier that is told which."""
    described, styles = [], []
    for domain in DOMAINS:
        clips = max(6, round(given.share * STYLED[domain]))
        trials = zero_shot.draw(
            shelf(given.data, "train", domain), domain, "train", trials=1, seed=given.seed, most_clips=clips
        )
        described.append(_heard(trials, given, cache, say, (DESCRIPTION,))[DESCRIPTION])
        styles += list(RENDERED) * len(trials.clips)
    heard, names = _whole({DESCRIPTION: np.concatenate(described)}, np.array(styles))
    made = {decay: ceilings(heard[DESCRIPTION], list(names), decay) for decay in DECAYS}
    right = {}
    for decay, fit in made.items():
        scores = list(_named(fit, cache))
        right[decay] = round(float(np.mean(scores)), 4) if scores else 0.0
    say(f"ceiling of the five styles on dev by decay: {right}")
    return made[max(right, key=right.__getitem__)]


def _named(learnt: dict[str, Linear], cache: Path) -> Iterator[float]:
    """Shares of the dev sounds whose style the classifiers name, a domain and warm each."""
    for domain in DOMAINS:
        trials = zero_shot.ZeroShot.read(FOLDER / f"zero-shot-{domain}-dev.json")
        described = kept(trials, DESCRIPTION, cache)
        if described is not None:
            yield from (ceiling(trials, {DESCRIPTION: described}, learnt, warm) for warm in WARMS)


def _heard(
    trials, given: argparse.Namespace, cache: Path, say, names: Sequence[str]
) -> dict[str, np.ndarray]:
    def source() -> Shelf:
        return shelf(given.data, "train", trials.domain)

    return features(trials, source, names, cache, processes=given.processes, say=say)


def _whole(heard: dict[str, np.ndarray], labels: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Without the sounds that came out silent."""
    kept = ~np.any([np.isnan(values).any(1) for values in heard.values()], axis=0)
    return {name: values[kept] for name, values in heard.items()}, labels[kept]
