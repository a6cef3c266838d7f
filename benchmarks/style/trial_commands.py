"""`python -m benchmarks.style zero-shot | retrieval | parameters | prepare | draw`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.style import (
    command,
    parameters,
    parameters_scores,
    rehearsed,
    retrieval,
    retrieval_scores,
    sources,
    zero_shot,
    zero_shot_scores,
)
from benchmarks.style.clips import Shelf
from benchmarks.style.trial_list import FOLDER, TrialList
from daiw_master.neural.encoder import style_encoder

#: Trials of a frozen list and of one drawn from somebody's own files.
TRIALS = {"dev": 150, "test": 400}
EXAMPLES = {"dev": 30, "test": 40}
#: Clips matched, each to two others, at four positions: in the test 80 trials a knob on MIDI, 40 elsewhere.
MATCHED = {"dev": {"midi": 3, "audio": 3, "speech": 3}, "test": {"midi": 10, "audio": 5, "speech": 5}}
#: Split of lists drawn from folders.
OWN = "own"


def zero_shot_command(arguments: Sequence[str]) -> int:
    """Which of five styles is this, one example of each being known?"""
    given = command.parser("zero-shot", zero_shot.__doc__ or "").parse_args(arguments)
    methods, learnt = command.columns(given)

    def judged(trials: zero_shot.ZeroShot, heard: dict) -> tuple[dict, list]:
        told = zero_shot_scores.scored(trials, methods, heard, learnt)
        return told, [zero_shot_scores.table(told, methods)]

    return _asked(given, "zero-shot", "zero-shot", judged)


def retrieval_command(arguments: Sequence[str]) -> int:
    """Which of 25 sounds went through the same chain?"""
    made = command.parser("retrieval", retrieval.__doc__ or "")
    made.add_argument("--exact", action="store_true", help="chains of exactly N effects, not of one to N")
    given = made.parse_args(arguments)
    methods, _ = command.columns(given)

    def judged(trials: retrieval.Retrieval, heard: dict) -> tuple[dict, list]:
        told = retrieval_scores.scored(trials, methods, heard)
        return told, [retrieval_scores.table(told, variant, methods) for variant in told["variants"]]

    return _asked(given, "retrieval", "retrieval-exact" if given.exact else "retrieval", judged)


def parameters_command(arguments: Sequence[str]) -> int:
    """How far is the knob turned?"""
    made = command.parser("parameters", parameters.__doc__ or "")
    made.add_argument("--vst3", action="store_true", help="knobs of Zam's plugins instead of pedalboard's")
    given = made.parse_args(arguments)
    methods, _ = command.columns(given)
    ears = rehearsed.kept(style_encoder(given.weights).digest)

    def judged(trials: parameters.Parameters, heard: dict) -> tuple[dict, list]:
        told = parameters_scores.scored(trials, methods, heard, ears, given.weights)
        return told, [parameters_scores.table(told, methods)]

    return _asked(given, "parameters", "parameters-vst3" if given.vst3 else "parameters", judged)


def _asked(
    given: argparse.Namespace, question: str, lists: str, judged: Callable[..., tuple[dict, list]]
) -> int:
    """Every list of a kind heard, judged (what is told, its tables) and shown."""
    kind, draw = KINDS[lists]
    results, tables = {}, []
    for trials, shelf in command.opened(given, kind, draw(given.seed)):
        told, drawn = judged(trials, command.heard(given, trials, shelf))
        results[trials.domain if question != "parameters" else trials.name] = told
        tables += drawn
    command.show(given, {question: results}, tables)
    return 0


def prepare_command(arguments: Sequence[str]) -> int:
    """Make every sound of the frozen lists once, so that scoring takes seconds."""
    made = command.parser("prepare", prepare_command.__doc__ or "")
    made.add_argument("--only", choices=tuple(KINDS), action="append", help="the first three, unless said")
    given = made.parse_args(arguments)
    for name, (kind, draw) in KINDS.items():
        if name in (given.only or tuple(KINDS)[:3]):
            for trials, shelf in command.opened(given, kind, draw(given.seed)):
                command.heard(given, trials, shelf)
    return 0


def draw_command(arguments: Sequence[str]) -> int:
    """Draw trial lists from the stores of dry clips and freeze them."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.style draw", description=draw_command.__doc__)
    made.add_argument("--sources", choices=("dev", "test"), required=True)
    made.add_argument("--domains", default="midi,audio,speech")
    made.add_argument("--only", choices=tuple(KINDS), action="append")
    made.add_argument("--data", type=Path, default=command.DATA)
    made.add_argument("--seed", type=int, default=5)
    made.add_argument("--into", type=Path, default=FOLDER)
    given = made.parse_args(arguments)
    domains = given.domains.split(",")
    sources.check_domains(domains)
    for domain in domains:
        shelf = sources.shelf(given.data, given.sources, domain)
        for name, (_, draw) in KINDS.items():
            if not given.only or name in given.only:
                print(draw(given.seed, given.sources)(shelf, domain).write(given.into))
    return 0


def _zero_shot(seed: int, split: str = OWN) -> Callable[[Shelf, str], TrialList]:
    trials = TRIALS.get(split, TRIALS["test"])
    return lambda shelf, domain: zero_shot.draw(shelf, domain, split, trials=trials, seed=seed)


def _retrieval(seed: int, split: str = OWN, exact: bool = False) -> Callable[[Shelf, str], TrialList]:
    examples = EXAMPLES.get(split, EXAMPLES["test"])
    return lambda shelf, domain: retrieval.draw(
        shelf, domain, split, examples=examples, exact=exact, seed=seed
    )


def _exact(seed: int, split: str = OWN) -> Callable[[Shelf, str], TrialList]:
    return _retrieval(seed, split, exact=True)


def _parameters(seed: int, split: str = OWN, vst3: bool = False) -> Callable[[Shelf, str], TrialList]:
    matched = MATCHED.get(split, MATCHED["test"])
    return lambda shelf, domain: parameters.draw(
        shelf, domain, split, matched=matched[domain], seed=seed, vst3=vst3
    )


def _vst3(seed: int, split: str = OWN) -> Callable[[Shelf, str], TrialList]:
    return _parameters(seed, split, vst3=True)


KINDS: dict[str, tuple[type[TrialList], Callable]] = {
    "zero-shot": (zero_shot.ZeroShot, _zero_shot),
    "retrieval": (retrieval.Retrieval, _retrieval),
    "parameters": (parameters.Parameters, _parameters),
    "retrieval-exact": (retrieval.ExactRetrieval, _exact),
    "parameters-vst3": (parameters.Vst3Parameters, _vst3),
}
