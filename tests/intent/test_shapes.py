"""Every shape DAiW writes, as file, mapping or object; sets, sidecars, extras; and what is refused."""

from __future__ import annotations

import copy
import enum
import json
import os
from collections import namedtuple
from dataclasses import dataclass, field, make_dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from daiw_master.errors import DaiwMasterError, InputError, UnknownNameError
from daiw_master.intent.shapes import read_intent, with_extras
from tests.intent import written as sheets


def told(intent) -> str:
    return "\n".join(map(str, intent.notices))


def write(path, data) -> str:
    text = (
        json.dumps(data)
        if path.suffix == ".json"
        else yaml.safe_dump(data, allow_unicode=True, sort_keys=False)
    )
    path.write_text(text, encoding="utf-8")
    return str(path)


# shapes


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
@pytest.mark.parametrize("name", sheets.ALL)
def test_a_file_says_what_the_mapping_says(tmp_path, name, suffix):
    tree = sheets.ALL[name]
    same = {"origin": ""}
    from_file = read_intent(write(tmp_path / f"sheet{suffix}", tree))
    assert from_file.model_copy(update=same) == read_intent(tree).model_copy(update=same)


def test_a_saved_sheet_is_read_field_by_field():
    intent = read_intent(sheets.SAVED)
    for section in ("song_root", "song_intent", "system_directive"):
        held = getattr(intent, section).model_dump()
        assert {key: held[key] for key in sheets.SAVED[section]} == sheets.SAVED[section]
    technical = intent.technical_constraints
    assert technical.technical_tempo_range == (71.0, 79.0)
    assert intent.rules == ("PRODUCTION_RoomNoise",)
    assert (intent.title, intent.created) == ("Kitchen Light", "2025-03-09")
    assert intent.shape == "intent" and not intent.notices and not intent.unknown


def test_the_four_spellings_of_a_phase_say_the_same():
    plain = read_intent(sheets.SAVED)
    other = copy.deepcopy(sheets.SAVED)
    other["song_technical_constraints"] = other.pop("technical_constraints")
    assert read_intent(other) == plain
    camel = {"songIntent": {"moodPrimary": "Rage"}, "Technical-Constraints": {"technical key": "D"}}
    intent = read_intent(camel)
    assert (intent.song_intent.mood_primary, intent.technical_constraints.technical_key) == ("Rage", "D")
    orchestrated = read_intent(sheets.ORCHESTRATOR)
    assert orchestrated.shape == "orchestrator input"
    assert orchestrated.song_intent == plain.song_intent
    assert orchestrated.technical_constraints == plain.technical_constraints


def test_a_wizard_export_keeps_its_second_feeling_and_its_scale():
    intent = read_intent(sheets.WIZARD)
    assert intent.shape == "wizard export"
    assert intent.song_intent.mood_secondary == "hope_despite_pain"
    assert intent.song_intent.mood_secondary_tension == 0.7
    assert intent.song_intent.vulnerability_scale == "High"
    assert intent.song_root.core_truth == "I stayed"
    assert intent.technical_constraints.technical_energy == "4"
    assert intent.rules == ("harmony",)
    assert intent.extras.kept["metadata"]["wizard_session_id"] == "s-17"
    assert "7 is read as 0.7" in told(intent)


def test_flat_keys_and_aliases():
    intent = read_intent(sheets.FLAT)
    technical = intent.technical_constraints
    assert intent.song_intent.mood_primary == "tenderness"
    assert (technical.technical_genre, technical.technical_key, technical.technical_mode) == (
        "folk",
        "Bb",
        "lydian",
    )
    assert technical.technical_tempo_range == (77, 77)
    assert (intent.rules, technical.rule_breaking_justification) == (
        ("PRODUCTION_MonoCollapse",),
        "one lamp, one chair",
    )


def test_the_kelly_example_has_one_tempo_and_small_letters():
    intent = read_intent(sheets.KELLY)
    assert intent.technical_constraints.technical_tempo_range == (82, 82)
    assert intent.song_intent.vulnerability_scale == "Medium"


def test_process_output_alone_is_an_intent_with_sections():
    intent = read_intent(sheets.PROCESSED)
    assert intent.shape == "process output"
    assert intent.song_intent.mood_primary == "Tenderness"
    assert intent.song_intent.mood_secondary_tension == 0.35
    assert [(s.name, s.bars, s.energy) for s in intent.extras.sections] == [
        ("Hall", 8, 0.25),
        ("Kitchen", 16, 0.85),
    ]
    assert intent.extras.dynamic_arc == (0.25, 0.85)
    assert intent.extras.kept["production"] == sheets.PROCESSED["production"]
    assert not intent.notices


