"""The same song through daiw-master, matchering and a pedalboard chain, side by side in one run.

    python benchmarks/peers.py [SONG.mid] [--minutes 3,9,60] [--runs 3] [--peers NAMES]

Three ways of ours: `daiw-master` asks, solves and reports; `process P` runs the pedalboard chain's own
modules with known settings (three EQ bands, compressor, small room, loudness, true-peak limiter);
`process F` runs all seven modules, with a 2.5 s tail. With several lengths the cost per minute is
shown as well, the start-up (one second of sound) taken off.

CPU seconds and peak memory are those of each whole process (import, read, work, write), taken from
the kernel at its end; this process stays small, because a child inherits its parent's high-water
mark. Medians of the runs, which take turns so that a busy machine is unfair to all alike. Loudness
by pyloudnorm, true peak at 16x by true_peak.py. Ratios are to the pedalboard chain.

The work is not equal and the table cannot make it so: pedalboard gets one pass of fixed settings,
matchering matches a reference (and has no loudness target: its error is only told), daiw-master
measures, plans, solves and writes its report.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

HERE = Path(__file__).resolve().parent
RATE = 44100
LUFS, CEILING_DBTP = -14.0, -1.0
BASELINE = "pedalboard"
WORK = {
    "daiw-master": "measure, plan, solve to target, report, page",
    "process P": "EQ, compressor, small reverb, loudness loop, true-peak limiter",
    "process F": "all seven modules, 2.5 s tail, loudness loop, true-peak limiter",
    "matchering": "match a reference (FIR, RMS, limiter)",
    "pedalboard": "EQ, compressor, reverb, pyloudnorm gain, BrickwallLimiter",
    "loudnorm": "ffmpeg: loudness and true peak, two passes",
}
#: What the pedalboard chain does, in our words; thresholds stand where a song at -20 LUFS puts its own.
P = {
    "eq.low_shelf_hz": 100, "eq.low_shelf_gain_db": 2, "eq.peak_4_hz": 3000, "eq.peak_4_gain_db": -1,
    "eq.high_shelf_hz": 8000, "eq.high_shelf_gain_db": 2,
    "dynamics.threshold_db": -18, "dynamics.ratio": 2, "dynamics.attack_ms": 20, "dynamics.release_ms": 200,
    "reverb.wet_db": -24, "reverb.decay_s": 0.6,
}  # fmt: skip
F = P | {
    "reverb.decay_s": 2.5, "reverb.wet_db": -20, "exciter.mix_db": -20,
    "imager.low_width_db": -20, "imager.high_width_db": 2, "imager.correlation_floor": 0.02,
}  # fmt: skip
#: matchering refuses more.
LONGEST_MIN = {"matchering": 15.0}


def read(path: str):
    """Samples (channels, time) float32 of any file."""
    from pedalboard.io import AudioFile

    with AudioFile(path) as file:
        return file.read(file.frames)


def write(path: str, samples) -> None:
    """24-bit WAV at RATE."""
    from pedalboard.io import AudioFile

    with AudioFile(path, "w", RATE, samples.shape[0], bit_depth=24) as file:
        file.write(samples)


def run_pedalboard(source: str, reference: str, target: str) -> None:
    """What a careful tutorial does: fixed chain, one gain to the loudness wanted, a true-peak limiter."""
    import pedalboard as pb
    import pyloudnorm

    samples = read(source)
    chain = pb.Pedalboard(
        [
            pb.LowShelfFilter(100, 2.0),
            pb.PeakFilter(3000, -1.0),
            pb.HighShelfFilter(8000, 2.0),
            pb.Compressor(-18, 2, 20, 200),
            pb.Reverb(room_size=0.3, wet_level=0.06, dry_level=0.94),
        ]
    )
    finished = chain(samples, RATE)
    gain_db = LUFS - pyloudnorm.Meter(RATE).integrated_loudness(finished.T)
    limiter = pb.BrickwallLimiter(CEILING_DBTP, true_peak=True)
    write(target, pb.Pedalboard([pb.Gain(gain_db), limiter])(finished, RATE))


def run_matchering(source: str, reference: str, target: str) -> None:
    import matchering

    matchering.process(target=source, reference=reference, results=[matchering.pcm24(target)])


def run_loudnorm(source: str, reference: str, target: str) -> None:
    """ffmpeg's two passes, as its documentation has them."""
    wanted = f"loudnorm=I={LUFS:g}:TP={CEILING_DBTP:g}:LRA=11"
    ask = ["ffmpeg", "-hide_banner", "-nostats", "-y", "-i", source, "-af"]
    first = subprocess.run(
        [*ask, f"{wanted}:print_format=json", "-f", "null", "-"], capture_output=True, check=True
    )
    said = json.loads(first.stderr.decode()[first.stderr.decode().rindex("{") :])
    measured = ":".join(
        f"measured_{name}={said[key]}"
        for name, key in (
            ("I", "input_i"),
            ("TP", "input_tp"),
            ("LRA", "input_lra"),
            ("thresh", "input_thresh"),
        )
    )
    second = f"{wanted}:{measured}:offset={said['target_offset']}"
    write_as = ["-ar", str(RATE), "-c:a", "pcm_s24le", target]
    subprocess.run([*ask, second, *write_as], capture_output=True, check=True)


