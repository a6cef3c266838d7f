"""A training command: steps with options, a log with the time in front, one line where it is refused."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from daiw_master.errors import DaiwMasterError


def run(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
    """Run the step that was asked for (`options.step`); 0, or 2 with one line where it is refused."""
    options = parser.parse_args(arguments)
    try:
        options.step(options)
    except DaiwMasterError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def say(line: str) -> None:
    """A line of the log."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)
