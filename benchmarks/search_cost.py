"""What one candidate of a search costs: 64 settings over one window, forwards and with gradients.

    python benchmarks/search_cost.py [--count 64] [--seconds 5.5] [--workers N] [--group N] [--runs 3]

Every line is a program of its own, so that its peak memory is its own; CPU and wall seconds are of the
search alone, after imports, CPU seconds and memory those of all its processes. A search has dozens of
generations: the first, which touches its memory for the first time and during which the worker
processes start, is shown apart (`first`), the others are like the second. The house chain is all
seven modules with every knob turned. Beside it, where dasp-pytorch is installed (it is no dependency):
its parametric EQ and its compressor over fewer candidates, told per candidate; each is one module of
seven.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

ALLOWED = {"forward": "1.6 s wall, 3 CPU s", "gradient": "12 s wall, 4 GB"}
#: dasp's knobs are positions of its own ranges; the middle of each is a sound setting.
DASP = {"dasp EQ": "ParametricEQ", "dasp compressor": "Compressor"}


def house(count: int, seconds: float, way: str, workers: int | None, group: int | None, device: str):
    """(warm-up, work, what to wait for after the first generation) of the house chain."""
    from material import RATE, candidates, power, sound

    from daiw_master.stack import EFFECTS, HOUSE_CHAIN
    from daiw_master.stack.chain import qualified
    from daiw_master.stack.population import Population

    chain = qualified([EFFECTS[name] for name in HOUSE_CHAIN])
    population = Population(chain, sound(seconds).to(device), RATE, workers=workers, group=group)
    population.__enter__()  # for as long as this program runs

    def go(n: int) -> None:
        settings = candidates(population.space, n)
        if way == "forward":
            population.listen(settings, power)
        else:
            population.gradient(settings, power)

    def settled() -> None:
        if population.crew is not None:
            population.crew.wait()

    return (lambda: go(1)), (lambda: go(count)), settled


def peer(name: str, count: int, seconds: float, way: str, group: int):
    """(warm-up, work, nothing to wait for) of one of dasp's modules, `group` candidates at a time."""
    import dasp_pytorch
    import torch
    from material import RATE, sound

    module = getattr(dasp_pytorch, DASP[name])(RATE)
    x = sound(seconds)

    def go(n: int) -> None:
        positions = 0.2 + 0.6 * torch.rand(n, module.num_params, generator=torch.Generator().manual_seed(0))
        for part in positions.split(group):
            part = part.requires_grad_(way == "gradient")
            with torch.set_grad_enabled(way == "gradient"):
                y = module.process_normalized(x.repeat(len(part), 1, 1), part)
                if way == "gradient":
                    y.square().mean().backward()

    return (lambda: go(1)), (lambda: go(count)), (lambda: None)


def measure(name: str, way: str, given: argparse.Namespace) -> None:
    """In a process of its own: do it, print seconds and memory as JSON."""
    import torch
    from material import family_cpu_s, family_peak_mib, peak_mib

    from daiw_master.heap import steady_heap

    steady_heap()  # as on the command line
    torch.set_num_threads(given.workers or os.cpu_count() or 1)
    if name in DASP:
        warm_up, work, settled = peer(name, given.count, given.seconds, way, given.group or 4)
    else:
        warm_up, work, settled = house(
            given.count, given.seconds, way, given.workers, given.group, given.device
        )
    before_mib = peak_mib()

    def clocked() -> tuple[float, float]:
        """Wall and CPU seconds of one generation."""
        start, cpu_start = time.perf_counter(), family_cpu_s()
        work()
        if given.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start, family_cpu_s() - cpu_start

    warm_up()
    first_wall_s, first_cpu_s = clocked()
    settled()
    clocked()  # a worker's own first
    wall_s, cpu_s = clocked()
    told = {"wall_s": wall_s, "cpu_s": cpu_s, "first_wall_s": first_wall_s, "first_cpu_s": first_cpu_s}
    told |= {"peak_mib": family_peak_mib(), "before_mib": before_mib}
    if given.device == "cuda":
        told["device_peak_mib"] = torch.cuda.max_memory_allocated() / 2**20
    print(json.dumps(told))


def child(name: str, way: str, count: int, given: argparse.Namespace) -> dict[str, float]:
    """One measurement, medians of `runs`; or what it failed with."""
    command = [sys.executable, str(Path(__file__).resolve()), "--step", name, way]
    command += ["--count", str(count), "--seconds", str(given.seconds), "--device", given.device]
    for option in ("workers", "group"):
        if getattr(given, option) is not None:
            command += [f"--{option}", str(getattr(given, option))]
    runs = []
    for _ in range(given.runs):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:]
            return {"failed": f"exit {done.returncode}: {' '.join(last)}"}
        runs.append(json.loads(done.stdout))
    result = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    result["cpu_ms_per_candidate"] = 1000 * result["cpu_s"] / count
    result["wall_ms_per_candidate"] = 1000 * result["wall_s"] / count
    return result | {"count": count}


def table(results: dict[str, dict[str, dict]]) -> str:
    """Markdown, one line a chain and way."""
    lines = [
        "| | way | candidates | CPU s (first) | wall s (first) | CPU ms each | wall ms each | peak MiB "
        "| allowed for 64 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, ways in results.items():
        for way, result in ways.items():
            if "failed" in result:
                lines.append(f"| {name} | {way} | failed: {result['failed']} | | | | | | |")
                continue
            lines.append(
                f"| {name} | {way} | {result['count']} "
                f"| {result['cpu_s']:.2f} ({result['first_cpu_s']:.2f}) "
                f"| {result['wall_s']:.2f} ({result['first_wall_s']:.2f}) "
                f"| {result['cpu_ms_per_candidate']:.0f} | {result['wall_ms_per_candidate']:.0f} "
                f"| {result['peak_mib']:.0f} | {ALLOWED[way] if name == 'seven modules' else ''} |"
            )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step", nargs=2, metavar=("NAME", "WAY"), help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=64, help="candidates (default 64)")
    parser.add_argument("--peer-count", type=int, default=8, help="candidates for the peers (default 8)")
    parser.add_argument("--seconds", type=float, default=5.5, help="length of the window (default 5.5)")
    parser.add_argument("--workers", type=int, default=None, help="processes (default: the cores)")
    parser.add_argument("--group", type=int, default=None, help="candidates in one batch")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; medians are shown (default 3)")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    given = parser.parse_args()
    if given.step:
        measure(*given.step, given)
        return 0
    from material import save

    names = ["seven modules", *(DASP if find_spec("dasp_pytorch") and given.device == "cpu" else ())]
    results: dict[str, dict[str, dict]] = {}
    for name in names:
        count = given.peer_count if name in DASP else given.count
        results[name] = {way: child(name, way, count, given) for way in ALLOWED}
        print(f"{name}: done", file=sys.stderr)
    print(f"{given.seconds:g} s stereo on {given.device}, medians of {given.runs}\n")
    print(table(results))
    if len(names) == 1:
        print("\ndasp-pytorch is not installed here; its lines are left out")
    settings = {key: getattr(given, key) for key in ("seconds", "workers", "group", "runs", "device")}
    save("search_cost.json", {**settings, "results": results})
    return int(any("failed" in result for ways in results.values() for result in ways.values()))


if __name__ == "__main__":
    sys.exit(main())
