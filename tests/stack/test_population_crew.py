"""Worker processes change who does the work and nothing else, and none is left behind."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from daiw_master.errors import InputError
from daiw_master.heap import SEARCHING, STEADY
from daiw_master.stack import EFFECTS, population
from daiw_master.stack.chain import qualified
from daiw_master.stack.plugin import PEDALBOARD
from daiw_master.stack.population import Population
from daiw_master.stack.population_crew import packed
from daiw_master.stack.population_task import SAMPLES_AT_ONCE
from tests import signals
from tests.stack.listeners import offended, power, who

RATE = 44100
CHAIN = qualified([EFFECTS[name] for name in ("dynamics", "reverb", "eq", "imager", "limiter")])
#: The dynamics are the same for everybody; rooms of several lengths reorder the candidates.
SETTINGS = {
    "dynamics.ratio": 2.0,
    "dynamics.threshold_db": -30.0,
    "reverb.wet_db": -20.0,
    "reverb.decay_s": torch.tensor([0.5, 0.3, 0.2, 0.4, 0.3, 0.25]),
    "eq.tilt_db": torch.linspace(-2, 2, 6),
    "imager.high_width_db": torch.linspace(-2, 2, 6),
}


@pytest.fixture(scope="module")
def windows() -> torch.Tensor:
    sound = signals.music(0.4)
    return torch.cat([sound, 0.4 * sound.flip(1)])


@pytest.fixture(scope="module")
def hired(windows):
    """A population whose worker has started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(population, "WORTH_A_CREW", 1)
        made = making(windows, workers=2).__enter__()
        made.listen(SETTINGS, power)
    made.crew.wait()
    yield made
    made.close()


def making(windows, **options) -> Population:
    return Population(CHAIN, windows, RATE, group=1, send=0.5 * windows, **options)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_both_processes_listen_and_hear_the_same_bits(hired, windows):
    who_listened = hired.listen(SETTINGS, who)
    assert set(who_listened.tolist()) == {float(os.getpid()), float(hired.crew.workers[0].process.pid)}
    alone = making(windows, workers=1)
    assert torch.equal(hired.listen(SETTINGS, power), alone.listen(SETTINGS, power))


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_ctrl_c_is_not_the_workers_affair(hired):
    worker = hired.crew.workers[0].process
    worker.send_signal(signal.SIGINT)
    assert float(worker.pid) in hired.listen(SETTINGS, who).tolist()


def test_both_learn_the_same_bits(hired, windows):
    losses, slopes = hired.gradient(SETTINGS, power)
    wanted, wanted_slopes = making(windows, workers=1).gradient(SETTINGS, power)
    assert torch.equal(losses, wanted)
    assert slopes.keys() == wanted_slopes.keys()
    for name, slope in slopes.items():
        assert torch.equal(slope, wanted_slopes[name]), name


def test_an_error_arrives_as_it_was(hired):
    with pytest.raises(InputError, match="^this is no music$"):
        hired.listen(SETTINGS, offended)
    assert len(hired.listen(SETTINGS, power)) == 6, "and the workers go on"


def test_what_cannot_travel_is_heard_here(hired):
    heard = []

    def closure(y: torch.Tensor) -> torch.Tensor:
        heard.append(len(y))
        return power(y)

    assert torch.equal(hired.listen(SETTINGS, closure), hired.listen(SETTINGS, power))
    assert sum(heard) == 6


def test_a_worker_that_is_killed_is_told_in_one_line(monkeypatch, windows):
    monkeypatch.setattr(population, "WORTH_A_CREW", 1)
    with making(windows, workers=2) as made:
        wanted = made.listen(SETTINGS, power)
        made.crew.wait()
        made.crew.workers[0].process.kill()
        with pytest.warns(RuntimeWarning, match="^a worker process was ended by SIGKILL; its share") as told:
            assert torch.equal(made.listen(SETTINGS, power), wanted)
        assert len(told) == 1
        assert torch.equal(made.listen(SETTINGS, power), wanted), "and not a word more"


def test_processes_come_where_they_pay(monkeypatch, windows):
    started = []
    monkeypatch.setattr(population, "crew_for", lambda *given: started.append(given[0]))
    making(windows, workers=2).listen(SETTINGS, power)
    with making(windows, workers=2) as made:
        made.listen(SETTINGS, power)
    monkeypatch.setattr(population, "WORTH_A_CREW", 2 * 6 * windows.numel())
    making(windows, workers=2).listen(SETTINGS, power)  # no search
    with making(windows, workers=1) as made:
        made.listen(SETTINGS, power)
        made.listen(SETTINGS, power)
    assert not started
    with making(windows, workers=3) as made:
        made.listen(SETTINGS, power)
        assert not started
        made.listen(SETTINGS, power)
        assert started == [2]
        made.listen(SETTINGS, power)
    assert started == [2]


def test_processes_come_at_once_where_it_is_said_that_they_will_pay(monkeypatch, windows):
    started = []
    monkeypatch.setattr(population, "crew_for", lambda *given: started.append(given[0]))
    monkeypatch.setattr(population, "WORTH_AT_ONCE", 100 * windows.numel())
    making(windows, workers=2).expect(100)  # no search
    with making(windows, workers=1) as made:
        made.expect(100)
    with making(windows, workers=2) as made:
        made.expect(99)
        assert not started
        made.expect(100)
        made.expect(100)
    assert started == [1]


def test_a_row_of_pedalboard_travels_by_its_name(windows):
    pytest.importorskip("pedalboard")
    placed = qualified([EFFECTS["eq"], PEDALBOARD["pedalboard_chorus"]])
    (back,) = pickle.loads(packed(placed))
    assert back["pedalboard_chorus"] is PEDALBOARD["pedalboard_chorus"]
    assert packed(lambda: 0) is None


#: Nothing guards it, and it listens with a function of its own.
SCRIPT = """
import sys, torch
from daiw_master.stack import EFFECTS, population
from tests.stack.listeners import power

def own(y):
    return power(y)

population.WORTH_A_CREW = 1
settings = {"eq.tilt_db": torch.linspace(-1, 1, 4)}
made = population.Population([EFFECTS["eq"]], torch.rand(1, 2, 4000), 44100, workers=2, group=1).__enter__()
same = torch.equal(made.listen(settings, own), made.listen(settings, power))
made.crew.wait()
same &= torch.equal(made.listen(settings, own), made.listen(settings, power))
print(same, *(worker.process.pid for worker in made.crew.workers), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.name != "posix", reason="signals and process ids are POSIX")
def test_a_script_without_a_guard_runs_once_and_its_workers_end_with_it(tmp_path):
    script = tmp_path / "search.py"
    script.write_text(SCRIPT)
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
        text=True,
    )
    told = process.stdout.readline().split()
    assert told[0] == "True" and len(told) == 2
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 20
    while alive(int(told[1])):
        assert time.monotonic() < deadline, "the worker outlives the search"
        time.sleep(0.02)
    assert process.stdout.read() == "", "the script was run again"


def test_a_forgotten_population_takes_its_workers_along(monkeypatch, windows):
    monkeypatch.setattr(population, "WORTH_A_CREW", 1)
    made = making(windows, workers=2).__enter__()
    made.listen(SETTINGS, power)
    process = made.crew.workers[0].process
    assert process.poll() is None
    del made
    gc.collect()
    assert process.poll() is not None, "ended and buried"


def test_a_group_of_candidates_stays_in_the_heap_of_a_search():
    block_bytes = 4 * SAMPLES_AT_ONCE["cpu"]
    assert STEADY.large_bytes < block_bytes < SEARCHING.large_bytes < SEARCHING.kept_bytes
