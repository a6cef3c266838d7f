"""As if it had gone through the same hands: a dry piece through the general chain, after a reference.

Two pieces of music are never alike, so a likeness alone leads astray: it is cheaper to bend the piece
towards the reference's notes than to find the chain. What is searched is therefore what probably was
done: delay and reverb are read off the ripple they left (`space`), a guess from one hearing of the
reference says how likely every other stage is and where its knobs stood (`neural.guess`), the likeliest
lists of stages are heard, and the best are searched around the guess, each knob held as firmly as the
guess is sure.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from daiw_master.errors import InputError
from daiw_master.meters.loudness import integrated_loudness
from daiw_master.neural.encoder import STYLE_RATE, STYLE_WINDOW
from daiw_master.neural.guess import SUREST, guesser
from daiw_master.refine.ito.general import KNOBS, STAGES, at_positions, free_knobs, general_chain
from daiw_master.refine.ito.listen import Encoder, Likeness
from daiw_master.refine.ito.objective import Objective
from daiw_master.refine.ito.positions import Positions
from daiw_master.refine.ito.search import sound_like
from daiw_master.refine.ito.space import space_of, undone, without_space
from daiw_master.stack.chain import run_chain
from daiw_master.stack.population import Population
from daiw_master.units import gain_from_db

#: The guesser learnt with dry pieces this loud; thresholds and drive mean what they say there.
DRY_LUFS = -20.0
#: So many windows of a reference are heard at most.
MOST_WINDOWS = 8
#: What a further window of the same reference counts beside the first.
FURTHER = 0.3
#: A stage too many does more harm than one too few: so much is taken off its log odds.
CAUTION = 3.0
#: Beside a compressor the tone is an equaliser's work and no filter's, as channel strips go: by so much the
#: log odds of these stages change in lists that hold one. An equaliser too many does little harm, for
#: where nothing is told of its bands they stand near rest; a filter in its place does much.
STRIP = {"eq": 8.0, "highpass": -8.0, "lowpass": -8.0}
#: What is known before anything is heard: how likely a stage is, and where a knob may stand (evenly).
BEFORE_ODDS, BEFORE_VARIANCE = -0.9, 1 / 12
#: Stages that are read off the reference's ripple, and the log odds of what is found there or not.
SPACE, CERTAIN = ("delay", "reverb"), 9.0
#: Stages that can be turned round, down to this power; how much of what they do to a piece's loudness
#: beside the reference's is made up for, and how much at most.
LINEAR, LEAST = ("highpass", "lowpass", "eq", "delay", "reverb"), 0.003
MADE_UP, MOST_LU = 0.7, 4.0


@dataclass(frozen=True)
class Recipe:
    """How much is tried and what counts; the numbers were chosen on development pairs."""

    #: Lists of stages that are heard, and how many of them are searched.
    lists: int = 1
    searched: int = 1
    popsize: int = 12
    generations: int = 0
    sigma: float = 0.1
    #: What a factor of e in a list's probability is worth, in similarity.
    list_weight: float = 0.02
    #: What one spread in every knob is worth, in similarity.
    prior_weight: float = 0.02


@dataclass(frozen=True)
class Belief:
    """What the reference seems to have gone through: log odds of stages, knobs with their spreads (turns)."""

    odds: dict[str, float]
    places: dict[str, float]
    spreads: dict[str, float]

    def lists(self, most: int) -> list[tuple[tuple[str, ...], float]]:
        """The likeliest lists of stages with the logarithm of their probability, best first."""
        found = []
        for chosen in itertools.product((False, True), repeat=len(self.odds)):
            stages = tuple(name for name, there in zip(self.odds, chosen, strict=True) if there)
            usual = STRIP if "compressor" in stages else {}
            likely = 0.0
            for name, odds in self.odds.items():
                own = odds + usual.get(name, 0.0)
                likely -= math.log1p(math.exp(-own if name in stages else own))
            found.append((stages, likely))
        return sorted(found, key=lambda one: -one[1])[:most]


@dataclass(frozen=True)
class Transferred:
    """A piece after the reference: its sound (2, time), the stages and settings that made it, the likeness.

    `heard` counts candidates; `lists` tells the lists of stages that were heard with their costs.
    """

    sound: torch.Tensor
    stages: tuple[str, ...]
    settings: dict[str, float]
    similarity: float
    heard: int
    lists: tuple[tuple[tuple[str, ...], float], ...] = field(default=())


def believed(reference: torch.Tensor, weights: Path | None = None) -> Belief:
    """What windows (windows, 2, time) of a reference went through.

    Delay and reverb are read off their ripple and taken away; what is left is guessed. Every window is a
    witness, but they tell of the same notes: each further one counts `FURTHER`. Beliefs are multiplied and
    what all of them knew beforehand is counted once.
    """
    told = guesser(weights)
    found = space_of(reference)
    with torch.no_grad():
        odds, place, log_variance = (part.double() for part in told(without_space(reference, found)))
    share = (1 + FURTHER * (len(reference) - 1)) / len(reference)
    odds = BEFORE_ODDS + share * (odds - BEFORE_ODDS).sum(0)
    certain = 1 / log_variance.exp().clamp_max(BEFORE_VARIANCE)
    total = 1 / BEFORE_VARIANCE + share * (certain - 1 / BEFORE_VARIANCE).sum(0)
    # each place is what the window says and what was known beforehand, mixed already
    place = (0.5 / BEFORE_VARIANCE + (share * (place * certain - 0.5 / BEFORE_VARIANCE)).sum(0)) / total
    belief = Belief(
        dict(zip(told.stages, (odds - CAUTION).clamp(-CERTAIN, CERTAIN).tolist(), strict=True)),
        dict(zip(told.knobs, place.clamp(0, 1).tolist(), strict=True)),
        dict(zip(told.knobs, total.rsqrt().clamp_min(SUREST).tolist(), strict=True)),
    )
    return belief if reference.shape[-1] != STYLE_WINDOW else _with_space(belief, found)


def _with_space(belief: Belief, found: dict[str, float]) -> Belief:
    """Delay and reverb as the reference's own ripple tells them, which is surer than any guess."""
    odds, places, spreads = dict(belief.odds), dict(belief.places), dict(belief.spreads)
    for stage in STAGES:
        if stage.name in SPACE:
            there = stage.knobs[0].name in found
            odds[stage.name] = CERTAIN if there else -CERTAIN
            for knob in stage.knobs if there else ():
                places[knob.name] = float(knob.normalised(found[knob.name]))
                spreads[knob.name] = 0.0
    return Belief(odds, places, spreads)


