"""Where finished music lies, and what that allows: the numbers behind house.yaml's `envelope`.

    python benchmarks/envelope.py [--midi 80] [--fresh]

1. Percentiles of every heard field over finished recordings. 2. The same over dry renders of MIDI
songs: a seeded sample, the same number from every collection, and the band and orchestral test songs.
3. What the envelope in force does to them: bands the neutral would move. 4. For every test song and
claimed feeling, which asks it would cut (the solver's own cuts come on top; benchmarks/emotions.py
counts both). The first 90 s of each piece are heard; readings are kept in results/envelope.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import torch

from daiw_master import house
from daiw_master.audio import Audio
from daiw_master.errors import InputError
from daiw_master.files import read_audio
from daiw_master.intent import parse_emotion
from daiw_master.meters import heard
from daiw_master.midi import render_midi
from daiw_master.parts import send_of
from daiw_master.pipeline import LONGEST_TAIL_S, Options, chain_of
from daiw_master.plan import make_plan
from daiw_master.refine.asks import ask_of
from daiw_master.refine.bench import Bench, Take
from daiw_master.refine.done import done_asks, set_room
from daiw_master.refine.enforce import inside_stereo_limits
from daiw_master.refine.song import put_on_bench
from daiw_master.targets import BANDS, HEARD

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
KEPT = ROOT / "benchmarks" / "results" / "envelope.json"
FELT = ("grief", "rage", "hope", "nostalgia", "fear")
PERCENTILES = (5, 10, 50, 90, 95)
EXCERPT_S = 90.0
#: Whole songs are played before they are cut to the excerpt; longer ones are left out of the draw.
LONGEST_S = 300.0
#: As in benchmarks/emotions.py: UI blips are not songs.
SHORTEST_S = 10.0
#: The meter reads an empty band as -70 dB of the whole; a decibel or two above is still nothing.
FLOOR_DB = -68.0
SEED = 2026


def finished() -> list[Path]:
    return sorted(path for path in (DATA / "audio" / "music").iterdir() if path.suffix != ".md")


def drawn(count: int, folder: str) -> list[Path]:
    """About `count` songs of the training set unpacked into `folder`, as many from each collection."""
    archive = DATA / "midi-train" / "midi-train-open.tar.zst"
    subprocess.run(["tar", "--zstd", "-xf", str(archive), "-C", folder], check=True)
    collections = defaultdict(list)
    with open(DATA / "midi-train" / "manifest.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            path = Path(folder) / row["file"]
            if SHORTEST_S <= float(row["seconds"]) <= LONGEST_S and path.exists():
                collections[row["file"].partition("/")[0]].append(path)
    rng = random.Random(SEED)
    each = -(-count // len(collections))
    return [
        path
        for name in sorted(collections)
        for path in rng.sample(sorted(collections[name]), min(each, len(collections[name])))
    ]


def test_songs(*kinds: str) -> list[Path]:
    return sorted(path for kind in kinds for path in (DATA / kind).rglob("*.mid"))


def excerpt(audio: Audio) -> Audio:
    return audio.with_samples(audio.samples[:, : round(EXCERPT_S * audio.rate)])


def hear(audio: Audio) -> dict[str, float]:
    audio = excerpt(audio)
    return {name: float(value) for name, value in heard(audio.batch, audio.rate).items()}


def hear_dry(path: Path) -> dict[str, float]:
    return hear(render_midi(path).mix)


def hear_neutral(path: Path) -> dict[str, float]:
    """A MIDI song in its neutral room, delivered inside the stereo limits, before any move of tone."""
    rendered = render_midi(path, stems="roles")
    send = send_of((stem.role, excerpt(stem.audio)) for stem in rendered.stems)
    song = put_on_bench(excerpt(rendered.mix), send=send, tempo_bpm=rendered.tempo_bpm, is_midi=True)
    bench = Bench(song.with_tail(LONGEST_TAIL_S), chain_of(Options()))
    plan = make_plan()
    settings = bench.space.defaults()
    settings["imager.correlation_floor"] = house.limits()["correlation_p5"].default
    settings = set_room(bench, plan, settings, done_asks(plan, True, send is not None))
    most = house.limits()["limiter_p99_db"].hard

    def take_at(settings: dict) -> Take:
        return bench.take(settings, plan.loudness_lufs, plan.ceiling_dbtp, most, quick=True)

    take = inside_stereo_limits(bench, take_at(settings), take_at, tasteful=True)
    return dict(take.heard) | {"seconds": min(EXCERPT_S, rendered.duration_s)}


def read(kept: dict, kind: str, paths: Iterable[Path], base: Path, listen: Callable) -> dict[str, dict]:
    """Readings by name, from `kept` where they are there already; songs that are refused are left out."""
    rows = kept.setdefault(kind, {})
    for path in paths:
        name = str(path.relative_to(base))
        if name not in rows:
            try:
                rows[name] = listen(path)
            except InputError as error:
                print(f"left out {name}: {error}", file=sys.stderr)
                continue
            KEPT.parent.mkdir(parents=True, exist_ok=True)
            KEPT.write_text(json.dumps(kept), encoding="utf-8")
            print(kind, len(rows), name, file=sys.stderr)
    return rows


def percentiles(title: str, rows: Mapping[str, Mapping[str, float]]) -> None:
    print(f"\n### {title}: {len(rows)} pieces\n")
    print("| field | " + " | ".join(f"{p} %" for p in PERCENTILES) + " | envelope | below | above |")
    print("|---" * (len(PERCENTILES) + 4) + "|")
    for name in HEARD:
        values = np.array([row[name] for row in rows.values()])
        cells = " | ".join(f"{value:.1f}" for value in np.percentile(values, PERCENTILES))
        low, high = house.envelope().get(name, (-np.inf, np.inf))
        print(f"| {name} | {cells} | {low:g} … {high:g} | {(values < low).sum()} | {(values > high).sum()} |")


def tone_moves(row: Mapping[str, float]) -> dict[str, float]:
    """What the neutral would move, by band: a third of the way back from outside the envelope."""
    share, most = float(house.neutral()["tone_share"]), house.limits()["eq_band_db"].default
    moves = {}
    for name in BANDS:
        by = share * (float(np.clip(row[name], *house.envelope()[name])) - row[name])
        if abs(by) > 0.25:  # less is not worth a filter (refine/master.py)
            moves[name] = float(np.clip(by, -most, most))
    return moves


def moves_table(title: str, rows: Mapping[str, Mapping[str, float]]) -> None:
    moves = {song: tone_moves(row) for song, row in rows.items()}
    counts = Counter(len(moved) for moved in moves.values())
    line = ", ".join(f"{counts[n]} in {n}" for n in sorted(counts))
    print(f"\nneutral moves of tone, {title}: songs by number of bands moved: {line}")
    for song, moved in sorted(moves.items(), key=lambda item: -sum(map(abs, item[1].values())))[:5]:
        print(f"- {song}: " + ", ".join(f"{band} {by:+.1f}" for band, by in moved.items()))


def empty_bands(rows: Mapping[str, Mapping[str, float]]) -> None:
    """Bands at the meter's floor (-70 dB of the whole): an equaliser finds nothing to lift there."""
    found = Counter()
    for row in rows.values():
        power = 10 ** (np.array([row[name] for name in BANDS]) / 10)
        share_db = 10 * np.log10(power / power.sum())
        found.update(name for name, db in zip(BANDS, share_db, strict=True) if db < FLOOR_DB)
    print("\nempty bands: " + (", ".join(f"{name} in {n} songs" for name, n in found.items()) or "none"))


