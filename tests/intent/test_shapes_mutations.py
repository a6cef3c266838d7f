"""Intents as they come out of other hands: keys lost, renamed, doubled, values of the wrong kind.

Whatever is thrown at reading and checking, the answer is an intent or one clear line; and of an intent
that was read, every value can be found again: in its field, in `unknown`, in `extras` or in a notice.
"""

from __future__ import annotations

import copy
import json
import math
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from daiw_master.errors import DaiwMasterError
from daiw_master.intent.check import check_intent, insist
from daiw_master.intent.names import ALIASES, FIELDS, SECTIONS
from daiw_master.intent.shapes import read_intent, with_extras
from tests.intent.written import ALL, SAVED, example_set, schema_file

#: Every kind of value a hand-written file may hold where another was meant.
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(
        ["", " ", "none", "not_sure", "0.7", "1,2", "70-84", "[Primary emotion]", "TBD", "null", "1e999",
         "\u202egnirts", "\ud83d\ude2d", "\ud800", "\x1b[31mred", "a\nb", "\u00e9t\u00e9", "\u0663",
         "HARMONY_ParallelMotion, x"]
    ),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.one_of(
    st.sampled_from([*FIELDS, *ALIASES, *SECTIONS, "mastering", "sections", "tracks", "dynamic_arc",
                     "Mood-Primary"]),
    st.text(max_size=15),
)  # fmt: skip


