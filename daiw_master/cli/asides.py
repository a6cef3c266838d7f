"""What happened on the way and did not stop the work: a line on stderr, above the bar."""

from __future__ import annotations

import logging
import sys

import click


class Asides(logging.Handler):
    """Our warnings as lines like those of our errors; a progress bar is wiped first."""

    def emit(self, record: logging.LogRecord) -> None:
        wipe = "\r\033[K" if sys.stderr.isatty() else ""
        click.echo(f"{wipe}daiw-master: {record.getMessage()}", err=True)


def tell_asides() -> None:
    """From now on they are told, unless somebody already listens to them."""
    ours = logging.getLogger("daiw_master")
    if not ours.handlers:
        ours.addHandler(Asides())
