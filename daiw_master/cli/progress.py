"""How far the work is and how long it will still take, on one line, for who watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import click

#: Nothing is said about the time left before this much has been seen: seconds, and share of the work.
LEAST_S, LEAST_SHARE = 3.0, 0.05


def progress_line() -> Callable[[str, float], None]:
    """A bar, a word for what is being done and the time left; silent when nobody watches."""
    if not sys.stderr.isatty():
        return lambda what, done: None
    clock = TimeLeft(time.monotonic)

    def show(what: str, done: float) -> None:
        full = round(20 * done)
        bar = f"[{'#' * full}{'.' * (20 - full)}] {what}{clock.told(done)}" if what else ""
        click.echo(f"\r\033[K{bar}", nl=False, err=True)

    return show


class TimeLeft:
    """Seconds still to go, from how fast the work went so far; begins anew when the work does."""

    def __init__(self, now: Callable[[], float]):
        self.now = now
        self.began, self.at = now(), 0.0

    def told(self, done: float) -> str:
        """', about 1:20 left', or nothing while nobody can know."""
        if done < self.at:  # the next piece of work
            self.began = self.now()
        self.at = done
        seconds = self.now() - self.began
        if seconds < LEAST_S or done < LEAST_SHARE or done >= 1.0:
            return ""
        left = round(seconds * (1 - done) / done)
        return f", about {left // 60}:{left % 60:02d} left"
