"""Writers that are stopped, by the kernel or by hand: no half file, and nothing left for long."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daiw_master.files import leftovers, staged, write_text_atomic
from daiw_master.files.leftovers import Claim, sweep

ROOT = Path(__file__).resolve().parents[1]
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and locks")
TOKEN = "0123456789ab"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- whose file is it ------------------------------------------------------------------------


def test_what_a_dead_writer_left_goes_with_the_next_file_of_any_name(tmp_path):
    (tmp_path / f".song.wav.{TOKEN}.daiw-part.wav").write_text("half")
    (tmp_path / f".a b.c.json.{TOKEN}.daiw-part.json").write_text("half")
    (tmp_path / f".none.{TOKEN}.daiw-part").write_text("half")
    write_text_atomic(tmp_path / "other.txt", "x")
    assert names(tmp_path) == ["other.txt"]


def test_what_is_not_ours_stays(tmp_path):
    kept = [".song.part.wav", f".{TOKEN}.part.wav", ".song.daiw-part.wav", f"song.{TOKEN}.daiw-part.wav",
            f".song.{TOKEN.upper()}.daiw-part.wav", f".song.wav.{TOKEN}.daiw-part.wav.bak.wav"]  # fmt: skip
    for name in kept:
        (tmp_path / name).write_text("mine")
    (tmp_path / f".folder.{TOKEN}.daiw-part.wav").mkdir()
    os.symlink(tmp_path / kept[0], tmp_path / f".link.{TOKEN}.daiw-part.wav")
    before = names(tmp_path)
    write_text_atomic(tmp_path / "other.txt", "x")
    assert names(tmp_path) == sorted([*before, "other.txt"])


def test_the_name_says_what_it_will_be(tmp_path):
    with staged(tmp_path / "Song of Rain.flac") as part:
        assert part.name.startswith(".Song of Rain.flac.") and part.suffix == ".flac"
    long = tmp_path / ("ä" * 120 + ".wav")  # 244 bytes, of 255
    with staged(long) as part:
        assert part.name.startswith(".äää") and part.suffix == ".wav"
    assert long.exists()


SECOND = """
import sys
from daiw_master.files.leftovers import sweep
from pathlib import Path
sweep(Path(sys.argv[1]))
"""


@posix
def test_a_living_writer_is_left_alone_by_others(tmp_path):
    (tmp_path / f".dead.wav.{TOKEN}.daiw-part.wav").write_text("half")
    with staged(tmp_path / "a.txt") as first:
        first.write_text("still at it")
        with staged(tmp_path / "b.txt") as second:  # in the same process
            second.write_text("too")
        subprocess.run([sys.executable, "-c", SECOND, tmp_path], cwd=ROOT, check=True)  # and in another
        assert names(tmp_path) == sorted([first.name, "b.txt"])
    assert (tmp_path / "a.txt").read_text() == "still at it" and names(tmp_path) == ["a.txt", "b.txt"]


@posix
def test_a_file_swept_between_its_making_and_its_locking_is_made_anew(tmp_path, monkeypatch):
    lock, seen = leftovers._lock, []

    def late(file):
        if not seen:
            seen.extend(names(tmp_path))
            monkeypatch.setattr(leftovers, "_lock", lock)
            sweep(tmp_path)  # another run looks just now
            assert names(tmp_path) == []
        return lock(file)

    monkeypatch.setattr(leftovers, "_lock", late)
    with Claim(tmp_path / "a.wav") as claim:
        assert names(tmp_path) == [claim.path.name] and seen and claim.path.name not in seen
        claim.become(tmp_path / "a.wav")
    assert names(tmp_path) == ["a.wav"]


@posix
def test_without_locks_the_process_and_its_start_tell(tmp_path, monkeypatch):
    monkeypatch.setattr(leftovers, "_lock", lambda file: None)
    with staged(tmp_path / "a.txt") as part:
        assert f"-{os.getpid()}-" in part.name
        leftovers._LIVING.clear()  # as another process sees it
        again = part.with_name(part.name.replace(f"-{os.getpid()}-", f"-{os.getpid()}-9"))  # number reused
        again.write_text("half")
        gone = part.with_name(part.name.replace(f"-{os.getpid()}-", f"-{2**22 + 7}-"))  # above any pid
        gone.write_text("half")
        sweep(tmp_path)
        assert not gone.exists() and part.exists()
        assert not again.exists() or not Path("/proc/self/stat").exists()
        part.write_text("x")
    assert (tmp_path / "a.txt").read_text() == "x"


@posix
def test_a_file_without_a_process_waits_for_its_lock_even_beside_those_with_one(tmp_path, monkeypatch):
    (tmp_path / f".a.{TOKEN}.daiw-part.wav").write_text("somebody's, on a system with locks")
    monkeypatch.setattr(leftovers, "_lock", lambda file: None)
    sweep(tmp_path)
    assert len(names(tmp_path)) == 1


# --- killed ----------------------------------------------------------------------------------

KILLED = """
import hashlib, json, os, random, signal, sys, time
from pathlib import Path
import torch
from daiw_master.files import write_sound
from daiw_master.files.leftovers import sweep
from daiw_master.sounds import Held
folder, target = Path(sys.argv[1]), Path(sys.argv[1]) / "a.wav"
sound = Held(torch.randn(1, 2, 1_500_000, generator=torch.Generator().manual_seed(0)) * 0.1, 44100)
def write(seed):
    write_sound(sound, target, seed=seed)
    return hashlib.sha256(target.read_bytes()).hexdigest()
