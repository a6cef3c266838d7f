"""The speed benchmarks count what they say they count, and print a table of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from daiw_master.stack import EFFECTS
from daiw_master.stack.chain import chain_space

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def importable():
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))


def test_traffic_is_what_operations_read_and_write():
    from speed import Traffic

    x, column = torch.ones(10, 100), torch.ones(10, 1)
    with Traffic() as traffic:
        y = x + column.expand(10, 100)
    assert y.shape == x.shape
    assert traffic.bytes == 4 * (1000 + 10 + 1000), "a broadcast column is read once"
    with Traffic() as traffic:
        x.t()[:5].reshape(-1)
    assert traffic.bytes == 2 * 4 * 50, "views are free; a copy is a read and a write"


def test_candidates_turn_every_knob_and_stay_in_range():
    from material import DECAYS_S, candidates

    space = chain_space(EFFECTS)
    settings = candidates(space, 9)
    assert set(settings) == set(space)
    space.check(settings)
    assert all(len(value.unique()) == 9 for value in settings.values())
    decays = settings["reverb.decay_s"]
    assert DECAYS_S[0] <= float(decays.min()) and float(decays.max()) <= DECAYS_S[1]
    assert torch.equal(candidates(space, 9)["eq.tilt_db"], settings["eq.tilt_db"]), "the same every time"


def test_one_line_a_module():
    from speed import measure, sound, table

    result = measure("eq", sound(0.3), 2, runs=1)
    assert result["forward"]["moved_bytes"] > result["forward"]["must_bytes"] == 2 * 2 * 2 * 4 * 13230
    lines = table([result], {"cpu": 1e10}).splitlines()
    assert len(lines) == 3 and lines[2].startswith("| eq | cpu | 2 |")


@pytest.mark.parametrize("way", ["forward", "gradient"])
def test_search_cost_is_told_by_a_process_of_its_own(way):
    command = [sys.executable, str(FOLDER / "search_cost.py"), "--step", "seven modules", way]
    done = subprocess.run(
        [*command, "--count", "2", "--seconds", "0.3"], capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    assert told["wall_s"] > 0 and told["cpu_s"] > 0
    assert told["peak_mib"] >= told["before_mib"] > 50


def test_a_failure_is_a_line_not_a_crash():
    from search_cost import table

    text = table({"seven modules": {"forward": {"failed": "exit 1: no memory"}}})
    assert "failed: exit 1: no memory" in text
