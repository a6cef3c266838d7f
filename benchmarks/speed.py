"""How fast each module and the whole chain run, forwards and with the way back, for 1, 8 and 64 settings.

    python benchmarks/speed.py [--seconds 5.5] [--batch 1,8,64] [--runs 3] [--modules reverb,eq,...]
                               [--device cpu,cuda] [--fusing]

x real time is seconds of stereo sound made per second of work: CPU seconds of one thread on a
processor, wall seconds between synchronisations on a GPU. Settings differ in every knob from item to
item. Batches run as a population does it, a few candidates at a time.

Bytes: `must` is what has to move whatever the method (the sound read once and written once, and as
much again for each gradient); `moved` is what the operations read and wrote, every tensor counted at
every operation. Their shares are of the bandwidth of a large copy, measured in the same run. On a
processor much of `moved` never leaves the caches, so that share may exceed 100 %.
With a GPU at hand its sounds are compared with the processor's.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import torch
from material import RATE, candidates, save, sound
from torch.utils._python_dispatch import TorchDispatchMode

from daiw_master.stack import EFFECTS, HOUSE_CHAIN, accelerated
from daiw_master.stack.chain import qualified
from daiw_master.stack.population import Population

WHOLE = "whole chain"
AGREEMENT = 1e-4
#: Operations that name memory and touch none of it; views are known by themselves.
FREE = {"_unsafe_view", "empty", "empty_like", "new_empty", "empty_strided"}


class Traffic(TorchDispatchMode):
    """Counts the bytes that operations read and write; views are free."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        if not function.is_view and function.__name__.partition(".")[0] not in FREE:
            for tensor in _tensors((args, kwargs, made)):
                # a broadcast axis is read from the same place again
                lengths = zip(tensor.shape, tensor.stride(), strict=True)
                elements = 1
                for length, stride in lengths:
                    elements *= length if stride else 1
                self.bytes += elements * tensor.element_size()
        return made


def _tensors(nest):
    if isinstance(nest, torch.Tensor):
        yield nest
    elif isinstance(nest, (list, tuple)):
        for item in nest:
            yield from _tensors(item)
    elif isinstance(nest, dict):
        yield from _tensors(list(nest.values()))


