"""Authored and read again: the same plan, to the last bit, with its reasons."""

from __future__ import annotations

import re
import string

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from daiw_master import house
from daiw_master.errors import InputError
from daiw_master.intent import categories
from daiw_master.moves import PART_ROLES, Move
from daiw_master.parts import LEVELS, part_space
from daiw_master.plan import Plan, plan_of, platform_moves, user_moves
from daiw_master.presets import author, known_presets, read_preset, read_preset_text
from daiw_master.presets.model import shift_range
from daiw_master.presets.read import forms
from daiw_master.stack import EFFECTS, HOUSE_CHAIN
from daiw_master.stack.chain import chain_space
from daiw_master.targets import DELIVERY, FIELDS

KNOBS = chain_space(EFFECTS)
HOUSE_KNOBS = sorted(name for name in KNOBS if name.partition(".")[0] in HOUSE_CHAIN[:-2])


def sounding(plan: Plan) -> dict:
    """Everything of a plan that makes sound, reasons and origins left out."""
    return {
        "delivery": dict(plan.delivery),
        "neutral": dict(plan.neutral_delivery),
        "shifts": {name: shift.by for name, shift in plan.shifts.items()},
        "wanted": dict(plan.wanted),
        "settings": dict(plan.settings),
        "own": {m.what for m in plan.moves if m.kind == "set" and m.voice == "user" and m.what not in FIELDS},
        "character": {name: value for name, (value, _) in plan.character.items()},
        "added": plan.added,
        "removed": plan.removed,
        "parts": {role: dict(knobs) for role, knobs in plan.parts.items()},
        "end": (plan.tail, plan.form, plan.energies),
        "limits": (plan.relaxed, set(plan.lifted), set(plan.silenced)),
    }


def there_and_back(moves, name="mine") -> None:
    plan = plan_of(moves, name)
    text = author(plan, name=name, about="about it", source="a test")
    read = read_preset_text(text)
    again = plan_of(read.moves, name)
    assert sounding(again) == sounding(plan), text
    assert author(again, name=name, about="about it", source="a test") == text
    assert yaml.safe_load(text)["kind"] == "preset"  # anybody's YAML reader agrees that it is YAML
    assert all(len(line) <= 110 for line in text.splitlines() if " # " in line), text


@pytest.mark.parametrize("name", [*categories(), "overwhelming grief", "grief:0.7,hope:0.3", "a hint of awe"])
def test_every_feeling_returns(name):
    there_and_back(read_preset(f"emotion:{name}").moves)


@pytest.mark.parametrize("name", known_presets())
def test_every_known_preset_returns(name):
    there_and_back(read_preset(name).moves)


def test_everything_together_returns():
    """Feelings, rules, genres and lo-fi presets five at a time, a platform and the user's own on top."""
    names = [name for name, info in known_presets().items() if info.kind != "platform"]
    ours = user_moves({"crest_db": 11.0, "loudness_lufs": -17.25}, {"eq.tilt_db": 0.1}, ["ride_db"])
    apart = range(0, len(names), 1 + len(names) // 5)
    for first in range(len(names) // 5):
        five = [move for start in apart for move in read_preset(names[(start + first) % len(names)]).moves]
        there_and_back(five if first % 2 else [*five, *platform_moves("amazon"), *ours])


def a_number(low: float, high: float):
    return st.one_of(st.floats(low, high), st.integers(int(low) + 1, int(high)).filter(lambda n: n <= high))


def held(kind: str, what: str, low: float, high: float):
    return st.builds(Move, st.just(kind), st.just(what), a_number(low, high))


def move_on(kind: str, params):
    return st.sampled_from(sorted(params)).flatmap(
        lambda name: held(kind, name, params[name].low, params[name].high)
    )


def switch(what: str, values):
    return st.sampled_from(sorted(values)).map(lambda value: Move("switch", what, value, ""))


def shift():
    # three shifts on one field may add up: a third of the way each stays within what a preset may hold
    def on(name):
        low, high = shift_range(name)
        return held("shift", name, low / 3, high / 3)

    return st.sampled_from(sorted(FIELDS)).flatmap(on)


def part():
    # levels add up: a third each
    knobs = part_space()
    adds = {param.name for param in LEVELS}

    def on(pair):
        role, knob = pair
        share = 3 if knob in adds else 1
        return held("part", f"{role}.{knob}", knobs[knob].low / share, knobs[knob].high / share)

    return st.tuples(st.sampled_from(PART_ROLES), st.sampled_from(list(knobs))).flatmap(on)


WORDS = st.text(max_size=400)
NAMES = st.text(string.printable, min_size=1, max_size=20).filter(str.strip)
ENERGIES = st.lists(st.tuples(NAMES, st.floats(0.01, 500), st.floats(0, 1)), min_size=1, max_size=8).map(
    lambda rows: Move("switch", "energies", tuple(rows), "")
)
ABSOLUTE = {name: field for name, field in FIELDS.items() if name != "gain_reduction_db"}
ANY_MOVE = st.one_of(
    shift(),
    move_on("set", ABSOLUTE),
    move_on("set", {name: KNOBS[name] for name in HOUSE_KNOBS}),
    move_on("lean", {name: KNOBS[name] for name in HOUSE_KNOBS}),
    switch("in", EFFECTS), switch("out", EFFECTS), switch("tail", ["ring", "cut"]),
    switch("form", forms()), switch("relax", house.limits()), switch("lift", house.limits()),
    switch("silence", [*FIELDS, *house.limits()]), part(), ENERGIES,
)  # fmt: skip
SAID = st.tuples(WORDS, WORDS, WORDS, st.sampled_from(["feeling", "feeling", "feeling", "platform", "user"]))


def said(pair) -> Move:
    move, (why, source, word, voice) = pair
    return Move(move.kind, move.what, move.value, why, source, word, voice)


def few_shifts(moves: list[Move]) -> bool:
    """At most three shifts a field, so that their sum is one a preset may hold."""
    counts: dict[str, int] = {}
    for move in moves:
        counts[move.what] = counts.get(move.what, 0) + 1
    return max(counts.values(), default=0) <= 3


def clean_energies(moves: list[Move]) -> list[Move]:
    """Section names as a page can hold them: one line, single spaces."""
    return [
        Move(m.kind, m.what, tuple((" ".join(n.split()), b, e) for n, b, e in m.value), m.why, m.source)
        if m.what == "energies"
        else m
        for m in moves
    ]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(ANY_MOVE, SAID).map(said), max_size=25).filter(few_shifts).map(clean_energies),
    st.text(min_size=1, max_size=60),
)
def test_any_plan_returns(moves, name):
    there_and_back(moves, name)


