"""Odd and broken MIDI through the whole program: a master, or one clear line and exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from daiw_master.cli import main

FOLDER = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "midi-broken"
FILES = sorted(FOLDER.rglob("*.mid"))
#: Refused by the renderer's own tests in milliseconds; a minute or more to render where it renders.
LONG = {"jazzsoft_test-all-gs-sounds", "jazzsoft_test-all-gm-percussion"}

pytestmark = pytest.mark.skipif(not FILES, reason="the folder of broken MIDI files is not here")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem in LONG else [])
        for path in FILES
    ],
)
def test_mastered_or_refused_in_one_line(path, tmp_path):
    out = tmp_path / "out.wav"
    run = CliRunner().invoke(main, ["render", str(path), "-o", str(out), "--preview"])
    assert run.exception is None or isinstance(run.exception, SystemExit), run.exception
    if run.exit_code == 0:
        assert out.stat().st_size > 44
    else:
        assert run.exit_code == 2
        assert len(run.stderr.strip().splitlines()) == 1 and run.stderr.startswith("daiw-master: ")
        assert list(tmp_path.iterdir()) == []
