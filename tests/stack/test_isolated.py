"""Plugins in processes of their own: they may crash, hang, print and lie, and nobody else is hurt."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from daiw_master.errors import DaiwMasterError, InputError, PluginError
from daiw_master.params import Param
from daiw_master.stack import isolated as isolated_module
from daiw_master.stack.chain import flows_of
from daiw_master.stack.flow import through
from daiw_master.stack.isolated import close_all, isolated
from daiw_master.stack.plugin import _source, effect_from_pedalboard, effect_from_vst3
from daiw_master.stack.population import Population
from tests.signals import music, noise
from tests.stack import strange_effects

RATE = 44100
VST3 = Path("/usr/lib/vst3")
GAIN = Param("gain", 0, 4, 1)


def strange(kind: type, **given):
    return effect_from_pedalboard(kind, [GAIN], apart=True, **given)


def processes(kind: type, timeout_s: float | None = None) -> list[subprocess.Popen]:
    one = isolated(kind.__name__, _source(kind), timeout_s)
    return [worker.process for worker in one._idle]


@pytest.fixture(autouse=True)
def afresh(monkeypatch):
    """No test inherits another's processes or crashes."""
    monkeypatch.setattr(isolated_module, "_EVERY", {})
    yield
    close_all()


# --- the same sound --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Compressor", "Reverb", "HighShelfFilter"])
def test_apart_or_here_pedalboard_makes_the_same_samples(name):
    here, apart = effect_from_pedalboard(name), effect_from_pedalboard(name, apart=True)
    knob = here.params[0]
    turned = {**here.engaged, knob.name: torch.tensor([knob.physical(u) for u in (0.3, 0.6, 0.9)])}
    one, many = music(0.5), torch.cat([music(0.5), noise(0.5), music(0.5, seed=3)])
    for x in (one, many, one.double()):
        assert torch.equal(apart(x, RATE, **turned), here(x, RATE, **turned))
    assert apart.params == here.params and apart.identity_at_default == here.identity_at_default


@pytest.mark.parametrize("name", ["ZamEQ2", "ZamCompX2", "ZamVerb"])
def test_apart_or_here_a_vst3_makes_the_same_samples_in_any_order(name):
    """Mono plugins on each channel, stereo ones on both; what came before leaves no trace."""
    if not (VST3 / f"{name}.vst3").exists():
        pytest.skip("zam-plugins is not installed (apt install zam-plugins)")
    apart = effect_from_vst3(VST3 / f"{name}.vst3")
    here = effect_from_vst3(VST3 / f"{name}.vst3", apart=False)
    x = music(0.5)
    turns = torch.tensor([0.1, 0.9, 0.4, 0.6])
    settings = {param.name: param.physical(turns) for param in apart.params}
    settings = {name: value.clamp(*(apart.space[name].low, apart.space[name].high))
                for name, value in settings.items()}  # fmt: skip
    together = apart(x, RATE, **settings)
    assert torch.equal(together, here(x, RATE, **settings))
    back = {name: value.flip(0) for name, value in settings.items()}
    assert torch.equal(apart(x, RATE, **back).flip(0), together)
    assert torch.equal(apart(x[:, :1], RATE), here(x[:, :1], RATE))


def test_a_population_listens_through_a_process():
    x = torch.stack([music(0.3)[0], noise(0.3)[0]])
    gains = torch.linspace(0.5, 3.0, 7)

    def level(sounds):
        return sounds.square().mean((1, 2, 3)).sqrt()

    with Population([strange(strange_effects.Gain)], x, RATE, group=2, workers=2) as population:
        found = population.listen({"pedalboard_gain.gain": gains}, level)
    assert torch.allclose(found, gains * x.square().mean().sqrt(), rtol=1e-5)


def test_in_blocks_it_is_still_one_sound():
    effect = strange(strange_effects.Gain)
    x = noise(0.2)
    flows = flows_of({"gain": effect}, RATE, 2, {"gain.gain": 2.0})
    assert torch.equal(torch.cat(list(through(flows, x.split(1000, dim=-1))), dim=-1), 2 * x)


def test_the_sound_is_ones_own_and_the_process_stays():
    effect = strange(strange_effects.Remembers)
    x = noise(0.01)
    first, second = effect(x, RATE, gain=torch.tensor([1.0, 2.0])), effect(x, RATE)
    assert second[0, 0, 0] - first[0, 0, 0] == pytest.approx(2 / 1024)
    (process,) = processes(strange_effects.Remembers)
    assert first[0, 0, 0] == pytest.approx(process.pid % 4096 + 1 / 1024)


def test_who_asks_at_the_same_time_gets_a_process_each():
    effect = strange(strange_effects.Gain)
    sounds = [noise(0.5, seed=seed) for seed in range(6)]
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda x: effect(x, RATE, gain=2.0), sounds))
    assert all(torch.equal(y, 2 * x) for x, y in zip(sounds, made, strict=True))
    assert 1 <= len(processes(strange_effects.Gain)) <= (os.cpu_count() or 1)


# --- what can go wrong -----------------------------------------------------------------------


def test_a_crash_is_one_line_and_the_next_sound_is_played(caplog):
    effect = strange(strange_effects.Crashes)
    with pytest.raises(PluginError) as caught:
        effect(noise(0.01), RATE, gain=2.0)
    assert str(caught.value) == "Crashes crashed (signal 11, segmentation fault), twice over the same sound"
    assert isinstance(caught.value, DaiwMasterError)
    assert torch.equal(effect(noise(0.01), RATE), noise(0.01))
    assert [record.message for record in caplog.records] == [
        "Crashes crashed (signal 11, segmentation fault); it is started again"
    ]