def cuts_table(rows: Mapping[str, Mapping[str, float]]) -> None:
    """Which claimed asks the envelope would cut, counted as benchmarks/emotions.py counts."""
    songs = {name: row for name, row in rows.items() if row["seconds"] >= SHORTEST_S}
    cut, asked = defaultdict(list), 0
    for felt in FELT:
        intent = parse_emotion(felt)
        plan = make_plan(felt, intent.shift())
        for song, row in songs.items():
            moved = tone_moves(row)
            neutral = {name: row[name] + moved.get(name, 0.0) for name in HEARD}
            for name, ask in ask_of(plan, neutral).items():
                asked += ask.claimed or bool(ask.cut)
                if ask.cut:
                    cut[felt, name].append(song)
    total = sum(map(len, cut.values()))
    print(f"\n### Asks cut on {len(songs)} test songs: {total} of {asked} ({total / max(asked, 1):.1%})\n")
    print("| feeling | field | shift | songs cut |\n|---|---|---|---|")
    for (felt, name), names in sorted(cut.items(), key=lambda item: -len(item[1])):
        by = parse_emotion(felt).shift()[name].by
        shown = ", ".join(Path(song).stem for song in names[:4]) + (", …" if len(names) > 4 else "")
        print(f"| {felt} | {name} | {by:+.1f} | {len(names)}: {shown} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--midi", type=int, default=80, help="songs drawn from the training set (default 80)")
    parser.add_argument("--fresh", action="store_true", help="hear everything again")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    kept = {} if arguments.fresh or not KEPT.exists() else json.loads(KEPT.read_text(encoding="utf-8"))
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        music = read(kept, "finished", finished(), DATA, lambda path: hear(read_audio(path)))
        percentiles("finished recordings", music)
        tests = read(kept, "neutral", test_songs("midi", "daiw"), DATA, hear_neutral)
        dry = read(kept, "drawn", drawn(arguments.midi, folder), Path(folder), hear_dry)
        dry = dry | read(kept, "dry", test_songs("midi/band", "midi/orchestral"), DATA, hear_dry)
    percentiles("dry MIDI renders", dry)
    percentiles("test songs in their neutral room", tests)
    moves_table("dry MIDI renders", dry)
    moves_table("test songs", tests)
    empty_bands(tests)
    cuts_table(tests)


if __name__ == "__main__":
    main()
