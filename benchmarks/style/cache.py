"""Every sound of a trial list is made once; what each method hears of it is kept.

A folder per list (its name and fingerprint), in it a folder per feature with one array, filled chunk by
chunk: an interrupted run goes on where it stopped, a new encoder needs no new sounds. What a feature makes
of one fixed sound lies beside its numbers; where a later version hears it otherwise, they are made again.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.style.clips import RATE, WINDOW, Shelf
from benchmarks.style.trial_list import TrialList
from daiw_master.errors import InputError

#: The name of the encoder's own numbers beside the baselines'.
DESCRIPTION = "description"
#: Sounds made in one go; one chunk is one file until all are there.
CHUNK = 60
#: Two versions of a feature hear the same if the fixed sound's numbers agree so well.
_SAME = 1e-2


def features(
    trials: TrialList,
    shelf: Callable[[], Shelf],
    names: Iterable[str],
    folder: Path,
    *,
    processes: int = 2,
    say: Callable[[str], None] | None = None,
) -> dict[str, np.ndarray]:
    """name -> (jobs, size) float32 in the order of `trials.jobs()`; rows of NaN for silent sounds.

    The shelf is only asked for where sounds are still to be made. InputError where it lacks their clips.
    """
    jobs = trials.jobs()
    places = {name: _place(folder / f"{trials.name}-{trials.digest()}", name) for name in names}
    pieces = [range(first, min(first + CHUNK, len(jobs))) for first in range(0, len(jobs), CHUNK)]
    missing = {number: _missing(places, number) for number in range(len(pieces))}
    clips = _checked(shelf(), trials, say) if any(missing.values()) else None
    tasks = []
    for number, piece in enumerate(pieces):
        if missing[number]:
            keys = [trials.clips[jobs[i].clip].key for i in piece]
            wanted = {name: places[name] for name in missing[number]}
            tasks.append((number, [jobs[i] for i in piece], keys, clips, wanted))
    begun = time.monotonic()
    wanted = sum(len(task[1]) for task in tasks)
    for done, _ in enumerate(_worked(tasks, processes), 1):
        if say and (done % 10 == 0 or done == len(tasks)):
            left_s = (len(tasks) - done) * (time.monotonic() - begun) / done
            say(f"{trials.name}: {min(done * CHUNK, wanted)} of {wanted} sounds, {left_s:.0f} s left")
    return {name: _whole(place, len(pieces)) for name, place in places.items()}


def _missing(places: dict[str, Path], number: int) -> list[str]:
    """The features that lack this chunk."""
    return [
        name
        for name, place in places.items()
        if not (place / "all.npy").exists() and not _chunk(place, number).exists()
    ]


def _checked(shelf: Shelf, trials: TrialList, say: Callable[[str], None] | None) -> Shelf:
    lacking = [clip.key for clip in trials.clips if clip.key not in shelf]
    if lacking:
        raise InputError(
            f"{trials.name}: {len(lacking)} of {len(trials.clips)} clips are not there, {lacking[0]!r} first;"
            " the trials were drawn from other sources: draw them again"
        )
    changed = trials.changed(shelf)
    if changed and say:
        say(
            f"{trials.name}: {len(changed)} of {len(trials.clips)} clips sound otherwise than when the trials"
            " were drawn (another synth or decoder version); numbers may differ a little"
        )
    return shelf


def kept(trials: TrialList, name: str, folder: Path) -> np.ndarray | None:
    """A feature's numbers where they are complete, else None."""
    path = folder / f"{trials.name}-{trials.digest()}" / name / "all.npy"
    return np.load(path) if path.exists() else None


def heard(sounds: Sequence[np.ndarray], names: Iterable[str]) -> dict[str, np.ndarray]:
    """name -> (sounds, size) float32 of sounds (2, time) at 48 kHz."""
    from benchmarks.style.features import FEATURES, Heard

    made: dict[str, np.ndarray] = {}
    names = list(names)
    silent = np.array([np.isnan(sound).any() for sound in sounds])
    if DESCRIPTION in names:
        made[DESCRIPTION] = _described(np.stack([np.nan_to_num(sound) for sound in sounds]))
    own = [name for name in names if name != DESCRIPTION]
    rows: dict[str, list[np.ndarray]] = {name: [] for name in own}
    for sound in sounds if own else ():
        whole = Heard(np.nan_to_num(sound))
        for name in own:
            rows[name].append(FEATURES[name](whole))
    made |= {name: np.stack(values).astype(np.float32) for name, values in rows.items()}
    for values in made.values():
        values[silent] = np.nan
    return made


def _described(sounds: np.ndarray) -> np.ndarray:
    import torch

    from daiw_master.neural.descriptor import describe

    with torch.no_grad():
        parts = [describe(part) for part in torch.from_numpy(sounds).float().split(10)]
        return torch.cat(parts).float().numpy()


def _make(task: tuple) -> int:
    """In a worker: one chunk's sounds, and of them every feature that is still missing."""
    number, jobs, keys, shelf, places = task
    dry: dict[str, np.ndarray] = {}
    sounds = []
    for job, key in zip(jobs, keys, strict=True):
        if key not in dry:
            dry = {key: shelf.load(key)}
        sounds.append(job.sound(dry[key]))
    for name, values in heard(sounds, places).items():
        _save(_chunk(places[name], number), values)
    return number


def _worked(tasks: list[tuple], processes: int) -> Iterable[int]:
    if processes < 2 or len(tasks) < 4:
        yield from map(_make, tasks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_one_thread) as pool:
        futures = [pool.submit(_make, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _place(folder: Path, name: str) -> Path:
    """The feature's folder, emptied if it was filled by a version that hears otherwise."""
    place = folder / name
    probe = place / "probe.npy"
    now = _probed(name)
    if probe.exists():
        before = np.load(probe)
        if before.shape != now.shape or not np.allclose(before, now, rtol=_SAME, atol=_SAME):
            print(f"{name} hears otherwise than when {folder.name} was made; made anew", file=sys.stderr)
            shutil.rmtree(place)
    place.mkdir(parents=True, exist_ok=True)
    _save(probe, now)
    return place


@cache
def _probed(name: str) -> np.ndarray:
    """What the feature makes of a fixed sound: a beat of tones over noise, wider on top."""
    time_s = np.arange(WINDOW) / RATE
    beat = np.exp(-6 * (time_s % 0.4))
    noise = np.random.RandomState(7).standard_normal((2, WINDOW)) * 0.05
    tones = sum(np.sin(2 * np.pi * hz * time_s) / n for n, hz in enumerate((80, 331, 1320, 5200), 1))
    sound = np.stack([tones, 0.8 * tones]) * beat + noise * beat[::-1]
    return heard([sound.astype(np.float32)], [name])[name][0]


def _chunk(place: Path, number: int) -> Path:
    return place / f"{number:05d}.npy"


def _whole(place: Path, count: int) -> np.ndarray:
    """The feature's array, put together of its chunks the first time."""
    path = place / "all.npy"
    if not path.exists():
        _save(path, np.concatenate([np.load(_chunk(place, number)) for number in range(count)]))
    for number in range(count):
        _chunk(place, number).unlink(missing_ok=True)
    return np.load(path)


def _save(path: Path, values: np.ndarray) -> None:
    part = path.with_suffix(f".{os.getpid()}.part")
    with open(part, "wb") as file:
        np.save(file, values)
    part.replace(path)
