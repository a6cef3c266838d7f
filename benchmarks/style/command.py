"""What the commands share: options, trial lists frozen or drawn anew, columns, and where results go."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.style import fits, sources
from benchmarks.style.cache import DESCRIPTION, features
from benchmarks.style.clips import Shelf
from benchmarks.style.features import FEATURES
from benchmarks.style.methods import FITS, Method, encoder_head, methods, untrained_heads
from benchmarks.style.tables import Table
from benchmarks.style.trial_list import FOLDER, TrialList
from daiw_master.errors import InputError

#: Where `python -m daiw_master.training.style contents --data` puts its clips, unless told otherwise.
DATA = Path("build/style")

Opened = tuple[TrialList, Callable[[], Shelf]]


def parser(name: str, about: str) -> argparse.ArgumentParser:
    """Options that every trial command takes."""
    made = argparse.ArgumentParser(prog=f"python -m benchmarks.style {name}", description=about)
    made.add_argument("--sources", choices=("dev", "test"), default="test", help="which frozen trials")
    made.add_argument("--domains", default="midi,audio,speech", help="of these, commas between")
    made.add_argument("--weights", type=Path, help="another encoder than the shipped one")
    made.add_argument("--no-baselines", action="store_true", help="our column only")
    made.add_argument("--data", type=Path, default=DATA, help="folder of the dry clips")
    made.add_argument("--cache", type=Path, help="folder for what was heard (default: DATA/bench)")
    made.add_argument("--processes", type=int, default=2)
    made.add_argument("--json", type=Path, metavar="FILE", help="write all results here")
    made.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables here")
    own = made.add_argument_group("trials drawn anew from your own files, instead of --sources")
    for domain in sources.DOMAINS:
        files = "MIDI" if domain == "midi" else "sound"
        own.add_argument(f"--{domain}", type=Path, metavar="FOLDER", help=f"{files} files, each another work")
    own.add_argument("--soundfont", type=Path, metavar="FILE", help="plays the MIDI files")
    own.add_argument("--seed", type=int, default=5, help="of clips, effects and trials")
    own.add_argument("--keep", type=Path, metavar="FOLDER", help="write the drawn trial lists here")
    return made


def learner(name: str, about: str, output: Path) -> argparse.ArgumentParser:
    """Options of the commands that learn from train clips and keep what they learnt in `output`."""
    made = argparse.ArgumentParser(prog=f"python -m benchmarks.style {name}", description=about)
    made.add_argument("--data", type=Path, required=True, help="folder of the dry clips")
    made.add_argument("--cache", type=Path, help="folder for features (default: DATA/bench)")
    made.add_argument("--output", type=Path, default=output)
    made.add_argument("--share", type=float, default=1.0, help="share of the usual number of sounds")
    made.add_argument("--seed", type=int, default=5)
    made.add_argument("--processes", type=int, default=2)
    return made


def opened(
    given: argparse.Namespace, kind: type[TrialList], draw: Callable[[Shelf, str], TrialList]
) -> list[Opened]:
    """The trial lists asked for, each with a way to its clips. InputError: there are none.

    `draw`: (shelf, domain) to a list, for clips from the caller's own folders.
    """
    folders = {d: getattr(given, d) for d in sources.DOMAINS if getattr(given, d)}
    if folders:
        found = []
        for domain, folder in folders.items():
            shelf = sources.from_folder(
                folder, domain, cache_of(given) / "own", soundfont=given.soundfont, seed=given.seed,
                processes=given.processes, say=progress,
            )  # fmt: skip
            trials = draw(shelf, domain)
            if given.keep:
                print(f"trials kept: {trials.write(given.keep)}", file=sys.stderr)
            found.append((trials, _already(shelf)))
        return found
    domains = given.domains.split(",")
    sources.check_domains(domains)
    found = []
    for domain in domains:
        path = FOLDER / f"{kind.kind}-{domain}-{given.sources}.json"
        if path.exists():
            found.append((kind.read(path), _stored(given, domain)))
    if not found:
        raise InputError(f"no frozen {kind.kind} trials for {given.sources} {given.domains}")
    return found


def _already(shelf: Shelf) -> Callable[[], Shelf]:
    return lambda: shelf


def _stored(given: argparse.Namespace, domain: str) -> Callable[[], Shelf]:
    return lambda: sources.shelf(given.data, given.sources, domain)


def cache_of(given: argparse.Namespace) -> Path:
    return given.cache or given.data / "bench"


def columns(given: argparse.Namespace) -> tuple[list[Method], dict[str, fits.Linear]]:
    """The methods of every table, and what was learnt for them."""
    learnt = fits.read(FITS) if FITS.exists() else {}
    head = encoder_head(given.weights)
    untrained = [] if given.no_baselines else untrained_heads(given.weights)
    table = methods(head, untrained, learnt)
    return (table[:1] if given.no_baselines else table), learnt


def heard(given: argparse.Namespace, trials: TrialList, shelf: Callable[[], Shelf]) -> dict:
    """What every method hears of a list's sounds, from the cache where it is there."""
    names = [DESCRIPTION] if given.no_baselines else [DESCRIPTION, *FEATURES]
    return features(trials, shelf, names, cache_of(given), processes=given.processes, say=progress)


def progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def show(given: argparse.Namespace, results: dict, tables: Sequence[Table]) -> None:
    """Tables on the screen, and the files that were asked for."""
    print("\n\n".join(table.screen() for table in tables))
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if given.markdown:
        text = "\n\n".join(table.markdown() for table in tables) + "\n"
        given.markdown.write_text(text, encoding="utf-8")