def bandwidth_bytes_per_s(device: str) -> float:
    """What a large copy reads and writes per second: the best of five, one thread on a processor."""
    source = torch.ones((1 << 28 if device == "cuda" else 1 << 26) // 4, device=device)
    target = torch.empty_like(source)
    best = min(clocked(lambda: target.copy_(source), device) for _ in range(5))
    return 2 * source.numel() * 4 / best


def clocked(work, device: str) -> float:
    """Seconds of one call: of the processor on a processor, of the wall on a GPU."""
    if device == "cpu":
        start = time.process_time()
        work()
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def power(y: torch.Tensor) -> torch.Tensor:
    return y.square().mean((1, 2, 3))


def measure(name: str, x: torch.Tensor, batch: int, runs: int) -> dict[str, object]:
    """One module (or the whole chain) at one batch size: seconds, x real time, bytes."""
    modules = HOUSE_CHAIN if name == WHOLE else (name,)
    population = Population(qualified([EFFECTS[module] for module in modules]), x, RATE, workers=1)
    settings = candidates(population.space, batch)
    seconds, device = batch * x.shape[-1] / RATE, x.device.type
    must = 2 * batch * x.numel() * x.element_size()
    result: dict[str, object] = {"module": name, "batch": batch, "device": device}
    for way, work, copies in (
        ("forward", lambda: population.listen(settings, power), 1),
        ("backward", lambda: population.gradient(settings, power), 2),
    ):
        work()  # tables are made once, and so is a GPU's memory
        taken = statistics.median(clocked(work, device) for _ in range(runs))
        with Traffic() as traffic:
            work()
        result[way] = {
            "seconds": taken,
            "x_real_time": seconds / taken,
            "must_bytes": must * copies,
            "moved_bytes": traffic.bytes,
        }
    return result


def agreement(seconds: float, batch: int) -> dict[str, float]:
    """How far the GPU's sounds and slopes are from the processor's."""
    placed = qualified([EFFECTS[module] for module in HOUSE_CHAIN])
    made = {}
    for device in ("cpu", "cuda"):
        population = Population(placed, sound(seconds).to(device), RATE)
        settings = candidates(population.space, batch)
        sounds = torch.cat([y.cpu() for _, y in population.run(settings)])
        slopes = torch.stack([s.double() for s in population.gradient(settings, power)[1].values()])
        made[device] = sounds, slopes.cpu()
    (one, one_slopes), (other, other_slopes) = made["cpu"], made["cuda"]
    scale = one_slopes.abs().amax(1, keepdim=True).clamp_min(1e-12)
    return {
        "samples": float((one - other).abs().max()),
        "gradient_relative": float(((one_slopes - other_slopes) / scale).abs().max()),
    }


def table(results: list[dict], bandwidths: dict[str, float]) -> str:
    """Markdown, one line a module and batch size."""
    lines = [
        "| module | device | batch | forward s | x real time | must / moved MB | share of bandwidth "
        "| forward+backward s | x real time | must / moved MB | share of bandwidth |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        cells = [result["module"], result["device"], str(result["batch"])]
        for way in ("forward", "backward"):
            one = result[way]
            shares = [one[key] / one["seconds"] / bandwidths[result["device"]] for key in
                      ("must_bytes", "moved_bytes")]  # fmt: skip
            cells += [
                f"{one['seconds']:.3g}",
                f"{one['x_real_time']:.0f}",
                f"{one['must_bytes'] / 1e6:.0f} / {one['moved_bytes'] / 1e6:.0f}",
                f"{shares[0]:.1%} / {shares[1]:.0%}",
            ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.5, help="length of the sound (default 5.5)")
    parser.add_argument("--batch", default="1,8,64", help="candidates, comma-separated (default 1,8,64)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; medians are shown (default 3)")
    parser.add_argument("--modules", default=",".join((*HOUSE_CHAIN, WHOLE)), help="comma-separated")
    parser.add_argument("--device", default=None, help="cpu, cuda or both (default: all there are)")
    parser.add_argument("--fusing", action="store_true", help="compile pointwise chains (torch.compile)")
    arguments = parser.parse_args()
    there = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    devices = arguments.device.split(",") if arguments.device else there
    modules = arguments.modules.split(",")
    for unknown in [m for m in modules if m not in (*EFFECTS, WHOLE)] + [
        d for d in devices if d not in there
    ]:
        parser.error(f"unknown or absent here: {unknown!r}; modules: {', '.join((*EFFECTS, WHOLE))}; "
                     f"devices: {', '.join(there)}")  # fmt: skip
    torch.set_num_threads(1)
    accelerated.use(fusing=arguments.fusing)
    bandwidths = {device: bandwidth_bytes_per_s(device) for device in devices}
    results = []
    for device in devices:
        x = sound(arguments.seconds).to(device)
        for module in modules:
            for batch in map(int, arguments.batch.split(",")):
                results.append(measure(module, x, batch, arguments.runs))
                print(f"{module}, {device}, batch {batch}", file=sys.stderr)
    shown = ", ".join(f"{device} {value / 1e9:.1f} GB/s" for device, value in bandwidths.items())
    print(f"{arguments.seconds:g} s stereo at {RATE} Hz, medians of {arguments.runs}; a copy moves {shown}\n")
    print(table(results, bandwidths))
    told: dict[str, object] = {
        "seconds": arguments.seconds,
        "runs": arguments.runs,
        "fusing": arguments.fusing,
        "bandwidth_bytes_per_s": bandwidths,
        "results": results,
    }
    agreed = True
    if "cuda" in devices:
        told["agreement"] = agreement(arguments.seconds, 8)
        agreed = told["agreement"]["samples"] <= AGREEMENT
        print(f"\ncpu against cuda: {told['agreement']} (allowed: samples {AGREEMENT:g})")
    else:
        print("\nno GPU here: the same script measures one where there is one")
    save("speed.json", told)
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
