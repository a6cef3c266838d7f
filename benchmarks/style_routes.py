"""Which route finds a known style soonest: evolution, gradients, or both, at equal CPU seconds.

    python benchmarks/style_routes.py [--audio FOLDER] [--pairs 4] [--seconds 5.46] [--popsize 64]
                                      [--generations 25] [--sigma S] [--prior 0] [--json FILE]

Every pair is two recordings. One goes through the house chain (without loudness and limiter, which are
not searched) at settings drawn by seed, and its style is the target; the other is turned until it sounds
like that. So the truth is known: beside similarity, how far the knobs are from it, as a share of how far
they were (1: as far as the start; knobs that hardly sound cannot be told, so it does not fall to 0).
One process, one thread, so that CPU seconds mean the same for every route. Checkpoints are CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from daiw_master.files import open_sound
from daiw_master.neural.encoder import STYLE_RATE, style_encoder
from daiw_master.refine.ito import choose_windows, sound_like
from daiw_master.refine.ito.positions import Positions
from daiw_master.refine.ito.search import ROUTES
from daiw_master.stack import EFFECTS
from daiw_master.stack.chain import chain_space, qualified, run_chain

CHAIN = ("reverb", "eq", "dynamics", "exciter", "imager")
#: How far the truth lies from rest, in turns of a knob; and how many of the knobs are turned at all.
TRUTH_SPREAD, TURNED = 0.15, 0.7
AUDIO = Path(__file__).resolve().parents[1] / "../shared/data/audio/music"
SUFFIXES = {".wav", ".flac", ".ogg", ".mp3"}


def truth_of(positions: Positions, generator: np.random.Generator) -> np.ndarray:
    """Settings somebody might have chosen: most knobs moved, some room, some harmonics."""
    u = positions.home + TRUTH_SPREAD * generator.standard_normal(len(positions))
    u = np.where(generator.random(len(positions)) < TURNED, u, positions.home)
    for i, name in enumerate(positions.names):
        if name in ("reverb.wet_db", "exciter.mix_db"):
            u[i] = generator.uniform(0.5, 0.8)  # -30 to -12 dB
        if name == "reverb.decay_s":
            u[i] = generator.uniform(0.3, 0.7)  # 0.6 to 2.2 s
    return positions.within(u)


def pair(files: list[Path], seconds: float, seed: int):
    """(window to be turned, target, positions, truth) of one known-truth pair."""
    generator = np.random.default_rng([9, seed])
    chosen = generator.choice(len(files), 2, replace=False)
    sounds = []
    for i in chosen:
        with open_sound(files[i]) as sound:
            sounds.append(choose_windows(sound, 1, seconds=seconds).x)
    chain = qualified([EFFECTS[name] for name in CHAIN])
    positions = Positions(chain_space(chain))
    truth = truth_of(positions, generator)
    with torch.no_grad():
        target = style_encoder()(run_chain(chain, sounds[1], STYLE_RATE, positions.settings(truth)))[0]
    return sounds[0], target, chain, positions, truth


def searched(route: str, given: argparse.Namespace, seed: int, files: list[Path]) -> dict:
    """One search: (CPU seconds, similarity) on the way, and where it ended."""
    x, target, chain, positions, truth = pair(files, given.seconds, seed)
    curve, began = [], time.process_time()

    def told(generation: int, generations: int, similarity: float) -> None:
        curve.append((time.process_time() - began, similarity))

    found = sound_like(
        x, STYLE_RATE, chain, target, route=route, popsize=given.popsize, generations=given.generations,
        sigma=given.sigma, prior=given.prior or None, seed=seed, workers=1, early_stop=False, progress=told,
    )  # fmt: skip
    cpu_s = time.process_time() - began
    curve.append((cpu_s, found.similarity))
    error, before = (float(np.abs(u - truth).mean()) for u in (positions.of(found.settings), positions.home))
    return {
        "route": route, "pair": seed, "start": found.start_similarity, "similarity": found.similarity,
        "knobs": error / before, "cpu_s": cpu_s, "candidates": found.evaluations, "curve": curve,
    }  # fmt: skip


def at(curve: list[tuple[float, float]], cpu_s: float) -> float:
    """The best similarity known after so many CPU seconds."""
    return max((similarity for spent, similarity in curve if spent <= cpu_s), default=float("nan"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--audio", type=Path, default=AUDIO)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=262_144 / STYLE_RATE)
    parser.add_argument("--popsize", type=int, default=64)
    parser.add_argument("--generations", type=int, default=25)
    parser.add_argument("--sigma", type=float, help="the evolution's first step in turns of a knob")
    parser.add_argument("--prior", type=float, default=0.0, help="spread in turns of a knob; 0: none")
    parser.add_argument("--routes", nargs="+", choices=ROUTES, default=ROUTES)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    files = sorted(path for path in given.audio.rglob("*") if path.suffix.lower() in SUFFIXES)
    if len(files) < 2:
        parser.error(f"{given.audio}: needs at least two recordings")
    rows = [searched(route, given, seed, files) for seed in range(given.pairs) for route in given.routes]
    table(rows, given.routes)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def table(rows: list[dict], routes: list[str]) -> None:
    longest = min(row["cpu_s"] for row in rows)
    points = [longest * share for share in (0.1, 0.25, 0.5, 1.0)]
    heads = " | ".join(f"{point:.0f} CPU s" for point in points)
    print(f"| route | start | {heads} | at its end | CPU s | knobs' error left |")
    print("|---" * (len(points) + 5) + "|")
    for route in routes:
        own = [row for row in rows if row["route"] == route]
        reached = [statistics.mean(at(row["curve"], point) for row in own) for point in points]
        start, end, cpu_s, knobs = (
            statistics.mean(row[key] for row in own) for key in ("start", "similarity", "cpu_s", "knobs")
        )
        cells = " | ".join(f"{value:.3f}" for value in reached)
        print(f"| {route} | {start:.3f} | {cells} | {end:.3f} | {cpu_s:.0f} | {knobs:.2f} |")


if __name__ == "__main__":
    main()
