"""Phrases: modifiers, blends, weights, refusals; and what a feeling asks for."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daiw_master.errors import DaiwMasterError, InputError, OutOfRangeError, UnknownNameError
from daiw_master.intent import LEXICON, Affect, categories, emotion_names, parse_emotion, split_emotions
from daiw_master.params import Param, Space

names = st.sampled_from(sorted(categories()))
words = st.sampled_from(sorted(LEXICON))


def numbers(emotion, strength=1.0):
    return {field: row.by for field, row in emotion.shift(strength).items()}


def close(first, second, tolerance=1e-9):
    return all(abs(first.get(field, 0.0) - second.get(field, 0.0)) <= tolerance for field in first | second)


@pytest.mark.parametrize(
    "text", ["neutral", "Neutral", "overwhelming neutral", "grief:0", "neutral:0.5,neutral:0.5"]
)
def test_neutral_is_exactly_no_shift(text):
    assert parse_emotion(text).shift() == {}
    assert Affect().contributions() == {}


@pytest.mark.parametrize("name", sorted(categories()))
def test_a_pure_category_is_its_row(name):
    row = {field: row.value for field, row in categories()[name].shifts.items()}
    assert numbers(parse_emotion(name)) == pytest.approx(row)
    whys = {field: row.why for field, row in categories()[name].shifts.items()}
    assert {field: row.why for field, row in parse_emotion(name).shift().items()} == whys


@given(words, st.floats(0, 1))
def test_strength_scales_everything_and_zero_is_neutral(word, strength):
    emotion = parse_emotion(word)
    whole = numbers(emotion)
    assert close(numbers(emotion, strength), {field: by * strength for field, by in whole.items()})
    assert emotion.shift(0.0) == {}


@given(words, words)
def test_blends_are_straight_lines_on_eleven_steps(first, second):
    ends = numbers(parse_emotion(first)), numbers(parse_emotion(second))
    for step in range(11):
        t = step / 10
        blend = numbers(parse_emotion(f"{first}:{1 - t:.1f},{second}:{t:.1f}"))
        for field in ends[0] | ends[1]:
            start, end = (ask.get(field, 0.0) for ask in ends)
            assert blend.get(field, 0.0) == pytest.approx(start + t * (end - start), abs=1e-9)


@given(st.dictionaries(words, st.floats(0.01, 5), min_size=1, max_size=5))
def test_any_blend_is_an_affect_whose_name_leads_back_to_it(parts):
    text = ",".join(f"{word}:{weight:g}" for word, weight in parts.items())
    blend = parse_emotion(text)
    assert sum(blend.affect.mixture.values()) <= 1 + 1e-9
    assert all(-1 - 1e-9 <= value <= 1 + 1e-9 for value in blend.affect.vad)
    assert len(blend.reasons) == len(parts)
    # names carry six digits
    assert close(numbers(parse_emotion(blend.name)), numbers(blend), 1e-3)


@given(st.text(max_size=40))
def test_any_text_is_understood_or_refused_in_words(text):
    try:
        parse_emotion(text)
    except DaiwMasterError as refusal:
        assert "\n" not in str(refusal).replace(text, "") and len(str(refusal)) > 10


def test_weights():
    grief = numbers(parse_emotion("grief"))
    assert close(numbers(parse_emotion("grief:0.5")), {field: by / 2 for field, by in grief.items()})
    assert close(numbers(parse_emotion("grief:0.5,neutral:0.5")), numbers(parse_emotion("grief:0.5")))
    assert close(numbers(parse_emotion("grief:70,hope:30")), numbers(parse_emotion("grief:0.7,hope:0.3")))
    mixture = parse_emotion("grief:0.7,hope:0.3").affect.mixture
    assert mixture == pytest.approx({"grief": 0.7, "hope": 0.3})


@pytest.mark.parametrize(
    "text",
    ["Defiance and Liberation", "defiance+liberation", "defiance / liberation", "defiance & liberation",
     "defiance, but liberation", "defiance:0.5,liberation:0.5", "Defiance with Liberation"],
)  # fmt: skip
def test_equal_parts(text):
    blend, halves = parse_emotion(text), [numbers(parse_emotion(word)) for word in ("defiance", "liberation")]
    mean = {field: sum(half.get(field, 0.0) for half in halves) / 2 for field in halves[0] | halves[1]}
    assert close(numbers(blend), mean)
    assert blend.name == "defiance:0.5,liberation:0.5"


@pytest.mark.parametrize(
    ("text", "word", "factor"),
    [("a little hopeful", "hopeful", 0.5), ("slightly sad", "sad", 0.5), ("very angry", "angry", 1.3),
     ("Overwhelming Grief", "grief", 1.6), ("mild unease", "unease", 0.7), ("a little bit lost", "lost", 0.5),
     ("very very sad", "sad", 1.6), ("utterly overwhelming rage", "rage", 1.6), ("Subtle  joy", "joy", 0.5),
     ("intense", "intense", 1.0), ("very intense", "intense", 1.3),
     ("grief with relief", "grief with relief", 1.0), ("very grief with relief", "grief with relief", 1.3),
     ("profound grief", "profound grief", 1.0)],
)  # fmt: skip
def test_how_much(text, word, factor):
    emotion, plain = parse_emotion(text), parse_emotion(word)
    assert emotion.intensity == pytest.approx(factor)
    assert close(numbers(emotion), {field: by * factor for field, by in numbers(plain).items()})
    assert close(numbers(parse_emotion(emotion.name)), numbers(emotion))


def test_modifiers_inside_blends():
    blend = parse_emotion("overwhelming grief:0.5,a little hope:0.5")
    parts = numbers(parse_emotion("grief")), numbers(parse_emotion("hope"))
    wanted = {f: 0.8 * parts[0].get(f, 0.0) + 0.25 * parts[1].get(f, 0.0) for f in parts[0] | parts[1]}
    assert close(numbers(blend), wanted)
    assert close(numbers(parse_emotion("overwhelming grief with a little hope")), wanted)


def test_a_qualified_name_is_a_word_not_a_blend():
    assert parse_emotion("hurt/offended").name == "offended"
    other = parse_emotion("very indignation/offended")
    assert other.name == "very indignation/offended" and numbers(other) != numbers(
        parse_emotion("very offended")
    )
    assert close(numbers(parse_emotion(other.name)), numbers(other))
    assert parse_emotion("indignation/offended:0.5,hope:0.5").name == "indignation/offended:0.5,hope:0.5"


def test_one_argument_many_masters():
    assert split_emotions("grief,rage, hope") == ["grief", "rage", "hope"]
    assert split_emotions("grief:0.7,hope:0.3") == ["grief:0.7,hope:0.3"]
    assert split_emotions("grief, but hopeful") == ["grief, but hopeful"]
    assert split_emotions("grief,") == ["grief"]
    with pytest.raises(InputError, match="weight"):
        split_emotions("grief:0.7,hope")


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [("greif", UnknownNameError, "did you mean grief"), ("very greif", UnknownNameError, "grief"),
     ("greif and hope", UnknownNameError, "grief"), ("grief:0.5,hoep:0.5", UnknownNameError, "hope"),
     ("grief:-1", OutOfRangeError, "weight of grief"), ("grief:lots", OutOfRangeError, "lots"),
     ("grief:nan", OutOfRangeError, "nan"), ("grief:inf", OutOfRangeError, "inf"),
     ("grief,hope", InputError, "grief:0.7,hope:0.3"), ("grief:0.5,hope", InputError, "weights"),
     ("", InputError, "no emotion"), (" , ", InputError, "no emotion"), ("very", UnknownNameError, "very"),
     ("and", UnknownNameError, "and"), (":0.5", UnknownNameError, "unknown emotion")],
)  # fmt: skip
def test_refusals(text, error, says):
    with pytest.raises(error, match=says):
        parse_emotion(text)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_strength_has_a_range(strength):
    with pytest.raises(OutOfRangeError, match="strength"):
        parse_emotion("grief").shift(strength)


def test_an_affect_is_checked():
    with pytest.raises(OutOfRangeError, match="arousal"):
        Affect(arousal=1.5)
    with pytest.raises(UnknownNameError, match="grief"):
        Affect(mixture={"greif": 1.0})
    with pytest.raises(OutOfRangeError, match="sum"):
        Affect(mixture={"grief": 0.7, "hope": 0.7})
    with pytest.raises(OutOfRangeError, match="hope"):
        Affect(mixture={"hope": -0.1})


def test_the_reason_is_the_one_of_whoever_pulled_hardest():
    blend = parse_emotion("grief:0.8,joy:0.2").shift()
    assert blend["reverb_decay_s"].why == categories()["grief"].shifts["reverb_decay_s"].why
    # joy alone asks for drive
    assert blend["drive_db"].why == categories()["joy"].shifts["drive_db"].why
    # grief lowers presence by more than joy raises it: the sum falls, and grief says why
    assert blend["band_presence_db"].by < 0
    assert blend["band_presence_db"].why == categories()["grief"].shifts["band_presence_db"].why


def test_character_travels_from_the_default_and_never_beyond():
    knobs = Space({
        "exciter.even_odd": Param("even_odd", -1, 1, 0),
        "dynamics.release_ms": Param("release_ms", 20, 2000, 200, "ms", "log"),
    })  # fmt: skip
    rage = categories()["rage"].settings
    full = parse_emotion("rage").character(knobs)
    assert full["exciter.even_odd"] == (rage["exciter.even_odd"].value, rage["exciter.even_odd"].why)
    assert full["dynamics.release_ms"][0] == pytest.approx(rage["dynamics.release_ms"].value)
    assert set(full) == set(knobs)
    # "overwhelming" goes no further than the row; half way is half way on the knob's own scale
    beyond = parse_emotion("overwhelming rage").character(knobs)
    assert all(beyond[knob][0] == pytest.approx(full[knob][0]) for knob in full)
    half = parse_emotion("rage").character(knobs, 0.5)
    geometric_mean = (200 * rage["dynamics.release_ms"].value) ** 0.5
    assert half["dynamics.release_ms"][0] == pytest.approx(geometric_mean)
    # odd against even, in equal parts: neither, so nobody is quoted for it
    assert categories()["nostalgia"].settings["exciter.even_odd"].value == -rage["exciter.even_odd"].value
    assert "exciter.even_odd" not in parse_emotion("rage and nostalgia").character(knobs)
    assert parse_emotion("rage").character(knobs, 0.0) == {} == parse_emotion("neutral").character(knobs)


def test_names_are_sorted_and_all_parse():
    everything = emotion_names()
    assert list(everything) == sorted(everything) and len(everything) == len(LEXICON)
    for name in everything:
        assert parse_emotion(name).name == name


def test_the_words_load_without_torch():
    """`daiw-master list emotions` answers before torch could have been imported."""
    script = (
        "import sys; from daiw_master.intent import LEXICON; len(LEXICON); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_feelings_without_weights_are_refused_in_one_line_whatever_came():
    with pytest.raises(InputError, match=r"or a plus \(grief\+hope\)$"):
        parse_emotion("grief,hope")
    with pytest.raises(InputError) as refused:
        parse_emotion("grief, ho\npe")
    assert "\n" not in str(refused.value) and "(grief+ho pe)" in str(refused.value)