def test_sidecar_plan_harmony_song_and_interrogation():
    sidecar = read_intent(sheets.SIDECAR)
    assert (sidecar.extras.emotion, sidecar.extras.bpm) == ("hope", 83)
    assert sidecar.extras.tracks["lead"]["samples"] == ["flute_07"]
    assert sidecar.song_intent.mood_primary == "hope"
    plan = read_intent(sheets.PLAN)
    assert (plan.song_intent.mood_primary, plan.song_intent.mood_secondary) == ("awe", "fear")
    assert plan.extras.kept["plan"] == sheets.PLAN["plan"]
    harmony = read_intent(sheets.HARMONY)
    assert harmony.rules == ("HARMONY_ModalInterchange",)
    assert harmony.technical_constraints.rule_breaking_justification == "a cloud over the table"
    song = read_intent(sheets.SONG)
    assert [section.energy for section in song.extras.sections] == [0.5, 0.9]
    assert song.extras.kept["sections"] == sheets.SONG["sections"], "what a Section cannot hold is kept"
    asked = read_intent(sheets.INTERROGATION)
    assert asked.rules == ("PRODUCTION_LoFiDegradation", "PRODUCTION_MonoCollapse")
    assert (asked.song_intent.vulnerability_scale, asked.song_intent.imagery_texture) == (
        "High",
        "lo-fi bedroom",
    )


def test_null_sections_and_null_fields_say_nothing():
    intent = read_intent({"song_root": None, "song_intent": {"mood_primary": None, "imagery_texture": "fog"}})
    assert intent.song_intent.mood_primary == "" and intent.song_intent.imagery_texture == "fog"
    assert intent.song_intent.mood_secondary_tension == 0.5
    assert not intent.notices


def test_what_daiw_drops_is_kept_and_told():
    tree = copy.deepcopy(sheets.SAVED)
    tree["song_intent"]["mood_primry"] = "Rage"
    tree["colour"] = {"of": "the walls", "rgb": [1, 2]}
    intent = read_intent(tree)
    assert intent.unknown == {"song_intent.mood_primry": "Rage", "colour": {"of": "the walls", "rgb": [1, 2]}}
    assert "did you mean mood_primary?" in told(intent)
    assert "note     colour: is no key of DAiW's or ours" in told(intent)


def test_two_values_for_one_field_are_not_mixed_up():
    intent = read_intent({**sheets.SAVED, "emotion": "Rage"})
    assert intent.song_intent.mood_primary == "Tenderness"
    assert intent.unknown == {"emotion": "Rage"}
    assert "says 'Rage' where song_intent.mood_primary already says 'Tenderness', which counts" in told(
        intent
    )


def test_a_field_in_the_wrong_section_is_read_and_told():
    intent = read_intent({"song_root": {"mood_primary": "Rage"}})
    assert intent.song_intent.mood_primary == "Rage"
    assert "belongs to song_intent" in told(intent)


def test_sections_that_are_none_are_kept_and_not_followed():
    for sections in (
        [{"name": "a", "bars": 4, "energy": 3}],
        [{"name": "a"}],
        "verse",
        [{"bars": -1, "energy": 0.5}],
    ):
        intent = read_intent({"mood": "hope", "arrangement": {"sections": sections}})
        assert intent.extras.sections == ()
        assert intent.extras.kept["arrangement.sections"] == sections
        assert "not followed" in told(intent)


def test_many_strangers_are_counted():
    intent = read_intent({"mood": "hope", **{f"zzz{i}": i for i in range(500)}})
    assert len(intent.unknown) == 500
    assert len(intent.notices) == 21 and "480 more keys" in told(intent)


# objects


class CoreStakes(enum.Enum):
    RELATIONAL = "Relational"


def as_objects(tree: dict):
    """DAiW's dataclasses, by their fields alone."""
    made = {k: as_objects(v) if isinstance(v, dict) else v for k, v in tree.items()}
    return make_dataclass("Made", [(key, object, field(default=None)) for key in made])(**made)


def test_daiws_dataclasses_are_read_by_their_fields():
    song = as_objects(sheets.SAVED)
    song.song_root.core_stakes = CoreStakes.RELATIONAL
    song.technical_constraints.technical_tempo_range = (71, 79)
    assert read_intent(song) == read_intent(sheets.SAVED)


