"""The other process: plays one foreign effect for whoever holds the other end of its pipes.

Run by path (`python isolated_worker.py TITLE`, the title for whoever looks at a list of processes).
First comes what to play (`plugin_host.host_of`), answered by {"ready": true} or why not; then requests,
each a sound and a list of settings, answered by one sound for each of the settings. A message is
four bytes that give the length of a line of JSON, the line, and the float32 samples of the sound whose
shape the line tells. When the pipe closes, however the other side ended, this process ends too.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import struct
import sys
import threading
from typing import BinaryIO

import numpy as np

LENGTH = struct.Struct("<I")


def send(pipe: BinaryIO, line: dict, sound: np.ndarray | None = None) -> None:
    """One message out; `line` gets the sound's shape."""
    if sound is not None:
        sound = np.ascontiguousarray(sound, dtype=np.float32)
        line = {**line, "shape": sound.shape}
    text = json.dumps(line).encode()
    pipe.write(LENGTH.pack(len(text)) + text)
    if sound is not None:
        pipe.write(memoryview(sound).cast("B") if sound.size else b"")
    pipe.flush()


def receive(pipe: BinaryIO) -> tuple[dict, np.ndarray | None]:
    """One message in; EOFError where the other side is gone."""
    (length,) = LENGTH.unpack(_exactly(pipe, LENGTH.size))
    line = json.loads(_exactly(pipe, length))
    if "shape" not in line:
        return line, None
    sound = np.empty(line["shape"], np.float32)
    if sound.size:
        _fill(pipe, memoryview(sound).cast("B"))
    return line, sound


#: How a plugin, or pedalboard for it, may refuse a sound or a setting; anything else ends this process.
REFUSALS = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)


def _exactly(pipe: BinaryIO, count: int) -> bytearray:
    taken = bytearray(count)
    _fill(pipe, memoryview(taken))
    return taken


def _fill(pipe: BinaryIO, room: memoryview) -> None:
    while len(room):
        count = pipe.readinto(room)
        if not count:
            raise EOFError
        room = room[count:]


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Play what is asked for until the other side is gone."""
    from plugin_host import Unloadable, host_of

    source, _ = receive(requests)
    waiting: queue.SimpleQueue = queue.SimpleQueue()

    def read_on() -> None:
        # Beside the plugin, so that the end of the other side is seen while a plugin works or hangs.
        try:
            while True:
                waiting.put(receive(requests))
        finally:
            os._exit(0)  # some plugins crash while they are torn down

    threading.Thread(target=read_on, daemon=True).start()
    host = host_of(source)
    try:
        host.start()
    except Unloadable as why:
        send(answers, {"unloadable": str(why)})
        return
    send(answers, {"ready": True})
    while True:
        asked, wave = waiting.get()
        for wanted in asked["wanted"]:
            try:
                out = np.asarray(host.play(wave.copy(), asked["rate"], wanted), np.float32)
            except Unloadable as why:
                send(answers, {"unloadable": str(why)})
                return
            except REFUSALS as error:
                said = " ".join(str(error).split()) or type(error).__name__
                send(answers, {"refused": said})
            else:
                send(answers, {}, out)


if __name__ == "__main__":
    # Last, not first: nothing in this folder may stand in for a library of the same name.
    sys.path.append(sys.path.pop(0))
    # Ctrl-C is for the other side to answer; it closes the pipe when it is done with us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    own_in, own_out = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)  # plugins talk, past Python's own streams too
    with open(own_in, "rb", buffering=0) as incoming, open(own_out, "wb") as outgoing:
        with contextlib.suppress(EOFError, BrokenPipeError):
            serve(incoming, outgoing)
    os._exit(0)
