"""A genre as a lean: what its mixes do that the average genre does not, and a master's share of that.

presets/genres/fingerprints.yaml holds DAiW's fourteen fingerprints, genres.yaml the blends of them that
its sheet and its wizard name, presets/genre_shares.yaml how much of it a master takes on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from daiw_master.data import load_yaml
from daiw_master.errors import UnknownNameError
from daiw_master.intent.words import find_phrases, plain, tokens_of
from daiw_master.moves import Move, moves_of_row
from daiw_master.targets import BAND_EDGES_HZ, FIELDS

_FOLDER = "presets/genres"
#: "Dream Pop/Shoegaze", "folk + jazz", "soul with electronic": several genres share the song.
_JOINERS = re.compile(r"\s*(?:[/,;+|]|\bmeets\b|\bwith\b|\band\b)\s*", re.I)
#: A blend's shifts smaller than this (dB, LU) are crumbs of its ingredients, not its character.
_CRUMB = 0.1


@dataclass(frozen=True)
class Genre:
    """A genre by its shown name: the fingerprints it blends (id -> weight, together 1) and its own row."""

    name: str
    about: str
    of: Mapping[str, float]
    row: Mapping
    aliases: tuple[str, ...] = ()

    def moves(self, source: str = "technical_genre", word: str = "", weight: float = 1.0) -> list[Move]:
        """What the genre asks: one shift a field from its fingerprints, then what is its own."""
        pulls: dict[str, list[tuple[float, str]]] = {}
        for fingerprint, share in self.of.items():
            shown = load_yaml(_FOLDER, "fingerprints")[fingerprint]["name"]
            whose = f" (the {shown} in it)" if len(self.of) > 1 else ""
            for field, (by, why) in lean_of(fingerprint).items():
                pulls.setdefault(field, []).append((share * by, why + whose))
        asked = {field: math.fsum(pull for pull, _ in pulls[field]) for field in FIELDS if field in pulls}
        shifts = []
        for field, by in _telling(asked).items():
            # the reason is the one of whichever ingredient pulled hardest the way things went
            why = max(pulls[field], key=lambda pull: math.copysign(1.0, by) * pull[0])[1]
            shifts.append(Move("shift", field, round(by * weight, 4), why, source, word or self.name))
        return _centred(shifts) + moves_of_row(self.row, source, word or self.name, weight)


@cache
def genres() -> Mapping[str, Genre]:
    """Every genre by its shown name: the sheet's, the wizard's, the fourteen fingerprints'."""
    rows = load_yaml(_FOLDER, "genres").items()
    known = {name: _genre(name, row, row["of"]) for name, row in rows}
    for fingerprint, row in load_yaml(_FOLDER, "fingerprints").items():
        known[row["name"]] = _genre(
            row["name"], {**row, "aliases": [fingerprint, *row["aliases"]]}, {fingerprint: 1.0}
        )
    return known


def fingerprint_names() -> tuple[str, ...]:
    """The fourteen genres with a fingerprint of their own, by shown name."""
    return tuple(row["name"] for row in load_yaml(_FOLDER, "fingerprints").values())


def genre_named(text: str) -> Genre:
    """A genre by its name or an alias, in any spelling; UnknownNameError with the nearest names."""
    name = _index().get(tuple(plain(text).split()))
    if name is None:
        raise UnknownNameError("genre", text.strip(), _names(), "(`daiw-master preset list genre` shows all)")
    return genres()[name]


def read_genre(text: str) -> tuple[list[tuple[Genre, str, float]], list[str]]:
    """(genre, the composer's word for it, weight) for each part of a slash list, and the parts unknown.

    Each part counts the same; in "a cinematic neo-soul ballad" the longest known name counts.
    """
    whole = _index().get(tuple(plain(text).split()))
    parts = [text] if whole else [part for part in _JOINERS.split(text) if part.strip()]
    found, unknown = [], []
    for part in parts:
        name = _index().get(tuple(plain(part).split())) or _longest_in(part)
        if name is None:
            unknown.append(part.strip())
        elif name not in (genre.name for genre, _ in found):
            found.append((genres()[name], part.strip()))
    return [(genre, word, 1.0 / len(found)) for genre, word in found], unknown