def make_source(raw: str, seconds: str, source: str, reference: str) -> None:
    """A rendered song looped to length, and a finished-sounding cousin of it to match."""
    import numpy as np
    import pedalboard as pb
    from pedalboard.io import AudioFile

    song = np.fromfile(raw, dtype="<f4").reshape(-1, 2).T
    left, gain = round(float(seconds) * RATE), min(1.0, 0.5 / np.abs(song).max())
    with AudioFile(source, "w", RATE, 2, bit_depth=24) as file:
        while left > 0:
            file.write(song[:, :left] * gain)
            left -= song.shape[1]
    louder = pb.Pedalboard(
        [pb.LowShelfFilter(90, 2.0), pb.HighShelfFilter(8000, 3.0), pb.Compressor(-24, 3, 10, 150)]
    )(song, RATE)
    write(reference, louder * (10 ** (CEILING_DBTP / 20) / np.abs(louder).max()))


def judge(path: str) -> None:
    """Print what two independent meters say about a file, as JSON."""
    import pyloudnorm
    from pedalboard.io import AudioFile
    from true_peak import true_peak_dbtp

    loudness = float(pyloudnorm.Meter(RATE).integrated_loudness(read(path).T))
    peak_dbtp = -120.0
    with AudioFile(path) as file:  # in pieces that overlap by more than any interpolation reaches
        while file.tell() < file.frames:
            start = max(0, file.tell() - RATE // 10)
            file.seek(start)
            peak_dbtp = max(peak_dbtp, float(true_peak_dbtp(file.read(60 * RATE))))
    print(json.dumps({"lufs": loudness, "true_peak_dbtp": peak_dbtp}))


STEPS = {
    "pedalboard": run_pedalboard,
    "matchering": run_matchering,
    "loudnorm": run_loudnorm,
    "make-source": make_source,
    "judge": judge,
}


def step(name: str, *arguments: str) -> list[str]:
    return [sys.executable, str(Path(__file__).resolve()), "--step", name, *arguments]


def command_for(peer: str, source: str, reference: str, target: str) -> list[str]:
    program = Path(sys.executable).with_name("daiw-master")
    if peer in ("process P", "process F"):
        settings = [f"--set={name}={value}" for name, value in (P if peer.endswith("P") else F).items()]
        asked = ["--lufs", str(LUFS), "--ceiling", str(CEILING_DBTP)]
        return [str(program), "process", source, *settings, *asked, "-o", target]
    if peer != "daiw-master":
        return step(peer, source, reference, target)
    asked = ["--emotion", "neutral", "--lufs", str(LUFS), "--ceiling", str(CEILING_DBTP)]
    return [str(program), "master", source, *asked, "-o", target]


def clocked(command: list[str]) -> dict[str, float]:
    """CPU seconds, wall seconds and peak MiB of one process with all its children."""
    with tempfile.TemporaryFile() as log:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.perf_counter() - start
        if process.returncode:
            log.seek(0)
            last = log.read().decode(errors="replace").strip().splitlines()[-1:]
            raise RuntimeError(f"exit {process.returncode}: {' '.join(last)}")
    per_mib = 1024**2 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
    cpu_s = usage.ru_utime + usage.ru_stime
    return {"cpu_s": cpu_s, "wall_s": wall_s, "peak_mib": usage.ru_maxrss / per_mib}


def prepare(song: str, seconds: float, soundfont: str, folder: str) -> tuple[str, str]:
    raw, source, reference = (f"{folder}/{name}" for name in ("song.raw", "song.wav", "reference.wav"))
    quiet = ["-ni", "-q", "-R", "0", "-C", "0", "-g", "0.3", "-r", str(RATE)]
    render = ["fluidsynth", *quiet, "-O", "float", "-T", "raw", "-F", raw, soundfont, song]
    subprocess.run(render, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(step("make-source", raw, str(seconds), source, reference), check=True)
    return source, reference


def heard(path: str) -> dict[str, float]:
    done = subprocess.run(step("judge", path), check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def compare(peers: list[str], source: str, reference: str, runs: int, folder: str) -> dict[str, dict]:
    """peer -> medians, spread and verdicts; a peer that fails is kept with its last words."""
    results: dict[str, dict] = {peer: {"runs": []} for peer in peers}
    for run in range(runs):
        for peer in peers:
            if "failed" in results[peer]:
                continue
            target = f"{folder}/{peer}.wav"
            try:
                results[peer]["runs"].append(clocked(command_for(peer, source, reference, target)))
            except (RuntimeError, OSError) as error:
                results[peer]["failed"] = str(error)
            print(f"run {run + 1}/{runs}: {peer}", file=sys.stderr)
    for peer, result in results.items():
        if "failed" in result:
            continue
        for key in ("cpu_s", "wall_s", "peak_mib"):
            result[key] = statistics.median(run[key] for run in result["runs"])
        result |= heard(f"{folder}/{peer}.wav")
        result["loudness_error_lu"] = result["lufs"] - LUFS
        result["overshoot_db"] = max(0.0, result["true_peak_dbtp"] - CEILING_DBTP)
    return results


def table(results: dict[str, dict], minutes: float) -> str:
    """Markdown, one line a peer."""
    lines = [
        f"| {minutes:g} min | CPU s | peak MiB | CPU ratio | memory ratio "
        f"| loudness error (to {LUFS:g} LUFS) | over {CEILING_DBTP:g} dBTP at 16x | does |",
        "|---|---|---|---|---|---|---|---|",
    ]
    base = results.get(BASELINE, {})
    for peer, result in results.items():
        if "failed" in result:
            lines.append(f"| {peer} | {result['failed']} | | | | | | {WORK[peer]} |")
            continue
        ratios = [f"{result[key] / base[key]:.2f}" if key in base else "" for key in ("cpu_s", "peak_mib")]
        lines.append(
            f"| {peer} | {result['cpu_s']:.2f} | {result['peak_mib']:.0f} | {ratios[0]} | {ratios[1]} "
            f"| {result['loudness_error_lu']:+.2f} LU | {result['overshoot_db']:.3f} dB | {WORK[peer]} |"
        )
    return "\n".join(lines)


def per_minute(lengths: dict[str, dict], start_up: dict[str, float]) -> str:
    """Markdown: CPU seconds per minute of audio with the start-up taken off, and how they grow."""
    peers = [peer for peer in start_up if any(peer in run["peers"] for run in lengths.values())]
    lines = [
        "| CPU s per minute | start-up | "
        + " | ".join(f"{m} min" for m in lengths)
        + " | longest / shortest |"
    ]
    lines.append("|---" * (len(lengths) + 3) + "|")
    for peer in peers:
        rates = [
            (run["peers"][peer]["cpu_s"] - start_up[peer]) / float(minutes)
            for minutes, run in lengths.items()
            if "cpu_s" in run["peers"].get(peer, {})
        ]
        cells = [f"{rate:.3f}" for rate in rates] + ["" for _ in range(len(lengths) - len(rates))]
        growth = f"{rates[-1] / rates[0]:.2f}" if len(rates) > 1 else ""
        lines.append(f"| {peer} | {start_up[peer]:.2f} s | " + " | ".join(cells) + f" | {growth} |")
    return "\n".join(lines)


def versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "machine": platform.machine(), "cpus": str(os.cpu_count())}
    for name in ("daiw-master", "matchering", "pedalboard", "pyloudnorm", "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def started(peers: list[str], folder: str, source: str, reference: str, runs: int) -> dict[str, float]:
    """CPU seconds of each peer on one second of sound: what it costs to begin."""
    short = f"{folder}/second.wav"
    with_second = read(source)[:, RATE * 10 : RATE * 11]
    write(short, with_second)
    found = {}
    for peer in peers:
        target = f"{folder}/second-out.wav"
        try:
            found[peer] = statistics.median(
                clocked(command_for(peer, short, reference, target))["cpu_s"] for _ in range(runs)
            )
        except (RuntimeError, OSError):
            continue  # too short for it
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("song", nargs="?", default=str(HERE.parent / "daiw_master/demo/the_last_ferry.mid"))
    parser.add_argument("--minutes", default="3", help="lengths of the file, comma-separated (default 3)")
    parser.add_argument("--runs", type=int, default=3, help="runs a peer (default 3); medians are shown")
    parser.add_argument("--soundfont", default="/usr/share/sounds/sf2/FluidR3_GM.sf2")
    parser.add_argument("--peers", default=",".join(WORK), help="comma-separated, default all")
    arguments = parser.parse_args()
    peers = arguments.peers.split(",")
    unknown = [peer for peer in peers if peer not in WORK]
    if unknown:
        parser.error(f"unknown peer {unknown[0]!r}; known: {', '.join(WORK)}")
    if shutil.which("fluidsynth") is None or not Path(arguments.soundfont).exists():
        parser.error("needs the fluidsynth program and a soundfont (--soundfont FILE)")
    lengths: dict[str, dict] = {}
    start_up: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for minutes in sorted(map(float, arguments.minutes.split(","))):
            source, reference = prepare(arguments.song, 60 * minutes, arguments.soundfont, folder)
            given = heard(source)
            if len(arguments.minutes.split(",")) > 1 and not start_up:
                start_up = started(peers, folder, source, reference, arguments.runs)
            able = [peer for peer in peers if minutes <= LONGEST_MIN.get(peer, minutes)]
            results = compare(able, source, reference, arguments.runs, folder)
            lengths[f"{minutes:g}"] = {"input": given, "peers": results}
            said = f"{given['lufs']:.1f} LUFS, {given['true_peak_dbtp']:.1f} dBTP"
            print(f"{Path(arguments.song).name}, {minutes:g} min stereo, {said}; {arguments.runs} runs\n")
            print(table(results, minutes) + "\n", flush=True)
    if start_up:
        print(per_minute(lengths, start_up))
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    record = {
        "date": date.today().isoformat(),
        "song": Path(arguments.song).name,
        "versions": versions(),
        "start_up_cpu_s": start_up,
        "minutes": lengths,
    }
    (folder / "peers.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        STEPS[sys.argv[2]](*sys.argv[3:])
    else:
        sys.exit(main())
