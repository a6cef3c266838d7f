"""How long it takes until each command has started, and what it has loaded by then.

    python benchmarks/startup.py [--runs 5]

CPU seconds and peak memory of whole processes, medians. What needs torch is shown beside torch alone,
imported the plain way and the way the command line does it (see daiw_master/cli/loading.py).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

COMMANDS = (
    "--version", "--help", "render --help", "process --help", "list effects", "list emotions", "list rules",
    "list limits", "preset list", "intent new song.yaml --example", "intent check song.yaml",
    "intent explain song.yaml", "doctor",
)  # fmt: skip
LOADING = "from daiw_master.cli.loading import loading\nwith loading():\n    import {}"
IMPORTS = {
    "import daiw_master": "import daiw_master",
    "import numpy": "import numpy",
    "import pedalboard": "import pedalboard",
    "import torch": "import torch",
    "import torch, stack, files": "import torch, daiw_master.stack, daiw_master.files",
    "import torch, pipeline": "import torch, daiw_master.pipeline",
    "loading torch": LOADING.format("torch"),
    "loading stack, files": LOADING.format("daiw_master.stack, daiw_master.files"),
    "loading processing": LOADING.format("daiw_master.processing"),
    "loading pipeline": LOADING.format("daiw_master.pipeline"),
}
WATCHED = ("numpy", "torch", "scipy", "pydantic", "yaml", "mutagen", "pedalboard", "matplotlib", "jinja2")


def cost(code: str, runs: int, folder: str) -> dict[str, object]:
    """CPU seconds and peak MiB of a fresh interpreter that runs `code`, and what it had loaded."""
    seconds, peaks = [], []
    for _ in range(runs):
        with open(os.devnull, "w") as nowhere:
            process = subprocess.Popen(
                [sys.executable, "-c", code], stdout=nowhere, stderr=nowhere, cwd=folder
            )
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds.append(used.ru_utime + used.ru_stime)
        peaks.append(used.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024))
    told = (
        f"import atexit, sys\natexit.register(lambda: print([m for m in {WATCHED!r} if m in sys.modules]))\n"
    )
    shown = subprocess.run([sys.executable, "-c", told + code], capture_output=True, text=True, cwd=folder)
    return {
        "cpu_s": round(statistics.median(seconds), 3),
        "peak_mib": round(statistics.median(peaks)),
        "loads": shown.stdout.splitlines()[-1].strip("[]").replace("'", ""),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    root = str(Path(__file__).resolve().parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    rows: dict[str, dict[str, object]] = {}
    print(f"{'':<32} {'CPU s':>6} {'MiB':>5}  loads")
    with tempfile.TemporaryDirectory() as folder:
        for line in COMMANDS:
            call = f"from daiw_master.cli import main; main({line.split()!r})"
            if line.startswith("intent new"):  # nothing is written over: each run wants a place of its own
                call = f"import os; os.path.exists('song.yaml') and os.remove('song.yaml')\n{call}"
            rows[line] = cost(call, runs, folder)
            show(line, rows[line])
        for name, code in IMPORTS.items():
            rows[name] = cost(code, runs, folder)
            show(name, rows[name])
    from material import save  # torch in this process would be counted in the memory of all it starts

    print(f"written to {save('startup.json', {'runs': runs, 'rows': rows})}")


def show(name: str, row: dict[str, object]) -> None:
    print(f"{name:<32} {row['cpu_s']:>6.3f} {row['peak_mib']:>5}  {row['loads']}", flush=True)


if __name__ == "__main__":
    main()
