"""`python -m daiw_master.training.guess examples|fit --data DIR`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from daiw_master.training.steps import run, say


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; 0, or 2 with one line where it is refused."""
    return run(_parser(), arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m daiw_master.training.guess", description=__doc__)
    steps = parser.add_subparsers(required=True, metavar="STEP")
    examples = steps.add_parser("examples", help="random parts of the general chain on the training clips")
    examples.add_argument("--count", type=int, default=61_440, help="sounds as they are heard")
    examples.add_argument("--bare", type=int, default=51_200, help="sounds whose space is taken away")
    examples.set_defaults(step=_examples)
    fit = steps.add_parser("fit", help="fit the guesser to them")
    fit.add_argument("--steps", type=int, default=6000)
    fit.add_argument("-o", "--output", type=Path, required=True, help="weights (.safetensors)")
    fit.set_defaults(step=_fit)
    for step in steps.choices.values():
        step.add_argument("--data", type=Path, required=True, help="folder of training.style's contents")
        step.add_argument("--seed", type=int, default=0)
    return parser


def _examples(options: argparse.Namespace) -> None:
    import torch

    from daiw_master.training.guess.examples import BARE, HEARD, make

    torch.set_num_threads(1)
    for kind, count in ((HEARD, options.count), (BARE, options.bare)):
        made = make(options.data, kind, count, options.seed, say)
        say(f"{kind.folder}: {made} examples are there")


def _fit(options: argparse.Namespace) -> None:
    from daiw_master.training.guess.fit import fit_from

    fit_from(options.data, options.output, options.steps, options.seed, say)


if __name__ == "__main__":
    sys.exit(main())
