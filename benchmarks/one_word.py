"""One word changed in an intent: does the master differ in what that word claims, and in nothing else?

    python benchmarks/one_word.py [--songs therapy] [--limit 3]

For every field of the sheet, two masters of one song from two intents that differ in that field alone.
A target the changed moves name is *claimed*; prints how often claimed targets (by two tolerances or more)
move the right way, and how often all others stay within two tolerances of each other, as a kept target may.
"""

from __future__ import annotations

import argparse
import copy
import json
import re
from pathlib import Path

import torch

from daiw_master.brief import briefs_of
from daiw_master.options import Options
from daiw_master.pipeline import render_many
from daiw_master.targets import FIELDS

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
OUT = Path(__file__).resolve().parent / "results" / "one_word.json"
SONGS = (
    "daiw/shipped/midi/idaw/iDAW_20251127_173218_hope.mid",
    "midi/band/",
    "daiw/generated/therapy_dissociation.mid",
)
SHEET = {
    "song_root": {"core_event": "The line went dead.", "core_longing": "To hear the end of the sentence."},
    "song_intent": {
        "mood_primary": "Melancholy", "mood_secondary_tension": 0.5, "imagery_texture": "",
        "vulnerability_scale": "Medium", "narrative_arc": "",
    },
    "technical_constraints": {
        "technical_genre": "", "technical_groove_feel": "", "technical_rule_to_break": "",
        "rule_breaking_justification": "because it hurts",
    },
}  # fmt: skip
WORDS = (
    ("song_intent", "mood_primary", "Defiance"),
    ("song_intent", "mood_secondary_tension", 0.9),
    ("song_intent", "imagery_texture", "Sharp Edges"),
    ("song_intent", "vulnerability_scale", "High"),
    ("song_intent", "narrative_arc", "Descent"),
    ("technical_constraints", "technical_genre", "Synthwave"),
    ("technical_constraints", "technical_groove_feel", "Mechanical"),
    ("technical_constraints", "technical_rule_to_break", "TEXTURE_SparseEmptiness"),
)


def songs(limit: int | None) -> list[Path]:
    found = [path for path in sorted(DATA.rglob("*.mid")) if any(name in str(path) for name in SONGS)]
    return sorted(found, key=lambda path: path.stat().st_size)[:limit]


def shifts_of(sheet: dict) -> dict[str, float]:
    briefs, options = briefs_of([], Options(intent=sheet))
    plan = briefs[0].plan(options)
    return {name: shift.by for name, shift in plan.shifts.items()} | {"loudness_lufs": plan.loudness_lufs}


def compare(song: Path, section: str, field: str, word) -> dict:
    """How claimed and unclaimed targets differ between two masters that one word tells apart."""
    other = copy.deepcopy(SHEET)
    other[section][field] = word
    reports = [
        render_many(song, [], Options(intent=sheet, preview=True))[0].report for sheet in (SHEET, other)
    ]
    asked = [shifts_of(sheet) for sheet in (SHEET, other)]
    cells = {"claimed": [], "others": []}
    for row in reports[0].targets:
        twin = next((r for r in reports[1].targets if r.target == row.target), None)
        if twin is None or row.asked is None or twin.asked is None or row.target == "true_peak_dbtp":
            continue
        tolerance = FIELDS[row.target].tolerance * (
            abs(row.asked) if FIELDS[row.target].relative_tolerance else 1
        )
        way = asked[1].get(row.target, 0.0) - asked[0].get(row.target, 0.0)
        moved = twin.after - row.after
        entry = {"target": row.target, "asked": way, "feasible": twin.asked - row.asked, "moved": moved}
        if abs(way) >= 2 * tolerance and abs(entry["feasible"]) >= tolerance:
            cells["claimed"].append(entry | {"right": moved * way > 0})
        elif abs(way) < 0.25 * tolerance:
            # what a master asked to stay, or cut elsewhere, is compared with what its own plan asked
            off = abs(moved - entry["feasible"])
            cells["others"].append(entry | {"right": off <= 2 * tolerance})
    return {"song": song.name, "field": field, "word": word, **cells}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--songs", default="", help="regular expression on the path")
    parser.add_argument("--limit", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    records = [
        compare(song, *word)
        for song in songs(given.limit)
        if re.search(given.songs, str(song))
        for word in WORDS
    ]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(records, indent=1))
    print("| word changed | claimed: right way | others: within two tolerances |")
    print("| --- | --- | --- |")
    for _, field, word in WORDS:
        mine = [record for record in records if record["field"] == field]
        claimed, others = (
            [cell["right"] for record in mine for cell in record[kind]] for kind in ("claimed", "others")
        )
        print(f"| {field}: {word} | {sum(claimed)} of {len(claimed)} | {sum(others)} of {len(others)} |")
    for kind in ("claimed", "others"):
        cells = [cell["right"] for record in records for cell in record[kind]]
        print(f"{kind}: {sum(cells)} of {len(cells)} ({sum(cells) / max(len(cells), 1):.0%})")
    for record in records:
        for cell in record["claimed"] + record["others"]:
            if not cell["right"]:
                what = f"{record['song']} {record['field']}: {cell['target']}"
                print(f"- {what} asked {cell['asked']:+.2f}, moved {cell['moved']:+.2f}")


if __name__ == "__main__":
    main()
