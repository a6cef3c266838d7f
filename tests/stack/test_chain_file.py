"""A chain written down: what stands in the file is the chain, and every slip is answered with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from daiw_master.errors import InputError
from daiw_master.knobs import vst3
from daiw_master.stack.chain import run_chain
from daiw_master.stack.chain_file import read_chain
from tests.signals import music

EXAMPLES = Path(__file__).parents[2] / "docs" / "chains"
RATE = 44100


def written(folder: Path, text: str) -> Path:
    path = folder / "chain.yaml"
    path.write_text(text)
    return path


def stage(*lines: str) -> str:
    return "chain:\n  - effect: eq\n" + "".join(f"    {line}\n" for line in lines)


def test_stages_stand_in_order_and_knobs_are_searched_pinned_or_left(tmp_path):
    chain = read_chain(written(tmp_path, """
about: three ways
chain:
  - limiter
  - effect: eq
    name: tone
    search: [tilt_db]
    pin: {low_shelf_gain_db: 1.5}
  - effect: pedalboard_compressor
    search: {threshold_db: [-40, -10], ratio: }
  - effect: eq
  - effect: eq
"""))  # fmt: skip
    assert list(chain.placed) == ["limiter", "tone", "pedalboard_compressor", "eq", "eq_2"]
    assert chain.free == {
        "tone.tilt_db": (-12, 12),
        "pedalboard_compressor.threshold_db": (-40, -10),
        "pedalboard_compressor.ratio": (1, 20),
    }
    assert chain.pinned == {"tone.low_shelf_gain_db": 1.5}
    changed = {"tone.low_shelf_gain_db": 1.5, "pedalboard_compressor.threshold_db": -10.0}
    assert chain.start == {**chain.space.defaults(), **changed}


def test_all_is_all_but_what_is_pinned_or_delivered(tmp_path):
    chain = read_chain(written(tmp_path, """
chain:
  - effect: imager
    search: all
    pin: {correlation_floor: 0.1}
  - effect: loudness
    search: all
  - effect: limiter
    search: all
