"""A foreign effect in a process of its own: its chatter is not heard, and where it falls it falls alone.

A plugin's process starts with the first sound and stays for those that follow, one for each core that
asks at the same time; it ends with ours, however ours ends. A crash is tried once more in a new process,
since every sound is played from a clean start; a plugin that crashes again, or does not answer, is told
in one line (`PluginError`), and so is one that keeps crashing.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from daiw_master.errors import PluginError
from daiw_master.stack import isolated_worker
from daiw_master.stack.isolated_worker import receive, send

#: Loading runs through every knob of a plugin; a large one with impulse responses takes a minute.
LOAD_TIMEOUT_S = 180.0
#: For one sound a plugin has this long, and as many times the sound's own length.
TIMEOUT_S, TIMEOUT_LENGTHS = 20.0, 4.0
#: So many crashes, or waits in vain, in one run, and nobody starts the plugin again: a search may meet a
#: few settings that a plugin cannot bear, but not wait for it all day.
MOST_CRASHES, MOST_HANGS = 20, 3

_LOG = logging.getLogger("daiw_master")


class Fallen(Exception):
    """A plugin's process is gone; `hung` where we ended it ourselves because it kept us waiting."""

    def __init__(self, how: str, hung: bool = False):
        super().__init__(how)
        self.hung = hung


