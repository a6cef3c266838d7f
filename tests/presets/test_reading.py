"""A preset somebody edited: what is right is read to the last digit, every slip gets its line."""

from __future__ import annotations

import pytest

from daiw_master.errors import InputError
from daiw_master.plan import plan_of
from daiw_master.presets import read_preset_file, read_preset_text

HEAD = "kind: preset\nname: mine\n"


def moves(body: str):
    return read_preset_text(HEAD + body, "mine.yaml").moves


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        read_preset_text(text, "mine.yaml")
    line = str(caught.value)
    assert "\n" not in line and len(line) < 400
    return line


def test_every_section_becomes_its_moves():
    asked = moves(
        """
platform: apple
shifts: {band_air_db: -1.4}
set:
  onset_db: 12
  eq.tilt_db: 1.5
lean: {reverb.predelay_ms: 20}
effects: {in: [tape, noise], out: [dynamics]}
parts: {lead: {gain_db: -4, eq.tilt_db: 2}}
tail: cut
form: slow_reveal
energies: [[intro, 4, 0.2], ["the end", 8.5, 1]]
relax: [eq_band_db]
lift: ride_db
silence: [crest_db, fold_down_loss_lu]
"""
    )
    plan = plan_of(asked, "mine")
    assert (plan.loudness_lufs, plan.ceiling_dbtp) == (-16, -1) == tuple(plan.neutral_delivery.values())
    assert {name: shift.by for name, shift in plan.shifts.items()} == {"band_air_db": -1.4}
    assert plan.wanted == {"onset_db": 12} and plan.settings == {"eq.tilt_db": 1.5}
    assert {name: value for name, (value, _) in plan.character.items()} == {"reverb.predelay_ms": 20}
    assert plan.added == ("tape", "noise") and plan.removed == {"dynamics"}
    assert plan.parts == {"lead": {"gain_db": -4, "eq.tilt_db": 2}}
    assert (plan.tail, plan.form) == ("cut", "slow_reveal")
    assert plan.energies == (("intro", 4.0, 0.2), ("the end", 8.5, 1.0))
    assert plan.relaxed == {"eq_band_db"} and set(plan.lifted) == {"ride_db"}
    assert set(plan.silenced) == {"crest_db", "fold_down_loss_lu"}
    assert {move.source for move in asked} == {"preset mine"}
    assert {move.voice for move in asked if move.what == "loudness_lufs"} == {"platform"}
    assert {move.voice for move in asked if move.what not in ("loudness_lufs", "true_peak_dbtp")} == {
        "feeling"
    }


def test_what_is_fixed_is_the_neutrals_too_and_what_is_set_is_not():
    asked = moves("fixed: {loudness_lufs: -18, eq.tilt_db: 1}\n")
    fixed = plan_of(asked)
    assert {move.what: move.voice for move in asked} == {"loudness_lufs": "platform", "eq.tilt_db": "user"}
    assert fixed.loudness_lufs == fixed.neutral_delivery["loudness_lufs"] == -18
    asked = plan_of(moves("set: {loudness.loudness_lufs: -18}\n"))  # the stage's knob is the target
    assert asked.loudness_lufs == -18 and asked.neutral_delivery["loudness_lufs"] == -14
    assert not asked.settings


def test_reasons_are_the_comments():
    why = {
        move.what if move.kind != "switch" else move.value: move.why
        for move in moves(
            """
## a heading
shifts:
  band_air_db: -1  # less sky
  # it is late,
  # and raining
  band_bass_db: 1
  band_sub_db: 1

  # not about what follows

  band_mid_db: 1    # 7 o'clock #1
  band_low_mid_db: 0.5
silence:
  # the tape decides
  - band_brilliance_db
  - band_presence_db
  - crest_db  # flat
  - onset_db
"""
        )
    }
    assert why == {
        "band_air_db": "less sky",
        "band_bass_db": "it is late, and raining",
        "band_sub_db": "edited by hand",
        "band_mid_db": "7 o'clock #1",
        "band_low_mid_db": "edited by hand",
        "band_brilliance_db": "the tape decides",
        "band_presence_db": "the tape decides",
        "crest_db": "flat",
        "onset_db": "edited by hand",
    }


@pytest.mark.parametrize(
    ("written", "read"),
    [("1e-3", 0.001), ("-.5", -0.5), ("+2", 2.0), ("0.1", 0.1), ("1.0E+0", 1.0), ("010", 10.0)],
)
def test_numbers_as_people_write_them(written, read):
    (move,) = moves(f"shifts:\n  band_air_db: {written}\n")
    assert move.value == read and isinstance(move.value, float)


def test_an_emptied_section_asks_for_nothing():
    assert moves("shifts:\nset: {}\nsilence: []\nlift:\neffects:\n  in:\n") == ()