"""))  # fmt: skip
    knobs = {name for name in chain.space if name.startswith(("imager.", "limiter."))}
    assert set(chain.free) == knobs - {"imager.correlation_floor", "limiter.ceiling_dbtp"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "line 1: a chain file is empty; it must begin with `chain:`"),
        ("- eq\n", "line 1: a chain file is a list; it must begin with `chain:`"),
        ("chain: []\n", "line 1: chain is an empty list; it must be a list of stages, at least one"),
        ("chain: eq\n", "line 1: chain is the text 'eq'; it must be a list of stages, at least one"),
        ("chains: [eq]\n", "line 1: unknown key of a chain file 'chains'; did you mean chain?"),
        ("about: x\n", "line 1: a chain file has no `chain`; it must be a list of stages, at least one"),
        ("about: 3\nchain: [eq]\n", "line 1: about is 3; it must be a line of text"),
        ("chain:\n- eqq\n", "line 2: unknown effect 'eqq'; did you mean eq?"),
        ("chain:\n- eq\n- Compressor\n",
         "line 3: unknown effect 'Compressor'; did you mean pedalboard_compressor?"),
        ("chain:\n- 3\n", "line 2: a stage is 3; it must be an effect's name, or keys with values"),
        ("chain:\n- name: x\n", "line 2: this stage has no `effect`; it must be a name"),
        ("chain:\n- effect:\n", "line 2: effect is empty; it must be a name"),
        ("chain:\n- eq\n- effect: ./no/Thing.vst3\n",
         "line 3: ./no/Thing.vst3: no such plugin; a path is relative to the chain file"),
        (stage("serch: all"), "line 3: unknown key of a stage 'serch'; did you mean search? (effect,"),
        (stage("name: Tone Up"), "line 3: name is the text 'Tone Up'; it must be a word of small letters"),
        (stage("name: a") + "  - effect: eq\n    name: a\n", "line 5: two stages are called a;"),
        (stage("plugin: x"), "line 2: eq is no .vst3; `plugin` picks one of several in such a file"),
        (stage("apart: true"), "line 2: eq is ours and needs no process of its own; leave `apart` out"),
        (stage("apart: 1"), "line 3: apart is 1; it must be true or false"),
        (stage("search: [tilt_dbb]"), "line 3: unknown knob of eq 'tilt_dbb'; did you mean tilt_db?"),
        (stage("search:", "  - tilt_db", "  - tilt_db"), "line 5: eq.tilt_db is searched twice"),
        (stage("search: {tilt_db: [1, 99]}"), "line 3: eq.tilt_db is 99; it must lie between -12 and 12 dB"),
        (stage("search: {tilt_db: [2, 1]}"),
         "line 3: eq.tilt_db is searched from 2 to 1 dB; the first must be the lower"),
        (stage("search: {tilt_db: [2]}"), "line 3: search.tilt_db is [2]; it must be [low, high], or empty"),
        (stage("search: {tilt_db: 2}"), "line 3: search.tilt_db is 2; it must be [low, high], or empty"),
        (stage("search: {tilt_db: [a, 2]}"), "line 3: search.tilt_db is a list; it must be [low, high]"),
        (stage("search: 3"), "line 3: search is 3; it must be `all`, a list of knobs, or knobs"),
        (stage("search: al"), "line 3: search is the text 'al'; it must be `all`, a list of knobs, or knobs"),
        (stage("search: [3]"), "line 3: search is [3]; it must be `all`, a list of knobs, or knobs"),
        (stage("search:"), "line 3: search is empty; it must be `all`, a list of knobs, or knobs"),
        (stage("pin: {tilt_dbb: 1}"), "line 3: unknown knob of eq 'tilt_dbb'; did you mean tilt_db?"),
        (stage("pin:", "  tilt_db: 1", "  low_shelf_gain_db: 99"),
         "line 5: eq.low_shelf_gain_db is 99; it must lie between -12 and 12 dB"),
        (stage("pin: {tilt_db: loud}"), "line 3: pin.tilt_db is the text 'loud'; it must be a number"),
        (stage("pin: {tilt_db: .nan}"), "line 3: pin.tilt_db is nan; it must be a number"),
        (stage("pin: {tilt_db: yes}"), "line 3: pin.tilt_db is yes; it must be a number"),
        (stage("pin: [tilt_db]"), "line 3: pin is a list; it must be knobs with numbers, like tilt_db: 1.5"),
        (stage("pin: {3: 1}"), "line 3: a key is 3; it must be a word"),
        (stage("pin: {tilt_db: 1}", "search: [tilt_db]"),
         "line 4: eq.tilt_db is pinned and searched; one of them is too much"),
        ("chain:\n- effect: limiter\n  search: [ceiling_dbtp]\n",
         "line 3: limiter.ceiling_dbtp is met at the end of every master; it is not searched"),
        ("chain: [eq\n", "line 2: this is not YAML:"),
        ("chain:\n\t- eq\n", "line 2: this is not YAML: a tab; indent with spaces"),
        (stage("effect: eq"), "line 3: effect stands here twice, first in line 2"),
        ("chain:\n- &a eq\n- *a\n", "line 3: an alias (*); write the value out where it is meant"),
        ("chain: !!python/object:os.system {}\n", "line 1: "),
    ],
)  # fmt: skip
def test_every_slip_is_one_line(tmp_path, text, line):
    with pytest.raises(InputError) as caught:
        read_chain(written(tmp_path, text))
    assert str(caught.value).startswith(f"chain.yaml, {line}") and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["missing", "folder", "no text", "large", "deep"])
def test_what_is_no_chain_file_is_refused(tmp_path, kind):
    path = tmp_path / "chain.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "no text":
        path.write_bytes(b"\xff\xfe\xfa")
    elif kind == "large":
        path.write_text("#" * (1 << 19))
    elif kind == "deep":
        path.write_text("[" * 5000)
    with pytest.raises(InputError, match="chain.yaml") as caught:
        read_chain(path)
    assert "\n" not in str(caught.value)


def test_a_vst3_that_does_not_load_is_told_with_its_line(tmp_path):
    (tmp_path / "Broken.vst3").write_text("hello")
    path = written(tmp_path, "chain:\n  - eq\n  - effect: Broken.vst3\n    search: all\n")
    with pytest.raises(InputError, match=r"chain.yaml, line 3: .*Broken.vst3: not usable as an effect"):
        read_chain(path)


def test_a_vst3_is_looked_for_beside_the_file_then_where_they_lie(tmp_path, monkeypatch):
    system = tmp_path / "system"
    system.mkdir()
    monkeypatch.setattr(vst3.installed_vst3, "__defaults__", ((str(system), "~nobody-at-all/vst3"),))
    for folder in (system, tmp_path):
        (folder / "Both.vst3").write_text("x")
    (system / "Installed.vst3").write_text("x")
    assert vst3.find_vst3("Both.vst3", tmp_path) == tmp_path / "Both.vst3"
    assert vst3.find_vst3("Installed.vst3", tmp_path) == system / "Installed.vst3"
    assert vst3.find_vst3("system/Both.vst3", tmp_path) == system / "Both.vst3"
    assert vst3.find_vst3("sub/Installed.vst3", tmp_path) is None
    with pytest.raises(
        InputError, match=r"line 2: unknown VST3 'Instaled.vst3'; did you mean Installed.vst3\?"
    ):
        read_chain(written(tmp_path, "chain:\n  - Instaled.vst3\n"))
    with pytest.raises(InputError, match=r"unknown effect 'Installed'; did you mean Installed.vst3"):
        read_chain(written(tmp_path, "chain:\n  - Installed\n"))


@pytest.mark.parametrize("name", ["house", "pedalboard", "zam"])
def test_the_examples_work_as_they_are(name):
    if name == "zam" and not Path("/usr/lib/vst3/ZamVerb.vst3").exists():
        pytest.skip("zam-plugins is not installed (apt install zam-plugins)")
    chain = read_chain(EXAMPLES / f"{name}.yaml")
    assert chain.free and chain.pinned
    x = music(0.3)
    y = run_chain(chain.placed, x, RATE, chain.start)
    assert y.shape == x.shape and torch.isfinite(y).all() and not torch.equal(x, y)


def test_apart_is_a_process_of_its_own_or_none(tmp_path):
    text = "chain:\n  - effect: pedalboard_distortion\n    apart: {}\n"
    apart = read_chain(written(tmp_path, text.format("true"))).placed["pedalboard_distortion"]
    here = read_chain(written(tmp_path, text.format("false"))).placed["pedalboard_distortion"]
    assert apart.flow is None and here.flow is not None
    x = music(0.1)
    assert torch.equal(apart(x, RATE, drive_db=12.0), here(x, RATE, drive_db=12.0))
