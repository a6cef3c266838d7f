"""How long the live chain takes for a block, module by module and whole, and whether it grows in ten minutes.

    python benchmarks/live.py [--minutes 10] [--seconds 8] [--blocks 64,128,256,512] [--module-block 128]

48 kHz stereo, one thread, as fast as it can, all seven modules on with a 2.5 s room. Times of a block are
given twice: processor time of the thread is what the work costs; wall time is what this machine made
of it with all else that ran on it. `share` is processor time against the block's duration; `late` counts
blocks that took longer than they last, by the wall clock and by processor time. The long run is at
512 samples: resident memory after its first ten seconds and at its end.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from pathlib import Path

import numpy as np
from material import save, sound

from daiw_master.live import Live
from daiw_master.stack import HOUSE_CHAIN

RATE = 48000
SETTINGS = {
    "reverb.wet_db": -20.0, "reverb.decay_s": 2.5,
    "eq.low_shelf_gain_db": 2.0, "eq.peak_4_gain_db": -1.0, "eq.high_shelf_gain_db": 2.0,
    "dynamics.threshold_db": -26.0, "dynamics.ratio": 2.0, "dynamics.attack_db": 2.0,
    "exciter.mix_db": -20.0,
    "imager.low_width_db": -20.0, "imager.high_width_db": 2.0, "imager.correlation_floor": 0.02,
}  # fmt: skip
#: Blocks that are played before any is timed.
BEFORE = 50
#: The long run's memory is first read after so many seconds.
SETTLED_S = 10.0


def timed(live: Live, blocks: list[np.ndarray], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Processor and wall milliseconds of each of `count` blocks."""
    cpu_ms, wall_ms = np.empty(BEFORE + count), np.empty(BEFORE + count)
    for n in range(BEFORE + count):
        block = blocks[n % len(blocks)]
        wall, cpu = time.perf_counter(), time.thread_time()
        live.process(block)
        cpu_ms[n], wall_ms[n] = 1000 * (time.thread_time() - cpu), 1000 * (time.perf_counter() - wall)
    return cpu_ms[BEFORE:], wall_ms[BEFORE:]


def summary(cpu_ms: np.ndarray, wall_ms: np.ndarray, duration_ms: float) -> dict[str, float]:
    found: dict[str, float] = {"duration_ms": duration_ms, "blocks": len(cpu_ms)}
    for name, times in (("cpu", cpu_ms), ("wall", wall_ms)):
        found[f"{name}_p50_ms"], found[f"{name}_p99_ms"] = (float(np.percentile(times, p)) for p in (50, 99))
        found[f"{name}_max_ms"] = float(times.max())
        found[f"late_{name}"] = int((times > duration_ms).sum())
    return {**found, "share": float(cpu_ms.mean() / duration_ms)}


def resident_mib() -> float:
    """Memory this process holds now, MiB; 0 where the system does not say."""
    status = Path("/proc/self/statm")
    pages = int(status.read_text().split()[1]) if status.exists() else 0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2


def chain_of(names: tuple[str, ...], block: int) -> Live:
    own = {name: value for name, value in SETTINGS.items() if name.partition(".")[0] in names}
    live = Live(own, RATE, names, block)
    gc.collect()
    gc.freeze()
    return live


def line(name: str, found: dict[str, float], late: str = "") -> str:
    return (
        f"{name:<22}{found['cpu_p50_ms']:>8.3f}{found['cpu_p99_ms']:>8.3f}{found['cpu_max_ms']:>8.2f}"
        f"{found['wall_p50_ms']:>9.3f}{found['wall_p99_ms']:>8.3f}{found['wall_max_ms']:>8.2f}"
        f"{100 * found['share']:>8.1f} %{found['late_cpu']:>7}{found['late_wall']:>6} of {found['blocks']}"
        f"{late}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the long run (default 10)")
    parser.add_argument("--seconds", type=float, default=8.0, help="sound for every other figure (default 8)")
    parser.add_argument("--blocks", default="64,128,256,512", help="block sizes of the whole chain")
    parser.add_argument("--module-block", type=int, default=128, help="block size of the single modules")
    given = parser.parse_args()
    music = sound(20.0)[0].numpy()

    def cut(block: int) -> list[np.ndarray]:
        return [music[:, at : at + block] for at in range(0, music.shape[-1] - block + 1, block)]

    results: dict[str, object] = {"rate_hz": RATE, "settings": SETTINGS, "modules": {}, "chain": {}}
    head = (
        f"{'cpu ms: p50':>30}{'p99':>8}{'max':>8}{'wall: p50':>9}{'p99':>8}{'max':>8}{'share':>10}{'late':>7}"
    )
    print(f"one module, {given.module_block} samples ({1000 * given.module_block / RATE:.2f} ms)\n{head}")
    for name in HOUSE_CHAIN:
        live = chain_of((name,), given.module_block)
        times = timed(live, cut(given.module_block), round(given.seconds * RATE / given.module_block))
        found = summary(*times, 1000 * given.module_block / RATE)
        results["modules"][name] = found | live.latency._asdict()
        print(line(name, found, f"  latency {live.latency.samples} = {live.latency.ms:.2f} ms"), flush=True)
    print(f"\nwhole chain\n{head}")
    for block in map(int, given.blocks.split(",")):
        live = chain_of(HOUSE_CHAIN, block)
        found = summary(*timed(live, cut(block), round(given.seconds * RATE / block)), 1000 * block / RATE)
        results["chain"][str(block)] = found | live.latency._asdict()
        print(line(f"{block} ({found['duration_ms']:.2f} ms)", found), flush=True)

    live, blocks = chain_of(HOUSE_CHAIN, 512), cut(512)
    timed(live, blocks, round(SETTLED_S * RATE / 512))
    first_mib = resident_mib()
    times = timed(live, blocks, round(given.minutes * 60 * RATE / 512))
    last_mib = resident_mib()
    found = summary(*times, 1000 * 512 / RATE)
    results["long"] = found | {"minutes": given.minutes, "first_mib": first_mib, "last_mib": last_mib}
    print(f"\n{given.minutes:g} minutes at 512\n{head}\n{line('whole chain', found)}")
    print(f"resident after {SETTLED_S:g} s {first_mib:.1f} MiB, at the end {last_mib:.1f} MiB")
    print(f"written: {save('live.json', results)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
