"""From a phrase to a feeling: "overwhelming grief", "grief:0.7,hope:0.3", "Defiance and Liberation"."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from daiw_master.data import load_yaml
from daiw_master.errors import InputError, OutOfRangeError
from daiw_master.intent.affect import Affect, mean_affect
from daiw_master.intent.categories import Row, categories
from daiw_master.intent.lexicon import LEXICON, Word, fold
from daiw_master.params import Param
from daiw_master.plan import Shift

# "grief and hope", "grief + hope", "grief/hope", "grief, but hopeful": both at once, in equal parts.
_JOINER = re.compile(r"\s*,?\s*(?:\b(?:and|but|yet|with)\b|[+/&])\s*", re.IGNORECASE)
# A comma that is not half of such a joiner.
_COMMA = re.compile(r",(?!\s*(?:and|but|yet|with)\b)", re.IGNORECASE)
_NEGLIGIBLE = 1e-9


@dataclass(frozen=True)
class Emotion:
    """A feeling, understood: what it is called, where it lies, how much of it, and why it sounds so.

    `intensity` multiplies the shift: 1 is the plain word, 0.5 "a little", 1.6 "overwhelming".
    """

    name: str
    affect: Affect
    intensity: float = 1.0
    reasons: tuple[str, ...] = ()

    @property
    def about(self) -> str:
        """The feeling in a line, as the lexicon puts it."""
        return "; ".join(self.reasons)

    def shift(self, strength: float = 1.0) -> dict[str, Shift]:
        """What moves, field by field, against this song's neutral, each with its reason.

        `strength` in [0, 1]; neutral, or strength 0, gives {}. Fields and units are those of
        `targets.FIELDS`. The reason is the one of whichever ingredient pulled hardest.
        """
        _check_strength(strength)
        moved = {}
        for field, rows in self.affect.contributions().items():
            total = math.fsum(row.value for row in rows)
            by = total * self.intensity * strength
            if abs(by) > _NEGLIGIBLE:
                moved[field] = Shift(field, by, _hardest(rows, total).why)
        return moved

    def character(self, space: Mapping[str, Param], strength: float = 1.0) -> dict[str, tuple[float, str]]:
        """Starting values of knobs nobody measures (attack, even or odd harmonics), with reasons.

        Knob -> (physical value, reason) for the knobs in `space`; each travels from its default
        towards the category's value by weight, on the knob's own scale, never beyond it.
        """
        _check_strength(strength)
        reach = min(1.0, self.intensity * strength)
        pulls: dict[str, list[Row]] = {}
        for name, weight in self.affect.mixture.items():
            for knob, row in categories()[name].settings.items():
                if knob in space and weight * reach > _NEGLIGIBLE:
                    param = space[knob]
                    way = param.normalised(row.value) - param.normalised(param.default)
                    pulls.setdefault(knob, []).append(Row(weight * reach * way, row.why))
        started = {}
        for knob, rows in pulls.items():
            total = math.fsum(row.value for row in rows)
            if abs(total) > _NEGLIGIBLE:
                param = space[knob]
                position = min(1.0, max(0.0, param.normalised(param.default) + total))
                # settings are read by people: 450 ms, not 449.9999999999998
                started[knob] = (round(float(param.physical(position)), 6), _hardest(rows, total).why)
        return started


def parse_emotion(text: str) -> Emotion:
    """One feeling from a word, a phrase or a blend.

    "grief", "hurt/offended", "a little hopeful", "Defiance and Liberation" (equal parts),
    "grief:0.7,hope:0.3". Weights that sum to more than 1 are scaled to 1; what is missing to 1 is
    neutral. Raises UnknownNameError with the nearest words, InputError, OutOfRangeError.
    """
    parts = _parts(text)
    if len(parts) == 1 and parts[0][0] == 1.0:
        return parts[0][1]
    total = sum(weight for weight, _ in parts)
    scale = 1.0 / total if total > 1.0 else 1.0
    parts = [(weight * scale, emotion) for weight, emotion in parts]
    # shift = sum_i weight_i * intensity_i * shift_i, kept as one place and one intensity
    intensity = sum(weight * emotion.intensity for weight, emotion in parts)
    if intensity < _NEGLIGIBLE:
        return _single("neutral")
    return Emotion(
        name=",".join(f"{emotion.name}:{weight:g}" for weight, emotion in parts),
        affect=mean_affect(
            (weight * emotion.intensity / intensity, emotion.affect) for weight, emotion in parts
        ),
        intensity=intensity,
        reasons=tuple(reason for _, emotion in parts for reason in emotion.reasons),
    )


def split_emotions(text: str) -> list[str]:
    """Several masters from one argument: "grief,rage" is two, "grief:0.7,hope:0.3" is one blend.

    Each item is ready for `parse_emotion`. Raises InputError where a list has weights in part.
    """
    pieces = _pieces(text)
    weighted = [":" in piece for piece in pieces]
    if all(weighted):
        return [",".join(pieces)]
    if any(weighted):
        raise InputError(f"{text!r}: give every feeling of a blend its weight, like grief:0.7,hope:0.3")
    return pieces


def emotion_names() -> tuple[str, ...]:
    """Every plain word the lexicon answers to, in alphabetical order."""
    return tuple(sorted(LEXICON))


def _parts(text: str) -> list[tuple[float, Emotion]]:
    pieces = _pieces(text)
    if all(":" in piece for piece in pieces):
        weighted = [piece.rpartition(":") for piece in pieces]
        return [
            (_weight(raw, phrase) * share, emotion)
            for phrase, _, raw in weighted
            for share, emotion in _phrase(phrase)
        ]
    if len(pieces) > 1:
        # as it would be typed, on one line whatever came
        joined = "+".join(" ".join(piece.partition(":")[0].split()) for piece in pieces)
        raise InputError(
            f"{text!r}: several feelings in one master need weights (grief:0.7,hope:0.3) or a plus ({joined})"
        )
    return _phrase(pieces[0])


def _phrase(text: str) -> list[tuple[float, Emotion]]:
    """A known phrase as it stands, else its halves around "and" in equal parts."""
    # "hurt/offended" and "grief with relief" are names: the lexicon goes first.
    halves = [half for half in _JOINER.split(text) if half.strip()]
    if len(halves) < 2 or _stripped(text)[1] in LEXICON:
        return [(1.0, _single(halves[0] if len(halves) == 1 else text))]
    return [(1.0 / len(halves), _single(half)) for half in halves]


def _single(text: str) -> Emotion:
    modifiers, rest = _stripped(text)
    word = LEXICON[rest]
    intensity = math.prod(_intensity_words()[modifier] for modifier in modifiers)
    return Emotion(
        name=" ".join([*modifiers, _label(word)]),
        affect=word.affect,
        intensity=min(intensity, float(load_yaml("presets", "affect")["intensity"]["limit"])),
        reasons=(word.why,),
    )


def _stripped(text: str) -> tuple[list[str], str]:
    """ "a little very hopeful" -> (["a little", "very"], "hopeful"); known phrases stay whole."""
    modifiers: list[str] = []
    tokens = text.split()
    while len(tokens) > 1 and " ".join(tokens) not in LEXICON:
        for length in (3, 2, 1):
            head = fold(" ".join(tokens[:length]))
            if length < len(tokens) and head in _intensity_words():
                modifiers.append(head)
                tokens = tokens[length:]
                break
        else:
            break
    return modifiers, " ".join(tokens)


def _hardest(rows: Sequence[Row], total: float) -> Row:
    """The ingredient that pulled hardest in the direction things went."""
    return max(rows, key=lambda row: row.value * math.copysign(1.0, total))


def _label(word: Word) -> str:
    """The shortest name that leads back to this very word."""
    return word.name if LEXICON[word.name] is word else "/".join(word.path[-2:])


@cache
def _intensity_words() -> Mapping[str, float]:
    words = load_yaml("presets", "affect")["intensity"]["words"]
    return {fold(word): float(factor) for word, factor in words.items()}


def _pieces(text: str) -> list[str]:
    pieces = [piece.strip() for piece in _COMMA.split(text) if piece.strip()]
    if not pieces:
        raise InputError("no emotion given; try grief, a little hopeful or grief:0.7,hope:0.3")
    return pieces


def _weight(raw: str, phrase: str) -> float:
    try:
        weight = float(raw)
    except ValueError:
        weight = math.nan
    if not 0.0 <= weight < math.inf:
        raise OutOfRangeError(f"the weight of {phrase.strip()}", repr(raw.strip()), 0, 1, "")
    return weight


def _check_strength(strength: float) -> None:
    if not 0.0 <= strength <= 1.0:
        raise OutOfRangeError("strength", strength, 0, 1, "")
