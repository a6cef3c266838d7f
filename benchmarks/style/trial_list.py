"""Frozen trials: which clips, which effects, who is compared with whom; drawn once, kept as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from benchmarks.style.clips import Clip, Shelf
from benchmarks.style.effects import Chain, play

FOLDER = Path(__file__).resolve().parent / "trials"


@dataclass(frozen=True)
class Job:
    """One sound to be made: a clip (its place in the list), a level, a chain."""

    clip: int
    chain: Chain
    level_db: float = 0.0
    between: bool = False

    def sound(self, dry: np.ndarray) -> np.ndarray:
        """(2, WINDOW) float32 at a peak of 1, or all NaN."""
        return play(dry, self.chain, level_db=self.level_db, between=self.between)


@dataclass(frozen=True)
class TrialList:
    """What every kind of list has: its clips, with a fingerprint of each, and what it asks for."""

    kind: ClassVar[str]

    domain: str
    split: str
    seed: int
    clips: tuple[Clip, ...]
    digests: tuple[str, ...]
    body: dict

    def jobs(self) -> list[Job]:
        """Every sound this list needs, in the order its scores expect their features."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.domain}-{self.split}"

    def text(self) -> str:
        """JSON, one clip or trial a line, the same for the same list."""
        head = {"kind": self.kind, "domain": self.domain, "split": self.split, "seed": self.seed}
        clips = [[c.key, c.work, d] for c, d in zip(self.clips, self.digests, strict=True)]
        return _lines({**head, "clips": clips, **self.body})

    def digest(self) -> str:
        return hashlib.sha256(self.text().encode()).hexdigest()[:12]

    def write(self, folder: Path = FOLDER) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        path.write_text(self.text(), encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: Path) -> TrialList:
        """A list as it was written. ValueError for one of another kind."""
        told = json.loads(path.read_text(encoding="utf-8"))
        kind = told.pop("kind")
        if kind != cls.kind:
            raise ValueError(f"{path.name} holds {kind} trials; {cls.kind} trials are wanted")
        clips = told.pop("clips")
        return cls(
            domain=told.pop("domain"),
            split=told.pop("split"),
            seed=told.pop("seed"),
            clips=tuple(Clip(key, work) for key, work, _ in clips),
            digests=tuple(digest for _, _, digest in clips),
            body=told,
        )

    def changed(self, shelf: Shelf) -> list[str]:
        """Clips of this list that the shelf lacks or holds with other samples."""
        return [
            clip.key
            for clip, digest in zip(self.clips, self.digests, strict=True)
            if clip.key not in shelf or shelf.digest(clip.key) != digest
        ]


def one_clip_a_work(clips: Sequence[Clip], rng: np.random.Generator, most: int) -> list[Clip]:
    """At most `most` clips in random order, every work before any work's second clip."""
    order = [clips[i] for i in rng.permutation(len(clips))]
    seen: dict[str, int] = {}
    turn = []
    for clip in order:
        turn.append(seen.setdefault(clip.work, 0))
        seen[clip.work] += 1
    return [order[i] for i in np.argsort(turn, kind="stable")[:most]]


def drawn_from(shelf: Shelf, clips: Sequence[Clip]) -> dict:
    """The clips and their fingerprints, as a list's first arguments."""
    return {"clips": tuple(clips), "digests": tuple(shelf.digest(clip.key) for clip in clips)}


def _lines(told: dict) -> str:
    parts = []
    for key, value in told.items():
        if isinstance(value, dict):
            rows = ",\n".join(f"  {json.dumps(k)}: {_rows(v, '   ')}" for k, v in value.items())
            parts.append(f" {json.dumps(key)}: {{\n{rows}\n }}")
        else:
            parts.append(f" {json.dumps(key)}: {_rows(value, '  ')}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _rows(value: object, indent: str) -> str:
    if isinstance(value, list) and value and isinstance(value[0], list | dict):
        return "[\n" + ",\n".join(indent + _short(row) for row in value) + "\n" + indent[:-1] + "]"
    return _short(value)


def _short(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
