"""Effects that behave as badly as plugins do; played in processes of their own, never in the tests'."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np


class Gain:
    """Well behaved: what goes in, `gain` times."""

    gain = 1.0

    def __init__(self, gain: float = 1.0):
        self.gain = gain

    def __call__(self, wave, rate, reset):
        return wave * np.float32(self.gain)


class Crashes(Gain):
    """Falls over the sound where its gain is above 1."""

    def __call__(self, wave, rate, reset):
        if self.gain > 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().__call__(wave, rate, reset)


class CrashesOnce(Gain):
    """Falls where its gain is above 1 and `marker` is not there yet."""

    def __init__(self, gain: float = 1.0, marker: str = ""):
        super().__init__(gain)
        self.marker = Path(marker)

    def __call__(self, wave, rate, reset):
        if self.gain > 1 and not self.marker.exists():
            self.marker.touch()
            os._exit(3)
        return super().__call__(wave, rate, reset)


class Hangs(Gain):
    def __call__(self, wave, rate, reset):
        if self.gain > 1:
            time.sleep(60)
        return super().__call__(wave, rate, reset)


class Talks(Gain):
    """Prints wherever it can, and listens to the terminal."""

    def __call__(self, wave, rate, reset):
        print("chatter" * 10_000)
        print("chatter", file=sys.stderr)
        for descriptor in (1, 2):
            os.write(descriptor, b"chatter" * 10_000)
        assert os.read(0, 10) == b""
        return super().__call__(wave, rate, reset)


class GivesNan(Gain):
    def __call__(self, wave, rate, reset):
        return wave * np.float32("nan")


class GivesMono(Gain):
    def __call__(self, wave, rate, reset):
        return wave[0]


class GivesNothing(Gain):
    def __call__(self, wave, rate, reset):
        return None


class Refuses(Gain):
    def __call__(self, wave, rate, reset):
        raise RuntimeError("only in B flat,\nand only on Sundays")


def hidden() -> type:
    class Hidden(Gain):
        """Nobody else can import this."""

    return Hidden


class Remembers(Gain):
    """Writes into the sound it is given, and adds one for each sound it has heard."""

    heard = 0

    def __call__(self, wave, rate, reset):
        wave *= 0
        Remembers.heard += 1
        return wave + np.float32(os.getpid() % 4096) + np.float32(Remembers.heard) / 1024
