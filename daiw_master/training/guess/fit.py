"""Fitting the guesser: every example's stages and knobs, told from its description alone.

Stages are learnt from sounds as they are heard, and asked later of sounds whose space was taken away:
what is left of a room then passes for a room's, and a dull piece is not so soon taken for filtered.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from daiw_master.errors import InputError
from daiw_master.neural.guess import Guesser
from daiw_master.neural.weights_file import write_weights
from daiw_master.refine.ito.general import KNOBS, STAGE_NAMES, STAGES
from daiw_master.training.guess.examples import HEARD, KINDS

BATCH, LEARNING_RATE, WEIGHT_DECAY = 256, 1e-3, 1e-2
#: A missed stage counts so much against a misplaced knob.
STAGE_WEIGHT = 3.0
#: How far a knob's weight makes up for its variance, and the variance of a knob nothing is known of.
BETA, NO_NEWS = 1.0, 1 / 12
#: A band nearer to rest than this says nothing of where it stands, dB.
FAINT_DB = 1.5
#: Knobs of the encoder's blocks may stand a little beyond the general chain's ranges, in turns.
BEYOND = 0.3
#: One example in so many is kept from the fit, to see how well it tells what it has not met.
HELD = 20


def labels(settings: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """(stages,) 1 where there, and (knobs,) positions in turns; NaN where the sound holds no answer.

    A knob is told of where its stage is: how it stands there is asked once somebody believes in the stage.
    """
    places = {name.partition(".")[0] for name in settings}
    there = np.array([float(bool(places & set(stage.rows))) for stage in STAGES], np.float32)
    positions = np.full(len(KNOBS), np.nan, np.float32)
    for i, knob in enumerate(KNOBS):
        place, _, name = knob.name.partition(".")
        faint = name != "gain_db" and abs(settings.get(f"{place}.gain_db", np.inf)) < FAINT_DB
        if knob.name in settings and not faint:
            positions[i] = knob.normalised(float(settings[knob.name]))
    return there, np.clip(positions, -BEYOND, 1.0 + BEYOND)


def examples_of(data: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Descriptions (n, D), stages (n, stages; NaN where they are not learnt), positions (n, knobs)."""
    features, there, places = [], [], []
    for kind in KINDS:
        for path in sorted((data / kind.folder).glob("[0-9]*.npz")):
            with np.load(path) as shard:
                features.append(shard["features"])
                told = [labels(settings) for settings in json.loads(shard["facts"].tobytes())]
            there.append(np.stack([np.full_like(a, np.nan) if kind.bare else a for a, _ in told]))
            places.append(np.stack([b for _, b in told]))
    if not features:
        raise InputError(f"{data / HEARD.folder} holds no examples; make them by the step `examples`")
    return np.concatenate(features), np.concatenate(there), np.concatenate(places)


def loss(told: tuple[torch.Tensor, ...], there: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the stages and the Gaussian likelihood of the knobs that can be heard.

    The likelihood is weighted by the variance to the power `BETA` (Seitzer et al. 2022, On the pitfalls of
    heteroscedastic uncertainty estimation, eq. 6): by the bare one a knob that is hard to hear counts for
    little, so that it is never learnt. NaN labels do not count.
    """
    odds, mean, log_variance = told
    asked, heard = ~torch.isnan(there), ~torch.isnan(places)
    missed = functional.binary_cross_entropy_with_logits(odds[asked], there[asked], reduction="sum")
    off = torch.where(heard, places - mean, 0.0).square()
    weight = (log_variance.detach().exp() / NO_NEWS) ** BETA * heard
    misplaced = ((off * torch.exp(-log_variance) + log_variance) * weight).sum()
    many = [count.sum().clamp_min(1) for count in (asked, heard)]
    return STAGE_WEIGHT * missed / many[0] + 0.5 * misplaced / many[1]


def fit(
    features: np.ndarray,
    there: np.ndarray,
    places: np.ndarray,
    *,
    steps: int,
    seed: int = 0,
    hidden: int = 640,
    begun: Guesser | None = None,
    rate: float = LEARNING_RATE,
    log: Callable[[str], None] = lambda line: None,
) -> Guesser:
    """A guesser fitted to examples, or a `begun` one fitted further; the same for the same seed."""
    torch.manual_seed(seed)
    made = begun or Guesser(features.shape[-1], list(STAGE_NAMES), [k.name for k in KNOBS], hidden=hidden)
    if begun is None:
        sample = torch.from_numpy(features[:: max(1, len(features) // 20_000)].astype(np.float32))
        made.mean.copy_(sample.mean(0))
        spread = sample.std(0)
        made.scale.copy_(torch.where(spread > 1e-4, 1.0 / spread.clamp_min(1e-4), 0.0))
    optimiser = torch.optim.AdamW(made.parameters(), lr=rate, weight_decay=WEIGHT_DECAY)
    made.train()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * step / steps))
        chosen = torch.randint(len(features), (BATCH,)).numpy()
        batch = (torch.from_numpy(a[chosen].astype(np.float32)) for a in (features, there, places))
        described, stages, knobs = batch
        lost = loss(made.head(described), stages, knobs)
        optimiser.zero_grad()
        lost.backward()
        torch.nn.utils.clip_grad_norm_(made.parameters(), 5.0)
        optimiser.step()
        if (step + 1) % 500 == 0:
            log(f"step {step + 1} of {steps}: {float(lost.detach()):.3f}")
    return made.eval()


@torch.no_grad()
def told_of(made: Guesser, features: np.ndarray, there: np.ndarray, places: np.ndarray) -> str:
    """How well it tells examples, in a line: stages right, and the share of each knob's variance told."""
    odds, mean, _ = made.head(torch.from_numpy(features.astype(np.float32)))
    asked = ~np.isnan(there).any(-1)
    right = ((odds > 0).float().numpy() == there)[asked].mean(0)
    stages = ", ".join(f"{name} {share:.3f}" for name, share in zip(STAGE_NAMES, right, strict=True))
    told = []
    for knob, guessed, place in zip(KNOBS, mean.numpy().T, places.T, strict=True):
        heard = ~np.isnan(place)
        if heard.sum() > 1:
            share = 1 - np.square(guessed[heard] - place[heard]).mean() / max(place[heard].var(), 1e-9)
            told.append(f"{knob.name} {share:.2f}")
    return f"stages right: {stages}; variance told: {', '.join(told)}"


def fit_from(data: Path, output: Path, steps: int, seed: int, say: Callable[[str], None]) -> None:
    """Fit to all examples but one in `HELD`, say how these others are told, write the weights."""
    torch.set_num_threads(1)
    features, there, places = examples_of(data)
    held = np.arange(len(features)) % HELD == 0
    made = fit(features[~held], there[~held], places[~held], steps=steps, seed=seed, log=say)
    line = told_of(made, features[held], there[held], places[held])
    say(f"{int((~held).sum())} examples; on {int(held.sum())} others: {line}")
    write_weights(made, output, {"examples": str(len(features)), "steps": str(steps), "held": line})
