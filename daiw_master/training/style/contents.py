"""Dry contents: thousands of clips of six seconds, on disk, each with its origin.

One store per (split, domain): `contents/train-midi.npy`, int16 (rows, 2, 288000), and beside it
`train-midi.jsonl`, a first line on the whole and one line per row in the order they were made. Reading:

    store = Store(data, "dev", "midi")
    store.entries[i].group, store.entries[i].start_s, ...
    store.clip(i)            # (2, 288000) float32, peak just below 1
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from daiw_master.errors import DaiwMasterError, InputError
from daiw_master.training.style.clips import CLIP, RATE, sounding, to_float, to_int16
from daiw_master.training.style.slots import Slot

#: Another place of the same work is tried so often before a slot is given up.
TRIES = 5
#: A lone instrument is exchanged for any other so often in training.
EXCHANGE = 0.6
#: A recast song is played by one instrument alone so often.
ONE_FOR_ALL = 0.5
#: Of the list beside the clips; a reader of another number refuses.
FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """One clip and where it comes from; `row` is its place in the array, `program` a changed instrument."""

    row: int
    group: str
    work: str
    licence: str
    soundfont: str
    program: int | None
    start_s: float


class Store:
    """The clips of one (split, domain), also while more are still being made. InputError: there are none."""

    def __init__(self, data: Path, split: str, domain: str):
        self.array_path, self.list_path = _places(Path(data), split, domain)
        self.split, self.domain = split, domain
        head, lines = _read_list(self.list_path)
        if not head:
            raise InputError(
                f"{self.list_path} does not exist; make it by `python -m daiw_master.training.style contents`"
            )
        made = sorted((Entry(**line) for line in lines if "refused" not in line), key=lambda e: e.row)
        self.entries: tuple[Entry, ...] = tuple(made)
        self._array = np.load(self.array_path, mmap_mode="r")

    def __len__(self) -> int:
        return len(self.entries)

    def clip(self, index: int) -> np.ndarray:
        """(2, 288000) float32, peak just below 1, 48 kHz."""
        return to_float(self._array[self.entries[index].row])

    @property
    def groups(self) -> dict[str, list[int]]:
        """Indices of the clips of each group (work, song, voice)."""
        found: dict[str, list[int]] = defaultdict(list)
        for index, entry in enumerate(self.entries):
            found[entry.group].append(index)
        return dict(found)


def make(
    data: Path,
    split: str,
    domain: str,
    slots: Sequence[Slot],
    processes: int = 2,
    say: Callable[[str], None] = print,
) -> None:
    """Make the clips of all slots that are not there yet; stopped half-way, the next call goes on."""
    array_path, list_path = _places(data, split, domain)
    plan = _fingerprint(slots)
    head, lines = _read_list(list_path)
    if head and head["plan"] != plan:
        raise InputError(f"{list_path.name} was begun with other works or another seed; use another --data")
    if not head:
        list_path.parent.mkdir(parents=True, exist_ok=True)
        np.lib.format.open_memmap(array_path, "w+", np.int16, (max(len(slots), 1), 2, CLIP))
        _append(list_path, [{"format": FORMAT, "plan": plan, "rows": len(slots), "rate": RATE}])
    _drop_half_a_line(list_path)
    there = {line["row"] for line in lines}
    todo: dict[str, list[Slot]] = defaultdict(list)
    for slot in slots:
        if slot.row not in there:
            todo[f"{slot.work.path}"].append(slot)
    batches = [batch for whole in todo.values() for batch in _in_batches(whole)]
    done, start = 0, time.monotonic()
    wanted = sum(map(len, batches))
    for facts in _made(batches, str(array_path), processes):
        _append(list_path, facts)
        before, done = done, done + len(facts)
        if done // 50 > before // 50 or done == wanted:
            elapsed = time.monotonic() - start
            left = (wanted - done) * elapsed / done
            say(f"{split} {domain}: {done} of {wanted} clips, {done / elapsed:.1f}/s, {left:.0f} s left")


def _in_batches(slots: list[Slot], size: int = 16) -> Iterator[list[Slot]]:
    for first in range(0, len(slots), size):
        yield slots[first : first + size]


def _made(batches: list[list[Slot]], array: str, processes: int) -> Iterator[list[dict]]:
    if processes < 2:
        for batch in batches:
            yield _make_batch(batch, array)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=one_thread) as pool:
        for future in as_completed([pool.submit(_make_batch, batch, array) for batch in batches]):
            yield future.result()


def one_thread() -> None:
    """A worker's torch keeps to its own core."""
    import torch

    torch.set_num_threads(1)


