"""The yardstick beside the solver: one fixed preset per feeling, the same for every song.

    python benchmarks/matrix.py && python benchmarks/open_loop.py && python benchmarks/emotions.py
    python benchmarks/open_loop.py --list

What an engineer's preset file would do: the feeling's shifts are written onto the knobs as if a
decibel on a knob were a decibel heard. Nothing listens, nothing corrects; only loudness and ceiling
are delivered. Each song starts from the same neutral as our own master (its settings are read from
the matrix). Adds `open_loop_features` to every feeling in benchmarks/results/matrix/<song>.json;
benchmarks/emotions.py prints how well those can be told apart.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch
from features import features
from matrix import DATA, OUT

from daiw_master import house
from daiw_master.intent import parse_emotion
from daiw_master.midi import render_midi
from daiw_master.params import Space
from daiw_master.parts import send_of
from daiw_master.pipeline import LONGEST_TAIL_S, Options, chain_of
from daiw_master.plan import Plan, make_plan
from daiw_master.refine.bench import Bench
from daiw_master.refine.done import done_asks
from daiw_master.refine.song import put_on_bench
from daiw_master.stack.chain import chain_space
from daiw_master.targets import BANDS, WIDTH_EDGES_HZ

FELT = ("grief", "rage", "hope", "nostalgia", "fear")
LONGEST_S = 300.0
#: One knob per heard field, and how much of it a unit of the field is worth.
EQ_GAINS = ("low_shelf", *(f"peak_{i}" for i in range(1, 7)), "high_shelf")
KNOBS: dict[str, tuple[str, float]] = {
    **{band: (f"eq.{gain}_gain_db", 1.0) for band, gain in zip(BANDS, EQ_GAINS, strict=True)},
    **{f"width_{band}_db": (f"imager.{band}_width_db", 1.0) for band in WIDTH_EDGES_HZ},
    "onset_db": ("dynamics.attack_db", 1.0),
    # The rider's full travel is 3 dB each way.
    "loudness_range_lu": ("dynamics.ride", 0.3),
}
DONE_KNOBS = {
    "reverb_decay_s": "reverb.decay_s",
    "reverb_wet_db": "reverb.wet_db",
    "drive_db": "exciter.mix_db",
}


def plan_of(felt: str, space: Space) -> Plan:
    intent = parse_emotion(felt)
    return make_plan(intent.name, intent.shift(), character=intent.character(space, 1.0))


def fixed_settings(
    plan: Plan, neutral: Mapping[str, float], space: Space, has_send: bool
) -> dict[str, float]:
    """The song's neutral with the feeling's shifts added knob by knob, each held inside its range."""
    settings = dict(neutral) | {knob: value for knob, (value, _) in plan.character.items() if knob in space}
    for name, (knob, share) in KNOBS.items():
        if name in plan.shifts:
            settings[knob] += share * plan.shifts[name].by
    done = done_asks(plan, True, has_send)
    settings.update({knob: done[name].wanted for name, knob in DONE_KNOBS.items()})
    return space.clip(settings)


def add_open_loop(kept: Path) -> str:
    """Five masters of one song by fixed settings; only what is heard in them is kept."""
    torch.set_num_threads(1)
    record = json.loads(kept.read_text(encoding="utf-8"))
    neutral = {row["setting"]: row["value"] for row in record["emotions"]["neutral"]["report"]["settings"]}
    rendered = render_midi(DATA / record["song"], stems="roles")
    send = send_of((stem.role, stem.audio) for stem in rendered.stems)
    song = put_on_bench(rendered.mix, send=send, tempo_bpm=rendered.tempo_bpm, is_midi=True)
    bench = Bench(song.with_tail(LONGEST_TAIL_S), chain_of(Options()))
    most = house.limits()["limiter_p99_db"].hard
    for felt in FELT:
        plan = plan_of(felt, bench.space)
        settings = fixed_settings(plan, neutral, bench.space, send is not None)
        with torch.no_grad():
            take = bench.take(settings, plan.loudness_lufs, plan.ceiling_dbtp, most)
        # As long as our own master of it, so that both are heard at the same place.
        length = round(record["emotions"][felt]["seconds"] * song.rate)
        heard = features(take.sound.read(0, length)[0].numpy(), song.rate)
        record["emotions"][felt]["open_loop_features"] = heard.tolist()
    kept.write_text(json.dumps(record), encoding="utf-8")
    return record["song"]


def waiting(pattern: str, fresh: bool) -> list[Path]:
    """Matrix records with features of our own, short enough, and without an open loop so far."""
    found = []
    for kept in sorted(OUT.glob("*.json")):
        record = json.loads(kept.read_text(encoding="utf-8"))
        named = Path(record["song"]).match(pattern) or pattern in record["song"]
        if not named or "failed" in record or "features" not in record["emotions"]["neutral"]:
            continue
        if record["emotions"]["neutral"]["seconds"] > LONGEST_S:
            continue
        if fresh or any("open_loop_features" not in record["emotions"][felt] for felt in FELT):
            found.append(kept)
    return found


def print_presets() -> None:
    """The five presets as they are added to a neutral."""
    space = chain_space(chain_of(Options()))
    for felt in FELT:
        plan = plan_of(felt, space)
        settings = fixed_settings(plan, space.defaults(), space, has_send=True)
        moved = [f"{knob} {value:g}" for knob, value in settings.items() if value != space[knob].default]
        print(f"{felt} at {plan.loudness_lufs:g} LUFS: " + ", ".join(moved))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--songs", default="*", help="pattern on the song's path (default all in the matrix)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--fresh", action="store_true", help="also songs that have an open loop already")
    parser.add_argument("--list", action="store_true", help="print the five presets and stop")
    arguments = parser.parse_args()
    if arguments.list:
        print_presets()
        return
    todo = waiting(arguments.songs, arguments.fresh)
    started = time.monotonic()
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        for job in as_completed([pool.submit(add_open_loop, kept) for kept in todo]):
            print(f"{job.result()} {time.monotonic() - started:.0f} s", file=sys.stderr)
    print(f"{len(todo)} songs now have an open loop; benchmarks/emotions.py prints both")


if __name__ == "__main__":
    main()
