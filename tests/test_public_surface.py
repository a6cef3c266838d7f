"""What other programs may rely on: these names, a fast import, and the example in the README."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import daiw_master as dm

#: A name that goes breaks somebody's program; a name that comes is a promise. Both are decided here.
PUBLIC = [
    "Audio",
    "DaiwMasterError",
    "EFFECTS",
    "Effect",
    "FIELDS",
    "Live",
    "Options",
    "Param",
    "Result",
    "Stack",
    "Targets",
    "embed_style",
    "explain",
    "master",
    "measure",
    "parse_emotion",
    "process",
    "read_intent",
    "render",
]


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_public_names_are_these():
    assert sorted(dm.__all__) == PUBLIC
    assert sorted(dir(dm)) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_explained(name):
    value = getattr(dm, name)
    if callable(value):
        assert value.__doc__, f"{name} says nothing about itself"


def test_unknown_names_fail_as_python_names_fail():
    with pytest.raises(AttributeError, match="mastre"):
        dm.mastre  # noqa: B018


def test_functions_keep_their_names_when_everything_is_imported():
    """A module that shares a public function's name would replace it on import."""
    for module in pkgutil.walk_packages(dm.__path__, "daiw_master."):
        # the GPU's kernels are imported only where triton is
        if not module.name.endswith(("__main__", "triton_scans")):
            importlib.import_module(module.name)
    for name in ("render", "master", "measure", "process", "parse_emotion"):
        assert type(getattr(dm, name)).__name__ == "function", name


def test_import_is_light():
    heavy = python(
        "import sys, daiw_master; print([m for m in ('torch', 'numpy', 'pydantic') if m in sys.modules])"
    )
    assert heavy == "[]"


@pytest.mark.parametrize(
    "module", ["daiw_master.cli", "daiw_master.listing", "daiw_master.targets", "daiw_master.house"]
)
def test_what_help_and_lists_need_does_without_torch(module):
    loaded = python(
        f"import sys, {module}; print([m for m in ('torch', 'pedalboard', 'scipy') if m in sys.modules])"
    )
    assert loaded == "[]"


def test_the_readmes_example_works(tiny_song, tmp_path):
    code = f"""
import daiw_master as dm
result = dm.render({str(tiny_song)!r}, emotion="neutral")
result.write({str(tmp_path / "song.wav")!r})
print(dm.measure({str(tmp_path / "song.wav")!r}).targets["loudness_lufs"])
"""
    assert float(python(code)) == pytest.approx(-14.0, abs=0.1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["song.report.json", "song.wav"]
