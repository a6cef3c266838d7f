"""What a whole search for a reference's style costs: 64 candidates, 25 generations, seven modules.

    python benchmarks/style_search_cost.py [--popsize 64] [--generations 25] [--route evolution] [--runs 1]

One window of 5.46 s at 48 kHz, the house chain with every knob free, the style encoder listening; the
target is the same window at a setting the search does not know. Seconds and memory are those of all
processes, from the first candidate to the last, after imports; the search may not stop early. Beside it:
what one candidate costs in the chain, and what the encoder with its front end takes to hear one, each on
one core.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ALLOWED = {"wall_s": 60.0, "peak_mib": 2048.0, "encoder_cpu_s": 0.02}


def search(given: argparse.Namespace) -> dict[str, float]:
    """In a process of its own: one whole search, its seconds and memory."""
    from material import candidates, family_cpu_s, family_peak_mib, peak_mib, sound_at

    from daiw_master.heap import SEARCHING, steady_heap
    from daiw_master.neural.encoder import STYLE_RATE, STYLE_WINDOW, style_encoder
    from daiw_master.refine.ito import sound_like
    from daiw_master.stack import EFFECTS, HOUSE_CHAIN
    from daiw_master.stack.chain import chain_space, qualified, run_chain

    steady_heap(SEARCHING)  # as on the command line
    chain = qualified([EFFECTS[name] for name in HOUSE_CHAIN])
    x = sound_at(STYLE_RATE, STYLE_WINDOW)
    hidden = candidates(chain_space(chain), 1, seed=1)
    target = style_encoder()(run_chain(chain, x, STYLE_RATE, hidden))[0]
    before_mib = peak_mib()
    start, cpu_start = time.perf_counter(), family_cpu_s()
    peaks_mib, last = [], given.generations

    def progress(generation: int, generations: int, similarity: float) -> None:
        if generation >= last:  # the processes are still there
            peaks_mib.append(family_peak_mib())

    found = sound_like(
        x, STYLE_RATE, chain, target, route=given.route, popsize=given.popsize,
        generations=given.generations, early_stop=False, workers=given.workers, progress=progress,
    )  # fmt: skip
    return {
        "wall_s": time.perf_counter() - start,
        "cpu_s": family_cpu_s() - cpu_start,
        "peak_mib": max(peaks_mib, default=peak_mib()),
        "before_mib": before_mib,
        "candidates": found.evaluations,
        "start_similarity": found.start_similarity,
        "similarity": found.similarity,
    }


def parts(given: argparse.Namespace) -> dict[str, float]:
    """In a process of its own: CPU seconds a candidate costs in the chain and in the encoder, one core."""
    import torch
    from material import candidates, power, sound_at

    from daiw_master.heap import SEARCHING, steady_heap
    from daiw_master.neural.encoder import STYLE_RATE, STYLE_WINDOW, style_encoder
    from daiw_master.stack import EFFECTS, HOUSE_CHAIN
    from daiw_master.stack.chain import qualified
    from daiw_master.stack.population import Population

    steady_heap(SEARCHING)
    torch.set_num_threads(1)
    x = sound_at(STYLE_RATE, STYLE_WINDOW)
    chain = qualified([EFFECTS[name] for name in HOUSE_CHAIN])
    population = Population(chain, x, STYLE_RATE, workers=1)
    count = 16
    settings = candidates(population.space, count)
    sounds = torch.cat([y for _, y in population.run({k: v[:4] for k, v in settings.items()})])[:, 0]
    encoder = style_encoder()

    def each(work, many: int) -> float:
        work()
        start = time.process_time()
        work()
        return (time.process_time() - start) / many

    with torch.no_grad():
        return {
            "chain_cpu_s": each(lambda: population.listen(settings, power), count),
            "encoder_cpu_s": each(lambda: encoder(sounds), len(sounds)),
        }


def child(step: str, given: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, str(Path(__file__).resolve()), "--step", step, "--route", given.route]
    command += ["--popsize", str(given.popsize), "--generations", str(given.generations)]
    if given.workers is not None:
        command += ["--workers", str(given.workers)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{step} failed: {' '.join(done.stderr.strip().splitlines()[-1:])}")
    return json.loads(done.stdout)


def table(result: dict[str, float]) -> str:
    """Markdown: what was measured, what is asked."""
    rows = [
        ("whole search, wall", f"{result['wall_s']:.1f} s", f"{ALLOWED['wall_s']:g} s"),
        ("whole search, CPU of all processes", f"{result['cpu_s']:.1f} s", ""),
        ("peak memory of all processes", f"{result['peak_mib']:.0f} MiB", f"{ALLOWED['peak_mib']:g} MiB"),
        ("candidates", f"{result['candidates']:.0f}", ""),
        ("similarity", f"{result['start_similarity']:.3f} -> {result['similarity']:.3f}", ""),
        ("chain, CPU a candidate", f"{1000 * result['chain_cpu_s']:.1f} ms", ""),
        (
            "encoder, CPU a candidate",
            f"{1000 * result['encoder_cpu_s']:.1f} ms",
            f"{1000 * ALLOWED['encoder_cpu_s']:g} ms",
        ),
    ]
    return "\n".join(["| | measured | asked |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step", choices=("search", "parts"), help=argparse.SUPPRESS)
    parser.add_argument("--popsize", type=int, default=64, help="candidates of a generation (default 64)")
    parser.add_argument("--generations", type=int, default=25, help="generations (default 25)")
    parser.add_argument("--route", default="evolution", help="evolution, gradient or both")
    parser.add_argument("--workers", type=int, default=None, help="processes (default: the cores)")
    parser.add_argument("--runs", type=int, default=1, help="searches; medians are shown (default 1)")
    given = parser.parse_args()
    if given.step:
        print(json.dumps({"search": search, "parts": parts}[given.step](given)))
        return 0
    from material import save

    runs = [child("search", given) | child("parts", given) for _ in range(given.runs)]
    result = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    settings = {key: getattr(given, key) for key in ("popsize", "generations", "route", "workers", "runs")}
    print(table(result))
    save("style_search_cost.json", {**settings, **result})
    return 0


if __name__ == "__main__":
    sys.exit(main())
