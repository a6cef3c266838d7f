"""What the speed benchmarks work on, and on what machine they did: one sound, many settings, one record."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import resource
import sys
import time
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from daiw_master.params import Space

RATE = 44100
RESULTS = Path(__file__).resolve().parent / "results"
#: Knobs stand anywhere in the middle of their range, so every stage works; rooms ring for up to 2.5 s.
MIDDLE, DECAYS_S = (0.2, 0.8), (0.6, 2.5)


def sound(seconds: float, batch: int = 1) -> torch.Tensor:
    """(batch, 2, time): a beat of tones and noise, soft then loud, every copy a little different."""
    return sound_at(RATE, round(seconds * RATE), batch)


def sound_at(rate: int, samples: int, batch: int = 1) -> torch.Tensor:
    """The same at another rate, so many samples of it."""
    seconds = samples / rate
    generator = torch.Generator().manual_seed(4)
    time = torch.arange(samples, dtype=torch.float64) / rate
    beat = torch.exp(-7 * torch.remainder(time, 0.5))
    tones = sum(torch.sin(6.2832 * hz * time) / n for n, hz in enumerate((55, 220, 331, 662, 1320, 2640), 1))
    hiss = 0.1 * torch.randn(batch, 2, len(time), generator=generator, dtype=torch.float64)
    level = torch.where(time < seconds / 2, 0.15, 0.5)
    return ((tones + hiss) * beat * level * torch.linspace(1.0, 0.7, batch)[:, None, None]).float()


def candidates(space: Space, count: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Settings as a search spreads them: name -> (count,), every knob of every module turned."""
    generator = torch.Generator().manual_seed(seed)
    low, high = MIDDLE
    positions = low + (high - low) * torch.rand(count, len(space), generator=generator, dtype=torch.float64)
    settings = {name: value.float() for name, value in space.values(positions).items()}
    for name in settings:
        if name.endswith("decay_s"):
            short, long = DECAYS_S
            place = torch.rand(count, generator=generator, dtype=torch.float64)
            settings[name] = (short * (long / short) ** place).float()
    return settings


def power(y: torch.Tensor) -> torch.Tensor:
    """The cheapest listener: mean square of each candidate. (Here, where worker processes find it.)"""
    return y.square().mean((1, 2, 3))


def peak_mib() -> float:
    """The most memory this process has had, MiB."""
    per_mib = 1024**2 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / per_mib


def family() -> list[int]:
    """This process and all that it has started and that still run (Linux; elsewhere itself alone)."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            _, _, fields = stat.read_text().rpartition(")")
            parents[int(stat.parent.name)] = int(fields.split()[1])
    found = [os.getpid()]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def family_cpu_s() -> float:
    """CPU seconds of this process and of all that it has started, ended ones included."""
    told = os.times()
    running = 0.0
    for pid in family()[1:]:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            running += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return time.process_time() + told.children_user + told.children_system + running


def family_peak_mib() -> float:
    """The most memory this process has had and that those it has started have had, MiB; an upper bound."""
    peaks_mib = [peak_mib()]
    for pid in family()[1:]:
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            kib = next((line for line in status.splitlines() if line.startswith("VmHWM")), "0 0").split()[1]
            peaks_mib.append(int(kib) / 1024)
    return sum(peaks_mib)


def record() -> dict[str, object]:
    """When, on what machine, with which versions."""
    versions = {}
    for name in ("daiw-master", "torch", "triton", "dasp-pytorch"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{platform.machine()}, {_processor()}, {os.cpu_count()} cores",
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "python": platform.python_version(),
        "versions": versions,
    }


def save(name: str, results: dict[str, object]) -> Path:
    """Write a benchmark's results with the record beside them."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / name
    path.write_text(json.dumps({**record(), **results}, indent=2) + "\n", encoding="utf-8")
    return path


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"
