"""Sound like this: a finished master brought nearer to a reference, or to its feeling's own style."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from daiw_master.errors import InputError
from daiw_master.report.model import StyleDifference, StyleMove, StyleSection
from daiw_master.stack.chain_file import ChainFile

if TYPE_CHECKING:
    import numpy as np

    from daiw_master.brief import Brief
    from daiw_master.options import Options
    from daiw_master.refine.bench import Bench, Take
    from daiw_master.refine.master import Master

#: A knob moved by less than this share of its range is not worth a line.
LEAST_MOVE = 0.005


@dataclass(frozen=True)
class Wanted:
    """What a master is to sound like: a direction, what it is called, and its numbers as meters read them.

    `also` is a style that it may not move away from on its way.
    """

    name: str
    embedding: np.ndarray
    heard: Mapping[str, float]
    sources: tuple[str, ...] = ()
    also: np.ndarray | None = None


def with_reference(options: Options) -> Options:
    """The options with their references heard as one style, before any other work is done."""
    if not options.reference:
        return options
    if options.bypass:
        raise InputError("a reference and bypass: a bypassed song is not mastered, so it cannot follow one")
    from daiw_master.neural.style import style_of

    return replace(options, reference=(style_of(list(options.reference)),))


def sounding_as_wanted(
    bench: Bench, made: Master, neutral: Take, brief: Brief, options: Options, solved: Master
) -> tuple[Master, StyleSection | None, list[str]]:
    """The master brought nearer to the sound that is wanted of it, where one is; and remarks on that.

    `solved` is the master before it was refined by gradient, which minds the targets alone: where that led
    away from the feeling's own vector and the search does not find back, it begins again at `solved`, with
    the vector for its only goal.
    """
    try:
        wanted = wanted_of(brief, options, bench, neutral)
    except InputError as error:  # a bank of another encoder; everything else that was asked for is there
        return made, None, [f"refined by gradient alone: {error}"]
    if wanted is None:
        return made, None, []
    nearer, section = brought_nearer(bench, made, neutral, wanted, options)
    if wanted.also is not None and solved is not made and not section.interrupted:
        plain = _likeness(bench, solved, wanted.also)
        if _likeness(bench, nearer, wanted.also) <= plain:
            straight = replace(wanted, embedding=wanted.also, also=None)
            again, its = brought_nearer(bench, solved, neutral, straight, options)
            if _likeness(bench, again, wanted.also) > plain and _missed(again) <= _missed(nearer):
                return again, its, []
    return nearer, section, []


def _likeness(bench: Bench, made: Master, style: np.ndarray) -> float:
    from daiw_master.neural.style import cosine, style_of

    return cosine(style_of(bench.rung_out(made.take.sound)).embedding, style)


def _missed(made: Master) -> set[str]:
    """What the report will call missed or drifted."""
    from daiw_master.report.rows import verdict_of

    verdicts = {name: verdict_of(ask, made.take.heard[name]) for name, ask in made.asks.items()}
    return {name for name, verdict in verdicts.items() if verdict in ("missed", "drifted")}


def wanted_of(brief: Brief, options: Options, bench: Bench, neutral: Take) -> Wanted | None:
    """What this master is to sound like: the reference, else with `refine` its feeling's style in the bank.

    The bank says which way a feeling moves a style; from this song's own neutral that way is gone, so far
    as it brings the master nearer to the feeling's own vector as well.
    """
    if options.reference:
        (reference,) = options.reference
        sources = tuple(source.name for source in reference.sources)
        return Wanted(reference.name, reference.embedding, reference.heard, sources)
    amount = brief.intensity * sum(options.factors.values()) / len(options.factors)
    if not options.refine or not brief.mixture or not amount:
        return None
    from daiw_master.neural.bank import emotion_bank
    from daiw_master.neural.style import style_of

    bank, here = emotion_bank(), style_of(bench.rung_out(neutral.sound))
    step = bank.heard_step(brief.mixture, amount)
    heard = {field: value + step[field] for field, value in here.heard.items() if field in step}
    embedding = bank.target(brief.mixture, amount, here.embedding)
    vector = bank.vector(brief.mixture, amount)
    return Wanted(f"{brief.name} in the emotion bank", embedding, heard, ("the emotion bank",), vector)


def brought_nearer(
    bench: Bench, made: Master, neutral: Take, wanted: Wanted, options: Options
) -> tuple[Master, StyleSection]:
    """The master after a search toward the wanted sound, and what the report says of it.

    What was asked stays within tolerance; where no feeling asks for anything, tone, width and room follow
    the reference. The master is left as it was where nothing nearer was found.
    """
    from daiw_master.neural.difference import differences, worth_a_word
    from daiw_master.neural.style import cosine, style_of
    from daiw_master.refine.ito.master import refine_toward

    plan, started = made.plan, time.monotonic()
    free_tone = not plan.shifts
    before = style_of(bench.rung_out(made.take.sound))

    def progress(generation: int, generations: int, similarity: float) -> None:
        share = generation / max(1, generations)
        options.progress(f"{plan.name}: like {wanted.name}, {similarity:.3f} so far", share)

    with options.interruptible() as stop:
        nearer, refined = refine_toward(
            bench, plan, made, neutral, wanted.embedding, also=wanted.also, free_tone=free_tone,
            generations=options.generations, popsize=options.candidates, seed=options.seed,
            free=options.chain.free if isinstance(options.chain, ChainFile) else None,
            progress=progress, stop=stop,
        )  # fmt: skip
        interrupted = stop()
    after = style_of(bench.rung_out(nearer.take.sound)) if refined.kept else before
    rows = worth_a_word(differences(before.heard, wanted.heard), most=6)
    section = StyleSection(
        toward=wanted.name,
        sources=list(wanted.sources),
        encoder=before.encoder,
        before=cosine(before.embedding, wanted.embedding),
        after=cosine(after.embedding, wanted.embedding),
        kept=refined.kept,
        candidates=refined.evaluations,
        seconds=round(time.monotonic() - started, 1),
        stopped=refined.stopped,
        interrupted=interrupted,
        moves=_moves(bench, refined.moved),
        differences=[
            StyleDifference(target=r.field, wanted=r.other, before=r.one, after=after.heard[r.field])
            for r in rows
        ],
    )
    return nearer, section


def _moves(bench: Bench, moved: Mapping[str, tuple[float, float]]) -> list[StyleMove]:
    """Every knob the search turned, the widest turn first."""
    rows = []
    for knob, (was, became) in moved.items():
        param = bench.space[knob]
        turn = abs(param.normalised(became) - param.normalised(was))
        if turn >= LEAST_MOVE:
            move = StyleMove(setting=knob, unit=param.unit, before=was, after=became, why=param.about)
            rows.append((turn, move))
    return [move for _, move in sorted(rows, key=lambda row: (-row[0], row[1].setting))]