def test_windows_line_ends_a_byte_order_mark_and_utf_16(tmp_path):
    text = (HEAD + "shifts:\n  band_air_db: -1  # weniger Höhe\n").replace("\n", "\r\n")
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path = tmp_path / f"{encoding}.yaml"
        path.write_bytes(text.encode(encoding))
        (move,) = read_preset_file(path).moves
        assert (move.value, move.why) == (-1.0, "weniger Höhe")


def test_without_a_name_it_is_called_as_its_file(tmp_path):
    path = tmp_path / "winter.yaml"
    path.write_text("kind: preset\n")
    assert read_preset_file(path).name == "winter"


NONSENSE = {
    "out of range": ("set:\n  band_air_db: 90\n", 4, "band_air_db is 90; it must lie between -60 and 40 dB"),
    "shift too far": (
        "shifts:\n  band_air_db: 90\n",
        4,
        "band_air_db is 90; it must lie between -60 and 60 dB",
    ),
    "louder than any file": ("shifts: {loudness_lufs: 12}\n", 3, "between -26 and 9 LUFS"),
    "knob out of range": (
        "set:\n  eq.tilt_db: -13\n",
        4,
        "eq.tilt_db is -13; it must lie between -12 and 12 dB",
    ),
    "start out of range": ("lean:\n  dynamics.ratio: 0.5\n", 4, "it must lie between 1 and 10"),
    "tape too hot": ("effects: {in: [tape]}\nset:\n  tape.drive_db: 30\n", 5, "between 0 and 18 dB"),
    "not a number": ("shifts:\n  band_air_db: .nan\n", 4, "band_air_db is .nan; it must be a number"),
    "infinite": ("shifts:\n  band_air_db: -.inf\n", 4, "it must be a number between -60 and 60 dB"),
    "beyond floats": ("shifts:\n  band_air_db: 1e999\n", 4, "it must lie between"),
    "a switch": ("shifts:\n  band_air_db: on\n", 4, "band_air_db is on; it must be a number"),
    "a number in quotes": ("shifts:\n  band_air_db: '1.5'\n", 4, "is the text '1.5'; it must be a number"),
    "a decimal comma": ("shifts:\n  band_air_db: 1,5\n", 4, "band_air_db is 1,5; it must be a number"),
    "a unit": ("shifts:\n  band_air_db: -2 dB\n", 4, "band_air_db is -2 dB; it must be a number"),
    "clock time": ("shifts:\n  band_air_db: 1:30\n", 4, "band_air_db is 1:30; it must be a number"),
    "nothing": ("shifts:\n  band_air_db:\n", 4, "band_air_db is empty; it must be a number"),
    "a list": ("shifts:\n  band_air_db: [1]\n", 4, "band_air_db is a list; it must be a number"),
    "a section": ("shifts:\n  band_air_db: {by: 1}\n", 4, "band_air_db is a section; it must be a number"),
    "unknown target": ("shifts:\n\n  band_aire_db: 1\n", 5, "did you mean band_air_db"),
    "unknown knob": (
        "set:\n  eq.tilt: 1\n",
        4,
        "unknown target or setting 'eq.tilt'; did you mean eq.tilt_db",
    ),
    "unknown start": ("lean:\n  reverb.predlay_ms: 1\n", 4, "reverb.predelay_ms"),
    "a knob as a shift": ("shifts:\n  eq.tilt_db: 1\n", 4, "is a knob; under `set`"),
    "a target as a start": ("lean:\n  band_air_db: 1\n", 4, "is a target; under `shifts`"),
    "a knob outside the chain": ("set:\n  tape.drive_db: 3\n", 4, "tape is not in the chain"),
    "only measured": ("set:\n  gain_reduction_db: 3\n", 4, "is only measured; set dynamics.ratio"),
    "unknown section": ("shift:\n  band_air_db: 1\n", 3, "unknown section 'shift'; did you mean shifts"),
    "a merge": ("<<: {tail: cut}\n", 3, "unknown section '<<'"),
    "twice": (
        "shifts:\n  band_air_db: 1\n  band_air_db: 2\n",
        5,
        "band_air_db stands here twice, first in line 4",
    ),
    "a section twice": (
        "tail: cut\nform: steady\ntail: ring\n",
        5,
        "tail stands here twice, first in line 3",
    ),
    "an item twice": ("relax: [eq_band_db, eq_band_db]\n", 3, "eq_band_db stands here twice"),
    "a word for a section": (
        "shifts: yes please\n",
        3,
        "shifts is yes please; it must hold names with values",
    ),
    "a list for a section": ("shifts: [1, 2]\n", 3, "shifts is a list; it must hold names"),
    "a list as a name": ("shifts:\n  ? [a]\n  : 1\n", 4, "a name in shifts is a list"),
    "unknown platform": ("platform: spotfy\n", 3, "unknown platform 'spotfy'; did you mean spotify"),
    "platform in a list": ("platform: [cd]\n", 3, "platform is a list; it must be a word"),
    "unknown and fixed": ("fixed: {loudness: -9}\n", 3, "did you mean loudness_lufs"),
    "a sound fixed": ("fixed: {band_air_db: -9}\n", 3, "band_air_db is no delivery; under `shifts`"),
    "above full scale": ("fixed:\n  true_peak_dbtp: 0.5\n", 4, "between -12 and 0 dBTP"),
    "unknown way": ("effects: {into: [tape]}\n", 3, "unknown way of an effect 'into'"),
    "unknown effect": ("effects:\n  in:\n    - tap\n", 5, "unknown effect 'tap'; did you mean tape"),
    "effects in numbers": ("effects: {in: [[tape]]}\n", 3, "in holds a list; it must list names"),
    "in and out": ("effects: {in: [tape], out: [tape]}\n", 3, "tape is taken in and out"),
    "unknown part": ("parts: {singer: {gain_db: 1}}\n", 3, "unknown part 'singer' (lead, bass"),
    "unknown knob of a part": ("parts: {lead: {gain: 1}}\n", 3, "did you mean gain_db"),
    "part too soft": (
        "parts:\n  lead:\n    gain_db: -90\n",
        5,
        "gain_db is -90; it must lie between -24 and 12 dB",
    ),
    "unknown tail": ("tail: fade\n", 3, "tail is 'fade'; it must be ring or cut"),
    "unknown form": ("form: slow_reveals\n", 3, "unknown form 'slow_reveals'; did you mean slow_reveal"),
    "no energies": ("energies: []\n", 3, "energies lists 0 sections"),
    "energies as a word": ("energies: loud\n", 3, "energies is loud; it must list sections"),
    "half a section": ("energies:\n  - [intro, 4]\n", 4, "is [name, bars, energy], like [intro, 4, 0.2]"),
    "energy too high": (
        "energies: [[intro, 4, 1.2]]\n",
        3,
        "energy of intro is 1.2; it must lie between 0 and 1",
    ),
    "no bars": ("energies: [[intro, 0, 1]]\n", 3, "bars of intro is 0; a section lasts longer"),
    "a nameless section": ("energies: [[[a], 1, 1]]\n", 3, "a section's name is a list"),
    "unknown limit": ("relax: [eq_band]\n", 3, "unknown house limit 'eq_band'; did you mean eq_band_db"),
    "unknown verdict": (
        "silence: [band_airy_db]\n",
        3,
        "unknown verdict 'band_airy_db'; did you mean band_air_db",
    ),
    "an anchor": ("set: &mine {eq.tilt_db: 1}\n", 3, "an anchor (&)"),
    "an alias": ("set: *mine\n", 3, "an alias (*)"),
    "a tag": ("set: !!python/object:os.system {}\n", 3, "a tag (!)"),
    "a tab": ("shifts:\n\tband_air_db: 1\n", 4, "a tab; indent with spaces"),
    "an open bracket": ("shifts: {band_air_db: 1\n", 4, "this is not YAML"),
    "an open quote": ('about: "well\n', 4, "this is not YAML"),
    "two documents": ("---\nkind: preset\n", 3, "this is not YAML"),
    "deep": ("parts: " + "[" * 5000 + "\n", 3, "a preset is flatter than this"),
    "a bell": ("# ding\nabout: \a\n", 4, "the character U+0007"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_answered_with_line_name_and_range(name):
    body, line, said = NONSENSE[name]
    told = refusal(HEAD + body)
    assert told.startswith(f"mine.yaml, line {line}: ") and said in told, told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "mine.yaml is empty; a preset begins with `kind: preset`"),
        ("# nothing yet\n", "mine.yaml is empty"),
        ("null\n", "mine.yaml has no `kind`"),
        ("name: mine\n", "mine.yaml has no `kind`"),
        ("kind: platform\nset: {}\n", "line 1: kind is platform; a preset file says `kind: preset`"),
        ("kind:\n", "line 1: kind is empty; it must be a word"),
        ("- kind: preset\n", "line 1: a preset is a list; it must hold names with values"),
        ("just words\n", "line 1: a preset is just words"),
        ("%YAML 9.9\n---\nkind: preset\n", "line 1: "),
        ("kind: preset\nshifts: {true_peak_dbtp: 1}\nname: x\nabout: [1]\n", "line 4: about is a list"),
    ],
)
def test_a_page_that_is_no_preset(text, said):
    assert said in refusal(text)


def test_files_that_cannot_be_a_preset(tmp_path):
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "song.yaml").write_bytes(b"MThd\x00\x00\x00\x06\xff\xfe\x80")
    (tmp_path / "long.yaml").write_bytes(b"# ten thousand reasons\n" * 20_000)
    for name, said in {
        "none.yaml": "No such file",
        "folder.yaml": "directory",
        "song.yaml": "is no text (UTF-8)",
        "long.yaml": "larger than 256 KiB",
    }.items():
        with pytest.raises(InputError, match=said.replace("(", r"\(").replace(")", r"\)")):
            read_preset_file(tmp_path / name)
