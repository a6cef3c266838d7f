"""Fitting the style encoder: minutes on one core, resumable, the same weights for the same seed."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from daiw_master.errors import InputError
from daiw_master.neural.encoder import StyleEncoder
from daiw_master.training.style.objectives import Lesson

#: Told the step, of how many, and the loss averaged since the last time.
Log = Callable[[int, int, float], None]
LOG_EVERY = 100


@dataclass(frozen=True)
class Recipe:
    """How one network is fitted; a fingerprint of it stands in the checkpoint."""

    steps: int = 8000
    blocks_a_step: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    dropout: float = 0.3
    hidden: int = 768
    mid_size: int = 96
    side_hidden: int = 256
    side_size: int = 32
    #: Share of the steps, at the end, whose weights are averaged.
    averaged: float = 0.25
    seed: int = 0


def standardised(encoder: StyleEncoder, features: np.ndarray, rows: int = 40_000) -> None:
    """Set what the encoder takes for usual: mean and spread of every number over the corpus."""
    flat = features.reshape(-1, features.shape[-1])
    chosen = np.linspace(0, len(flat) - 1, min(rows, len(flat))).astype(int)
    sample = torch.from_numpy(np.asarray(flat[chosen], np.float32))
    spread = sample.std(0)
    encoder.mean.copy_(sample.mean(0))
    # a number that never moved in the corpus says nothing; at 5 standard deviations it is cut anyway
    encoder.scale.copy_(torch.where(spread > 1e-4, 1.0 / spread.clamp_min(1e-4), 0.0))


def fit(lesson: Lesson, recipe: Recipe, log: Log, checkpoint: Path | None = None) -> StyleEncoder:
    """One encoder of one member that has learned its lesson.

    The learning rate falls along a cosine; what is returned is the average of the weights over the last
    steps (Izmailov et al. 2018), its batch statistics taken anew. With `checkpoint` a fit that was
    interrupted goes on where it stood, if its recipe is the same.
    """
    torch.manual_seed(recipe.seed)
    shape = {k: getattr(recipe, k) for k in ("hidden", "mid_size", "side_hidden", "side_size", "dropout")}
    encoder = StyleEncoder(**shape)
    for module in lesson.modules.modules():
        if isinstance(module, torch.nn.Linear):  # drawn from this seed as well, fit after fit
            module.reset_parameters()
    features = lesson.features
    standardised(encoder, features)
    learner = torch.nn.ModuleList([encoder, lesson.modules])
    optimiser = torch.optim.AdamW(
        learner.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    averaged = {name: torch.zeros_like(p) for name, p in encoder.named_parameters()}
    counted, first = 0, 0
    if checkpoint is not None and checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        if kept["recipe"] == asdict(recipe) and kept["blocks"] == len(features):
            learner.load_state_dict(kept["learner"])
            optimiser.load_state_dict(kept["optimiser"])
            averaged, counted, first = kept["averaged"], kept["counted"], kept["step"]
    encoder.train()
    lost, last_kept = [], time.monotonic()
    for step in range(first, recipe.steps):
        # every step draws from its own seed, so that an interrupted fit goes on as if it had not been
        torch.manual_seed(recipe.seed * 1_000_003 + step)
        chosen = torch.randperm(len(features))[: recipe.blocks_a_step]
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * _rate(step, recipe.steps)
        loss = lesson.loss(encoder, chosen)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learner.parameters(), 5.0)
        optimiser.step()
        lost.append(float(loss.detach()))
        if step >= recipe.steps * (1.0 - recipe.averaged):
            counted += 1
            for name, p in encoder.named_parameters():
                averaged[name].lerp_(p.detach(), 1.0 / counted)
        if (step + 1) % LOG_EVERY == 0:
            log(step + 1, recipe.steps, sum(lost) / len(lost))
            lost = []
            if checkpoint is not None and time.monotonic() - last_kept > 20.0:
                last_kept = time.monotonic()
                kept = {
                    "recipe": asdict(recipe), "blocks": len(features), "step": step + 1,
                    "learner": learner.state_dict(), "optimiser": optimiser.state_dict(),
                    "averaged": averaged, "counted": counted,
                }  # fmt: skip
                torch.save(kept, checkpoint.with_suffix(".part"))
                os.replace(checkpoint.with_suffix(".part"), checkpoint)
    if counted:
        with torch.no_grad():
            for name, p in encoder.named_parameters():
                p.copy_(averaged[name])
        _statistics_anew(encoder, lesson, recipe)
    return encoder.eval().requires_grad_(False)


def together(members: list[StyleEncoder]) -> StyleEncoder:
    """Several encoders of the same shape, fitted apart, as one. InputError where their shapes differ."""
    shapes = [{**member.shape, "members": 1} for member in members]
    if any(shape != shapes[0] for shape in shapes):
        raise InputError("encoders of different shapes cannot stand side by side")
    one = StyleEncoder(**{**shapes[0], "members": sum(m.shape["members"] for m in members)}, dropout=0.0)
    one.mean.copy_(torch.cat([member.mean for member in members]))
    one.scale.copy_(torch.cat([member.scale for member in members]))
    for half in ("mid", "side"):
        nets = [net for member in members for net in getattr(member, half)]
        for own, net in zip(getattr(one, half), nets, strict=True):
            own.load_state_dict(net.state_dict())
    return one.eval().requires_grad_(False)


def _rate(step: int, steps: int) -> float:
    """A short warm-up, then down along a cosine to a twentieth."""
    warm_up = min(1.0, (step + 1) / 100)
    return warm_up * (0.05 + 0.95 * 0.5 * (1.0 + math.cos(math.pi * step / steps)))


@torch.no_grad()
def _statistics_anew(encoder: StyleEncoder, lesson: Lesson, recipe: Recipe) -> None:
    """Batch-norm statistics of averaged weights; those gathered on the way belong to none of them."""
    norms = [module for module in encoder.modules() if isinstance(module, torch.nn.BatchNorm1d)]
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over all batches
    torch.manual_seed(recipe.seed)
    some = torch.randperm(len(lesson.features))[: 8 * recipe.blocks_a_step]
    for chosen in some.split(recipe.blocks_a_step):
        lesson.loss(encoder, chosen)