def test_an_object_whose_to_dict_breaks_is_read_all_the_same():
    @dataclass
    class Broken:
        mood_primary: str = "Grief"
        technical_tempo_range: int = 82

        def to_dict(self):
            raise TypeError("'int' object is not iterable")

    intent = read_intent(Broken())
    assert intent.technical_constraints.technical_tempo_range == (82, 82)


def test_a_dict_of_dataclasses_and_other_objects():
    processed = {
        "arrangement": as_objects(sheets.PROCESSED["arrangement"]),
        "intent_summary": sheets.PROCESSED["intent_summary"],
    }
    assert len(read_intent(processed).extras.sections) == 2
    assert read_intent(SimpleNamespace(mood_primary="Rage")).song_intent.mood_primary == "Rage"
    assert read_intent(namedtuple("Row", "mood genre")("Rage", "folk")).song_intent.mood_primary == "Rage"
    spoken = {"mood": "Rage", "tension": np.float64(0.25), "tempo": np.array([70, 80])}
    intent = read_intent(spoken)
    assert intent.song_intent.mood_secondary_tension == 0.25
    assert intent.technical_constraints.technical_tempo_range == (70, 80)


@pytest.mark.parametrize("thing", [None, 3, object(), len, Exception, b"bytes", [], {}, {"mood": len}])
def test_what_is_no_intent_at_all(thing):
    with pytest.raises(InputError) as error:
        read_intent(thing)
    assert "\n" not in str(error.value)


def test_an_intent_is_handed_through():
    intent = read_intent(sheets.SAVED)
    assert read_intent(intent) is intent


# sets


def test_one_of_a_set_by_name(tmp_path):
    path = write(tmp_path / "set.json", sheets.example_set())
    assert read_intent(f"{path}:street_lamp").song_intent.mood_primary == "Rage"
    assert read_intent(path, "Street Lamp").rules == ("PRODUCTION_RoomNoise",)
    assert "beside it the file holds kitchen_light, metadata, rule_breaking_lookup" in told(
        read_intent(path, "street_lamp")
    )
    with pytest.raises(InputError, match="holds 2 intents: kitchen_light, street_lamp; choose one"):
        read_intent(path)
    with pytest.raises(UnknownNameError, match="did you mean street_lamp") as error:
        read_intent(f"{path}:stret_lamp")
    assert error.value.nearest == ["street_lamp"]


def test_the_schema_file_by_short_or_long_name(tmp_path):
    path = write(tmp_path / "schema.yaml", sheets.schema_file())
    for name in ("kitchen_song", "example_kitchen_song"):
        assert read_intent(f"{path}:{name}").rules == ("PRODUCTION_RoomNoise",)
    with pytest.raises(InputError, match="template, example_kitchen_song"):
        read_intent(path)


def test_lists_wrappers_and_single_sets():
    first, second = sheets.SAVED, {**sheets.SAVED, "title": "Other", "song_intent": {"mood_primary": "Awe"}}
    assert read_intent([first, second], "other").song_intent.mood_primary == "Awe"
    assert read_intent([first]).title == "Kitchen Light"
    wrapped = read_intent({"intent": first, "run": 7})
    assert wrapped.title == "Kitchen Light" and "beside it the file holds run" in told(wrapped)
    assert wrapped.unknown == {"run": 7}
    twins = [first, {**second, "title": first["title"]}, "a line of text"]
    with pytest.raises(InputError, match="holds 2 intents: Kitchen Light, Kitchen Light 2"):
        read_intent(twins)
    twin = read_intent(twins, "Kitchen Light 2")
    assert twin.song_intent.mood_primary == "Awe" and "1 more that are no intents" in told(twin)


def test_a_name_where_there_is_no_set():
    assert read_intent(sheets.SAVED, "kitchen light").title == "Kitchen Light"
    with pytest.raises(InputError, match="holds one intent, not a set"):
        read_intent(sheets.SAVED, "dissociation")


# mastering


def test_the_mastering_key_and_its_sidecar(tmp_path):
    tree = {
        **sheets.SAVED,
        "mastering": {"lufs": -12, "ceiling": -1, "targets": {"band_air_db": -6, "crest_db": 9}},
    }
    path = write(tmp_path / "song.json", tree)
    assert read_intent(path).mastering.lufs == -12
    write(tmp_path / "song.mastering.yaml", {"lufs": -16, "targets": {"crest_db": 11}})
    both = read_intent(path)
    assert (both.mastering.lufs, both.mastering.ceiling) == (-16, -1)
    assert both.mastering.targets == {"band_air_db": -6, "crest_db": 11}
    assert "-12.0 in the intent gives way to -16.0" in told(both)
    write(tmp_path / "song.mastering.yaml", {"mastering": {"platform": "apple"}})
    assert read_intent(path).mastering.platform == "apple"
    with pytest.raises(InputError, match="is a mastering sidecar"):
        read_intent(tmp_path / "song.mastering.yaml")


