"""One run of `render` or `master`: check what can be checked, make, write, say what was done."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import click

from daiw_master.cli.progress import progress_line
from daiw_master.cli.stopping import finished_early
from daiw_master.errors import InputError
from daiw_master.formats import MIDI_ENDINGS
from daiw_master.heap import SEARCHING, STEADY, steady_heap


def run(
    source: Path, given: dict, make: Callable, soundfont: Path | None = None, stems: Path | None = None
) -> None:
    """One run of `render` or `master`: check what can be checked, make, write, say what was done."""
    import dataclasses

    from daiw_master.cli.asides import tell_asides
    from daiw_master.files import check_place, check_target
    from daiw_master.intent import split_emotions
    from daiw_master.pipeline import Options, check_device

    asked = [name for text in given["emotions"] for name in split_emotions(text)]
    # the same feeling twice would be the same file twice
    emotions = list({slug(name): name for name in asked}.values())
    intent = told(given["intent"])
    wanted = intent.mastering.output if intent else None
    bit_depth = given["bit_depth"] or (wanted and wanted.bit_depth) or "24"
    rate = given["rate"] or (wanted and wanted.rate)
    depth = bit_depth if bit_depth == "32f" else int(bit_depth)
    midi = source.suffix.lower() in MIDI_ENDINGS
    outputs = output_paths(source, given["output"], emotions, midi, (wanted and wanted.format) or "wav")
    reported = not given["no_report"]
    html = reported and not given["no_html"] and not given["bypass"]
    for path in outputs:
        check_target(path, depth, int(rate) if rate else None)
        if reported:
            check_place(path.with_suffix(".report.json"))
        if html:
            check_place(path.with_suffix(".report.html"))
        if given["picture"]:
            check_place(path.with_suffix(".png"))
    if given["picture"] and given["bypass"]:
        raise InputError("--picture draws before and after; with --bypass there is no after")
    if stems is not None:
        check_folder(stems)
    names = {field.name for field in dataclasses.fields(Options)}
    options = Options(**{key: value for key, value in given.items() if key in names and key != "rate"})
    options.rate = int(rate) if rate else None
    options.intent, options.automation = intent, not given["no_automation"]
    options.device = check_device(given["device"])
    options.soundfont, options.stems = soundfont, stems is not None
    options.progress = progress_line()
    options.interruptible = finished_early

    tell_asides()
    steady_heap(SEARCHING if options.refine or options.reference else STEADY)
    one_thread_unless_told()
    started = time.monotonic()
    results = make(emotions, options)
    for result, path in zip(results, outputs, strict=True):
        result.write(path, bit_depth=depth, report=reported)
        if html:
            result.html(path.with_suffix(".report.html"), master_file=path.name)
        if given["picture"]:
            result.picture(path.with_suffix(".png"))
    if stems is not None:
        write_stems(results[0], stems)
    options.progress("", 1.0)
    if given["as_json"]:
        reports = [json.loads(result.report.model_dump_json()) for result in results]
        click.echo(json.dumps(reports if len(reports) > 1 else reports[0], indent=2))
        return
    for result, path in zip(results, outputs, strict=True):
        tell(result, path, time.monotonic() - started)
    if len(results) > 1 and not options.bypass:
        click.echo(comparison(results))


def one_thread_unless_told() -> None:
    """The stack works in blocks that live in one core's cache: more threads gain little on an idle
    machine, wait for each other on a busy one, and would make the bytes depend on the machine.
    """
    import os

    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)


def told(intent: str | None):
    """The intent named on the command line, read; None where none is."""
    if intent is None:
        return None
    from daiw_master.intent.shapes import read_intent

    return read_intent(intent)


def output_paths(
    source: Path, output: Path | None, emotions: list[str], midi: bool, ending: str = "wav"
) -> list[Path]:
    """Where each master goes: beside the source unless told; the feeling in the name if there are several."""
    if output is None:
        output = source.with_suffix(f".{ending}" if midi else f".master.{ending}")
    if len(emotions) <= 1:
        return [output]
    return [output.with_name(f"{output.stem}.{slug(emotion)}{output.suffix}") for emotion in emotions]


def slug(text: str) -> str:
    """'Triumphant Hope' as a piece of a file name: 'triumphant-hope'."""
    return "-".join("".join(c if c.isalnum() or c == "." else " " for c in text.lower()).split())


def tell(result, path: Path, seconds: float) -> None:
    for line in result.summary():
        click.echo(line)
    for note in result.report.notes:
        click.echo(f"{'note':<10} {note}")
    click.echo(f"{'written':<10} {path} in {seconds:.0f} s")


def check_folder(folder: Path) -> None:
    """Refuse a folder that is there but is none, or cannot be made, before any work is done."""
    from daiw_master.errors import WriteError

    whole = folder.absolute()
    there = next(path for path in (whole, *whole.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "no permission to write there" if there.is_dir() else "it is not a folder"
        raise WriteError(f"cannot write stems into {folder}: {there}: {why}")


def write_stems(result, folder: Path) -> None:
    """The dry stems, numbered in track order; float, because a stem may stand above full scale."""
    from daiw_master.files import write_audio

    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, audio) in enumerate(result.stems, 1):
        write_audio(audio, folder / f"{number:02d}-{slug(name) or 'stem'}.wav", bit_depth="32f")


def comparison(results: list) -> str:
    """Several masters of one song side by side: what each asked and got, relative to neutral."""
    names = [row.target for row in results[0].report.targets]
    width = max(len(name) for name in names)
    heads = [result.report.emotion[:14] for result in results]
    lines = [" " * width + "".join(f"{head:>16}" for head in heads)]
    for name in names:
        cells = []
        for result in results:
            rows = [row for row in result.report.targets if row.target == name]
            cells.append(f"{rows[0].after:>9.1f} {rows[0].verdict[:6]:<6}" if rows else " " * 16)
        lines.append(f"{name:<{width}}" + "".join(cells))
    return "\n".join(lines)
