"""Kill -9 a long run at random moments, and look at what it leaves.

    python benchmarks/kill.py [--kills 50] [--seconds 600] [--signal KILL] [--seed 1]

One song is written again and again over the same target, as 24 and as 16 bits in turn, so that old
and new can be told apart bit for bit. Half of the runs are killed at a moment drawn over the whole
run, half while the target is being written. After each: the target is one of the two whole files, and
nothing stands in the folder for temporary files. After the next run has begun to write, and after the
last, which is let finish: no unfinished file is left beside the target. With `--signal TERM` (or INT)
the same, and the unfinished file must be gone at once, the exit code 128 + the signal.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import date
from pathlib import Path

HERE = Path(__file__).resolve().parent
RATE = 44100
POLL_S = 0.002
#: What is run: the newest way through long files that this version has.
COMMANDS = {
    "process": ["process", "{source}", "-o", "{target}", "--bit-depth", "{bits}", "--no-report"],
    "master": ["master", "{source}", "-o", "{target}", "--bit-depth", "{bits}", "--bypass", "--no-report"],
}


def write_song(path: Path, seconds: float) -> None:
    """Noise over a chord in 32-bit float: nothing compresses, everything is dithered."""
    import numpy as np
    import torch

    from daiw_master.audio import Audio
    from daiw_master.files import write_audio

    t = np.arange(round(seconds * RATE), dtype=np.float64) / RATE
    chord = sum(np.sin(2 * np.pi * hz * t) for hz in (110.0, 164.8, 220.7)) * 0.1
    wave = chord + 0.02 * np.random.default_rng(0).standard_normal((2, t.size))
    write_audio(Audio(torch.from_numpy(wave.astype(np.float32)), RATE), path, bit_depth="32f")


def digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if sys.version_info >= (3, 11) else _sha(file)


def _sha(file) -> str:
    running = hashlib.sha256()
    while data := file.read(1 << 20):
        running.update(data)
    return running.hexdigest()


class Place:
    """The folder of a run: the song, the target, a folder for temporary files."""

    def __init__(self, folder: Path, command: str):
        self.source, self.target = folder / "song.wav", folder / "out" / "master.wav"
        self.spools, self._command = folder / "tmp", COMMANDS[command]
        self.target.parent.mkdir()
        self.spools.mkdir()

    def start(self, bits: int) -> subprocess.Popen:
        words = {"source": self.source, "target": self.target, "bits": bits}
        arguments = [word.format(**words) for word in self._command]
        return subprocess.Popen(
            [sys.executable, "-c", "from daiw_master.cli import main; main()", *arguments],
            env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(self.spools)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def unfinished(self) -> list[str]:
        """Everything beside the target."""
        return sorted(name for name in os.listdir(self.target.parent) if name != self.target.name)


def whole_run(place: Place, bits: int) -> tuple[str, float, float]:
    """(digest of the target, seconds spent writing it, seconds in all) of a run that may finish."""
    process, begun, seen = place.start(bits), time.monotonic(), []
    while process.poll() is None:
        if place.unfinished():
            seen.append(time.monotonic())
        time.sleep(POLL_S)
    if process.returncode:
        raise SystemExit(f"the run itself fails: {process.stderr.read().strip()}")
    return digest(place.target), seen[-1] - seen[0] if seen else 0.0, time.monotonic() - begun


def killed_run(place: Place, bits: int, moment: float, after_writing: bool, number: int) -> dict:
    """One run, stopped `moment` seconds after its start, or after its writing began."""
    left_before = place.unfinished()
    process, begun, swept = place.start(bits), time.monotonic(), True
    if after_writing:
        while process.poll() is None and not set(place.unfinished()) - set(left_before):
            time.sleep(POLL_S)
        begun = time.monotonic()
    time.sleep(max(0.0, begun + moment - time.monotonic()))
    now = place.unfinished()
    writing = bool(set(now) - set(left_before))
    if writing:
        swept = not set(now) & set(left_before)
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
    said = process.communicate()[1]
    return {
        "bits": bits,
        "writing": writing,
        "returncode": process.returncode,
        "said": said.strip().splitlines(),
        "older_leftovers_swept": swept,
        "unfinished": place.unfinished(),
        "spools": sorted(os.listdir(place.spools)),
        "digest": digest(place.target),
    }


def faults(run: dict, number: int) -> list[str]:
    """What one killed run did wrong; `run` says already which file stands."""
    wrong = []
    if run["target"] == "neither":
        wrong.append("the target is neither the old nor the new file")
    if run["spools"]:
        wrong.append(f"left in the temporary folder: {', '.join(run['spools'])}")
    if not run["older_leftovers_swept"]:
        wrong.append("writes beside what an earlier run left")
    if len(run["unfinished"]) > 1:
        wrong.append(f"{len(run['unfinished'])} unfinished files")
    if number != signal.SIGKILL and run["returncode"] != 0:
        if run["unfinished"]:
            wrong.append("did not tidy up")
        # before our first line runs, and after our last, a signal does what it always does
        if run["writing"] and run["target"] == "old" and run["returncode"] != 128 + number:
            wrong.append(f"exit code {run['returncode']}")
    return wrong


def kill_often(folder: Path, kills: int, seconds: float, number: int, command: str, seed: int) -> dict:
    """All runs and what was wrong with them (nothing)."""
    place, draw = Place(folder, command), random.Random(seed)
    write_song(place.source, seconds)
    wholes = {}
    for bits in (16, 24):
        wholes[bits], writing_s, all_s = whole_run(place, bits)
    current, runs, wrong = 24, [], []
    for count in range(kills):
        late = count % 2 == 1
        moment = draw.uniform(0.0, writing_s if late else 1.05 * all_s)
        run = killed_run(place, 40 - current, moment, late, number)
        runs.append(run)
        kinds = {wholes[current]: "old", wholes[40 - current]: "new"}
        run["target"] = kinds.get(run["digest"], "neither")
        run["when"] = "while writing" if run["writing"] else f"with the {run['target']} file in place"
        current = 40 - current if run["target"] == "new" else current
        wrong += [f"run {count}: {what}" for what in faults(run, number)]
    last, _, _ = whole_run(place, 40 - current)
    if last != wholes[40 - current]:
        wrong.append("the last run, left alone, wrote other bytes")
    if place.unfinished() or os.listdir(place.spools):
        wrong.append("something is left after the last run")
    return {"runs": runs, "wrong": wrong, "seconds_a_run": all_s, "seconds_writing": writing_s}


def table(found: dict) -> str:
    rows: dict[str, Counter] = {}
    for run in found["runs"]:
        rows.setdefault(run["when"], Counter()).update(
            ["runs", run["target"], *["left" for _ in run["unfinished"]]]
        )
    lines = ["| killed | runs | target old | target new | neither | unfinished file left for the next run |"]
    lines.append("|---|---|---|---|---|---|")
    for when, row in rows.items():
        cells = " | ".join(str(row[name]) for name in ("runs", "old", "new", "neither", "left"))
        lines.append(f"| {when} | {cells} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=600.0, help="length of the song (default 600)")
    parser.add_argument("--signal", choices=("KILL", "TERM", "INT"), default="KILL")
    parser.add_argument("--command", choices=sorted(COMMANDS), help="default: the newest there is")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    from daiw_master.cli import main as program

    command = arguments.command or next(name for name in COMMANDS if name in program.commands)
    number = getattr(signal, f"SIG{arguments.signal}")
    with tempfile.TemporaryDirectory() as folder:
        found = kill_often(Path(folder), arguments.kills, arguments.seconds, number, command, arguments.seed)
    print(
        f"daiw-master {command}, {arguments.seconds:g} s stereo, {found['seconds_a_run']:.1f} s a run, "
        f"{found['seconds_writing']:.2f} s of it writing; {arguments.kills} x SIG{arguments.signal}\n"
    )
    print(table(found))
    print("\n" + ("\n".join(found["wrong"]) or "nothing wrong: every target whole, every leftover swept"))
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    record = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cpus, python {platform.python_version()}",
        "command": command,
        "signal": arguments.signal,
        "seconds": arguments.seconds,
        **found,
    }
    name = "kill.json" if arguments.signal == "KILL" else f"kill_{arguments.signal.lower()}.json"
    (folder / name).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
