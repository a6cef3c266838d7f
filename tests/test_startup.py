"""What starts at once, and what is not loaded for it: torch is 1 CPU s, scipy a tenth, the rest adds up."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from daiw_master.cli import LISTS, ahead, main
from daiw_master.cli.loading import loading

#: Loaded for no command that does no work on sound.
HEAVY = ("torch", "scipy", "pedalboard", "matplotlib", "numpy", "mutagen", "jinja2", "fluidsynth")
#: Loaded only by commands that read an intent.
READING = ("pydantic",)


def helps(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The help of a command and of everything under it."""
    below = command.commands.items() if isinstance(command, click.Group) else ()
    return [(*path, "--help"), *(line for name, child in below for line in helps(child, (*path, name)))]


def loaded(lines: list[tuple[str, ...]], watched: tuple[str, ...], folder: Path) -> dict[str, list[str]]:
    """Command line -> which watched modules are there after it, all in one fresh interpreter.

    One after another is enough to find who loads what: the first that does is the first that shows it.
    """
    code = f"""
import contextlib, io, json, sys
from daiw_master.cli import main
for line in {lines!r}:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main(list(line), standalone_mode=False)
        except SystemExit:
            pass
    assert said.getvalue(), line
    print(json.dumps((" ".join(line), [name for name in {watched!r} if name in sys.modules])))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(line) for line in done.stdout.splitlines())


def test_help_version_and_lists_load_nothing_heavy(tmp_path):
    lines = [*helps(main), ("--version",), *(("list", what) for what in LISTS), ("preset", "list")]
    assert len(lines) > 20
    for line, found in loaded(lines, (*HEAVY, *READING), tmp_path).items():
        assert not found, f"`daiw-master {line}` loads {', '.join(found)}"


def test_intents_are_written_and_checked_without_anything_that_makes_sound(tmp_path):
    lines = [("intent", "new", "song.yaml", "--example"), ("intent", "check", "song.yaml")]
    for line, found in loaded(lines, HEAVY, tmp_path).items():
        assert not found, f"`daiw-master {line}` loads {', '.join(found)}"
    assert (tmp_path / "song.yaml").is_file()


def test_the_package_itself_loads_nothing_heavy():
    code = f"import sys, daiw_master; print([m for m in {(*HEAVY, *READING, 'click')!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_the_doctors_first_lines_come_before_torch_does():
    """Through a pipe, where nothing is shown that is not flushed; torch is made to wait for ever."""
    code = """
import importlib.abc, sys, threading
class Wait(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "torch":
            threading.Event().wait()
sys.meta_path.insert(0, Wait())
from daiw_master.cli import main
main(["doctor"])
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as doctor:
        try:
            said = doctor.stdout.readline()
            while "soundfont" not in said.splitlines()[-1]:
                said += doctor.stdout.readline()
        finally:
            doctor.kill()
    assert said.splitlines()[0].split()[1] == "library"


def test_what_processing_needs_beside_torch_is_little():
    code = (
        "import sys, daiw_master.stack, daiw_master.files, daiw_master.processing; "
        "print([m for m in ('scipy', 'matplotlib', 'jinja2', 'pydantic', 'mido', 'fluidsynth') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_a_song_can_sound_before_torch_is_there():
    code = "import sys, daiw_master.midi.midi; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize("collecting", [True, False])
def test_the_collector_waits_for_the_imports_and_is_then_as_it_was(monkeypatch, collecting):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    frozen = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(True))
    before = gc.isenabled()
    try:
        (gc.enable if collecting else gc.disable)()
        with pytest.raises(ImportError), loading():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled() == collecting and frozen
    finally:
        (gc.enable if before else gc.disable)()


def test_where_torch_is_loaded_already_the_collector_is_left_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", sys)
    monkeypatch.setattr(gc, "freeze", lambda: pytest.fail("a host's objects were frozen"))
    before = gc.isenabled()
    with loading():
        assert gc.isenabled() == before


@pytest.mark.parametrize(
    ("cores", "given", "begun"),
    [(2, {}, True), (1, {}, False), (2, {"rules": ("X",)}, False), (2, {"intent": "song.yaml"}, False)],
)
def test_a_song_begins_early_where_that_is_of_use(tiny_song, monkeypatch, cores, given, begun):
    monkeypatch.setattr(ahead, "cores", lambda: cores)
    patience = sys.getswitchinterval()
    with ahead.begun_early(tiny_song, {"rate": None, **given}, None, None) as rendering:
        assert (rendering is not None) == begun
        if begun:
            assert rendering.result().send is not None
    assert sys.getswitchinterval() == patience


def test_a_song_begun_early_is_the_same_master(tiny_song, tmp_path, monkeypatch):
    """To the byte; and with stems too."""
    for cores in (1, 2):
        monkeypatch.setattr(ahead, "cores", lambda cores=cores: cores)
        where = ["-o", str(tmp_path / f"{cores}.wav"), "--stems", str(tmp_path / f"stems{cores}")]
        main(["render", str(tiny_song), *where, "--no-report", "--bypass"], standalone_mode=False)
    assert (tmp_path / "1.wav").read_bytes() == (tmp_path / "2.wav").read_bytes()
    stems = [
        [path.read_bytes() for path in sorted((tmp_path / f"stems{cores}").iterdir())] for cores in (1, 2)
    ]
    assert stems[0] == stems[1] and len(stems[0]) > 1