def test_a_crash_that_does_not_come_back_costs_nothing(tmp_path, caplog):
    effect = strange(strange_effects.CrashesOnce, fixed={"marker": str(tmp_path / "fell")})
    x = noise(0.01)
    made = effect(x, RATE, gain=torch.tensor([0.5, 2.0, 3.0]))
    assert torch.equal(made, torch.cat([0.5 * x, 2 * x, 3 * x]))
    assert [record.message for record in caplog.records] == [
        "CrashesOnce crashed (exit status 3); it is started again"
    ]


def test_a_process_killed_from_outside_is_started_again(caplog):
    effect = strange(strange_effects.Gain)
    x = noise(0.01)
    effect(x, RATE)
    (process,) = processes(strange_effects.Gain)
    os.kill(process.pid, signal.SIGKILL)
    with caplog.at_level(logging.WARNING, "daiw_master"):
        assert torch.equal(effect(x, RATE, gain=2.0), 2 * x)
    assert "Gain crashed (signal 9, killed); it is started again" in caplog.text
    assert process.returncode == -signal.SIGKILL  # waited for: no zombie


def test_a_plugin_that_keeps_crashing_is_given_up(monkeypatch):
    monkeypatch.setattr(isolated_module, "MOST_CRASHES", 2)
    effect = strange(strange_effects.Crashes)
    with pytest.raises(PluginError, match="twice over the same sound"):
        effect(noise(0.01), RATE, gain=2.0)
    with pytest.raises(
        PluginError, match=r"Crashes failed too often \(crashes: 2, no answer: 0\); it is not"
    ):
        effect(noise(0.01), RATE)


def test_a_plugin_that_hangs_is_not_waited_for():
    effect = strange(strange_effects.Hangs, timeout_s=0.5)
    effect(noise(0.01), RATE)
    (process,) = processes(strange_effects.Hangs, 0.5)
    with pytest.raises(PluginError, match=r"Hangs did not answer within 0\.5 s; its process was ended"):
        effect(noise(0.01), RATE, gain=2.0)
    assert process.returncode is not None
    assert torch.equal(effect(noise(0.01), RATE), noise(0.01))


def test_chatter_is_not_heard(capfd):
    x = noise(0.01)
    assert torch.equal(strange(strange_effects.Talks)(x, RATE, gain=2.0), 2 * x)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (strange_effects.GivesNan, "GivesNan gave NaN or infinity at {'gain': 1.0}"),
        (strange_effects.GivesMono, "GivesMono gave shape (441,); it must be (2 channels, time)"),
        (strange_effects.Refuses, "Refuses refuses this sound: only in B flat, and only on Sundays"),
    ],
)
def test_what_is_no_sound_is_refused_in_one_line(kind, line):
    with pytest.raises(InputError) as caught:
        strange(kind)(noise(0.01), RATE)
    assert str(caught.value) == line


def test_nothing_is_no_sound_either():
    with pytest.raises(InputError, match="GivesNothing"):
        strange(strange_effects.GivesNothing)(noise(0.01), RATE)


def test_a_class_no_other_process_can_find_is_refused():
    with pytest.raises(PluginError, match=r"Hidden does not load: .*strange_effects.py has no .*Hidden"):
        strange(strange_effects.hidden())(noise(0.01), RATE)


# --- the end ---------------------------------------------------------------------------------


def gone(pid: int) -> bool:
    """Whether a process is no more, waited for a while; a zombie nobody waits for counts as gone."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks processes up under /proc")
def test_processes_end_with_ours_even_where_that_is_killed():
    """At work or idle; a copy of our process (fork) leaves the original's alone and starts its own."""
    code = """
import os, signal, threading, time, torch
from daiw_master.params import Param
from daiw_master.stack import isolated
from daiw_master.stack.plugin import effect_from_pedalboard
from tests.stack import strange_effects as strange
x, gain = torch.ones(1, 2, 100), [Param("gain", 0, 4, 1)]
effect = effect_from_pedalboard(strange.Gain, gain, apart=True)
hangs = effect_from_pedalboard(strange.Hangs, gain, apart=True)
def pids():
    return {worker.process.pid for one in isolated._EVERY.values() for worker in one._all}
effect(x, 44100), hangs(x, 44100)
before = pids()
child = os.fork()
if child == 0:
    fine = torch.equal(effect(x, 44100, gain=2.0), 2 * x) and pids() and not pids() & before
    isolated.close_all()
    os._exit(0 if fine else 1)
assert os.waitpid(child, 0)[1] == 0
assert torch.equal(effect(x, 44100, gain=3.0), 3 * x) and pids() == before
threading.Thread(target=hangs, args=(x, 44100), kwargs={"gain": 2.0}, daemon=True).start()
time.sleep(0.3)
print(*pids(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          cwd=Path(__file__).parents[2])  # fmt: skip
    assert done.returncode == -signal.SIGKILL and done.stderr == ""
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2 and all(gone(pid) for pid in pids)


def test_close_all_ends_them_and_the_next_sound_starts_anew():
    effect = strange(strange_effects.Gain)
    effect(noise(0.01), RATE)
    (process,) = processes(strange_effects.Gain)
    close_all()
    assert process.returncode is not None and not processes(strange_effects.Gain)
    assert torch.equal(effect(noise(0.01), RATE), noise(0.01))
