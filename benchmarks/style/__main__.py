"""`python -m benchmarks.style COMMAND ...`: the four questions, and what makes their trials and baselines."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

#: Command to module and function: only what is asked for is loaded.
COMMANDS = {
    "zero-shot": ("trial_commands", "zero_shot_command"),
    "retrieval": ("trial_commands", "retrieval_command"),
    "parameters": ("trial_commands", "parameters_command"),
    "transfer": ("transfer", "main"),
    "prepare": ("trial_commands", "prepare_command"),
    "draw": ("trial_commands", "draw_command"),
    "fit-baselines": ("fit_baselines", "main"),
    "rehearse": ("rehearsed", "main"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 2 with one line where it is refused."""
    from daiw_master.errors import DaiwMasterError

    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] not in COMMANDS:
        wanted = ", ".join(COMMANDS)
        print(f"python -m benchmarks.style COMMAND [--help]; commands: {wanted}", file=sys.stderr)
        return 0 if words and words[0] in ("-h", "--help") else 2
    module, function = COMMANDS[words[0]]
    try:
        run = getattr(importlib.import_module(f"benchmarks.style.{module}"), function)
        return run(words[1:])
    except (DaiwMasterError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