def test_a_mistake_in_a_mastering_section_names_its_file(tmp_path):
    path = write(tmp_path / "song.yaml", {**sheets.SAVED, "mastering": {"lusf": -12}})
    with pytest.raises(
        UnknownNameError, match=r"song\.yaml: unknown key in mastering: 'lusf'; did you mean lufs"
    ):
        read_intent(path)
    write(tmp_path / "other.json", sheets.SAVED)
    write(tmp_path / "other.mastering.yaml", {"output": {"rate": 1}})
    with pytest.raises(InputError, match=r"other\.mastering\.yaml: mastering\.output\.rate is 1"):
        read_intent(tmp_path / "other.json")


# extras


def test_process_output_fills_what_the_sheet_left_open():
    bare = {
        "song_intent": {"mood_primary": "Tenderness"},
        "technical_constraints": {"technical_tempo_range": [70, 80]},
    }
    intent = with_extras(read_intent(bare), sheets.PROCESSED)
    assert intent.song_intent.narrative_arc == "Rise and Fall"
    assert len(intent.extras.sections) == 2
    assert "'Rise and Fall' is taken from process output" in told(intent)
    assert intent.technical_constraints.technical_tempo_range == (70, 80), "75 lies within: no contradiction"
    assert "warning" not in told(intent)


def test_the_intents_own_words_count_against_extras():
    other = copy.deepcopy(sheets.PROCESSED)
    other["intent_summary"]["mood"] = "Rage"
    intent = with_extras(read_intent(sheets.SAVED), other)
    assert intent.song_intent.mood_primary == "Tenderness"
    assert "process output says 'Rage', the intent 'Tenderness'; the intent counts" in told(intent)
    twice = with_extras(intent, sheets.SONG)
    assert [section.name for section in twice.extras.sections] == ["Hall", "Kitchen"]
    assert twice.extras.kept["sections"][0]["progression"] == "I-V"
    sidecar = with_extras(twice, sheets.SIDECAR)
    assert sidecar.extras.bpm == 83 and sidecar.extras.tracks["lead"]["category"] == "flute"


# files


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_any_unicode_encoding(tmp_path, encoding, suffix):
    tree = {
        "song_root": {"core_event": "\u00e9t\u00e9 \u2014 \u6c34 \U0001f622"},
        "song_intent": {"mood_primary": "Grief"},
    }
    path = tmp_path / f"sheet{suffix}"
    text = (
        json.dumps(tree, ensure_ascii=False)
        if suffix == ".json"
        else yaml.safe_dump(tree, allow_unicode=True)
    )
    path.write_bytes(text.encode(encoding))
    assert read_intent(path).song_root.core_event == tree["song_root"]["core_event"]


def test_yaml_means_what_people_mean(tmp_path):
    path = tmp_path / "sheet.yaml"
    path.write_text(
        "title: 010\ncreated: 2025-01-01\nsong_intent:\n  mood_primary: No\n  imagery_texture: on\n"
        "  mood_secondary_tension: 0.7\n  narrative_arc: 12:30\n  mood_primary: Grief\n"
    )
    intent = read_intent(path)
    assert (intent.title, intent.created) == ("010", "2025-01-01")
    assert (intent.song_intent.imagery_texture, intent.song_intent.narrative_arc) == ("on", "12:30")
    assert intent.song_intent.mood_secondary_tension == 0.7
    assert intent.song_intent.mood_primary == "Grief"
    assert intent.unknown == {"song_intent.mood_primary (written earlier)": "No"}
    assert "stands there twice" in told(intent)


