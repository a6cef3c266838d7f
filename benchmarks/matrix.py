"""Every test song x every claimed feeling, judged by meters we did not write.

    python benchmarks/matrix.py [--songs band/] [--without bartk] [--workers 2]

Writes one JSON per song to benchmarks/results/matrix/ (kept songs are not done again; --fresh does)
and prints the table of acceptance: loudness error by pyloudnorm and ffmpeg's ebur128, 16x true peak by
benchmarks/true_peak.py, clipped samples, guard violations. benchmarks/emotions.py reads the same files.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
ROOT = HERE.parent
DATA = ROOT.parent / "shared" / "data"
OUT = HERE / "results" / "matrix"
EMOTIONS = ("neutral", "grief", "rage", "hope", "nostalgia", "fear")


def songs(pattern: str, without: str) -> list[Path]:
    """The songs whose path matches one regular expression and not the other, small files first."""
    found = [*(DATA / "midi").rglob("*.mid"), *(DATA / "daiw").rglob("*.mid")]
    found = [path for path in found if re.search(pattern, str(path))]
    if without:
        found = [path for path in found if not re.search(without, str(path))]
    return sorted(found, key=lambda path: (path.stat().st_size, path))


def ffmpeg_loudness(path: Path) -> float:
    """Integrated loudness as ffmpeg's ebur128 filter prints it (0.1 LU steps)."""
    run = subprocess.run(
        ["ffmpeg", "-hide_banner", "-nostats", "-i", str(path), "-af", "ebur128", "-f", "null", "-"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(re.findall(r"I:\s+(-?[\d.]+|-?inf) LUFS", run.stderr)[-1])


def judge(path: Path) -> dict:
    """The verdict on a written file by pyloudnorm, ffmpeg and an independent 16x true-peak reading."""
    import pyloudnorm
    import soundfile
    from true_peak import true_peak_dbtp

    samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    short = len(samples) < 0.4 * rate
    return {
        "pyloudnorm": None if short else float(pyloudnorm.Meter(rate).integrated_loudness(samples)),
        "ffmpeg": None if short else ffmpeg_loudness(path),
        "true_peak": float(np.max(true_peak_dbtp(samples.T))),
        "finite": bool(np.isfinite(samples).all()),
        "clipped": int((np.abs(samples) >= 1.0 - 2.0**-23).sum()),
        "seconds": len(samples) / rate,
    }


def master_song(path: str) -> dict:
    import torch

    torch.set_num_threads(1)
    from features import features

    from daiw_master.pipeline import Options, render_many

    record = {"song": str(Path(path).relative_to(DATA)), "emotions": {}}
    started, cpu = time.monotonic(), time.process_time()
    try:
        results = render_many(path, EMOTIONS, Options())
    except Exception as error:  # the table must say which song failed and why, whatever it was
        record["failed"] = f"{type(error).__name__}: {error}"
        record["trace"] = traceback.format_exc()
        return record
    record["wall_s"], record["cpu_s"] = time.monotonic() - started, time.process_time() - cpu
    with tempfile.TemporaryDirectory() as folder:
        for name, result in zip(EMOTIONS, results, strict=True):
            file = Path(folder) / f"{name}.wav"
            result.write(file, bit_depth=24, report=False)
            entry = judge(file)
            entry["report"] = json.loads(result.report.model_dump_json())
            samples = result.audio.samples.numpy()
            if samples.shape[-1] > 2 * result.audio.rate:
                entry["features"] = features(samples, result.audio.rate).tolist()
            record["emotions"][name] = entry
    return record


def table(records: list[dict]) -> None:
    rows, reached, wrong = 0, 0, []
    for record in records:
        if "failed" in record:
            print(f"REFUSED {record['song']}: {record['failed']}")
            continue
        for name, entry in record["emotions"].items():
            rows += 1
            report = entry["report"]
            asked = {row["target"]: row for row in report["targets"]}
            wanted, ceiling = asked["loudness_lufs"]["asked"], asked["true_peak_dbtp"]["asked"]
            met = asked["loudness_lufs"]["verdict"] == "met"
            broken = [guard["guard"] for guard in report["guards"] if not guard["holds"]]
            errors = [
                abs(entry[meter] - wanted) for meter in ("pyloudnorm", "ffmpeg") if entry[meter] is not None
            ]
            entry["error"] = max(errors, default=0.0)
            reached += met
            bad = []
            # ffmpeg prints whole tenths: an error of 0.1 + rounding shows as 0.1
            if met and entry["error"] > 0.1 + 1e-6:
                bad.append(f"loudness off {entry['error']:.3f}")
            if entry["true_peak"] > ceiling + 0.002:
                bad.append(f"true peak {entry['true_peak']:.4f} over {ceiling}")
            if not entry["finite"] or entry["clipped"]:
                bad.append(f"clipped {entry['clipped']}")
            if broken:
                bad.append("guards " + ",".join(broken))
            if bad:
                wrong.append(f"{record['song']} {name}: {'; '.join(bad)}")
    worst = max(
        (e["error"] for r in records if "failed" not in r for e in r["emotions"].values()
         if next(t for t in e["report"]["targets"] if t["target"] == "loudness_lufs")["verdict"] == "met"),
        default=0.0,
    )  # fmt: skip
    print(
        f"{rows} masters of {len(records)} songs; "
        f"loudness reached in {reached} ({reached / max(rows, 1):.0%}), "
        f"worst error where reached {worst:.3f} LU; {len(wrong)} masters with a fault"
    )
    print("\n".join(wrong))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--songs", default="", help="regular expression on the path")
    parser.add_argument("--without", default="", help="regular expression: songs to leave out")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--limit", type=int, default=None)
    args = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    records, todo = [], []
    for path in songs(args.songs, args.without)[: args.limit]:
        kept = OUT / f"{path.stem}.json"
        if kept.exists() and not args.fresh:
            records.append(json.loads(kept.read_text()))
        else:
            todo.append(path)
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        jobs = {pool.submit(master_song, str(path)): path for path in todo}
        for job in as_completed(jobs):
            record = job.result()
            (OUT / f"{jobs[job].stem}.json").write_text(json.dumps(record))
            records.append(record)
            print(record["song"], record.get("failed", f"{record.get('wall_s', 0):.0f} s"), file=sys.stderr)
    table(records)


if __name__ == "__main__":
    main()