def _make_batch(slots: Sequence[Slot], array: str) -> list[dict]:
    """In a worker: all clips of one work, written to their rows."""
    rows = np.load(array, mmap_mode="r+")
    facts = []
    for slot in slots:
        clip, entry = render(slot)
        if clip is None:
            facts.append({"row": slot.row, "work": slot.work.name, "refused": entry})
        else:
            rows[slot.row] = to_int16(clip)
            facts.append(asdict(entry))
    rows.flush()
    return facts


def render(slot: Slot) -> tuple[np.ndarray, Entry] | tuple[None, str]:
    """The slot's clip with its entry, or None and why: silence at every place tried, or a broken file."""
    rng = np.random.default_rng(slot.seed)
    why = "silent"
    for attempt in range(TRIES):
        try:
            clip, program, start_s = _RENDERERS[slot.work.domain](slot, attempt, rng)
        except DaiwMasterError as error:
            return None, str(error)
        if sounding(clip):
            font = slot.soundfont.name if slot.soundfont else ""
            work = slot.work
            return clip, Entry(
                slot.row, work.group, work.name, work.licence, font, program, round(start_s, 3)
            )
    return None, why


def _place(slot: Slot, attempt: int, room_s: float, rng: np.random.Generator) -> float:
    """First somewhere in the slot's own stretch of the work, then anywhere."""
    u = rng.random()
    return max(room_s, 0.0) * ((slot.part + u) / slot.parts if attempt == 0 else u)


def _midi(slot: Slot, attempt: int, rng: np.random.Generator):
    from daiw_master.training.style import midi_clip

    song = midi_clip.arrangement(slot.work.path)
    start_s = _place(slot, attempt, song.release_s - CLIP / RATE, rng)
    alone = midi_clip.lone_program(song) is not None
    exchange = alone and slot.work.split == "train" and rng.random() < EXCHANGE
    program = int(rng.integers(midi_clip.PITCHED_PROGRAMS)) if exchange else None
    programs = [program] * len(song.parts) if exchange else None
    return midi_clip.play_clip(song, slot.soundfont, start_s, programs), program, start_s


def _recast(slot: Slot, attempt: int, rng: np.random.Generator):
    """Every instrument exchanged: all for one, or each for another; -1 tells of several."""
    from daiw_master.training.style import midi_clip

    song = midi_clip.arrangement(slot.work.path)
    start_s = _place(slot, attempt, song.release_s - CLIP / RATE, rng)
    programs = rng.integers(midi_clip.PITCHED_PROGRAMS, size=len(song.parts)).tolist()
    if rng.random() < ONE_FOR_ALL:
        programs = programs[:1] * len(song.parts)
    told = programs[0] if len(set(programs)) == 1 else -1
    return midi_clip.play_clip(song, slot.soundfont, start_s, programs), told, start_s


def _audio(slot: Slot, attempt: int, rng: np.random.Generator):
    from daiw_master.training.style import audio_clip

    start_s = _place(slot, attempt, audio_clip.duration_s(slot.work.path) - CLIP / RATE - 0.2, rng)
    return audio_clip.cut_clip(slot.work.path, start_s), None, start_s


def _speech(slot: Slot, attempt: int, rng: np.random.Generator):
    from daiw_master.training.style.speech_clip import Voice, speak

    if slot.work.path != Path():
        return _audio(slot, attempt, rng)
    return speak(Voice(*slot.work.group.split("+")), slot.work.split, rng), None, 0.0


_RENDERERS = {"midi": _midi, "audio": _audio, "speech": _speech, "recast": _recast, "games": _audio}


def _places(data: Path, split: str, domain: str) -> tuple[Path, Path]:
    stem = Path(data) / "contents" / f"{split}-{domain}"
    return stem.with_suffix(".npy"), stem.with_suffix(".jsonl")


def _fingerprint(slots: Sequence[Slot]) -> str:
    import hashlib

    told = [
        (s.row, s.work.name, s.part, s.parts, s.soundfont.name if s.soundfont else "", s.seed) for s in slots
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def _append(path: Path, lines: Sequence[dict]) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def _read_list(path: Path) -> tuple[dict, list[dict]]:
    """The first line and the others; a last line cut short by a kill does not count."""
    if not path.is_file():
        return {}, []
    text = path.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].split("\n") if line]
    return (lines[0], lines[1:]) if lines else ({}, [])


def _drop_half_a_line(path: Path) -> None:
    blob = path.read_bytes()
    if not blob.endswith(b"\n"):
        with open(path, "r+b") as file:
            file.truncate(blob.rfind(b"\n") + 1)
