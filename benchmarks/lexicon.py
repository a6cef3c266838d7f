"""The lexicon at a glance: counts, how far each word moves, how far the five stand apart.

python benchmarks/lexicon.py            # tables
python benchmarks/lexicon.py bereft     # one word, field by field
"""

from __future__ import annotations

import itertools
import math
import sys
import time

from daiw_master import house
from daiw_master.intent import LEXICON, Emotion, categories, parse_emotion
from daiw_master.targets import FIELDS, HEARD

BLIND = ("grief", "rage", "hope", "nostalgia", "fear")


def in_tolerances(shift: dict) -> dict[str, float]:
    """A shift per field in units of that field's tolerance around the house's neutral."""
    room = house.neutral()["midi"]
    sizes = {
        name: field.tolerance * (room[name] if field.relative_tolerance else 1.0)
        for name, field in FIELDS.items()
    }
    return {name: row.by / sizes[name] for name, row in shift.items()}


def counts() -> None:
    started = time.perf_counter()
    words = LEXICON.all_words
    loaded_ms = 1000 * (time.perf_counter() - started)
    heights = [sum(len(word.path) == height for word in words) for height in (1, 2, 3)]
    print(f"{len(LEXICON)} words, {len(words)} entries in {loaded_ms:.0f} ms; {len(categories())} categories")
    print(f"thesaurus: {heights[1]} sub-emotions, {heights[2]} words; {heights[0]} bases, moods and others")


def reach() -> None:
    """The furthest word per field, both ways."""
    furthest: dict[str, list[tuple[float, str]]] = {}
    for word in LEXICON.all_words:
        for name, row in Emotion(word.name, word.affect).shift().items():
            furthest.setdefault(name, []).append((row.by, word.name))
    print(f"\n{'field':<22}{'lowest':>8} {'word':<18}{'highest':>8} word")
    for name in FIELDS:
        if name in furthest:
            (low, down), (high, up) = min(furthest[name]), max(furthest[name])
            print(f"{name:<22}{low:8.2f} {down:<18}{high:8.2f} {up}")


def quietest() -> None:
    """Words that move least: how many fields besides loudness by one tolerance or more."""
    moved = []
    for word in LEXICON.all_words:
        asks = in_tolerances(Emotion(word.name, word.affect).shift())
        moved.append(
            (sum(abs(by) >= 1 for name, by in asks.items() if name != "loudness_lufs"), "/".join(word.path))
        )
    print("\nfewest fields moved by a tolerance, loudness left out:")
    for count, name in sorted(moved)[:8]:
        print(f"  {count:2d}  {name}")


def apart() -> None:
    """Root of summed squares in tolerances over the heard fields: large is easy to tell apart."""
    print(f"\n{'':<12}" + "".join(f"{name:>11}" for name in BLIND))
    asks = {name: in_tolerances(parse_emotion(name).shift()) for name in BLIND}
    distance = {
        pair: math.hypot(*(asks[pair[0]].get(name, 0.0) - asks[pair[1]].get(name, 0.0) for name in HEARD))
        for pair in itertools.product(BLIND, BLIND)
    }
    for first in BLIND:
        print(f"{first:<12}" + "".join(f"{distance[first, second]:11.1f}" for second in BLIND))


def one(text: str) -> None:
    emotion = parse_emotion(text)
    shift = emotion.shift()
    units = in_tolerances(shift)
    mixture = ", ".join(f"{name} {weight:.2f}" for name, weight in emotion.affect.mixture.items())
    print(f"{emotion.name}: {emotion.about}")
    print("valence {:+.2f}, arousal {:+.2f}, dominance {:+.2f}; ".format(*emotion.affect.vad) + mixture)
    for name in FIELDS:
        if name in shift:
            print(f"  {name:<22}{shift[name].by:+7.2f} {units[name]:+6.1f} tol  {shift[name].why}")


def main() -> None:
    if len(sys.argv) > 1:
        one(" ".join(sys.argv[1:]))
        return
    counts()
    reach()
    quietest()
    apart()


if __name__ == "__main__":
    main()
