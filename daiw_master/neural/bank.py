"""The emotion bank: for every category of feeling a reference embedding, and what lies between them.

Each vector is the mean style of many songs mastered with that feeling; `neutral` is the mean style of
the same songs merely finished. The difference is which way the feeling moves a style.
`python -m daiw_master.training.bank` makes the file again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from daiw_master.errors import InputError, UnknownNameError
from daiw_master.files import write_text_atomic
from daiw_master.neural.encoder import style_encoder
from daiw_master.neural.style import Style, encoder_digest, unit

FORMAT = "daiw-master emotion bank 1"
BANK_FILE = Path(__file__).parent / "weights" / "bank.json"
#: A search aims at this many of the bank's steps, and at this share of the way to the bank's own neutral.
#: With each song left out of the bank in turn, the way to such goals leads nearer to the feeling's vector
#: for every master (56 of four songs), and seven in ten are told by their way among fourteen feelings. All
#: the way home it were one in two; without it one master in six would move away from the vector.
FURTHER, HOMEWARD = 2.0, 0.5


@dataclass(frozen=True)
class Bank:
    """Reference embeddings by name, the neutral they are measured from, and how they were made.

    A blend is a mapping of names to weights; `amount` is how much of it: 0 is neutral, 1 the plain word.
    """

    neutral: Style
    styles: Mapping[str, Style]
    made: Mapping[str, object]

    def __getitem__(self, name: str) -> Style:
        if name not in self.styles:
            raise UnknownNameError("style in the emotion bank", name, self.styles)
        return self.styles[name]

    def step(self, blend: Mapping[str, float], amount: float = 1.0) -> np.ndarray:
        """Which way and how far a blend moves a style: (E,), not of unit norm; straight between its parts."""
        here = self.neutral.embedding.astype(np.float64)
        total = np.zeros_like(here)
        for name, weight in blend.items():
            total += amount * weight * (self[name].embedding - here)
        return total

    def vector(self, blend: Mapping[str, float], amount: float = 1.0) -> np.ndarray:
        """The reference embedding of a blend, (E,) of unit norm: of one name, that very embedding."""
        return unit(self.neutral.embedding + self.step(blend, amount))

    def target(self, blend: Mapping[str, float], amount: float, here: np.ndarray) -> np.ndarray:
        """Where a song whose neutral lies at `here` (E,) should go: (E,) of unit norm.

        Beyond where the feeling's own targets bring it anyway, along the bank's step, and a little way to
        the bank itself, which makes the goal nearer to its vector without all songs sounding alike.
        """
        home = self.neutral.embedding - here
        return unit(here + FURTHER * self.step(blend, amount) + min(1.0, amount) * HOMEWARD * home)

    def heard_step(self, blend: Mapping[str, float], amount: float = 1.0) -> dict[str, float]:
        """The same step in the words of the targets."""
        return {
            field: sum(amount * w * (self[name].heard[field] - value) for name, w in blend.items())
            for field, value in self.neutral.heard.items()
        }

    def style(self, blend: Mapping[str, float], amount: float = 1.0) -> Style:
        """A blend as a style of its own; nothing of any is neutral."""
        step = self.heard_step(blend, amount)
        heard = {field: value + step[field] for field, value in self.neutral.heard.items()}
        spread = self.neutral.spread
        return Style(
            self.vector(blend, amount), spread, self.neutral.windows, self.neutral.encoder, (), heard
        )


@cache
def emotion_bank() -> Bank:
    """The bank that ships; `InputError` where it belongs to another encoder."""
    return read_bank(BANK_FILE)


def read_bank(path: Path, *, encoder: str | None = None) -> Bank:
    """Read a bank; `encoder` is the digest it must have been made with (if nothing is said, ours)."""
    again = "`python -m daiw_master.training.bank` makes it again"
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"the emotion bank cannot be read: {error.strerror or error}; {again}") from error
    if told.get("format") != FORMAT:
        raise InputError(f"{path}: not an emotion bank this version reads; {again}")
    wanted = encoder_digest(style_encoder()) if encoder is None else encoder
    if told["encoder"] != wanted:
        raise InputError(
            f"the emotion bank belongs to another encoder ({told['encoder']}, not {wanted}); {again}"
        )
    return Bank(
        _style(told["neutral"], wanted),
        {name: _style(row, wanted) for name, row in told["styles"].items()},
        told["made"],
    )


def write_bank(bank: Bank, path: Path) -> Path:
    """Write a bank as JSON, whole or not at all."""
    told = {
        "format": FORMAT,
        "encoder": bank.neutral.encoder,
        "made": dict(bank.made),
        "neutral": _row(bank.neutral),
        "styles": {name: _row(style) for name, style in bank.styles.items()},
    }
    return write_text_atomic(path, json.dumps(told, ensure_ascii=False).replace('}, "', '},\n"') + "\n")


def _row(style: Style) -> dict:
    return {
        "spread": round(style.spread, 5),
        "windows": style.windows,
        "heard": {name: round(value, 3) for name, value in style.heard.items()},
        "embedding": [round(float(value), 6) for value in style.embedding],
    }


def _style(row: dict, encoder: str) -> Style:
    return Style(unit(row["embedding"]), row["spread"], row["windows"], encoder, (), row["heard"])
