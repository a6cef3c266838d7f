"""The command line: words in, a master out, a clear line when something cannot be done."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from daiw_master.errors import DaiwMasterError, InputError


class OneLineErrors(click.Group):
    """Prints our errors as one line and exits 2; nothing was written."""

    def invoke(self, ctx: click.Context):
        try:
            return super().invoke(ctx)
        except DaiwMasterError as error:
            click.echo(f"daiw-master: {error}", err=True)
            ctx.exit(2)
        except KeyboardInterrupt:
            click.echo("daiw-master: stopped; nothing was written", err=True)
            ctx.exit(130)


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="daiw-master")
def main() -> None:
    """From a MIDI file and a feeling to a finished master."""


def mastering_options(command: Callable) -> Callable:
    """The options `render` and `master` share, in the order they are asked for most."""
    for option in reversed(
        (
            click.option("-e", "--emotion", "emotions", multiple=True, default=("neutral",),
                         show_default=True,
                         help="A feeling: grief, 'overwhelming grief', grief:0.7,hope:0.3. "
                              "Several (a,b,c or repeated) give several masters."),
            click.option("-o", "--output", type=click.Path(path_type=Path),
                         help="Where to write; the ending decides the format (wav, flac, aiff, mp3, ogg)."),
            click.option("--strength", default="1", show_default=True,
                         help="How much of the feeling, 0-1; or per group: bands=0.5,width=0.7."),
            click.option("--platform", help="Delivery target: spotify, apple, youtube, cd, ..."),
            click.option("--lufs", type=float, help="Integrated loudness to deliver, LUFS."),
            click.option("--ceiling", type=float, help="True-peak ceiling, dBTP."),
            click.option("--set", "settings", multiple=True, metavar="NAME=VALUE",
                         help="Set a target (band_air_db=-6) or a knob (eq.tilt_db=1). May be repeated."),
            click.option("--chain", help="Effects in order, comma-separated; a .vst3 path is an effect too."),
            click.option("--without", multiple=True, metavar="EFFECT", help="Leave an effect out."),
            click.option("--relax", "relaxed", multiple=True, metavar="LIMIT",
                         help="Let a house limit go to its hard value."),
            click.option("--sample-rate", "rate", type=click.Choice(["44100", "48000", "88200", "96000"]),
                         help="Sample rate of render and file, Hz."),
            click.option("--bit-depth", type=click.Choice(["16", "24", "32f"]), default="24",
                         show_default=True, help="16 and 24 are dithered; 32f is float."),
            click.option("--preview", is_flag=True, help="Only the loudest 20 seconds, fast."),
            click.option("--bypass", is_flag=True, help="Write the input as it came (to compare)."),
            click.option("--refine", is_flag=True, help="Go further by gradient after the solver."),
            click.option("--seed", type=int, default=0, show_default=True, help="Seed of the dither."),
            click.option("--device", default="cpu", show_default=True, help="cpu or cuda."),
            click.option("--picture", is_flag=True, help="Also draw before and after as NAME.png."),
            click.option("--json", "as_json", is_flag=True, help="Print the report as JSON."),
            click.option("--no-report", is_flag=True, help="Do not write NAME.report.json."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@main.command()
@click.argument("midi", type=click.Path(path_type=Path))
@mastering_options
@click.option(
    "--soundfont",
    type=click.Path(path_type=Path),
    help="A .sf2 or .sf3; else DAIW_SOUNDFONT or the system's.",
)
@click.option("--stems", type=click.Path(path_type=Path), help="Also write the dry stems into this folder.")
def render(midi: Path, soundfont: Path | None, stems: Path | None, **given) -> None:
    """Turn a MIDI file into a finished master that carries a feeling."""
    from daiw_master.pipeline import render_many

    run(midi, given, lambda emotions, options: render_many(midi, emotions, options), soundfont, stems)


@main.command()
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@mastering_options
def master(source: Path, **given) -> None:
    """Master a finished recording so that it carries a feeling."""
    from daiw_master.pipeline import master_many

    run(source, given, lambda emotions, options: master_many(source, emotions, options))


def run(
    source: Path, given: dict, make: Callable, soundfont: Path | None = None, stems: Path | None = None
) -> None:
    """One run of `render` or `master`: check what can be checked, make, write, say what was done."""
    import dataclasses

    from daiw_master.files import check_place, check_target
    from daiw_master.intent import split_emotions
    from daiw_master.pipeline import Options, check_device

    asked = [name for text in given["emotions"] for name in split_emotions(text)]
    # the same feeling twice would be the same file twice
    emotions = list({slug(name): name for name in asked}.values())
    outputs = output_paths(source, given["output"], emotions, midi=source.suffix.lower() in (".mid", ".midi"))
    depth = given["bit_depth"] if given["bit_depth"] == "32f" else int(given["bit_depth"])
    for path in outputs:
        check_target(path, depth, int(given["rate"]) if given["rate"] else None)
        if not given["no_report"]:
            check_place(path.with_suffix(".report.json"))
        if given["picture"]:
            check_place(path.with_suffix(".png"))
    if given["picture"] and given["bypass"]:
        raise InputError("--picture draws before and after; with --bypass there is no after")
    if stems is not None:
        check_folder(stems)
    names = {field.name for field in dataclasses.fields(Options)}
    options = Options(
        **{key: value for key, value in given.items() if key in names and key not in ("rate", "chain")}
    )
    options.rate = int(given["rate"]) if given["rate"] else None
    options.chain = chain_names(given["chain"], given["without"])
    options.device = check_device(given["device"])
    options.soundfont, options.stems = soundfont, stems is not None
    options.progress = progress_line()

    one_thread_unless_told()
    started = time.monotonic()
    results = make(emotions, options)
    for result, path in zip(results, outputs, strict=True):
        result.write(path, bit_depth=depth, report=not given["no_report"])
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


def output_paths(source: Path, output: Path | None, emotions: list[str], midi: bool) -> list[Path]:
    """Where each master goes: beside the source unless told; the feeling in the name if there are several."""
    if output is None:
        output = source.with_suffix(".wav") if midi else source.with_suffix(".master.wav")
    if len(emotions) == 1:
        return [output]
    return [output.with_name(f"{output.stem}.{slug(emotion)}{output.suffix}") for emotion in emotions]


def slug(text: str) -> str:
    """'Triumphant Hope' as a piece of a file name: 'triumphant-hope'."""
    return "-".join("".join(c if c.isalnum() or c == "." else " " for c in text.lower()).split())


def chain_names(chain: str | None, without: tuple[str, ...]) -> list[str] | None:
    """The chain as typed, less what is left out; None for the house chain."""
    if chain is None and not without:
        return None
    from daiw_master.errors import UnknownNameError
    from daiw_master.stack import HOUSE_CHAIN

    names = [name.strip() for name in chain.split(",")] if chain else list(HOUSE_CHAIN)
    for name in without:
        if name not in names:
            raise UnknownNameError("effect in the chain", name, names)
    return [name for name in names if name and name not in without]


def progress_line() -> Callable[[str, float], None]:
    """A bar and a word for what is being done, on one line; silent when nobody watches."""
    if not sys.stderr.isatty():
        return lambda what, done: None

    def show(what: str, done: float) -> None:
        full = round(20 * done)
        bar = f"[{'#' * full}{'.' * (20 - full)}] {what}" if what else ""
        click.echo(f"\r\033[K{bar}", nl=False, err=True)

    return show


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


@main.command()
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, with the field names of the targets.")
def measure(source: Path, as_json: bool) -> None:
    """Hear a file in numbers: loudness, true peak, bands, widths, crest, range, attacks."""
    from daiw_master.pipeline import measure as measure_file
    from daiw_master.targets import FIELDS

    measured = measure_file(source)
    if as_json:
        click.echo(json.dumps({**measured.targets, "shown": dict(measured.shown)}, indent=2))
        return
    for name, value in measured.targets.items():
        click.echo(f"{name:<22} {value:>8.2f} {FIELDS[name].unit:<5} {FIELDS[name].about}")
    for name, value in measured.shown.items():
        click.echo(f"{name:<22} {value:>8.2f}")


@main.command("list")
@click.argument("what", type=click.Choice(["emotions", "effects", "targets", "platforms", "limits"]))
def list_(what: str) -> None:
    """What daiw-master knows: emotions, effects, targets, platforms, house limits."""
    from daiw_master import listing

    for line in getattr(listing, what)():
        click.echo(line)


@main.command()
def doctor() -> None:
    """Check library, soundfont, torch, device and plugins, and say what to do."""
    from daiw_master.doctor import checks

    for check in checks():
        click.echo(f"{'ok ' if check.ok else '-- '} {check.name:<12} {check.found}")
        if check.advice:
            click.echo(f"{'':<16} {check.advice}")
