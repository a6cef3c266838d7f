"""The words: complete, distinct, each heard, none defined twice."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import pytest
import yaml

from daiw_master import house
from daiw_master.data import data_folder
from daiw_master.errors import UnknownNameError
from daiw_master.intent import LEXICON, Emotion, categories
from daiw_master.targets import BANDS, FIELDS, WIDTHS

THESAURUS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "daiw" / "shipped" / "emotion"
BASES = ("happy", "sad", "angry", "fear", "surprise", "disgust")
TWO_HOMES = {
    "offended": ("hurt", "indignation"),
    "contemptuous": ("contempt", "hostility"),
    "insecure": ("vulnerability", "jealousy"),
    "indignant": ("indignation", "moral disgust"),
    "suspicious": ("unease", "disbelief"),
    "repulsed": ("revulsion", "phobia"),
}
MOODS = (
    "Grief, Joy, Nervousness, Defiance, Liberation, Longing, Rage, Acceptance, Nostalgia, Dissociation, "
    "Triumphant Hope, Bittersweet, Melancholy, Euphoria, Desperation, Serenity, Confusion, Determination"
).split(", ")
STATES = (
    "grief longing defiance hope rage tenderness anxiety euphoria melancholy nostalgia catharsis "
    "dissociation determination surrender"
).split()


def depth(words):
    return [word for word in LEXICON.all_words if len(word.path) == words]


def sub_words():
    return [word for word in depth(3) if word.path[0] in BASES]


def shift_of(word):
    return {field: row.by for field, row in Emotion(word.name, word.affect).shift().items()}


def tolerance(field):
    target = FIELDS[field]
    return (
        target.tolerance * house.neutral()["midi"][field] if target.relative_tolerance else target.tolerance
    )


def vector(word):
    return (*word.affect.vad, *(word.affect.mixture.get(name, 0.0) for name in categories()))


def test_counts():
    assert len(LEXICON) >= 450
    assert {word.name for word in depth(1)} >= set(BASES)
    assert len([word for word in depth(2) if word.path[0] in BASES]) == 36
    assert len(sub_words()) == 216


@pytest.mark.parametrize("base", BASES)
def test_every_thesaurus_name_is_covered(base):
    file = THESAURUS / f"{base}.json"
    if not file.is_file():
        pytest.skip(f"the thesaurus is not here: {file.name}")
    thesaurus = json.loads(file.read_text(encoding="utf-8"))
    for sub, entry in thesaurus["sub_emotions"].items():
        place = LEXICON[f"{base}/{sub}"] if sub.lower() != "loathing" else LEXICON["disgust/loathing"]
        # arousal in [0, 1] enters as 2a - 1
        assert place.affect.arousal == pytest.approx(2 * entry["arousal_bias"] - 1), sub
        assert sub in LEXICON and sub.title().replace("_", " ") in LEXICON
        for word in entry["sub_sub_emotions"]:
            assert word in LEXICON and word.replace("_", " ") in LEXICON
            assert LEXICON[f"{base}/{sub}/{word}"].path == (
                base,
                *(part.lower().replace("_", " ") for part in (sub, word)),
            )
    low, high = thesaurus["arousal_range"]
    assert LEXICON[base].affect.arousal == pytest.approx(low + high - 1, abs=0.03)


def test_every_named_blend_is_covered():
    file = THESAURUS / "blends.json"
    if not file.is_file():
        pytest.skip("the thesaurus is not here: blends.json")

    def names(node):
        for key, value in node.items():
            if key == "blends":
                yield from (blend["name"] for blend in value)
            elif isinstance(value, dict):
                yield from names(value)

    found = list(names(json.loads(file.read_text(encoding="utf-8"))))
    assert len(found) == 50
    assert [name for name in found if name not in LEXICON] == []


@pytest.mark.parametrize("name", [*MOODS, *STATES, "neutral"])
def test_moods_and_states_are_words(name):
    assert name in LEXICON


@pytest.mark.parametrize("word", TWO_HOMES)
def test_a_word_under_two_roofs(word):
    first, other = TWO_HOMES[word]
    assert LEXICON[word] is LEXICON[f"{first}/{word}"]
    assert LEXICON[f"{other}/{word}"].path[1] == other
    assert vector(LEXICON[f"{other}/{word}"]) != vector(LEXICON[word])


def test_only_stated_words_have_two_homes():
    homes = {}
    for word in LEXICON.all_words:
        homes.setdefault(word.name, []).append(word.path)
    # the sub-emotion `loathing` has a word of its own name below it
    assert {name for name, paths in homes.items() if len(paths) > 1} == {*TWO_HOMES, "loathing"}


def test_no_two_sub_emotions_and_no_two_words_share_a_place():
    subs = [word for word in depth(2) if word.path[0] in BASES]
    for words in (subs, sub_words()):
        assert len({vector(word) for word in words}) == len(words)


def test_each_of_the_216_differs_from_neutral_in_two_fields_besides_loudness():
    for word in sub_words():
        heard = [
            field
            for field, by in shift_of(word).items()
            if field != "loudness_lufs" and abs(by) >= tolerance(field)
        ]
        assert len(heard) >= 2, (word.path, heard)


def test_siblings_can_be_told_apart():
    """At least one tolerance in at least one field; loudness counts, since it is measured."""
    for _, family in itertools.groupby(sub_words(), key=lambda word: word.path[:2]):
        for first, second in itertools.combinations(family, 2):
            a, b = shift_of(first), shift_of(second)
            apart = [f for f in a.keys() | b.keys() if abs(a.get(f, 0) - b.get(f, 0)) >= tolerance(f)]
            assert apart, (first.path, second.path)


def test_every_word_stays_tasteful_and_centred_at_default_strength():
    limit = {name: row.default for name, row in house.limits().items()}
    room = house.neutral()["midi"]
    for word in LEXICON.all_words:
        shift = shift_of(word)
        bands = [shift.get(band, 0.0) for band in BANDS]
        assert math.fsum(bands) == pytest.approx(0.0, abs=1e-9), word.name
        assert max(map(abs, bands)) <= 2.0, word.name
        assert -3.0 <= shift.get("loudness_lufs", 0.0) <= 2.0, word.name
        assert all(-3.0 <= shift.get(width, 0.0) <= limit["side_gain_db"] for width in WIDTHS), word.name
        assert room["reverb_wet_db"] + shift.get("reverb_wet_db", 0.0) <= limit["reverb_send_wet_db"], (
            word.name
        )
        decay_s = room["reverb_decay_s"] + shift.get("reverb_decay_s", 0.0)
        assert 0.3 <= decay_s <= limit["reverb_send_decay_s"], word.name
        assert FIELDS["drive_db"].default + shift.get("drive_db", 0.0) <= limit["exciter_db"], word.name


def test_every_word_has_its_own_reason_and_origin():
    reasons = [word.why for word in LEXICON.all_words]
    assert len(set(reasons)) == len(reasons)
    assert all(8 <= len(reason) <= 110 and "\n" not in reason for reason in reasons)
    assert all(word.origin for word in LEXICON.values())
    assert LEXICON["bereft"].origin == "sad/grief" and LEXICON["triumphant hope"].origin == "hope+triumph"


@pytest.mark.parametrize("spelling", ["heavy_hearted", "Heavy-Hearted", "HEAVY  HEARTED", " heavy hearted "])
def test_one_spelling_per_word(spelling):
    assert LEXICON[spelling].name == "heavy hearted"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("greif", "grief"), ("nostalga", "nostalgia"), ("hapy", "happy"), ("melancoly", "melancholy"),
     ("anxios", "anxious"), ("ragee", "rage"), ("hevy_hearted", "heavy hearted")],
)  # fmt: skip
def test_misspellings_are_answered_with_the_nearest(typed, meant):
    with pytest.raises(UnknownNameError) as caught:
        LEXICON[typed]
    assert caught.value.nearest[0] == meant
    assert f"did you mean {meant}" in str(caught.value)


def test_not_a_word():
    assert 7 not in LEXICON and "xyzzy" not in LEXICON and "sad/xyzzy" not in LEXICON


class NoDuplicates(yaml.SafeLoader):
    """YAML lets a later key silently replace an earlier one; a dictionary of words must not."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise ValueError(f"defined twice: {sorted(twice)} near line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


def test_no_key_is_written_twice_in_a_file():
    files = [*data_folder("presets/lexicon").glob("*.yaml"), *data_folder("intents").glob("*.yaml")]
    assert len(files) >= 23
    for file in [*files, data_folder("presets") / "affect.yaml"]:
        yaml.load(file.read_text(encoding="utf-8"), Loader=NoDuplicates)
