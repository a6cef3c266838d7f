"""Recording a performance: in memory, in the background while something else is done, or onto disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

import numpy as np

from daiw_master.errors import InputError
from daiw_master.midi.job import Job, Rendered
from daiw_master.midi.play import BLOCK
from daiw_master.midi.reel import Reel

if TYPE_CHECKING:
    from daiw_master.sounds import Shelf, Spool


class Recording:
    """A performance recorded in memory: `play()` it, then have it `rendered()`.

    `sure` frames from the front of the mix may be read with `mix` while it is still playing;
    `told` is called each time there are more.
    """

    def __init__(
        self,
        job: Job,
        progress: Callable[[float], None] | None = None,
        told: Callable[[], None] | None = None,
    ):
        self._job, self._told, self.sure = job, told, 0
        self._performance = job.performance(progress)
        self._reels: list[Reel] = []

    def play(self) -> None:
        """All of it. Needs no torch. InputError where it renders to silence, or takes too long."""
        performance = self._performance
        for sounds in performance.blocks():
            self._reels = self._reels or [Reel(performance.longest) for _ in sounds]
            for reel, sound in zip(self._reels, sounds, strict=True):
                reel.write(sound, BLOCK)
            self._up_to(min(performance.sure, self._reels[0].time))
        if not performance.heard:
            raise self._job.silent()
        self._up_to(performance.end)

    def stop(self) -> None:
        self._performance.stop()

    def mix(self, start: int, stop: int) -> np.ndarray:
        """A copy of the mix from frame to frame, (2, frames); as far as it is `sure`."""
        return self._reels[0].read(start, stop)

    def rendered(self) -> Rendered:
        """What was played, as Audio, with all that is known of the song."""
        import torch

        from daiw_master.audio import Audio

        frames, rate = self._performance.end, self._job.rate
        audios = [Audio(torch.from_numpy(reel.cut(frames)), rate) for reel in self._reels]
        return self._job.rendered(frames, *audios)

    def _up_to(self, sure: int) -> None:
        if sure > self.sure:
            self.sure = sure
            if self._told is not None:
                self._told()


class Rendering:
    """A song that is being rendered in the background, in a thread of its own.

    The library plays without Python's lock, so that other work goes on beside it: torch is imported,
    the first blocks of the mix are listened to. Leaving its `with` block stops it.
    """

    def __init__(self, job: Callable[[], Job], progress: Callable[[float], None] | None = None):
        self._recording: Recording | None = None
        self._played = 0.0
        self._over = self._stopped = False
        self._news = threading.Condition()
        pool = ThreadPoolExecutor(1, thread_name_prefix="rendering")
        self._playing = pool.submit(self._run, job, progress)
        pool.shutdown(wait=False)

    def __enter__(self) -> Rendering:
        return self

    def __exit__(self, *exc_info) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop playing, within a block; what was played is thrown away."""
        with self._news:
            self._stopped = True
            if self._recording is not None:
                self._recording.stop()
        wait([self._playing])

    def blocks(self) -> Iterator[np.ndarray]:
        """The mix, (2, n) float32, n <= 2^16: in order, each block as soon as it is sure to stay as it is."""
        done = 0
        while True:
            with self._news:
                while not self._over and self._sure <= done:
                    self._news.wait()
                sure, over = self._sure, self._over
            while done < sure:
                until = min(done + 8 * BLOCK, sure)
                yield self._recording.mix(done, until)
                done = until
            if over:
                break
        self._raise()

    def result(self, progress: Callable[[float], None] | None = None) -> Rendered:
        """The song when it is over: what `render_midi` returns, or raises. `progress` is called on the
        waiting thread, with the share played so far."""
        while progress is not None and not self._over:
            progress(self._played)
            with self._news:
                if not self._over:
                    self._news.wait()
        self._raise()
        return self._recording.rendered()

    @property
    def _sure(self) -> int:
        return 0 if self._recording is None else self._recording.sure

    def _raise(self) -> None:
        if self._stopped:
            raise InputError("the rendering was stopped")
        self._playing.result()

    def _run(self, job: Callable[[], Job], progress: Callable[[float], None] | None) -> None:
        def played(share: float) -> None:
            self._played = share
            if progress is not None:
                progress(share)

        try:
            recording = Recording(job(), played, self._tell)
            with self._news:
                self._recording = recording
                if self._stopped:
                    recording.stop()
            recording.play()
        finally:  # an error waits for whoever asks for the result
            with self._news:
                self._over = True
                self._news.notify_all()

    def _tell(self) -> None:
        with self._news:
            self._news.notify_all()


def lay_down(
    job: Job,
    place: Callable[[int, int, int], Shelf | Spool],
    progress: Callable[[float], None] | None = None,
) -> Rendered:
    """A performance recorded where `place` says, sound by sound: nothing but blocks is held."""
    import torch

    from daiw_master.sounds import part

    performance = job.performance(progress)
    places: list[Shelf | Spool] = []
    silence = torch.zeros(2, BLOCK)
    try:
        for sounds in performance.blocks():
            places = places or [place(2, job.rate, performance.longest) for _ in sounds]
            for where, sound in zip(places, sounds, strict=True):
                where.write(silence if sound is None else torch.from_numpy(sound))
        if not performance.heard:
            raise job.silent()
    except BaseException:
        for where in places:
            where.close()
        raise
    return job.rendered(performance.end, *(part(where, 0, performance.end) for where in places))
