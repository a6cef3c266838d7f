"""Sound like this: a dry piece, and another piece that went through a chain. How near does each method come?

Six chains of rising size, ten pairs each. Against the ground truth (the same chain on the dry piece)
stand six scores that no method optimises. Sounds of methods that do not listen with our weights are
scored once and kept.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

from benchmarks.style import command, transfer_trials
from benchmarks.style.clips import Shelf
from benchmarks.style.transfer_methods import LISTENING, METHODS, Budget, available, made_by
from benchmarks.style.transfer_scores import scores
from benchmarks.style.transfer_tables import against, by_chain, overall
from benchmarks.style.transfer_trials import Transfer
from daiw_master.errors import UnknownNameError

#: One pair under one method: its scores, and heard, cpu_s, wall_s, told beside them.
Row = dict[str, float | str]


def main(arguments: Sequence[str]) -> int:
    """Bring dry pieces to references; how far from the ground truth does each method end?"""
    parser = command.parser("transfer", __doc__ or "")
    parser.set_defaults(domains="midi")
    parser.add_argument("--methods", help=f"only these, commas between: {', '.join(METHODS)}")
    parser.add_argument("--pairs", type=int, help="only the first so many")
    parser.add_argument("--guess-weights", type=Path, help="another guesser than the shipped one")
    given = parser.parse_args(arguments)
    names = available() if given.methods is None else [name.strip() for name in given.methods.split(",")]
    for name in names:
        if name not in METHODS:
            raise UnknownNameError("method", name, METHODS)
    budget = replace(Budget(), weights=given.weights, guess_weights=given.guess_weights)
    results, tables = {}, []
    for trials, shelf in command.opened(given, Transfer, _draw(given.seed)):
        numbers = range(min(given.pairs or len(trials), len(trials)))
        folder = command.cache_of(given) / f"{trials.name}-{trials.digest()}"
        told = {
            name: rows(trials, shelf, name, numbers, budget, folder, given.processes, command.progress)
            for name in names
        }
        chains = [trials.chains()[number] for number in numbers]
        results[trials.name] = {"chains": chains, "methods": told, "sign tests": against(told)}
        tables += [overall(told, trials.name), by_chain(told, chains, trials.name)]
    command.show(given, {"transfer": results}, tables)
    return 0


def rows(
    trials: Transfer,
    shelf: Callable[[], Shelf],
    name: str,
    numbers: Sequence[int],
    budget: Budget,
    folder: Path,
    processes: int = 1,
    say: Callable[[str], None] = lambda line: None,
) -> list[Row]:
    """A method's row for each of some pairs; those that were made before are read from `folder`."""
    place = folder / f"transfer-{name.replace(' ', '-')}{_key(name, budget)}"
    place.mkdir(parents=True, exist_ok=True)
    todo = [number for number in numbers if not (place / f"{number:03d}.json").exists()]
    if todo:
        dry = shelf()
        tasks = [(trials, dry, name, number, budget, place) for number in todo]
        begun = time.monotonic()
        for done, _ in enumerate(_worked(tasks, processes), 1):
            if done % 10 == 0 or done == len(todo):
                left_s = (len(todo) - done) * (time.monotonic() - begun) / done
                say(f"{trials.name}, {name}: {done} of {len(todo)} pairs, {left_s:.0f} s left")
    return [json.loads((place / f"{number:03d}.json").read_text(encoding="utf-8")) for number in numbers]


def _worked(tasks: list[tuple], processes: int):
    if processes < 2 or len(tasks) < 4:
        yield from (_row(*task) for task in tasks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        for future in as_completed([pool.submit(_row, *task) for task in tasks]):
            yield future.result()


def _row(trials: Transfer, shelf: Shelf, name: str, number: int, budget: Budget, place: Path) -> None:
    """In a worker: one pair under one method, its row written."""
    import torch

    torch.set_num_threads(1)
    pair = trials.pair(number, shelf)
    made = made_by(name, pair, number, budget)
    row: Row = {**scores(made.sound, pair.truth), "heard": made.heard, "told": made.told}
    row |= {"cpu_s": round(made.cpu_s, 3), "wall_s": round(made.wall_s, 3)}
    path = place / f"{number:03d}.json"
    part = path.with_suffix(".part")
    part.write_text(json.dumps(row) + "\n", encoding="utf-8")
    part.replace(path)


def _key(name: str, budget: Budget) -> str:
    """What a listening method's results hang on, in eight digits; nothing for the others."""
    if name not in LISTENING:
        return ""
    return "-" + _key_of(budget)


@cache
def _key_of(budget: Budget) -> str:
    from daiw_master.neural import encoder, guess
    from daiw_master.refine import ito

    told = json.dumps(asdict(budget), default=str).encode()
    code = sorted(Path(ito.__file__).parent.glob("*.py"))
    for path in (budget.weights or encoder.WEIGHTS, budget.guess_weights or guess.WEIGHTS, *code):
        told += path.read_bytes()
    return hashlib.sha256(told).hexdigest()[:8]


def _draw(seed: int) -> Callable[[Shelf, str], Transfer]:
    return lambda shelf, domain: transfer_trials.draw(shelf, domain, "own", seed=seed)
