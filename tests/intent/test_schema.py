"""The sheet as data: values however they were written, and our own section read strictly."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from pydantic import ValidationError

from daiw_master.errors import DaiwMasterError, OutOfRangeError, UnknownNameError
from daiw_master.intent import values
from daiw_master.intent.mastering import Mastering, read_mastering
from daiw_master.intent.names import FIELDS
from daiw_master.intent.schema import Intent, SongIntent, SongRoot, TechnicalConstraints


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), ("  Grief \n", "Grief"), (1975, "1975"), (2.0, "2"), (1000001.0, "1000001"),
        (True, "true"), (["fog", None, "glass"], "fog, glass"), (1e300, "1e+300"),
    ],
)  # fmt: skip
def test_text_in_any_dress(value, text):
    assert values.text_from(value) == text
    assert SongRoot(core_event=value).core_event == text


@pytest.mark.parametrize(
    ("value", "tempo"),
    [
        (None, None), ([70, 84], (70, 84)), (82, (82, 82)), ("70-84", (70, 84)), ("92 BPM", (92, 92)),
        ("70 to 84 bpm", (70, 84)), ([90], (90, 90)), ("70\u201384", (70, 84)), (["70", 84.5], (70, 84.5)),
        ([140, 120], (140, 120)), ([], None),
    ],
)  # fmt: skip
def test_tempo_in_any_dress(value, tempo):
    assert TechnicalConstraints(technical_tempo_range=value).technical_tempo_range == tempo


@pytest.mark.parametrize("value", ["allegro", [1, 2, 3], {"low": 70}, [True, 90], ["a", 90], float("inf")])
def test_what_is_no_tempo_says_so(value):
    with pytest.raises(ValueError):
        values.tempo_from(value)


@pytest.mark.parametrize(
    ("value", "rules"),
    [
        (None, ()), ("", ()), ("none", ()), ("not_sure", ()), (["none"], ()), ("A_b", ("A_b",)),
        ("A_b, C_d", ("A_b", "C_d")), (["A_b", "C_d"], ("A_b", "C_d")), (["A_b", ""], ("A_b",)),
    ],
)  # fmt: skip
def test_one_rule_several_or_none(value, rules):
    assert TechnicalConstraints(technical_rule_to_break=value).technical_rule_to_break == rules


@pytest.mark.parametrize(
    ("value", "word"),
    [(None, "Medium"), ("", "Medium"), ("high", "High"), (0.2, "Low"), (0.5, "Medium"), (0.9, "High"),
     ("raw", "raw"), (8, "8")],
)  # fmt: skip
def test_vulnerability_in_any_dress(value, word):
    assert SongIntent(vulnerability_scale=value).vulnerability_scale == word


@pytest.mark.parametrize(
    ("value", "word"), [(1, "Low"), (3, "Low"), (5, "Medium"), ("8", "High"), (14, "High")]
)
def test_vulnerability_of_ten(value, word):
    assert values.vulnerability_of_ten(value) == word


@pytest.mark.parametrize(
    ("value", "tension"), [(None, 0.5), ("0.7", 0.7), (" .25 ", 0.25), (1, 1.0), (1.4, 1.4)]
)
def test_tension_may_be_written_as_text(value, tension):
    assert SongIntent(mood_secondary_tension=value).mood_secondary_tension == tension


@pytest.mark.parametrize("value", ["high", "0,7", True, [0.5], "1e999", float("inf")])
def test_what_is_no_number_says_so(value):
    with pytest.raises(ValueError):
        values.number_from(value)


def test_a_mood_may_be_a_list_or_a_blend():
    assert values.mood_from(["Grief", "Hope"]) == "Grief and Hope"
    assert values.mood_from({"grief": 0.7, "hope": 0.3}) == "grief:0.7,hope:0.3"
    assert values.genre_from(["Dream Pop", "Shoegaze"]) == "Dream Pop/Shoegaze"


def test_usable_tension():
    assert Intent().tension == 0.5
    for odd in (1.2, -0.1, math.nan):
        assert Intent(song_intent=SongIntent(mood_secondary_tension=odd)).tension is None


def test_every_field_of_the_sheet_can_be_read():
    held = {
        f"{name}" for model in (SongRoot, SongIntent, TechnicalConstraints) for name in model.model_fields
    }
    assert held <= set(FIELDS), held - set(FIELDS)


def test_nobody_changes_an_intent_behind_its_back():
    with pytest.raises(ValidationError):
        Intent().title = "other"
    with pytest.raises(ValidationError):
        SongIntent(mood="Grief")


WHOLE = {
    "platform": "spotify",
    "lufs": -13.5,
    "ceiling": "-1.5",
    "targets": {"band_air_db": -6},
    "settings": {"eq.tilt_db": 1, "dynamics": {"ratio": 2}},
    "strength": {"bands": 0.5},
    "preset": "cassette",
    "rules": "PRODUCTION_MonoCollapse, PRODUCTION_RoomNoise",
    "chain": ["eq", "limiter"],
    "without": ["exciter"],
    "reference": "ref.wav",
    "output": {"format": ".FLAC", "bit_depth": 24, "rate": "48000"},
    "sections": [{"name": "Verse", "bars": 8, "energy": 0.3}, {"start_s": 20, "energy": 1}],
}


def test_a_whole_mastering_section():
    read = read_mastering(WHOLE)
    assert read.settings == {"eq.tilt_db": 1.0, "dynamics.ratio": 2.0}
    assert (read.ceiling, read.strength, read.chain) == (-1.5, "bands=0.5", ("eq", "limiter"))
    assert read.rules == ("PRODUCTION_MonoCollapse", "PRODUCTION_RoomNoise")
    assert read.output.model_dump() == {"format": "flac", "bit_depth": "24", "rate": 48000}
    assert [section.name for section in read.sections] == ["Verse", "2"]
    assert WHOLE.keys() == Mastering.model_fields.keys(), "every key is tried here"
    assert read_mastering(None).is_empty and not read.is_empty


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"platfrom": "spotify"}, "'platfrom'; did you mean platform?"),
        ({"platform": "spotfy"}, "did you mean spotify?"),
        ({"platform": ["spotify"]}, "mastering.platform is ['spotify']; it must be a name"),
        ({"lufs": "loud"}, "mastering.lufs is 'loud'; it must be a number in LUFS"),
        ({"lufs": True}, "mastering.lufs is True"),
        ({"lufs": 3}, "mastering.lufs is 3; it must lie between -40 and -5 LUFS"),
        ({"ceiling": 1}, "mastering.ceiling is 1; it must lie between -12 and 0 dBTP"),
        ({"targets": {"band_ar_db": 1}}, "did you mean band_air_db"),
        ({"targets": {"band_air_db": 900}}, "mastering.targets.band_air_db is 900; it must lie between -60"),
        ({"targets": [1]}, "mastering.targets is [1]"),
        ({"settings": {"tilt": 1}}, "a knob is named by its effect too"),
        ({"settings": {"band_air_db": 1}}, "is a target, not a knob"),
        ({"settings": {"eq.tilt_db": "much"}}, "mastering.settings.eq.tilt_db is 'much'"),
        ({"settings": 4}, "mastering.settings is 4"),
        ({"strength": 1.5}, "it must lie between 0 and 1"),
        ({"strength": {"bnads": 0.5}}, "did you mean bands?"),
        ({"strength": ""}, "mastering.strength is empty"),
        ({"rules": {"a": 1}}, "it must be a list of names"),
        ({"chain": [3]}, "mastering.chain is 3; it must be a name"),
        ({"output": {"bit_depth": 20}}, "must be one of 16, 24, 32f"),
        ({"output": {"rate": 22050}}, "must be one of 44100, 48000, 88200, 96000"),
        ({"output": {"formt": "wav"}}, "did you mean format?"),
        ({"output": "wav"}, "mastering.output is 'wav'"),
        ({"sections": "verse"}, "it must be a list of sections"),
        ({"sections": [{"name": "a", "energy": 1.2}]}, "mastering.sections[1].energy is 1.2"),
        ({"sections": [{"name": "a", "bars": 0}]}, "mastering.sections[1].bars is 0"),
        ({"sections": [{"nmae": "a"}]}, "did you mean name?"),
        ("spotify", "mastering is 'spotify'; it must be keys with values"),
        ([], "mastering is []"),
    ],
)  # fmt: skip
def test_our_own_section_is_read_strictly(section, told):
    with pytest.raises(DaiwMasterError) as error:
        read_mastering(section)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_errors_keep_their_kind():
    with pytest.raises(UnknownNameError) as unknown:
        read_mastering({"referenc": "a.wav"})
    assert unknown.value.nearest == ["reference"]
    with pytest.raises(OutOfRangeError):
        read_mastering({"lufs": -4})


def test_files_beside_the_intent_are_found_there(tmp_path):
    (tmp_path / "ref.wav").write_bytes(b"")
    read = read_mastering({"reference": "ref.wav", "preset": "cassette"}, folder=tmp_path)
    assert read.reference == str(tmp_path / "ref.wav")
    assert read.preset == "cassette"


def test_reading_an_intent_needs_no_torch():
    code = "import sys; from daiw_master.intent import check, shapes, template; print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "False"
