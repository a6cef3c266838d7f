"""Every way to bring a dry piece to a reference that the transfer benchmark compares."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.style import transfer_es, transfer_matchering
from benchmarks.style.clips import RATE
from benchmarks.style.transfer_rules import rule_based
from benchmarks.style.transfer_trials import Pair
from daiw_master.meters.loudness import integrated_loudness
from daiw_master.refine.ito.general import STAGE_NAMES, STAGES, at_positions, free_knobs, general_chain
from daiw_master.refine.ito.transfer import Recipe, transfer
from daiw_master.stack.chain import run_chain
from daiw_master.units import gain_from_db


@dataclass(frozen=True)
class Budget:
    """What the searching methods may spend, and the weights they listen with."""

    recipe: Recipe = Recipe()
    es_popsize: int = 12
    es_generations: int = 10
    weights: Path | None = None
    guess_weights: Path | None = None


@dataclass(frozen=True)
class Made:
    """What a method made of a pair: the sound (2, time), candidates heard, seconds, and what it says."""

    sound: torch.Tensor
    heard: int
    cpu_s: float
    wall_s: float
    told: str = ""


Method = Callable[[Pair, int, Budget], tuple[torch.Tensor, int, str]]


def _input(pair: Pair, seed: int, budget: Budget) -> tuple[torch.Tensor, int, str]:
    return pair.dry, 0, ""


def _truth(pair: Pair, seed: int, budget: Budget) -> tuple[torch.Tensor, int, str]:
    return pair.truth, 0, ""


def _random(pair: Pair, seed: int, budget: Budget) -> tuple[torch.Tensor, int, str]:
    """Our own search space, any stages, any settings, as loud as it comes out."""
    rng = random.Random(f"random-{seed}")
    stages = [name for name in STAGE_NAMES if rng.random() < 0.5]
    settings = at_positions(stages, {name: rng.random() for name in free_knobs(stages)})
    with torch.no_grad():
        return run_chain(general_chain(stages), pair.dry[None], RATE, settings)[0], 1, "+".join(stages)


def _rules(pair: Pair, seed: int, budget: Budget) -> tuple[torch.Tensor, int, str]:
    return rule_based(pair.dry, pair.reference, RATE, repaired=True), 0, ""


def _rules_as_published(pair: Pair, seed: int, budget: Budget) -> tuple[torch.Tensor, int, str]:
    return rule_based(pair.dry, pair.reference, RATE, repaired=False), 0, ""


def _matchering(pair: Pair, seed: int, budget: Budget) -> tuple[torch.Tensor, int, str]:
    return transfer_matchering.matchering(pair.dry, pair.reference, RATE), 0, ""


def _es(pair: Pair, seed: int, budget: Budget) -> tuple[torch.Tensor, int, str]:
    sound, heard = transfer_es.evolved(
        pair.dry, pair.reference, popsize=budget.es_popsize, generations=budget.es_generations, seed=seed,
        weights=budget.weights,
    )  # fmt: skip
    wanted = float(integrated_loudness(pair.reference[None], RATE))
    return sound * gain_from_db(wanted - float(integrated_loudness(sound[None], RATE))), heard, ""


def _ours(pair: Pair, seed: int, budget: Budget) -> tuple[torch.Tensor, int, str]:
    made = transfer(
        pair.dry, pair.reference, recipe=budget.recipe, seed=seed, weights=budget.weights,
        guess_weights=budget.guess_weights,
    )  # fmt: skip
    moved = {knob.name for stage in STAGES if stage.name in made.stages for knob in stage.knobs}
    told = ", ".join(f"{name} {value:.3g}" for name, value in made.settings.items() if name in moved)
    return made.sound, made.heard, f"{'+'.join(made.stages) or 'nothing'}: {told}"


METHODS: dict[str, Method] = {
    "input": _input,
    "random": _random,
    "rules": _rules,
    "rules as published": _rules_as_published,
    "matchering": _matchering,
    "ES 31-d": _es,
    "ours": _ours,
    "oracle": _truth,
}
#: Whose result hangs on the weights.
LISTENING = ("ES 31-d", "ours")
#: Whom ours must beat.
RIVALS = ("input", "random", "rules", "matchering")


def available() -> list[str]:
    """The methods that can be asked here."""
    return [name for name in METHODS if name != "matchering" or transfer_matchering.installed()]


def made_by(name: str, pair: Pair, seed: int, budget: Budget) -> Made:
    """One method on one pair, with what it cost."""
    cpu, wall = time.process_time(), time.monotonic()
    sound, heard, told = METHODS[name](pair, seed, budget)
    return Made(sound, heard, time.process_time() - cpu, time.monotonic() - wall, told)
