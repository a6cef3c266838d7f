"""Imports point one way, and below the pipeline nobody knows what a feeling is called."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "daiw_master"
MODULES = sorted(PACKAGE.rglob("*.py"))

#: Low to high. A module imports from its own row's name or from rows above it here, never sideways.
LAYERS = (
    ("errors", "units", "formats", "heap"),
    ("params", "data", "audio"),
    ("knobs",),
    ("targets", "sounds"),
    ("house", "moves", "strength"),
    ("plan",),
    ("form",),
    ("intent", "meters"),
    ("stack",),
    ("live",),
    ("midi", "files"),
    ("parts",),
    ("neural",),
    ("refine",),
    ("report",),
    ("presets",),
    ("options", "material"),
    ("brief", "processing"),
    ("likeness",),
    ("pipeline",),
    ("training",),
    ("cli", "listing", "doctor", "demo"),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
#: The front door and `python -m daiw_master` stand outside the house and may knock anywhere.
FRONT = ("__init__", "__main__")
#: Rendering knows nothing of mastering, so that it can be lifted out and used alone.
ALLOWED_ONLY = {"midi": {"errors", "units", "formats", "audio", "sounds"}}
#: The command line is one room with doors: it recites lists, calls the doctor, finds the demo song.
SIDEWAYS = {("cli", "listing"), ("cli", "doctor"), ("cli", "demo")}

#: The first words of every feeling; data files may add more.
FEELINGS = {
    "grief",
    "rage",
    "hope",
    "nostalgia",
    "fear",
    "joy",
    "sadness",
    "anger",
    "surprise",
    "disgust",
    "love",
}
FEELINGS |= {path.stem for path in (ROOT / "intents").glob("*.yaml")}


def layer_of(path: Path) -> str:
    """'stack' for daiw_master/stack/eq.py, 'units' for daiw_master/units.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def ours(tree: ast.AST, folder: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """(layer, line) of each import of daiw_master anywhere in a module, relative ones included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                if parts[0] == PACKAGE.name:
                    yield (parts[1] if len(parts) > 1 else "__init__"), node.lineno
        elif isinstance(node, ast.ImportFrom):
            parts = (node.module or "").split(".") if node.module else []
            if node.level:
                parts = [PACKAGE.name, *folder[: len(folder) - node.level + 1], *parts]
            if parts[:1] != [PACKAGE.name]:
                continue
            if len(parts) > 1:
                yield parts[1], node.lineno
            else:
                for alias in node.names:
                    yield (alias.name if alias.name in RANK else f"__init__.{alias.name}"), node.lineno


def misplaced(layer: str, imported: str) -> str | None:
    """Why `layer` may not import `imported`, or None."""
    if layer in FRONT or imported == layer or (layer, imported) in SIDEWAYS:
        return None
    if imported == "__init__.__version__":
        return None  # importing anything of ours runs the front door already; its number is no knowledge
    if imported not in RANK:
        return f"{imported} has no place in the layers"
    if layer in ALLOWED_ONLY and imported not in ALLOWED_ONLY[layer]:
        return f"{layer} may import only {', '.join(sorted(ALLOWED_ONLY[layer]))}"
    if RANK[imported] >= RANK[layer]:
        return f"{imported} does not lie below {layer}"
    return None


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    layer = layer_of(path)
    assert layer in RANK or layer in FRONT, f"{layer} has no place in the layers"
    folder = path.relative_to(PACKAGE).parts[:-1]
    wrong = []
    for imported, line in ours(ast.parse(path.read_text(encoding="utf-8")), folder):
        why = misplaced(layer, imported)
        if why:
            wrong.append(f"line {line}: {why}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("layer", "source", "caught"),
    [
        ("stack", "from daiw_master.refine.solver import solve", True),
        ("stack", "def late():\n    from daiw_master import pipeline", True),
        ("stack", "from ..refine import solver", True),
        ("stack", "import daiw_master.cli", True),
        ("intent", "from daiw_master.meters import tone", True),
        ("midi", "from daiw_master.targets import FIELDS", True),
        ("stack", "from daiw_master import Audio", True),
        ("stack", "from daiw_master.units import db_from_gain", False),
        ("stack", "from .effect import Effect", False),
        ("cli", "from daiw_master import pipeline", False),
        ("cli", "from daiw_master import __version__", False),
    ],
)
def test_the_test_sees_arrows_that_point_back(layer, source, caught):
    found = [misplaced(layer, imported) for imported, _ in ours(ast.parse(source), (layer,))]
    assert found and any(found) == caught


def words_of(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every word a program acts on: identifiers and string constants, docstrings left out."""
    prose = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            text = node.value
        elif isinstance(node, (ast.Name, ast.arg, ast.Attribute, ast.FunctionDef, ast.ClassDef, ast.keyword)):
            text = getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "arg", None)
            text = text or getattr(node, "name", "")
        else:
            continue
        for word in re.findall(r"[a-z]+", str(text).lower()):
            yield word, getattr(node, "lineno", 0)


#: Everything under the pipeline but the one room where feelings are read.
BELOW = [
    path
    for path in MODULES
    if layer_of(path) != "intent" and RANK.get(layer_of(path), len(LAYERS)) < RANK["pipeline"]
]


@pytest.mark.parametrize("path", BELOW, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_feeling_is_a_row_never_a_branch(path):
    """Rule 3: below `Targets` a vector may pass, a name never."""
    found = [
        f"line {line}: {word}"
        for word, line in words_of(ast.parse(path.read_text(encoding="utf-8")))
        if word in FEELINGS
    ]
    assert not found, "\n".join(found)


def test_the_test_sees_names_of_feelings():
    tree = ast.parse('"""grief in prose is fine"""\nif emotion == "grief":\n    boost_for_rage()\n')
    assert {word for word, _ in words_of(tree)} & FEELINGS == {"grief", "rage"}
