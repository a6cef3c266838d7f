"""The emotion bank put to use: does `--refine` bring masters nearer to it, and is nothing else lost?

    python benchmarks/style_bank.py [--songs 12] [--feelings grief,rage,...] [--generations 4] [--json FILE]

Excerpts of the songs in ../shared/data/midi, which nothing was fitted to, are mastered with each feeling as
the solver leaves them and with refinement. Told: on how many (song, feeling) pairs the master's embedding
moved toward the bank's vector; how many asked targets were missed before and after; and how often the
feeling is the nearest in the bank to the way a master went from its song's neutral (identifiability).
"""

from __future__ import annotations

import argparse
import json
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from daiw_master.brief import briefs_of, fitting
from daiw_master.errors import DaiwMasterError
from daiw_master.intent.categories import categories
from daiw_master.material import Material
from daiw_master.midi import render_midi_to
from daiw_master.neural.bank import Bank, emotion_bank, read_bank
from daiw_master.neural.style import cosine, style_of
from daiw_master.options import Options
from daiw_master.parts import SEND_WEIGHTS
from daiw_master.pipeline import masters_of
from daiw_master.sounds import Store

SONGS = Path(__file__).resolve().parents[1] / "../shared/data/midi"
#: Songs shorter than this are signals: nothing of them is left for a window.
SHORTEST_S = 10.0


def nearest(bank: Bank, way: np.ndarray) -> str:
    """The feeling of the bank whose step from neutral points most the way that a master went."""
    steps = {name: bank.step({name: 1.0}) for name in bank.styles}
    return max(steps, key=lambda name: cosine(way, steps[name]))


def judge(song: Path, names: list[str], asked: Options, seconds: float, bank: Bank) -> list[dict]:
    """One row per feeling of one song."""
    briefs, options = briefs_of(["neutral", *names], asked)
    plans = [fitting(brief.plan(options), options) for brief in briefs]
    rendered = render_midi_to(Store().place, song, rate=48_000, soundfont=None, sends=SEND_WEIGHTS)
    if rendered.duration_s < SHORTEST_S:
        return []
    material = Material.of_midi(song.name, rendered).previewed(seconds)
    plain = masters_of(material, briefs, plans, replace(options, refine=False))
    began = time.process_time()
    refined = masters_of(material, briefs[1:], plans[1:], replace(options, refine=True))
    cpu_s = (time.process_time() - began) / len(names)
    here = style_of(plain[0].sound).embedding
    rows = []
    for name, before, after in zip(names, plain[1:], refined, strict=True):
        moved = after.report.style
        was, became = (style_of(result.sound).embedding for result in (before, after))
        rows.append(
            {
                "song": song.stem, "feeling": name, "kept": bool(moved and moved.kept),
                "before": cosine(was, bank[name].embedding), "after": cosine(became, bank[name].embedding),
                "missed_before": len(before.report.missed), "missed_after": len(after.report.missed),
                "newly_missed": sorted(
                    {row.target for row in after.report.missed} - {row.target for row in before.report.missed}
                ),
                "heard_as_before": nearest(bank, was - here), "heard_as_after": nearest(bank, became - here),
                "cpu_s": cpu_s,
            }
        )  # fmt: skip
    return rows


def table(rows: list[dict]) -> str:
    """The summary as Markdown."""
    moved = [row["after"] > row["before"] for row in rows]
    lines = ["| | solver | refined |", "|---|---|---|"]
    for title, shown, keys in (
        ("similarity to the bank's vector, mean", _mean, ("before", "after")),
        ("targets missed", _sum, ("missed_before", "missed_after")),
        ("heard as the feeling asked for", _right, ("heard_as_before", "heard_as_after")),
    ):
        lines.append(f"| {title} | {' | '.join(shown(rows, key) for key in keys)} |")
    kept, lost = sum(row["kept"] for row in rows), sum(len(row["newly_missed"]) for row in rows)
    share = f"{sum(moved)} of {len(rows)} pairs ({np.mean(moved):.0%})"
    return "\n".join(
        [*lines, "", f"moved toward the bank's vector: {share}; kept {kept}; newly missed {lost}"]
    )


def _mean(rows: list[dict], key: str) -> str:
    return f"{np.mean([row[key] for row in rows]):.3f}"


def _sum(rows: list[dict], key: str) -> str:
    return str(sum(row[key] for row in rows))


def _right(rows: list[dict], key: str) -> str:
    right = sum(row[key] == row["feeling"] for row in rows)
    return f"{right} of {len(rows)} ({right / len(rows):.0%})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--songs", type=int, default=12, help="how many, evenly over the folder")
    parser.add_argument("--pattern", default="", help="regular expression on the path")
    parser.add_argument("--feelings", default=",".join(categories()))
    parser.add_argument("--seconds", type=float, default=12.0, help="of each song, the loudest so many")
    parser.add_argument("--generations", type=int, default=4)
    parser.add_argument("--candidates", type=int, default=32)
    parser.add_argument("--bank", type=Path, help="another bank than the one that ships")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    bank = read_bank(given.bank) if given.bank else emotion_bank()
    found = sorted(path for path in SONGS.rglob("*.mid") if re.search(given.pattern, str(path)))
    places = np.linspace(0, len(found) - 1, min(given.songs, len(found))).round().astype(int)
    options = Options(rate=48_000, generations=given.generations, candidates=given.candidates)
    rows: list[dict] = []
    for place in places:
        try:
            rows += judge(found[place], given.feelings.split(","), options, given.seconds, bank)
        except DaiwMasterError as error:
            print(f"{found[place].stem}: {error}", flush=True)
            continue
        if rows:
            print(f"{found[place].stem}\n{table(rows)}\n", flush=True)
        if given.json:
            given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
