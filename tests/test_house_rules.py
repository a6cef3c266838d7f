"""Rules of the house that a reader would otherwise have to watch: size, names, asserts, paths, the wheel."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "daiw_master"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 350
#: Folders that name somebody's machine rather than a place every system has (/usr/share is one).
MACHINE_PATH = re.compile(r"(?<![\w.~/-])(/(home|root|work|Users|opt/pypi)/[\w.]|[A-Z]:\\+Users)")
SHIPPED_TEXT = sorted(
    path
    for folder in ("daiw_master", "tests", "benchmarks", "intents", "presets", ".ci")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".yaml", ".toml", ".md", ""} and path.is_file() and "results" not in path.parts
) + [ROOT / name for name in ("Makefile", "README.md", "pyproject.toml", "constraints.txt")]


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=names)
def test_one_idea_a_file(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST, f"{lines} lines: a room of its own is wanted"
    assert path.stem not in {"utils", "util", "helpers", "misc", "common"}, "a name that says nothing"


@pytest.mark.parametrize("path", MODULES, ids=names)
def test_code_refuses_in_words(path):
    """No bare assert for validation (python -O drops it), no net that catches everything."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    asserts = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    assert not asserts, f"assert on lines {asserts}"
    nets = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and not isinstance(node.body[-1], ast.Raise)  # tidying up on the way out is no net
        and (node.type is None or getattr(node.type, "id", "") in {"Exception", "BaseException"})
    ]
    assert not nets, f"catches everything on lines {nets}"


@pytest.mark.parametrize("path", MODULES, ids=names)
def test_modules_say_what_they_are(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if tree.body:
        assert ast.get_docstring(tree), "no docstring"
    if any(isinstance(node, ast.arg) and node.annotation for node in ast.walk(tree)):
        futures = [n for n in tree.body if isinstance(n, ast.ImportFrom) and n.module == "__future__"]
        assert futures, "annotations that run: from __future__ import annotations"


@pytest.mark.parametrize(
    "path", [path for path in SHIPPED_TEXT if path != Path(__file__).resolve()], ids=names
)
def test_no_path_of_somebody_s_machine(path):
    if path == Path(__file__).resolve():
        pytest.skip("quotes such paths to test the rule itself")
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [f"line {i}: {line.strip()}" for i, line in enumerate(lines, 1) if MACHINE_PATH.search(line)]
    assert not found, "\n".join(found)


def test_the_path_rule_can_tell():
    # put together here, so that this file holds none itself
    for place in ("home/me/song.wav", "root/.cache"):
        assert MACHINE_PATH.search(f"open('/{place}')")
    assert not MACHINE_PATH.search("/usr/share/sounds/sf2") and not MACHINE_PATH.search(
        "https://a.org/home/x"
    )


@pytest.mark.slow
def test_the_wheel_carries_its_words(tmp_path):
    """Installed without the repository, the tables, the platforms and the demo song are there."""
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "-w", str(tmp_path), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, timeout=300)
    if "Could not find a version" in done.stderr:
        pytest.skip("the build backend (hatchling) is neither installed nor reachable")
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
        inside = set(archive.namelist())
    for folder in ("intents", "presets"):
        for path in (ROOT / folder).rglob("*.yaml"):
            assert f"daiw_master/_data/{path.relative_to(ROOT).as_posix()}" in inside
    assert "daiw_master/demo/the_last_ferry.mid" in inside
    # the unpacked package must find its own copies, not the repository's
    probe = (
        "from daiw_master.data import data_folder, names_in; from daiw_master.demo import SONG;"
        "print(data_folder('intents')); print(len(names_in('presets'))); print(SONG.exists())"
    )
    seen = subprocess.run(
        [sys.executable, "-c", probe],
        capture_output=True, text=True, check=True, cwd=tmp_path, env={"PYTHONPATH": str(unpacked)},
    ).stdout.split()  # fmt: skip
    assert Path(seen[0]).is_relative_to(unpacked) and int(seen[1]) > 0 and seen[2] == "True"
