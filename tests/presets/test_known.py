"""The shelves: every row that can stand alone is a preset by name, and each says what it is."""

from __future__ import annotations

import pytest

from daiw_master import house
from daiw_master.data import names_in
from daiw_master.errors import InputError, UnknownNameError
from daiw_master.intent import categories, parse_emotion
from daiw_master.intent.genres import genres
from daiw_master.intent.rules import RULES
from daiw_master.plan import plan_of
from daiw_master.presets import KINDS, PresetInfo, known, known_presets, read_preset
from daiw_master.stack import EFFECTS

LOFI = names_in("presets/lofi")


def of_kind(kind: str) -> dict[str, PresetInfo]:
    return {info.name: info for info in known_presets().values() if info.kind == kind}


def test_nothing_is_missing_from_the_shelves():
    assert set(of_kind("emotion")) == set(categories())
    assert set(of_kind("rule")) == set(RULES) and len(RULES) == 42
    assert set(of_kind("genre")) == set(genres()) and len(genres()) >= 15
    assert set(of_kind("platform")) == set(house.platforms())
    assert set(of_kind("lofi")) == set(LOFI) and len(LOFI) >= 6
    assert {info.kind for info in known_presets().values()} <= set(KINDS)
    assert all(info.about and "\n" not in info.about for info in known_presets().values())


def test_a_name_leads_to_its_row():
    feeling = plan_of(read_preset("grief").moves)
    by = {name: shift.by for name, shift in parse_emotion("grief").shift().items()}
    assert feeling.loudness_lufs == -14 + by.pop("loudness_lufs")
    assert {name: shift.by for name, shift in feeling.shifts.items()} == by
    rule = read_preset("production_monocollapse")
    assert (rule.kind, rule.name) == ("rule", "PRODUCTION_MonoCollapse")
    assert [(m.kind, m.what, m.value, m.why) for m in rule.moves] == [
        (m.kind, m.what, m.value, m.why) for m in RULES["PRODUCTION_MonoCollapse"].moves
    ]
    assert {move.source for move in rule.moves} == {"preset PRODUCTION_MonoCollapse"}


def test_case_hyphens_and_spaces_do_not_matter():
    assert read_preset("Worn Vinyl") == read_preset("worn-vinyl") == read_preset("lofi:worn_vinyl")


def test_a_kind_takes_what_that_kind_understands():
    assert read_preset("emotion:overwhelming grief").name == "overwhelming grief"
    assert read_preset("rule:PRODUCTION_LoFiAesthetics").name == "PRODUCTION_LoFiDegradation"
    assert read_preset("genre:bedroom lofi").name == "Lo-Fi Bedroom"
    with pytest.raises(UnknownNameError, match="did you mean cassette"):
        read_preset("lofi:casette")
    with pytest.raises(UnknownNameError, match="did you mean spotify"):
        read_preset("platform:spotifi")


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown preset 'casette'; did you mean cassette"):
        read_preset("casette")
    with pytest.raises(UnknownNameError, match="preset list"):
        read_preset("")


def test_two_of_a_name_are_told_apart(monkeypatch):
    shelves = dict(known._SHELVES)
    double = known._Shelf(lambda: [("grief", "a genre of that name")], shelves["platform"].moves)
    monkeypatch.setattr(known, "_SHELVES", {**shelves, "genre": double})
    assert {"emotion:grief", "genre:grief"} <= set(known_presets()) and "grief" not in known_presets()
    with pytest.raises(InputError, match="'grief' is more than one preset: emotion:grief or genre:grief"):
        read_preset("grief")
    assert read_preset("emotion:grief").kind == "emotion"


def test_a_path_is_a_path(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("kind: preset\nname: night\nshifts:\n  band_air_db: -1\n")
    for asked in (path, str(path)):
        mine = read_preset(asked)
        assert (mine.kind, mine.name, mine.moves[0].value) == ("file", "night", -1)
    with pytest.raises(InputError, match="cannot read preset"):
        read_preset("grief.yaml")


def test_every_platform_of_the_issue_delivers_as_published():
    """Playback levels and peak advice as the services publish them; CD and club by custom."""
    published = {
        "spotify": (-14, -1), "apple": (-16, -1), "youtube": (-14, -1), "tidal": (-14, -1),
        "amazon": (-14, -2), "cd": (-10, -0.3), "club": (-8, -0.3), "r128": (-23, -1), "deezer": (-15, -1),
    }  # fmt: skip
    for name, (lufs, dbtp) in published.items():
        plan = plan_of(read_preset(name).moves)
        assert (plan.loudness_lufs, plan.ceiling_dbtp) == (lufs, dbtp)
        assert plan.neutral_delivery == plan.delivery and not plan.shifts


@pytest.mark.parametrize("name", LOFI)
def test_a_lofi_preset_wears_the_sound_down_and_says_why(name):
    preset = read_preset(name)
    plan = plan_of(preset.moves)
    assert set(plan.added) & {"tape", "bits", "wow", "noise"}
    assert plan.loudness_lufs <= -13 and plan.ceiling_dbtp == -1
    whys = [move.why for move in preset.moves]
    assert "edited by hand" not in whys
    for effect in plan.added:  # nothing is taken in to do nothing
        own = {k: v for k, v in plan.settings.items() if k.startswith(f"{effect}.")}
        at_rest = EFFECTS[effect].space.defaults()
        assert any(value != at_rest[knob.partition(".")[2]] for knob, value in own.items())


def test_no_two_lofi_presets_are_alike_or_share_a_reason():
    plans = [plan_of(read_preset(name).moves) for name in LOFI]
    assert len({tuple(sorted(plan.settings.items())) for plan in plans}) == len(plans)
    owner: dict[str, str] = {}
    for name in LOFI:
        for why in {move.why for move in read_preset(name).moves}:
            assert owner.setdefault(why, name) == name, f"{name} and {owner[why]} both say {why!r}"