def transfer(
    x: torch.Tensor,
    reference: torch.Tensor,
    *,
    recipe: Recipe | None = None,
    belief: Belief | None = None,
    seed: int = 0,
    weights: Path | None = None,
    guess_weights: Path | None = None,
) -> Transferred:
    """Make a dry piece x (2, time) sound as if it had gone through what the reference (2, time) went through.

    Both at 48 kHz. The result is as loud as the reference. Deterministic for a seed. InputError for other
    shapes.
    """
    recipe = recipe or Recipe()
    for name, sound in (("the piece", x), ("the reference", reference)):
        if sound.ndim != 2 or sound.shape[0] != 2:
            raise InputError(f"{name} has shape {tuple(sound.shape)}; it must be (2, time)")
    dry = louder(x, DRY_LUFS)
    heard_in = windows_of(reference)
    belief = belief or believed(heard_in, guess_weights)
    encoder = Encoder(weights)
    with torch.no_grad():
        target = torch.nn.functional.normalize(encoder(heard_in).mean(0), dim=-1).numpy()
    windows = windows_of(dry)
    likeness = Likeness(target, encoder)
    tried, heard = [], 0
    for stages, likely in belief.lists(recipe.lists):
        start = at_positions(stages, belief.places)
        cost, similarity = _judged(windows, stages, start, likeness)
        heard += 1
        tried.append((cost - recipe.list_weight * likely, similarity, stages, start, likely))
    tried.sort(key=lambda one: one[0])
    found = []
    for cost, similarity, stages, start, likely in tried[: max(1, recipe.searched)]:
        moving = [n for n in free_knobs(stages) if belief.spreads[n] > 1e-3]
        if not recipe.generations or not moving:
            found.append((cost, similarity, stages, start))
            continue
        chain = general_chain(stages)
        ends = free_knobs(stages)
        result = sound_like(
            windows, STYLE_RATE, chain, target,
            start=start, free={name: ends[name] for name in moving},
            prior=_turns(stages, chain, belief, start, moving), prior_weight=recipe.prior_weight,
            route="evolution", popsize=recipe.popsize, generations=recipe.generations, sigma=recipe.sigma,
            seed=seed, workers=1, weights=weights,
        )  # fmt: skip
        heard += result.evaluations
        found.append((result.cost - recipe.list_weight * likely, result.similarity, stages, result.settings))
    _, similarity, stages, settings = min(found, key=lambda one: one[0])
    with torch.no_grad():
        made = run_chain(general_chain(stages), dry[None], STYLE_RATE, settings)[0]
    wanted = loudness_of(dry, reference, stages, settings)
    told = tuple((stages, cost) for cost, _, stages, _, _ in tried)
    return Transferred(louder(made, wanted), stages, settings, similarity, heard, told)


