"""`python -m daiw_master.training.bank --data DIR`: the emotion bank, made from songs nobody is tested on.

Songs of the training corpus, dry through several soundfonts, are mastered merely finished and with every
feeling, as the program masters them; the excerpts are kept under DIR, and an interrupted run goes on. The
bank is the mean style of each feeling's masters, and of the neutral ones.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from daiw_master.brief import briefs_of, fitting
from daiw_master.errors import DaiwMasterError, InputError
from daiw_master.files import write_sound
from daiw_master.intent.categories import categories
from daiw_master.material import Material
from daiw_master.midi import render_midi_to
from daiw_master.neural.bank import BANK_FILE, Bank, write_bank
from daiw_master.neural.style import Style, mean_style, style_of
from daiw_master.options import Options
from daiw_master.parts import SEND_WEIGHTS
from daiw_master.pipeline import masters_of
from daiw_master.sounds import Store
from daiw_master.training.style import slots
from daiw_master.training.style.works import Work, midi_corpus

#: What every song is mastered as, first of all.
NEUTRAL = "neutral"
#: Through these the songs are played in turn: the ones the encoder learnt from.
SOUNDFONTS = tuple(Path("/usr/share/sounds/sf2") / name for name in slots.SOUNDFONTS["train"])
RATE = 48_000
#: Songs worth an excerpt, seconds; shorter ones are jingles, longer ones cost time to render.
SHORTEST_S, LONGEST_S = 25.0, 150.0


@dataclass(frozen=True)
class Song:
    """One song of the corpus and the soundfont it is played through."""

    work: Work
    soundfont: Path

    @property
    def name(self) -> str:
        """A name for its folder: where it comes from and what it is."""
        return self.work.name.rsplit(".", 1)[0].replace("/", "-")


def songs_of(works: Sequence[Work], split: str, count: int, soundfonts: Sequence[Path]) -> list[Song]:
    """So many songs of one side of the split, one of a group, drawn from the collections in turn."""
    drawn: dict[str, list[Work]] = {}
    groups = set()
    for work in sorted(works, key=lambda work: hashlib.sha256(work.name.encode()).digest()):
        fits = work.split == split and SHORTEST_S <= work.seconds <= LONGEST_S
        if fits and work.group not in groups:
            groups.add(work.group)
            drawn.setdefault(work.name.partition("/")[0], []).append(work)
    rounds = [
        [works[place] for _, works in sorted(drawn.items()) if place < len(works)] for place in range(count)
    ]
    chosen = [work for one in rounds for work in one][:count]
    return [Song(work, soundfonts[place % len(soundfonts)]) for place, work in enumerate(chosen)]


def master_song(song: Song, names: Sequence[str], seconds: float, folder: Path) -> None:
    """The loudest seconds of a song mastered as each name says, as FLAC files in `folder`, all or none."""
    options = Options(rate=RATE, soundfont=song.soundfont)
    briefs, options = briefs_of(names, options)
    plans = [fitting(brief.plan(options), options) for brief in briefs]
    rendered = render_midi_to(
        Store().place, song.work.path, rate=RATE, soundfont=song.soundfont, sends=SEND_WEIGHTS
    )
    material = Material.of_midi(song.work.path.name, rendered).previewed(seconds)
    results = masters_of(material, briefs, plans, options)
    part = folder.with_name(folder.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    for name, result in zip(names, results, strict=True):
        write_sound(result.sound, part / f"{name}.flac", bit_depth=24)
    part.rename(folder)


def styles_of(folder: Path, names: Sequence[str]) -> dict[str, Style]:
    """The style of each master of one song."""
    return {name: style_of(folder / f"{name}.flac") for name in names}


def bank_of(songs: Sequence[dict[str, Style]], made: dict[str, object]) -> Bank:
    """The bank of many songs' styles: each song weighs the same; sources are told in `made`."""
    names = [name for name in songs[0] if name != NEUTRAL]

    def mean(name: str) -> Style:
        return replace(mean_style([styles[name] for styles in songs]), sources=())

    return Bank(mean(NEUTRAL), {name: mean(name) for name in names}, made)


def mastered(options: argparse.Namespace, names: Sequence[str]) -> Iterator[tuple[Song, Path]]:
    """Every song of the bank with the folder of its masters, made where it is not there yet."""
    soundfonts = [path for path in SOUNDFONTS if path.is_file()]
    if not soundfonts:
        wanted = ", ".join(path.name for path in SOUNDFONTS)
        raise InputError(f"none of {wanted} is in {SOUNDFONTS[0].parent}")
    works = midi_corpus(options.sources, options.data / "midi")
    folder = options.data / "bank" / f"{options.split}-{options.seconds:g}s"
    for song in songs_of(works, options.split, options.songs, soundfonts):
        place, began = folder / song.name, time.monotonic()
        if not place.is_dir():
            if options.until and time.strftime("%H:%M") >= options.until:
                continue
            try:
                master_song(song, names, options.seconds, place)
            except DaiwMasterError as error:
                print(f"{song.name}: {error}", flush=True)
                continue
            print(f"{song.name}: {len(names)} masters in {time.monotonic() - began:.0f} s", flush=True)
        yield song, place


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the bank; 0, or 2 with one line where it is refused."""
    parser = argparse.ArgumentParser(prog="python -m daiw_master.training.bank", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder for what is rendered")
    parser.add_argument(
        "--sources", type=Path, default=Path("../shared/data"), help="folder that holds midi-train/"
    )
    parser.add_argument("--songs", type=int, default=12, help="how many songs")
    parser.add_argument("--seconds", type=float, default=14.0, help="of each, the loudest so many")
    parser.add_argument("--split", default="train", choices=("train", "dev"))
    parser.add_argument("--until", metavar="HH:MM", help="master nothing more after this time of today")
    parser.add_argument("-o", "--output", type=Path, default=BANK_FILE, help="the bank (.json)")
    options = parser.parse_args(arguments)
    names = [NEUTRAL, *categories()]
    try:
        songs = list(mastered(options, names))
        if not songs:
            raise InputError("no song was mastered; there is nothing to make a bank of")
        bank = bank_of([styles_of(place, names) for _, place in songs], {
            "songs": [song.name for song, _ in songs],
            "soundfonts": sorted({song.soundfont.name for song, _ in songs}),
            "seconds": options.seconds,
        })  # fmt: skip
        write_bank(bank, options.output)
    except DaiwMasterError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{options.output}: {len(bank.styles)} feelings from {len(songs)} songs")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
