"""The README keeps its word: its tables are the code's, its examples run, its commands exist."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import shlex
from pathlib import Path

import click
import pytest

from daiw_master.audio import Audio
from daiw_master.cli import main
from daiw_master.files import write_audio
from tests import signals

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
PYTHON = [code for language, code in FENCES if language == "python"]
CONSOLE = [
    line.removeprefix("$ ").partition("  #")[0]
    for language, code in FENCES
    if language == "console"
    for line in code.splitlines()
    if line.startswith("$ ")
]


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("readme", ROOT / "docs" / "readme.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def block(name: str) -> str:
    found = re.search(rf"<!-- made:{name} -->\n(.*?)<!-- /made:{name} -->", TEXT, re.DOTALL)
    assert found, f"README.md has no block made:{name}"
    return found[1].strip()


@pytest.mark.parametrize(
    "name", ["targets", "emotions", "effects", "limits", "platforms", "rules", "reference"]
)
def test_tables_are_the_code_s(maker, name):
    assert block(name) == maker.MADE[name]().strip(), "out of date; `python docs/readme.py` refreshes it"


def test_no_table_is_forgotten(maker):
    marks = re.findall(r"<!-- made:(\w+) -->", TEXT)
    assert sorted(marks) == sorted([*maker.MADE, "demo"])


def test_a_changed_knob_makes_a_changed_table(maker):
    """The comparison above can fail: the tables are read at call time, not remembered."""
    from daiw_master.params import Param

    before = list(maker.knob_rows("eq", [Param("q", 0.4, 6.0, 1.0, about="how narrow")]))
    after = list(maker.knob_rows("eq", [Param("q", 0.4, 8.0, 1.0, about="how narrow")]))
    assert before == [("`eq.q`", "0.4 to 6", "1", "how narrow")] and before != after


def test_a_lost_mark_is_noticed(maker):
    with pytest.raises(SystemExit, match="made:targets"):
        maker.filled("no marks here", {"targets": "x"})


def test_every_knob_and_option_stands_in_it(maker):
    from daiw_master.stack import EFFECTS

    knobs = [f"`{effect.name}.{param.name}`" for effect in EFFECTS.values() for param in effect.params]
    options = [
        option.opts[-1]
        for _, command in maker.commands(main)
        for option in command.params
        if isinstance(option, click.Option)
    ]
    missing = [name for name in knobs + options if name not in TEXT]
    assert not missing


@pytest.mark.parametrize("line", CONSOLE)
def test_commands_are_understood(line):
    """Parsed as typed, by the program's own parser: names of options, choices and arguments."""
    program, name, *arguments = shlex.split(line)
    assert program == "daiw-master"
    command = main.commands[name]
    if isinstance(command, click.Group):
        name, *arguments = arguments
        command = command.commands[name]
    with command.make_context(name, arguments) as context:
        for text in context.params.get("emotions") or ():
            from daiw_master.intent import parse_emotion, split_emotions

            assert all(parse_emotion(part) for part in split_emotions(text))


def test_settings_in_commands_are_known():
    from daiw_master.pipeline import Options, split_settings

    for line in CONSOLE:
        words = shlex.split(line)
        given = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
        chain = [words[i + 1].split(",") for i, word in enumerate(words) if word == "--chain"]
        rows = [row for row in chain[0] if not row.endswith(".vst3")] if chain else None
        split_settings(given, Options(chain=rows))


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_examples_run(number, tmp_path, monkeypatch, request):
    code = PYTHON[number]
    if "song.mid" in code:
        source = request.getfixturevalue("tiny_song")
        (tmp_path / "song.mid").write_bytes(source.read_bytes())
    if "dm.process" in code:
        write_audio(Audio(0.3 * signals.music(3.0)[0], 44100), tmp_path / "song.wav")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(code, f"README.md example {number + 1}", "exec"), names)
    if "result" in names:
        assert {path.name for path in tmp_path.iterdir()} == {
            "song.mid", "song.wav", "song.png", "song.report.json"
        }  # fmt: skip
        presence, loudness = said.getvalue().splitlines()
        assert float(loudness) == pytest.approx(names["result"].report.row("loudness_lufs").after, abs=0.05)
        assert presence.split()[-1] in {"met", "missed", "kept", "drifted"}
    if "loss" in names:
        assert names["loss"].item() < 1.0  # it wanted 2 dB more air: (2 dB)^2 = 4 to begin with
        assert names["stack"].current()["eq.high_shelf_gain_db"].item() > 0
    if "again" in names:
        assert names["again"].true_peak_dbtp <= -2.0 and (tmp_path / "again.flac").stat().st_size
        assert names["again"].settings["eq.tilt_db"] == 1.0
    if "live" in names:
        assert names["finished"].shape == (2, 256) and names["live"].latencies
    if "y" in names:
        assert names["y"].shape == (2, 2, 44100) and bool(names["y"].isfinite().all())


def test_the_first_python_example_has_eight_lines():
    assert len(PYTHON[0].splitlines()) == 8


def test_pictures_and_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    missing = [link for link in links if "://" not in link and not (ROOT / link).is_file()]
    assert links and not missing
    assert (ROOT / "docs" / "the_last_ferry-grief.png").stat().st_size < 300_000


def test_the_first_screen():
    """What a stranger must find before scrolling far: commands, library, CPU build, transcript, licence."""
    first = TEXT[: TEXT.index("## ")]
    wanted = (
        "make demo", "make test", "libfluidsynth3", "brew install", "whl/cpu", "$ daiw-master render",
        "import daiw_master as dm", "docs/the_last_ferry-grief.png", "GNU General Public License",
        "when it is imported",
    )  # fmt: skip
    for words in wanted:
        assert words in first, words


def test_the_transcript_is_of_the_documented_command(maker):
    assert block("demo").splitlines()[1] == f"$ {maker.DEMO}"
    said = block("demo").splitlines()[2:-1]
    assert said[0].startswith("the_last_ferry.mid · grief") and said[-1].startswith("written    ferry.wav")
