"""Does a broken rule sound as it claims? Every rule with claims on short songs, with and without it.

    python benchmarks/rules.py [--rules 'PRODUCTION_|Texture'] [--songs stephenson] [--workers 2]

Songs are cut to a few seconds (longer where a claim needs time to be told), and get a written dropout
where a claim speaks of silence. Prints a table of claimed against measured and writes one JSON.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent / "shared" / "data"
OUT = HERE / "results" / "rules.json"
SONGS = (
    "midi/band/simutrans_13-stephenson-blues.mid",
    "midi/band/simutrans_01-simutrans-main-theme.mid",
    "midi/band/freedoom_dark_fear.mid",
    "midi/orchestral/icalvo_manhattan.mid",
    "midi/orchestral/icalvo_romance-in-rio.mid",
    "midi/band/freedoom_band_dm27.mid",
    "daiw/generated/therapy_rage.mid",
    "daiw/shipped/midi/idaw/iDAW_20251127_173218_hope.mid",
    "midi/chamber/openscore_beach-amy-3-shakespeare-songs-op-37-3-fairy-lullaby_lc6564816.mid",
)
#: Seconds of song; how long and how far in a written dropout is, and where in it one listens.
SHORT_S, LONG_S = 14.0, 40.0
GAP_AT_S, GAP_S = 8.0, 2.5
LISTEN_S = (0.45, 0.95)
#: A song with less than this above 9 kHz has no highs to lose.
NOTHING_DB = -30.0
#: Claims that need a song to have a course, and those that need a silence in it.
NEED_TIME = {"loudness_range_lu", "section_peak", "end_lift_db", "drift_db"}
NEED_GAP = {"silence_db", "noise_floor_db"}


def excerpt(source: Path, target: Path, seconds: float, gap: bool) -> None:
    """The first seconds of a MIDI file, every note ended; with `gap`, a silence is written into it."""
    import mido

    song = mido.MidiFile(source, clip=True)
    out = mido.MidiFile(ticks_per_beat=480)
    track = out.add_track("excerpt")
    names = {}
    for part in song.tracks:
        title = next((m.name for m in part if m.type == "track_name"), "")
        for channel in {m.channel for m in part if m.type == "note_on"}:
            names.setdefault(channel, title)
    tracks = {channel: out.add_track(name) for channel, name in sorted(names.items())}
    tempo = mido.bpm2tempo(120)
    track.append(mido.MetaMessage("set_tempo", tempo=tempo))
    last = dict.fromkeys([*tracks, None], 0)
    sounding: set[tuple[int, int]] = set()

    def put(message, at_s: float) -> None:
        channel = getattr(message, "channel", None)
        where = tracks.get(channel, track)
        key = channel if channel in tracks else None
        tick = round(mido.second2tick(at_s, 480, tempo))
        where.append(message.copy(time=max(0, tick - last[key])))
        last[key] = max(tick, last[key])

    def hush(at_s: float) -> None:
        for channel in tracks:
            put(mido.Message("control_change", channel=channel, control=64, value=0), at_s)
        for channel, note in sorted(sounding):
            put(mido.Message("note_off", channel=channel, note=note), at_s)
        sounding.clear()

    # the song's own silence before its first note counts for nothing
    began, now, hushed = None, 0.0, not gap
    for message in song:
        now += message.time
        if message.is_meta or message.type == "sysex":
            continue
        if began is None and message.type == "note_on" and message.velocity:
            began = now
        at = 0.0 if began is None else now - began
        if not hushed and at >= GAP_AT_S:
            hush(GAP_AT_S)
            hushed = True
        if at >= seconds:
            break
        later = at + (GAP_S if gap and at >= GAP_AT_S else 0.0)
        if message.type == "note_on" and message.velocity:
            if (message.channel, message.note) in sounding:  # struck again: one end would be missing
                put(mido.Message("note_off", channel=message.channel, note=message.note), later)
            sounding.add((message.channel, message.note))
        elif message.type in ("note_on", "note_off"):
            if (message.channel, message.note) not in sounding:
                continue
            sounding.discard((message.channel, message.note))
        put(message, later)
    hush(min(seconds, at) + (GAP_S if gap else 0.0))
    out.save(target)


@dataclass(frozen=True)
class Pair:
    """A master with a rule and one without, and what the meters need to know beside them."""

    with_rule: object
    without: object
    parts: dict
    last_note_s: float


def measured(pair: Pair, measure: str, part: str | None) -> float | None:
    """What a claim speaks of, in its own unit; None where the song has no such thing."""
    import torch

    from daiw_master.meters import heard, imperfection, integrated_loudness

    (after, rate), (before, _) = ((r.audio.batch, r.audio.rate) for r in (pair.with_rule, pair.without))
    length = min(after.shape[-1], before.shape[-1])

    def change(meter) -> float:
        return float(meter(after, rate) - meter(before, rate))

    if measure == "loudness_lufs":
        return change(integrated_loudness)
    if measure in ("reverb_decay_s", "reverb_wet_db", "drive_db"):
        return pair.with_rule.report.row(measure).after - pair.without.report.row(measure).after
    if measure == "stem_level_db":
        if part not in pair.parts or len(pair.parts) < 2:
            return None
        one = pair.parts[part][None]
        rest = torch.stack([s for role, s in pair.parts.items() if role != part]).sum(0)[None]
        return float(imperfection.part_change_db(after, before, one, rest, rate))
    if measure == "silence_db":
        stretch = (GAP_AT_S + LISTEN_S[0], GAP_AT_S + LISTEN_S[1])
        return change(lambda x, rate: imperfection.level_between_db(x, rate, *stretch))
    if measure == "tail_s":
        return change(lambda x, rate: imperfection.tail_s(x, rate, pair.last_note_s))
    if measure == "highs_db" and float(imperfection.highs_db(before, rate)) < NOTHING_DB:
        return None
    if measure in ("drift_db", "clip_share", "highs_db"):
        return change(lambda x, rate: getattr(imperfection, measure)(x[..., :length], rate))
    if measure in ("noise_floor_db", "end_hardness_db"):
        # the file's end is no gap: a bed that stops with the file has no floor after it
        return float(getattr(imperfection, measure)(after, rate))
    if measure in ("wow_cents", "section_peak", "end_lift_db"):
        return float(getattr(imperfection, measure)(after, before, rate))
    return float(heard(after, rate)[measure]) - float(heard(before, rate)[measure])


def cut_of(result, measure: str) -> str:
    """What the report says was cut of an ask: this song has no room for it."""
    return next((row.cut for row in result.report.targets if row.target == measure), "") or ""


def master_song(job: tuple[str, list[str]]) -> list[dict]:
    """One song under every rule that claims something: a row for each claim."""
    import torch

    torch.set_num_threads(1)
    from daiw_master.brief import briefs_of, fitting
    from daiw_master.intent.rules import RULES
    from daiw_master.material import Material
    from daiw_master.midi import render_midi
    from daiw_master.parts import SEND_WEIGHTS
    from daiw_master.pipeline import Options, masters_of

    song, names = job
    rows = []
    kinds: dict[tuple[bool, bool], list] = {}
    for name in names:
        needs = {claim.measure for claim in RULES[name].claims}
        kinds.setdefault((bool(needs & NEED_TIME), bool(needs & NEED_GAP)), []).append(RULES[name])
    for (long, gap), rules in kinds.items():
        with tempfile.TemporaryDirectory() as folder:
            midi = Path(folder) / Path(song).name
            excerpt(DATA / song, midi, LONG_S if long else SHORT_S, gap)
            rendered = render_midi(midi, rate=44100, stems="roles", sends=SEND_WEIGHTS)
        parts = {}
        for stem in rendered.stems:
            parts[stem.role] = parts.get(stem.role, 0) + stem.audio.samples
        options = [Options(), *(Options(rules=(rule.name,)) for rule in rules)]
        briefs = [briefs_of(["neutral"], o)[0][0] for o in options]
        started = time.monotonic()
        plans = [fitting(brief.plan(o), o) for brief, o in zip(briefs, options, strict=True)]
        # the song is rendered and finished neutrally once for all its rules
        results = masters_of(Material.of_midi(midi.name, rendered), briefs, plans, options[0])
        took = (time.monotonic() - started) / len(results)
        for rule, result in zip(rules, results[1:], strict=True):
            pair = Pair(result, results[0], parts, rendered.last_note_s or 0.0)
            rows += [
                {
                    "song": Path(song).stem, "rule": rule.name, "measure": claim.measure, "part": claim.part,
                    "claimed": claim.value, "got": measured(pair, claim.measure, claim.part),
                    "cut": cut_of(result, claim.measure), "seconds": round(took, 1),
                    "notes": result.report.notes,
                    "broken": [g.guard for g in result.report.guards if not g.holds],
                }
                for claim in rule.claims
            ]  # fmt: skip
            print(f"{Path(song).stem} {rule.name}: {took:.0f} s", file=sys.stderr, flush=True)
    return rows


def table(rows: list[dict]) -> str:
    """Claimed against measured, a line for each claim of each rule."""
    from daiw_master.intent.rules import RULES, STARS

    lines = [
        "| rule | claim | claimed | got (median) | least | most | sign right | as claimed | no room |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for rule in RULES.values():
        for claim in rule.claims:
            found = [
                row for row in rows
                if (row["rule"], row["measure"], row["part"]) == (rule.name, claim.measure, claim.part)
                and row["got"] is not None
            ]  # fmt: skip
            # a song without room for an ask says so in its report; it counts where it got there all the same
            got = [row["got"] for row in found if not row["cut"] or claim.holds(row["got"])]
            if not got:
                continue
            cut = len(found) - len(got)
            signs, sizes = sum(map(claim.points_right, got)), sum(map(claim.holds, got))
            bound = "\u2265 " if claim.at_least else ""
            what = f"{claim.measure} ({claim.part})" if claim.part else claim.measure
            lines.append(
                f"| {STARS[rule.star]} {rule.name} | {what} | {bound}{claim.value:+g} | "
                f"{statistics.median(got):+.4g} | {min(got):+.4g} | {max(got):+.4g} | "
                f"{signs}/{len(got)} | {sizes}/{len(got)} | {cut or ''} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", default="", help="regular expression on the rule's name")
    parser.add_argument("--songs", default="", help="regular expression on the song's name")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--add", action="store_true", help="keep what earlier runs found for other rules")
    args = parser.parse_args()
    from daiw_master.intent.rules import RULES

    names = [n for n, rule in RULES.items() if rule.claims and re.search(args.rules, n, re.IGNORECASE)]
    jobs = [(song, names) for song in SONGS if re.search(args.songs, song, re.IGNORECASE)]
    rows = []
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        for found in pool.map(master_song, jobs):
            rows += found
    if args.add and OUT.exists():
        done = {(row["rule"], row["song"]) for row in rows}
        rows = [r for r in json.loads(OUT.read_text()) if (r["rule"], r["song"]) not in done] + rows
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