def places(tree: object, path: tuple = ()) -> list[tuple]:
    """The paths of every key in a tree of dicts and lists."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [found for key, value in items for found in [(*path, key), *places(value, (*path, key))]]


@st.composite
def mutants(draw) -> dict:
    """One of the sheets with one to four things done to it."""
    tree = copy.deepcopy(draw(st.sampled_from(list(ALL.values()))))
    for _ in range(draw(st.integers(1, 4))):
        found = places(tree)
        if not found:
            break
        *above, key = draw(st.sampled_from(found))
        parent = tree
        for step in above:
            parent = parent[step]
        what = draw(st.sampled_from(["drop", "null", "retype", "retype", "rename", "nest", "move", "add"]))
        if what == "drop":
            del parent[key]
        elif what == "null":
            parent[key] = None
        elif what == "retype":
            parent[key] = draw(VALUES)
        elif what == "nest":
            parent[key] = {draw(KEYS): parent[key]} if draw(st.booleans()) else [parent[key]]
        elif isinstance(parent, dict) and what == "rename":
            value = parent.pop(key)
            parent[draw(KEYS)] = value
        elif isinstance(parent, dict) and what == "move":
            value = parent.pop(key)
            tree[key] = value
        else:
            tree[draw(KEYS)] = draw(VALUES)
    return tree


def leaves(tree: object) -> list[object]:
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in leaves(value)]
    if isinstance(tree, (list, tuple)):
        return [leaf for value in tree for leaf in leaves(value)]
    return [] if tree is None or (isinstance(tree, str) and not tree.strip()) else [tree]


class Found:
    """Everything an intent holds and says, to look a value up in."""

    def __init__(self, intent, notices) -> None:
        held = leaves(intent.model_dump(exclude={"notices", "origin", "shape"}))
        self.said = "\n".join(notice.text for notice in notices)
        self.texts = [text for text in held if isinstance(text, str)]
        self.all = "\n".join([*self.texts, self.said]).casefold()
        written = re.findall(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?|nan|inf", self.all)
        self.numbers = {float(n) for n in held if isinstance(n, (int, float))} | set(map(float, written))
        self.has_nan = "nan" in self.all or any(isinstance(n, float) and math.isnan(n) for n in held)
        self.held = held

    def __contains__(self, leaf: object) -> bool:
        if isinstance(leaf, bool):
            return (
                leaf in [item for item in self.held if isinstance(item, bool)]
                or str(leaf).casefold() in self.all
            )
        if isinstance(leaf, (int, float)):
            if leaf != leaf:
                return self.has_nan
            return (
                any(math.isclose(leaf, number, rel_tol=1e-9) for number in self.numbers)
                or repr(leaf) in self.all
            )
        text = leaf.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip().casefold()
        if text in self.all or ascii(leaf)[1:-1].casefold() in self.all:
            return True
        if re.fullmatch(r"[-+\d.e]+", text):
            return float(text) in self.numbers
        # a list of rules or a range of tempos, taken apart
        pieces = [piece.strip() for piece in re.split(r"[,;\-\u2013]|\bto\b|\bbpm\b|\.\.", text)]
        return all(piece in self.all or _number(piece) in self.numbers for piece in pieces if piece)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def one_line(error: DaiwMasterError) -> None:
    assert "\n" not in str(error) and 5 < len(str(error)) < 1500, str(error)


@settings(max_examples=350, deadline=None)
@given(mutants())
def test_a_mutated_intent_is_read_whole_or_refused_in_one_line(tree):
    before = copy.deepcopy(tree)
    try:
        intent = read_intent(tree)
        notices = check_intent(intent)
    except DaiwMasterError as error:
        one_line(error)
        return
    assert json.dumps(tree) == json.dumps(before), "the caller's own mapping is left alone"
    found = Found(intent, notices)
    lost = [leaf for leaf in leaves(tree) if leaf not in found]
    assert not lost, f"{lost} of {tree}"
    for notice in notices:
        assert notice.text and "\n" not in str(notice)
        str(notice).encode("utf-8")
    try:
        insist(intent, force=True)
    except DaiwMasterError as error:
        one_line(error)
    intent.model_dump_json()


@settings(max_examples=120, deadline=None)
@given(mutants(), mutants())
def test_two_files_about_one_song_are_merged_without_a_loss(tree, other):
    try:
        first, second = read_intent(tree), read_intent(other)
    except DaiwMasterError as error:
        one_line(error)
        return
    merged = with_extras(first, other)
    found = Found(merged, check_intent(merged))
    for value in (first, second):
        kept = [leaf for leaf in leaves(value.model_dump(include={"unknown", "extras"})) if leaf not in found]
        assert not kept
    for field in first.song_intent.model_fields_set:
        ours = getattr(first.song_intent, field)
        if ours not in ("", 0.5, "Medium") and ours == ours:
            assert getattr(merged.song_intent, field) == ours, "what the intent says itself counts"


@settings(max_examples=80, deadline=None)
@given(mutants(), st.sampled_from([example_set, schema_file]), st.data())
def test_a_mutant_on_a_shelf_is_still_read_or_refused(tree, make, data):
    shelf = make()
    place = shelf.get("examples", shelf)
    place[data.draw(KEYS)] = tree
    for name in (None, data.draw(st.sampled_from([str(key) for key in place])), data.draw(KEYS)):
        try:
            check_intent(read_intent(shelf, name))
        except DaiwMasterError as error:
            one_line(error)


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_anything_at_all_is_read_or_refused(value):
    for source in (
        value,
        {"mood_primary": value},
        {"mastering": value},
        {"song_intent": value},
        [value, SAVED],
    ):
        if isinstance(source, str):
            source = [source]  # a text is a path, and has tests of its own
        try:
            check_intent(read_intent(source))
        except DaiwMasterError as error:
            one_line(error)


@settings(max_examples=60, deadline=None)
@given(mutants(), st.integers(0, 400), st.binary(max_size=6))
def test_a_damaged_file_is_read_or_refused(tmp_path_factory, tree, at, noise):
    data = bytearray(json.dumps(tree).encode())
    data[at : at + len(noise)] = noise
    for suffix in (".json", ".yaml"):
        path = tmp_path_factory.getbasetemp() / f"damaged{suffix}"
        path.write_bytes(data)
        try:
            check_intent(read_intent(path))
        except DaiwMasterError as error:
            one_line(error)
