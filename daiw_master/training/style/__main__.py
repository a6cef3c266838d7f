"""`python -m daiw_master.training.style contents|blocks|fit|join|card`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from daiw_master.errors import InputError
from daiw_master.training.steps import run, say
from daiw_master.training.style import works
from daiw_master.training.style.mixes import LEARNED, MIXES


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; 0, or 2 with one line where it is refused."""
    return run(_parser(), arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m daiw_master.training.style", description=__doc__)
    steps = parser.add_subparsers(required=True, metavar="STEP")
    contents = steps.add_parser("contents", help="render the dry clips of all splits and domains")
    contents.add_argument(
        "--sources", type=Path, default=Path("../shared/data"), help="folder with midi-train/ and audio/"
    )
    contents.add_argument("--split", action="append", choices=("train", "dev", "test"), help="only these")
    contents.add_argument("--domain", action="append", choices=works.TRAINING_DOMAINS, help="only these")
    contents.add_argument("--share", type=float, default=1.0, help="share of the usual number of clips")
    contents.set_defaults(step=_contents)
    blocks = steps.add_parser("blocks", help="render chains on the clips and describe them")
    blocks.add_argument("--count", type=int, default=12_000, help="blocks of 40 renders")
    blocks.add_argument("--mix", default="wide", choices=MIXES, help="what they are mixed of (mixes.py)")
    blocks.add_argument("--name", default="", help="folder under blocks/ (default: split-mix)")
    blocks.add_argument("--split", default="train", choices=("train", "dev"))
    blocks.add_argument("--until", metavar="HH:MM", help="begin nothing after this time of today")
    blocks.set_defaults(step=_blocks)
    fit = steps.add_parser("fit", help="fit the encoder to the blocks; an interrupted fit goes on")
    fit.add_argument("--name", action="append", help="which blocks, several together")
    fit.add_argument(
        "--objective", choices=("contrast", "pretext"), default="contrast",
        help="equal chains find each other, or AFx-Rep's: which effect, which preset",
    )  # fmt: skip
    fit.add_argument("--members", type=int, default=2, help="networks side by side, each of its own seed")
    fit.add_argument("--steps", type=int, help="instead of the recipe's")
    fit.add_argument("--blocks-a-step", type=int, help="instead of the recipe's")
    fit.add_argument(
        "--mode",
        action="append",
        metavar="MODE",
        help="learn from these sorts of block (default: mixed, rail, usual; or pretext, for that objective)",
    )
    fit.add_argument("--blocks", type=int, help="only so many blocks of each name")
    fit.add_argument("-o", "--output", type=Path, required=True, help="weights (.safetensors)")
    fit.set_defaults(step=_fit)
    join = steps.add_parser("join", help="several fitted encoders side by side as one")
    join.add_argument("encoders", nargs="+", type=Path, metavar="WEIGHTS", help="as `fit` wrote them")
    join.add_argument("-o", "--output", type=Path, required=True, help="weights (.safetensors)")
    join.set_defaults(step=_join)
    card = steps.add_parser("card", help="write the model card")
    card.add_argument("--name", action="append", help="which blocks; several were taken together")
    card.add_argument("--weights", type=Path, help="the fitted encoder")
    card.add_argument("--results", type=Path, help="JSON object of results to set down")
    card.add_argument("-o", "--output", type=Path, required=True, help="markdown file")
    card.set_defaults(step=_card)
    for step in (contents, blocks, fit, card):
        step.add_argument("--data", type=Path, required=True, help="folder for clips, blocks and logs")
        step.add_argument("--seed", type=int, default=0)
        step.add_argument("--processes", type=int, default=2)
    return parser


def _contents(options: argparse.Namespace) -> None:
    from daiw_master.training.style import contents, slots
    from daiw_master.training.style.audio_clip import with_lengths

    corpus = works.midi_corpus(options.sources, options.data / "midi")
    corpus += with_lengths(works.audio_corpus(options.sources) + works.game_corpus())
    corpus += works.speech_corpus(options.sources)
    corpus += works.recast(corpus) + with_lengths(works.more_games())
    for split, domain in slots.COUNTS:
        if split in (options.split or works.SPLITS) and domain in (options.domain or works.TRAINING_DOMAINS):
            own = [work for work in corpus if (work.split, work.domain) == (split, domain)]
            count = max(1, round(slots.COUNTS[split, domain] * options.share))
            if domain == "speech":
                dealt = slots.deal_speech(own, split, count, options.seed)
            else:
                fonts = slots.soundfonts_of(split) if domain in ("midi", "recast") else None
                dealt = slots.deal(own, count, options.seed + (domain == "recast"), fonts)
            contents.make(options.data, split, domain, dealt, options.processes, say)


def _blocks(options: argparse.Namespace) -> None:
    from daiw_master.training.style import shards

    made = shards.make(
        options.data,
        options.count,
        name=options.name or f"{options.split}-{options.mix}",
        split=options.split,
        seed=options.seed,
        processes=options.processes,
        mix=MIXES[options.mix],
        until=_today(options.until) if options.until else None,
        say=say,
    )
    say(f"{made} blocks are there")


def _fit(options: argparse.Namespace) -> None:
    import torch

    from daiw_master.files.atomic import staged
    from daiw_master.neural.weights_file import write_weights
    from daiw_master.training.style.fit import Recipe, fit, together
    from daiw_master.training.style.objectives import Contrast, Pretext
    from daiw_master.training.style.shards import Shards, joined

    torch.set_num_threads(options.processes)
    pretext = options.objective == "pretext"
    sets = [Shards(options.data, name) for name in options.name or (LEARNED[:1] if pretext else LEARNED)]
    modes = options.mode or (["pretext"] if pretext else ["mixed", "rail", "usual"])
    blocks = joined([shards.load(options.blocks).of_modes(modes) for shards in sets])
    members = []
    for member in range(options.members):
        recipe = Recipe(seed=options.seed + member)
        recipe = replace(
            recipe,
            steps=options.steps or recipe.steps,
            blocks_a_step=options.blocks_a_step or recipe.blocks_a_step,
        )

        def log(step: int, of: int, loss: float, member: int = member) -> None:
            say(f"member {member + 1} of {options.members}: step {step} of {of}, loss {loss:.4f}")

        size = recipe.mid_size + recipe.side_size
        if pretext:
            lesson = Pretext(blocks, size)
        else:
            lesson = Contrast(blocks.by_content, blocks.dry, size, blocks.places)
        name = "-".join(("fit", *(shards.folder.name for shards in sets), options.objective))
        checkpoint = options.data / f"{name}-{recipe.seed}.checkpoint"
        members.append(fit(lesson, recipe, log, checkpoint))
    told = {
        "data": " ".join(shards.manifest["hash"] for shards in sets),
        "descriptor": sets[0].manifest["descriptor"],
        "blocks": str(len(blocks.features)),
        "objective": options.objective,
        "modes": " ".join(modes),
        "recipe": repr(recipe),
        "members": str(options.members),
        "licence": "GPL-3.0-or-later",
    }
    with staged(options.output) as part:
        write_weights(together(members), part, told)
    say(f"wrote {options.output}")


def _join(options: argparse.Namespace) -> None:
    from daiw_master.files.atomic import staged
    from daiw_master.neural.encoder import load_encoder
    from daiw_master.neural.weights_file import told_in, write_weights
    from daiw_master.training.style.fit import together

    one = together([load_encoder(path) for path in options.encoders])
    origins = [told_in(path) for path in options.encoders]
    told = {"members": str(one.shape["members"])}
    for key in sorted(set().union(*origins) - {"members", "shape"}):
        values = [origin.get(key, "-") for origin in origins]
        told[key] = values[0] if len(set(values)) == 1 else "; ".join(values)
    with staged(options.output) as part:
        write_weights(one, part, told)
    say(f"wrote {options.output}")


def _card(options: argparse.Namespace) -> None:
    from daiw_master.files.atomic import write_text_atomic
    from daiw_master.training.style.card import card, read_results

    results = read_results(options.results) if options.results else None
    write_text_atomic(options.output, card(options.data, options.name or LEARNED, options.weights, results))
    say(f"wrote {options.output}")


def _today(clock: str) -> float:
    try:
        hour, minute = (int(part) for part in clock.split(":"))
        return time.mktime((*time.localtime()[:3], hour, minute, 0, 0, 0, -1))
    except (ValueError, OverflowError):
        raise InputError(f"--until is {clock!r}; it must be a time of today such as 18:50") from None


if __name__ == "__main__":
    sys.exit(main())