class Worker:
    """One process with one plugin in it; `Fallen` where it ends before it has answered."""

    def __init__(self, title: str, source: Mapping, load_timeout_s: float):
        self.title = title
        self._kept_waiting_s: float | None = None
        quiet = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # nothing it would do with more
        self.process = subprocess.Popen(
            [sys.executable, isolated_worker.__file__, title],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **quiet},
            start_new_session=True,  # a terminal's Ctrl-C is ours to answer
        )
        try:
            with self._answering(load_timeout_s):
                send(self.process.stdin, dict(source))
                answer, _ = receive(self.process.stdout)
        except BaseException:
            self.close()
            raise
        if "unloadable" in answer:
            self.close()
            raise PluginError(f"{title} does not load: {answer['unloadable']}")

    def play(
        self, wave: np.ndarray, rate: int, wanted: Sequence[Mapping], timeout_s: float
    ) -> Iterator[np.ndarray]:
        """One sound (channels, time) at each of the settings wanted, in order."""
        with self._answering(timeout_s):
            send(self.process.stdin, {"rate": rate, "wanted": list(wanted)}, wave)
        for _ in wanted:
            with self._answering(timeout_s):
                answer, sound = receive(self.process.stdout)
            if "unloadable" in answer:
                raise PluginError(f"{self.title} no longer loads: {answer['unloadable']}")
            if sound is None:
                raise ValueError(answer["refused"])
            yield sound

    def close(self) -> None:
        """End the process, whatever it is at, and wait until it is gone."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        self.process.wait()

    def left_behind(self) -> None:
        """In a copy of our process: the plugin belongs to the original, and only that may talk to it."""
        self.process.returncode = 0
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.raw.close()  # what the original had half written is its own to write

    @contextlib.contextmanager
    def _answering(self, seconds: float) -> Iterator[None]:
        """Whatever goes wrong with the pipes inside is told as how the process ended."""
        timer = threading.Timer(seconds, self._wait_no_longer, (seconds,))
        timer.daemon = True
        timer.start()
        try:
            yield
        except (EOFError, OSError):
            raise self._fallen() from None
        finally:
            timer.cancel()

    def _wait_no_longer(self, seconds: float) -> None:
        self._kept_waiting_s = seconds
        self.process.kill()

    def _fallen(self) -> Fallen:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5.0)
        if self._kept_waiting_s is not None:
            return Fallen(f"{self.title} did not answer within {self._kept_waiting_s:g} s", hung=True)
        return Fallen(f"{self.title} crashed ({_ending(self.process.returncode)})")


class Isolated:
    """One foreign effect, played in processes of its own by as many as ask at once.

    `source` describes it to `plugin_host.host_of`; `timeout_s` is how long one sound may take (default:
    20 s and four times its length). Any thread may call `play`.
    """

    def __init__(self, title: str, source: Mapping, timeout_s: float | None = None):
        self.title, self.source, self.timeout_s = title, source, timeout_s
        self.crashes = self.hangs = 0
        self._most = max(1, os.cpu_count() or 1)
        self._anew()

    def _anew(self) -> None:
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._count = 0  # processes there are or are about to be
        self._free = threading.Condition()

    def play(self, wave: np.ndarray, rate: int, wanted: Sequence[Mapping]) -> list[np.ndarray]:
        """One sound (channels, time) at each of the settings wanted.

        `PluginError` where the plugin falls twice over one sound or does not answer; `ValueError` with
        the plugin's own words where it refuses the sound.
        """
        timeout_s = self.timeout_s or TIMEOUT_S + TIMEOUT_LENGTHS * wave.shape[-1] / rate
        made: list[np.ndarray] = []
        fell_at: int | None = None
        while len(made) < len(wanted):
            if self.crashes >= MOST_CRASHES or self.hangs >= MOST_HANGS:
                often = f"crashes: {self.crashes}, no answer: {self.hangs}"
                raise PluginError(f"{self.title} failed too often ({often}); it is not started again")
            try:
                with self._worker() as worker:
                    for sound in worker.play(wave, rate, wanted[len(made) :], timeout_s):
                        made.append(sound)
            except Fallen as fall:
                if fall.hung:
                    self.hangs += 1
                    raise PluginError(f"{fall}; its process was ended") from None
                self.crashes += 1
                if fell_at == len(made):
                    raise PluginError(f"{fall}, twice over the same sound") from None
                fell_at = len(made)
                _LOG.warning("%s; it is started again", fall)
        return made

    def close(self) -> None:
        """End every process that waits for work."""
        with self._free:
            while self._idle:
                worker = self._idle.pop()
                worker.close()
                self._all.discard(worker)
                self._count -= 1

    @contextlib.contextmanager
    def _worker(self) -> Iterator[Worker]:
        """A process that waits for work, or a new one; in step afterwards, or gone."""
        worker = self._taken()
        try:
            if worker is None:
                worker = Worker(self.title, self.source, LOAD_TIMEOUT_S)
                self._all.add(worker)
            yield worker
        except BaseException:
            # half an answer may lie in the pipe
            if worker is not None:
                worker.close()
            with self._free:
                self._all.discard(worker)
                self._count -= 1
                self._free.notify()
            raise
        with self._free:
            self._idle.append(worker)
            self._free.notify()

    def _taken(self) -> Worker | None:
        """Somebody idle; None where a new one may start; waits while all are at work."""
        with self._free:
            while not self._idle and self._count >= self._most:
                self._free.wait()
            if self._idle:
                return self._idle.pop()
            self._count += 1
            return None


_EVERY: dict[str, Isolated] = {}


def isolated(title: str, source: Mapping, timeout_s: float | None = None) -> Isolated:
    """The one `Isolated` for this effect: who asks again gets the processes that already run."""
    key = json.dumps([title, source, timeout_s], sort_keys=True)
    return _EVERY.setdefault(key, Isolated(title, source, timeout_s))


def close_all() -> None:
    """End every plugin's process; the next sound starts a new one."""
    for one in _EVERY.values():
        one.close()


def _leave_behind() -> None:
    """A copy of our process begins without the plugins of the original."""
    for one in _EVERY.values():
        for worker in one._all:
            worker.left_behind()
        one._anew()


def _ending(status: int | None) -> str:
    """How a process ended, for people."""
    if status is None:
        return "it stopped talking"
    if status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        return f"signal {-status}, {signal.strsignal(-status) or signal.Signals(-status).name}".lower()
    return f"signal {-status}"


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_behind)
