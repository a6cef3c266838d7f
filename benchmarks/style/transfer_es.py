"""ST-ITO's own search space as a rival: 31 knobs of five pedalboard effects, all linear, searched by CMA-ES.

The published ranges (Steinmetz et al. 2024), with our encoder in place of theirs and real numbers in
place of the five bypass genes, which did nothing. Start in the middle of every range, sigma 0.3.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from benchmarks.style.clips import RATE

#: (name, low, high) in order; every one is linear.
SPACE: tuple[tuple[str, float, float], ...] = (
    ("drive_db", -48, 48),
    ("output_db", -24, 24),
    *(
        (f"{band} {knob}", low, high)
        for band, lowest, highest in (
            ("low shelf", 20, 4000),
            ("peak 1", 20, 10_000),
            ("peak 2", 20, 10_000),
            ("peak 3", 20, 10_000),
            ("peak 4", 20, 10_000),
            ("high shelf", 200, 18_000),
        )
        for knob, low, high in (("gain_db", -24, 24), ("hz", lowest, highest), ("q", 0.1, 4))
    ),
    ("threshold_db", -80, 0),
    ("ratio", 1, 20),
    ("attack_ms", 0.1, 100),
    ("release_ms", 10, 1000),
    ("delay_s", 0.01, 1),
    ("feedback", 0.05, 1),
    ("mix", 0, 1),
    ("room_size", 0, 1),
    ("damping", 0, 1),
    ("wet", 0, 1),
    ("width", 0, 1),
)
SIGMA = 0.3


def played(u: np.ndarray, x: np.ndarray) -> np.ndarray:
    """x (2, time) through the five effects at positions u (31,), peak at full scale as published."""
    import pedalboard as pb

    value = {name: low + (high - low) * float(p) for (name, low, high), p in zip(SPACE, u, strict=True)}
    bands = [
        kind(value[f"{band} hz"], value[f"{band} gain_db"], value[f"{band} q"])
        for band, kind in (
            ("low shelf", pb.LowShelfFilter),
            ("peak 1", pb.PeakFilter),
            ("peak 2", pb.PeakFilter),
            ("peak 3", pb.PeakFilter),
            ("peak 4", pb.PeakFilter),
            ("high shelf", pb.HighShelfFilter),
        )
    ]
    board = pb.Pedalboard(
        [
            pb.Distortion(value["drive_db"]),
            pb.Gain(value["output_db"]),
            *bands,
            pb.Compressor(value["threshold_db"], value["ratio"], value["attack_ms"], value["release_ms"]),
            pb.Delay(value["delay_s"], value["feedback"], value["mix"]),
            pb.Reverb(value["room_size"], value["damping"], value["wet"], 1 - value["wet"], value["width"]),
        ]
    )
    y = board(np.ascontiguousarray(x, np.float32), RATE, reset=True)
    peak = float(np.abs(y).max())
    return y / peak if np.isfinite(peak) and peak > 1e-6 else np.zeros_like(y)


def evolved(
    x: torch.Tensor,
    reference: torch.Tensor,
    *,
    popsize: int,
    generations: int,
    seed: int,
    weights: Path | None = None,
) -> tuple[torch.Tensor, int]:
    """The best of popsize x generations candidates for x (2, time), and how many were heard."""
    import cma

    from daiw_master.neural.encoder import style_encoder
    from daiw_master.refine.ito.transfer import windows_of

    encoder = style_encoder(weights)
    dry = x.numpy()
    with torch.no_grad():
        target = torch.nn.functional.normalize(encoder(windows_of(reference)).mean(0), dim=-1)
        es = cma.CMAEvolutionStrategy(
            [0.5] * len(SPACE),
            SIGMA,
            {"bounds": [0, 1], "popsize": popsize, "seed": seed + 1, "verbose": -9},
        )
        best, least = played(np.full(len(SPACE), 0.5), dry), np.inf
        for _ in range(generations):
            asked, costs = es.ask(), []
            for u in asked:
                y = played(u, dry)
                cost = 1 - float(encoder(torch.from_numpy(y)[None])[0] @ target) if y.any() else 2.0
                if cost < least:
                    best, least = y, cost
                costs.append(cost)
            es.tell(asked, costs)
    return torch.from_numpy(best), popsize * generations
