"""The live benchmark measures what it says it does, and prints and writes it."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(FOLDER))
    import live
    import material

    monkeypatch.setattr(material, "RESULTS", tmp_path)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    return live


def test_blocks_that_take_longer_than_they_last_are_late(benchmark):
    found = benchmark.summary(np.array([1.0, 2.0, 3.0, 6.0]), np.array([1.0, 6.0, 6.0, 6.0]), 4.0)
    assert found["late_cpu"] == 1 and found["late_wall"] == 3
    assert found["share"] == pytest.approx(0.75) and found["cpu_max_ms"] == 6.0


def test_every_module_and_every_block_size_is_in_the_table(benchmark, monkeypatch, capsys, tmp_path):
    arguments = ["live.py", "--minutes", "0.003", "--seconds", "0.05", "--blocks", "256,512"]
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setattr(benchmark, "SETTLED_S", 0.1)
    assert benchmark.main() == 0
    printed, written = capsys.readouterr().out, json.loads((tmp_path / "live.json").read_text())
    assert list(written["modules"]) == list(benchmark.HOUSE_CHAIN) and list(written["chain"]) == [
        "256",
        "512",
    ]
    for name, found in written["modules"].items():
        assert name in printed and 0 < found["cpu_p50_ms"] <= found["cpu_p99_ms"] <= found["cpu_max_ms"]
    assert written["long"]["last_mib"] > 0 and "resident" in printed
