"""Sound like this through VST3s: the search improves, and a plugin killed on the way does not spoil it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch

from daiw_master.neural.encoder import style_encoder
from daiw_master.refine.ito import sound_like
from daiw_master.stack import isolated as isolated_module
from daiw_master.stack.chain import run_chain
from daiw_master.stack.chain_file import read_chain
from tests.signals import music

RATE = 48_000
CHAIN = Path(__file__).parents[2] / "docs" / "chains" / "zam.yaml"
#: What the reference went through: bright, dense and roomy.
TRUTH = {
    "zameq2.boost_cut_h_db": 8.0,
    "zameq2.boost_cut_l_db": -6.0,
    "zamcompx2.threshold_db": -30.0,
    "room.wet_dry": 35.0,
}


@pytest.fixture(scope="module")
def chain():
    if not Path("/usr/lib/vst3/ZamVerb.vst3").exists():
        pytest.skip("zam-plugins is not installed (apt install zam-plugins)")
    return read_chain(CHAIN)


@pytest.fixture(scope="module")
def target(chain):
    with torch.no_grad():
        reference = run_chain(chain.placed, music(2.0, RATE, seed=5), RATE, {**chain.start, **TRUTH})
        return style_encoder()(reference)[0]


def searched(chain, target, **given):
    """A small search; one process of each plugin, so that a test knows whom it kills."""
    given = {"popsize": 8, "generations": 6, "workers": 1, "route": "evolution", **given}
    x = music(2.0, RATE)
    return sound_like(x, RATE, chain.placed, target, start=chain.start, free=chain.free, **given)


@pytest.fixture(scope="module")
def undisturbed(chain, target):
    return searched(chain, target)


def kill(name: str) -> None:
    (one,) = (one for one in isolated_module._EVERY.values() if one.title == name)
    for worker in one._idle:
        os.kill(worker.process.pid, signal.SIGKILL)


def check(chain, found) -> None:
    """Better than its start, inside its ends, what was pinned left alone."""
    assert found.similarity > found.start_similarity + 0.02
    for name, (low, high) in chain.free.items():
        assert low <= found.settings[name] <= high
    moved = {name for name, value in found.settings.items() if value != chain.start[name]}
    assert moved and moved <= set(chain.free)


def test_a_search_through_eq_compressor_and_reverb_improves(chain, undisturbed):
    check(chain, undisturbed)
    assert undisturbed.evaluations == 1 + 8 * 6


def test_a_plugin_killed_on_the_way_is_started_again_and_said_so(chain, target, undisturbed, caplog):
    def progress(generation, generations, similarity):
        if generation == 2:
            kill("ZamVerb")

    found = searched(chain, target, progress=progress)
    assert found.settings == undisturbed.settings and found.similarity == undisturbed.similarity
    assert [record.message for record in caplog.records] == [
        "ZamVerb crashed (signal 9, killed); it is started again"
    ]


def test_a_plugin_that_is_lost_ends_the_search_with_the_best_so_far(chain, target, monkeypatch):
    best = {}

    def progress(generation, generations, similarity):
        best[generation] = similarity
        if generation == 4:
            monkeypatch.setattr(isolated_module, "MOST_CRASHES", 1)
            kill("ZamVerb")

    found = searched(chain, target, progress=progress)
    assert "ZamVerb failed too often" in found.stopped and "\n" not in found.stopped
    assert found.similarity == pytest.approx(best[4])
    check(chain, found)
    assert max(best) == 4