began = time.monotonic()
wholes = {seed: write(seed) for seed in (1, 0)}
each = (time.monotonic() - began) / 2
draw, kinds, left, many = random.Random(3), [], 0, 0
for count in range(20):
    child = os.fork()
    if not child:
        write_sound(sound, target, seed=count % 2)
        os._exit(0)
    time.sleep(draw.uniform(0, each))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    kinds.append(hashlib.sha256(target.read_bytes()).hexdigest() in wholes.values())
    parts = len(os.listdir(folder)) - 1
    left, many = left + parts, max(many, parts)
write(1)
print(json.dumps({"whole": kinds, "left": left, "many": many, "names": os.listdir(folder)}))
"""


@posix
def test_killed_at_random_moments_the_target_is_whole_and_the_next_run_sweeps(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert all(found["whole"]) and len(found["whole"]) == 20
    assert found["left"] > 0, "no kill fell into the writing: this test saw nothing"
    # a child killed before it sweeps leaves the file of the one before: never more than one in all
    assert found["many"] == 1
    assert found["names"] == ["a.wav"]


STOPPED = """
import sys, time, click
from daiw_master.cli import main
@main.command()
def slowly():
    from daiw_master.files.atomic import staged
    with staged(sys.argv[2]) as part:
        part.write_text("half")
        print("writing", flush=True)
        time.sleep(60)
main(["slowly"])
"""


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_hand_it_tidies_up_at_once(tmp_path, number):
    target = tmp_path / "a.txt"
    target.write_text("old")
    before = signal.signal(number, signal.SIG_DFL)  # under nohup and `&` it comes ignored, and is inherited
    child = subprocess.Popen(
        [sys.executable, "-c", STOPPED, "slowly", target], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    signal.signal(number, before)
    assert child.stdout.readline() == "writing\n" and len(names(tmp_path)) == 2
    began = time.monotonic()
    child.send_signal(number)
    said = child.communicate()[1]
    assert child.returncode == 128 + number and time.monotonic() - began < 30
    assert said == "daiw-master: stopped; no file is left half written\n"
    assert names(tmp_path) == ["a.txt"] and target.read_text() == "old"


@posix
def test_a_signal_somebody_else_handles_stays_theirs():
    from daiw_master.cli.stopping import Stopped, stoppable

    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with stoppable():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
        assert heard == [signal.SIGTERM]
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with pytest.raises(Stopped) as stopped:
            with stoppable():
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(1)
        assert stopped.value.exit_code == 143 and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


@posix
@pytest.mark.slow
def test_the_program_itself_killed_again_and_again(tmp_path):
    from benchmarks.kill import kill_often

    found = kill_often(tmp_path, 5, 60.0, signal.SIGKILL, "master", 1)
    assert found["wrong"] == [] and len(found["runs"]) == 5
