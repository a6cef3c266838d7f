"""Rehearsal: a chain's knobs turned on music at hand, until its settings can be read off a sound.

A likeness compares two pieces, and what it gets wrong of both adds up; nor does it know what this chain can
do to a sound and what only notes can. Who has turned these very knobs on many pieces hears where they stand
in a piece never heard before. That is inference by simulation, paid once for a chain (amortised: Cranmer,
Brehmer & Louppe 2020, The frontier of simulation-based inference): draw settings, play, listen, learn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from daiw_master.errors import InputError
from daiw_master.neural.descriptor import layout
from daiw_master.neural.encoder import STYLE_RATE, style_encoder
from daiw_master.params import Param
from daiw_master.refine.ito.ear import Ear, learn
from daiw_master.refine.ito.listen import SILENCE
from daiw_master.refine.ito.positions import Free, Positions
from daiw_master.stack.effect import Effect
from daiw_master.stack.population import Population

#: How many of the numbers that are noticed are the description itself; they come first.
DESCRIBED = max(part.stop for part in layout().values())
#: So many sounds teach a chain of one knob about all that can be learnt of it from one sound.
SOUNDS = 3000
#: Fewer than this teach nothing.
LEAST_SOUNDS = 50
#: Settings are drawn from this much more than a knob's room on either side, and held at its ends: there
#: knobs stand more often than at any place between, and there a regression errs most.
BEYOND = 1 / 8
#: No knob is read more surely than this, in turns.
SUREST = 0.02

#: Told how many sounds were heard, and of how many.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Noticed:
    """All that the style encoder notices of candidates (count, windows, channels, time), (count, F).

    The first `lead` samples are not listened to; what is silent or not finite is NaN. The mean of the
    windows. Small enough to be sent to other processes.
    """

    lead: int = 0
    weights: Path | None = None

    def __call__(self, sounds: torch.Tensor) -> torch.Tensor:
        sounds = sounds[..., self.lead :]
        count, windows, channels, _ = sounds.shape
        flat = sounds.flatten(0, 1)
        encoder = style_encoder(self.weights)
        with torch.inference_mode():
            found = encoder.noticed(encoder.describe(flat.expand(-1, 2, -1) if channels == 1 else flat))
        found = found.unflatten(0, (count, windows)).mean(1)
        peak = sounds.abs().flatten(1).amax(1)
        audible = (peak > SILENCE) & peak.isfinite()
        return torch.where(audible[:, None], found, torch.nan)


@dataclass(frozen=True)
class Reading:
    """Where a sound's knobs seem to have stood: physical `settings` by full name, complete for the chain.

    `spreads`: how far off each read knob was, in turns, on pieces the rehearsal had left out (root of the
    mean square). `told`: the share of its variance that could be told there; at 0 it cannot be heard.
    """

    settings: Mapping[str, float]
    spreads: Mapping[str, float]
    told: Mapping[str, float]


@dataclass(frozen=True)
class Rehearsal:
    """A chain's knobs as an ear that has heard them turned: `read` says where they stood in a sound.

    `knobs` are the ones that were turned, by full name; `walls` (n, 2) between which positions, in turns;
    `start` is every setting of the chain. `ear` tells positions from what the encoder of the digest
    `encoder` notices, learnt from so many `sounds` of so many `pieces`.
    """

    knobs: Mapping[str, Param]
    walls: np.ndarray
    start: Mapping[str, float]
    ear: Ear
    encoder: str
    sounds: int
    pieces: int

    def read(self, windows: torch.Tensor, weights: Path | None = None) -> Reading:
        """Read the settings off a sound: windows (windows, 1 or 2, time) at 48 kHz, their readings averaged.

        InputError where the rehearsal listened with another encoder, or the sound is silent.
        """
        if style_encoder(weights).digest != self.encoder:
            raise InputError(
                "this rehearsal listened with another encoder than this version's: rehearse again"
            )
        heard = Noticed(weights=weights)(windows[:, None]).numpy()
        heard = heard[np.isfinite(heard).all(1)]
        if not len(heard):
            raise InputError("the sound is silent, or not finite: no settings can be read off it")
        turns = self.turns(heard).mean(0)
        settings = {
            name: min(max(float(param.physical(turn)), param.low), param.high)  # rounding at the ends
            for (name, param), turn in zip(self.knobs.items(), turns.tolist(), strict=True)
        }
        return Reading(
            {**self.start, **settings},
            dict(zip(self.knobs, np.maximum(self.ear.line.spread, SUREST).tolist(), strict=True)),
            dict(zip(self.knobs, self.ear.line.told.tolist(), strict=True)),
        )

    def turns(self, noticed: np.ndarray) -> np.ndarray:
        """Positions (count, n) of what was noticed (count, F), between the walls."""
        return np.clip(self.ear(noticed), *self.walls.T)


def rehearse(
    chain: Mapping[str, Effect] | Iterable[Effect],
    pieces: Sequence[torch.Tensor],
    *,
    free: Free | Iterable[str] | None = None,
    start: Mapping[str, float] | None = None,
    sounds: int = SOUNDS,
    lead: int = 0,
    seed: int = 0,
    workers: int | None = None,
    weights: Path | None = None,
    progress: Progress = lambda heard, sounds: None,
) -> Rehearsal:
    """Turn a chain's knobs on many dry pieces and learn to hear where they stood.

    `pieces`: one tensor (windows, 1 or 2, time) at 48 kHz for each piece of music, as loud as music will
    be when it enters the chain; the first `lead` samples of a window set rooms and compressors going and
    are not listened to. `free` names the knobs, or maps them to physical ends, `start` says where the
    others stand, as for `sound_like`. `sounds` settings are drawn (`drawn_turns`) and dealt over the
    windows. InputError below two pieces or `LEAST_SOUNDS` sounds, or where half of them come out silent.
    """
    if len(pieces) < 2:
        raise InputError(f"{len(pieces)} piece to rehearse on; needed: 2 at least, better dozens")
    enough(sounds)
    rng = np.random.default_rng(seed)
    order = [(piece, window) for piece, windows in enumerate(pieces) for window in range(len(windows))]
    order = [order[i] for i in rng.permutation(len(order))][:sounds]
    share = -(-sounds // len(order))
    heard, turns, whose, done = [], [], [], 0
    for piece, window in order:
        population = Population(chain, pieces[piece][window][None], STYLE_RATE, workers=workers)
        positions = Positions(population.space, start, free)
        u = drawn_turns(rng, positions.low, positions.high, min(share, sounds - done))
        if not len(u):
            break
        found = population.listen(positions.candidates(u), Noticed(lead, weights)).numpy()
        audible = np.isfinite(found).all(1)
        heard.append(found[audible])
        turns.append(u[audible])
        whose += [piece] * int(audible.sum())
        done += len(u)
        progress(done, sounds)
    if len(whose) < max(LEAST_SOUNDS, sounds // 2) or len(set(whose)) < 2:
        raise InputError(
            f"{done - len(whose)} of {done} sounds came out silent; what is left teaches nothing"
        )
    return Rehearsal(
        dict(positions.params),
        np.stack([positions.low, positions.high], 1),
        dict(positions.start),
        learn(np.concatenate(heard), np.concatenate(turns), np.array(whose), DESCRIBED, seed),
        style_encoder(weights).digest,
        len(whose),
        len(set(whose)),
    )


def enough(sounds: int) -> None:
    """InputError where so few sounds teach nothing."""
    if sounds < LEAST_SOUNDS:
        raise InputError(f"{sounds} sounds to rehearse with; needed: {LEAST_SOUNDS} at least")


def drawn_turns(rng: np.random.Generator, low: np.ndarray, high: np.ndarray, count: int) -> np.ndarray:
    """Positions (count, n) to rehearse, in turns: even between the walls, one in five at a knob's ends."""
    room = high - low
    drawn = rng.uniform(low - BEYOND * room, high + BEYOND * room, (count, len(low)))
    return np.clip(drawn, low, high)
