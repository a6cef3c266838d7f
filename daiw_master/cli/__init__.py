"""The command line: words in, a master out, a clear line when something cannot be done."""

from __future__ import annotations

import json
from pathlib import Path

import click

from daiw_master.cli.ahead import begun_early
from daiw_master.cli.intent import intent as intent_commands
from daiw_master.cli.loading import loading
from daiw_master.cli.options import mastering_options
from daiw_master.cli.preset import preset as preset_commands
from daiw_master.cli.process import process as process_command
from daiw_master.cli.run import output_paths, run, slug
from daiw_master.cli.stopping import Stopped, stoppable
from daiw_master.cli.style import style as style_commands
from daiw_master.errors import DaiwMasterError

__all__ = ["main", "output_paths", "slug"]


LISTS = ("emotions", "rules", "genres", "words", "effects", "targets", "platforms", "limits")


class OneLineErrors(click.Group):
    """Prints our errors as one line and exits 2; nothing was written."""

    def invoke(self, ctx: click.Context):
        try:
            with stoppable():
                return super().invoke(ctx)
        except DaiwMasterError as error:
            click.echo(f"daiw-master: {error}", err=True)
            ctx.exit(2)
        except Stopped as stopped:
            click.echo("daiw-master: stopped; no file is left half written", err=True)
            ctx.exit(stopped.exit_code)


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="daiw-master")
def main() -> None:
    """From a MIDI file and a feeling to a finished master."""


main.add_command(intent_commands)
main.add_command(preset_commands)
main.add_command(process_command)
main.add_command(style_commands)


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
    with begun_early(midi, given, soundfont, stems) as begun:
        with loading():
            from daiw_master.pipeline import render_many

        def make(emotions, options):
            return render_many(midi, emotions, options, begun)

        run(midi, given, make, soundfont, stems)


@main.command()
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@mastering_options
def master(source: Path, **given) -> None:
    """Master a finished recording so that it carries a feeling."""
    with loading():
        from daiw_master.pipeline import master_many

    run(source, given, lambda emotions, options: master_many(source, emotions, options))


@main.command()
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, with the field names of the targets.")
def measure(source: Path, as_json: bool) -> None:
    """Hear a file in numbers: loudness, true peak, bands, widths, crest, range, attacks."""
    with loading():
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
@click.argument("what", type=click.Choice(LISTS))
def list_(what: str) -> None:
    """What daiw-master knows: emotions, rules, genres, words of an intent, effects, targets, limits."""
    from daiw_master import listing

    for line in getattr(listing, what)():
        click.echo(line)


@main.command()
def doctor() -> None:
    """Check library, soundfont, torch, device and plugins, and say what to do."""
    from daiw_master.doctor import checks

    with loading():
        for check in checks():  # echo flushes: the first lines come before torch does
            click.echo(f"{'ok ' if check.ok else '-- '} {check.name:<12} {check.found}")
            if check.advice:
                click.echo(f"{'':<16} {check.advice}")