def bomb(levels: int = 9) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", "", "is empty"),
        ("a.json", "  \n ", "is empty"),
        ("a.json", "{", "is not valid JSON: line 1, column 2"),
        ("a.json", '{"a": 1,}', "is not valid JSON"),
        ("a.json", "mood_primary: Grief", "is not valid JSON: line 1, column 1"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.json", '{"a":' * 500 + "1" + "}" * 500, "nested too deeply"),
        ("a.json", '{"mood": ' + "9" * 5000 + "}", "thousands of digits"),
        ("a.json", '{"mood": ' + "9" * 2000 + "}", "hundreds of digits"),
        ("a.json", "[" + "1," * 60_000 + "1]", "more than 50000 values"),
        ("a.json", '"just text"', "holds 'just text', not an intent"),
        ("a.json", "{}", "is no intent: no song_root or song_intent in it (it is empty)"),
        ("a.json", "[1, 2]", "(it holds 2 items)"),
        ("a.json", '{"name": "package", "version": 1}', "(it holds name, version)"),
        ("a.yaml", "I feel broken today", "holds 'I feel broken today', not an intent"),
        ("a.yaml", "mood: [", "is not valid YAML: line"),
        ("a.yaml", "mood:\n\tprimary: x", "YAML indents with spaces"),
        ("a.yaml", "[" * 5000, "nested too deeply"),
        ("a.yaml", "- " * 20000, "nested too deeply"),
        ("a.yaml", "a: 1\n---\nb: 2", "several documents"),
        ("a.yaml", "mood: !!python/object/apply:os.system [ls]", "which has no place here"),
        ("a.yaml", "? [a, b]\n: c", "a key that is no plain text"),
        ("a.yaml", bomb(), "more than 50000 values"),
        ("a.yaml", "mood: &a [*a]", "nested too deeply"),
        ("a.yaml", "mood: *nobody", "is not valid YAML"),
        ("a.yaml", "mood: \x07", "is not valid YAML"),
        ("a.txt", "Dear diary:\n  - : :", "is not JSON or YAML"),
        ("a.json", b"\x00\x01\x02\x03\x00\x00binary", "is a binary file"),
        ("a.json", b'{"mood": "caf\xe9"}', "is not UTF-8 at byte 13"),
        ("a.json", b"\xff\xfe{", "is not UTF-16"),
        ("a.yaml", b"MThd\x00\x00\x00\x06", "is a MIDI file"),
        ("a.json", b"RIFF....WAVE", "is a sound file"),
        ("a.json", b"PK\x03\x04....", "is a zip archive"),
        ("a.json", b"\x1f\x8b....", "is a compressed file"),
        ("a.yaml", "kind: platform\nset: {loudness_lufs: -14}", "is a delivery target of ours"),
        ("a.yaml", "kind: preset\nshifts: {}", "is a preset of ours"),
        ("a.json", '{"format": "daiw-master report 1", "emotion": "grief"}', "is the report of a finished"),
        ("a.yaml", "name: grief\naffect: {valence: -1}\nshifts: {}", "is one of our feelings"),
        ("a.json", '{"session_id": "s", "responses": []}', "is an unfinished wizard session"),
    ],
)  # fmt: skip
def test_files_that_are_refused(tmp_path, name, content, reason):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DaiwMasterError) as error:
        read_intent(path)
    assert reason in str(error.value)
    assert "\n" not in str(error.value) and str(path) in str(error.value)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.json"
    with open(path, "wb") as file:
        file.truncate(50_000_000)
    with pytest.raises(InputError, match=r"is 50\.0 MB; an intent is a page of text"):
        read_intent(path)


def test_places_that_are_no_file(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        read_intent(tmp_path)
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(InputError, match="is no ordinary file"):
        read_intent(tmp_path / "pipe.json")
    write(tmp_path / "song.json", sheets.SAVED)
    with pytest.raises(InputError, match=r"no file .*sonh\.json; did you mean song\.json\?"):
        read_intent(tmp_path / "sonh.json")
    for odd in ("a" * 5000, "nul\0byte.json", "", ":", "nowhere/at/all.json:x"):
        with pytest.raises(InputError):
            read_intent(odd)


def test_a_colon_in_the_files_own_name(tmp_path):
    path = write(tmp_path / "take:two.json", sheets.SAVED)
    assert read_intent(path).title == "Kitchen Light"


def test_half_a_surrogate_can_still_be_printed(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"mood": "grief", "title": "a\\ud800b", "\\udc00": 1}')
    intent = read_intent(path)
    assert intent.title == "a\ufffdb" and list(intent.unknown) == ["\ufffd"]
    (told(intent) + intent.model_dump_json()).encode("utf-8")


def test_a_field_may_tell_a_story_but_not_a_library():
    long = "the same words again and " * 400
    intent = read_intent({"core_event": long, "mood": long, "mastering": {}})
    assert intent.song_root.core_event == long.strip()
    assert intent.song_intent.mood_primary == "" and intent.unknown["mood"] == long
    assert "not a text of a sheet's length" in told(intent)
    for section in ({"x" * 9000: 1}, {"platform": "x" * 9000}, {"targets": {"x" * 9000: 1}}):
        with pytest.raises(DaiwMasterError) as error:
            read_intent({"mastering": section})
        assert len(str(error.value)) < 400