@settings(max_examples=100, deadline=None)
@given(st.floats(-5, 5), WORDS, WORDS, WORDS)
@example(1.0, "…", "", "")
def test_reasons_survive_whatever_is_written_in_them(by, why, source, word):
    text = author([Move("shift", "crest_db", by, why, source, word)], name="mine", about=why)
    moves = read_preset_text(text).moves
    if by and round(by, 9):
        kept, said = (re.sub(r"[\s…]", "", one) for one in (moves[0].why, _printable(why)))
        assert kept.startswith(said[:100])  # an ellipsis is also what a line too long ends with


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def test_each_contribution_is_named_with_its_share():
    text = author(
        [
            Move("shift", "reverb_wet_db", 6.0, "absence, made audible as space", "mood_primary", "Grief"),
            Move("shift", "reverb_wet_db", -4.0, "close and dry", "vulnerability_scale", "High"),
            Move("set", "dynamics.ratio", 1, "breathing", "rule PRODUCTION_X", "PRODUCTION_X"),
        ],
        name="mine",
        about="",
        source="grief.json",
    )
    assert text.startswith("## a preset for daiw-master, from grief.json\n")
    above = "  # +6 absence, made audible as space (mood_primary: Grief);\n  # -4 close and dry"
    assert f"{above} (vulnerability_scale: High)\n  reverb_wet_db: 2.0\n" in text
    assert "  dynamics.ratio: 1.0  # breathing (rule PRODUCTION_X)\n" in text


def test_values_stand_in_the_order_of_their_tables():
    names = ["reverb_wet_db", "band_air_db", "crest_db", "band_sub_db", "loudness_lufs"]
    text = author([Move("shift", name, 1.0, "up") for name in names], name="mine", about="")
    assert re.findall(r"^  (\w+): 1.0", text, re.M) == [name for name in FIELDS if name in names]


def test_a_platform_is_named_and_what_stands_above_it_is_written_out():
    moves = [Move("shift", "loudness_lufs", 2.0, "loud"), *platform_moves("apple")]
    text = author(moves, name="mine", about="")
    assert "\nplatform: apple\n" in text and "fixed:" not in text and "shifts" not in text
    text = author([*moves, *user_moves({"true_peak_dbtp": -2.0})], name="mine", about="")
    assert "\nplatform: apple\n" in text and "\nfixed:\n  true_peak_dbtp: -2.0  # you set it (you" in text
    there_and_back([*moves, *user_moves({"true_peak_dbtp": -2.0})])


@pytest.mark.parametrize("name", DELIVERY)
def test_delivery_as_shift_or_set_or_fixed_is_told_apart(name):
    low, high = FIELDS[name].low, FIELDS[name].high
    for value in (low, (low + high) / 3, high):
        there_and_back([Move("set", name, value, "so")])
        there_and_back([Move("set", name, value, "so", voice="user")])
        there_and_back(
            [Move("set", name, value, "so", voice="platform"), Move("shift", name, 1.0, "unheard")]
        )
    low, high = shift_range(name)
    for by in (low, 0.1 + 0.2, high):
        there_and_back([Move("shift", name, by, "so")])


def test_a_plan_beyond_what_a_preset_may_hold_is_refused():
    with pytest.raises(InputError, match="tape is not in the chain"):
        author([Move("set", "tape.drive_db", 3.0, "warm")], name="mine", about="")
    with pytest.raises(InputError, match="band_air_db is 70.0; it must lie between -60 and 60 dB"):
        author([Move("shift", "band_air_db", 70.0, "up")], name="mine", about="")