@cache
def lean_of(fingerprint: str) -> Mapping[str, tuple[float, str]]:
    """Field -> (shift, why): how a fingerprint differs from the mean of all, a master's share of it.

    Bands in dB, centred over the eight; range in LU, crest, onset and widths in dB.
    """
    rows = load_yaml(_FOLDER, "fingerprints")
    shares = load_yaml("presets", "genre_shares")
    method, row = shares["method"], rows[fingerprint]

    def differs(value: Callable[[Mapping], float]) -> float:
        return value(row) - math.fsum(map(value, rows.values())) / len(rows)

    def dynamics(key: str) -> float:
        return _held(
            method["dynamics_share"] * differs(lambda one: sum(one[key]) / 2), method["dynamics_most"]
        )

    def balance(band: str) -> float:
        return differs(lambda one: one["balance"][band])

    mean_width = math.fsum(sum(one["width"]) / 2 for one in rows.values()) / len(rows)
    wider_db = method["width_share"] * 20.0 * math.log10(sum(row["width"]) / 2 / mean_width)
    asked = {
        "loudness_range_lu": dynamics("dynamic_range_db"),
        "crest_db": dynamics("crest_db"),
        "width_mid_db": _held(wider_db, method["width_most_db"]),
        "width_high_db": _held(wider_db, method["width_most_db"]),
        "width_low_mid_db": 0.0 if row["bass_mono"] else method["bass_stereo_db"],
        "onset_db": shares["attack"][row["attack"]],
    }
    asked = {field: by for field, by in asked.items() if abs(by) >= method["least"]}
    asked |= _bands({band: balance(band) for band in BAND_EDGES_HZ}, method)
    return {field: (round(by, 3), row["why"][field]) for field, by in asked.items()}


def _bands(differs: Mapping[str, float], method: Mapping[str, float]) -> dict[str, float]:
    """Bands that are a genre's character, summing to zero: a target's bands are against their mean."""
    mean = math.fsum(differs.values()) / len(differs)
    lean = {f"band_{band}_db": method["band_share"] * (by - mean) for band, by in differs.items()}
    most = max(map(abs, lean.values()))
    lean = {field: by * min(1.0, method["band_most_db"] / most) for field, by in lean.items()}
    while True:
        kept = {field: by for field, by in lean.items() if abs(by) >= method["band_floor_db"]}
        mean = math.fsum(kept.values()) / max(1, len(kept))
        kept = {field: by - mean for field, by in kept.items()}
        if len(kept) == len(lean):
            return kept
        lean = kept


def _telling(asked: Mapping[str, float]) -> dict[str, float]:
    """A blend without its crumbs, its bands still summing to zero."""
    kept = {field: by for field, by in asked.items() if abs(by) >= _CRUMB}
    bands = [field for field in kept if field.startswith("band_")]
    rest = math.fsum(kept[field] for field in bands)
    return {field: by - rest / len(bands) if field in bands else by for field, by in kept.items()}


def _held(value: float, most: float) -> float:
    return min(most, max(-most, value))


def _centred(shifts: list[Move]) -> list[Move]:
    """Rounding must not leave the eight bands with a sum: the largest of them takes it."""
    bands = [move for move in shifts if move.what.startswith("band_")]
    rest = round(math.fsum(move.value for move in bands), 6)
    if not bands or not rest:
        return shifts
    largest = max(bands, key=lambda move: abs(move.value))
    fixed = Move(**{**vars(largest), "value": round(largest.value - rest, 6)})
    return [fixed if move is largest else move for move in shifts]


def _genre(name: str, row: Mapping, of: Mapping[str, float]) -> Genre:
    own = {key: row[key] for key in ("shifts", "set", "lean", "in", "out") if key in row}
    return Genre(name, row["about"], of, own, tuple(row.get("aliases", ())))


@cache
def _index() -> Mapping[tuple[str, ...], str]:
    index = {tuple(plain(name).split()): name for name in genres()}
    for name, genre in genres().items():
        for alias in genre.aliases:
            index.setdefault(tuple(plain(str(alias)).split()), name)
    return index


def _names() -> list[str]:
    return [*genres(), *(str(alias) for genre in genres().values() for alias in genre.aliases)]


def _longest_in(text: str) -> str | None:
    hits = [(stop - start, name) for start, stop, name in find_phrases(tokens_of(text), _index())]
    return max(hits, default=(0, None), key=lambda hit: hit[0])[1]