def loudness_of(
    dry: torch.Tensor, reference: torch.Tensor, stages: Sequence[str], settings: dict[str, float]
) -> float:
    """How loud the piece should end, LUFS: as the reference, but for what the filters take from each.

    A low-pass takes more from a bright piece than from a dark one, and nobody turns that up again: what
    the linear stages do to the piece's loudness and what they did to the reference's, which is found by
    turning them round, is made up for by `MADE_UP`.
    """
    whole = float(integrated_loudness(reference[None], STYLE_RATE))
    linear = [stage for stage in stages if stage in LINEAR]
    if not linear or reference.shape[-1] < STYLE_WINDOW:
        return whole
    places = general_chain(linear)
    own = {name: value for name, value in settings.items() if name.partition(".")[0] in places}
    with torch.no_grad():
        windows = windows_of(reference)
        before = undone(windows, linear, own, LEAST)
        heard, was = (
            float(integrated_loudness(x.transpose(0, 1).flatten(1)[None], STYLE_RATE))
            for x in (windows, before)
        )
        made = run_chain(places, dry[None], STYLE_RATE, own)
    here = float(integrated_loudness(made, STYLE_RATE)) - DRY_LUFS
    return whole + MADE_UP * min(max(here - (heard - was), -MOST_LU), MOST_LU)


def louder(x: torch.Tensor, loudness_lufs: float) -> torch.Tensor:
    """x (2, time) at another loudness."""
    return x * gain_from_db(loudness_lufs - float(integrated_loudness(x[None], STYLE_RATE)))


def windows_of(x: torch.Tensor) -> torch.Tensor:
    """A sound (2, time) as windows (windows, 2, time), spread over it; one shorter than a window is one."""
    if x.shape[-1] <= STYLE_WINDOW:
        return x[None]
    count = min(MOST_WINDOWS, max(1, round(x.shape[-1] / STYLE_WINDOW)))
    starts = np.linspace(0, x.shape[-1] - STYLE_WINDOW, count).round().astype(int)
    return torch.stack([x[:, start : start + STYLE_WINDOW] for start in starts])


def _judged(
    windows: torch.Tensor, stages: Sequence[str], settings: dict[str, float], likeness: Likeness
) -> tuple[float, float]:
    """(cost, similarity) of one list of stages at its settings; no stage at all is the piece itself."""
    if not stages:
        with torch.no_grad():
            similarity = float(likeness(windows[None])[0, 0])
        return 1.0 - similarity, similarity
    population = Population(general_chain(stages), windows, STYLE_RATE, workers=1)
    objective = Objective(population, Positions(population.space, settings), likeness)
    judged = objective.judge(objective.positions.home[None])
    return float(judged.cost[0]), float(judged.similarity[0])


def _turns(stages, chain, belief: Belief, start, moving: list[str]) -> dict[str, float]:
    """The belief's spreads, from turns of the general chain's ranges to turns of the rows' own."""
    positions = Positions(Population(chain, torch.zeros(1, 2, 8), STYLE_RATE, workers=1).space, start)
    spreads = {}
    for knob in KNOBS:
        if knob.name in moving:
            row = positions.space[knob.name]
            span = row.normalised(knob.high) - row.normalised(knob.low)
            spreads[knob.name] = belief.spreads[knob.name] * span
    return spreads
