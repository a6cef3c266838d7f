"""`daiw-master process`: settings that are known, over a recording of any length."""

from __future__ import annotations

import time
from pathlib import Path

import click

from daiw_master.cli.loading import loading
from daiw_master.cli.progress import progress_line
from daiw_master.formats import BIT_DEPTHS, RATES
from daiw_master.heap import steady_heap


@click.command()
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Where to write; FILE.master.wav if nothing is said.",
)
@click.option(
    "--like",
    type=click.Path(path_type=Path),
    metavar="REPORT",
    help="Take chain and settings from the NAME.report.json of an earlier master.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a knob (eq.tilt_db=1). May be repeated; goes over --like.",
)
@click.option(
    "--chain",
    metavar="NAMES|FILE",
    help="Effects in order, comma-separated (a .vst3 is one too), or a chain file.",
)
@click.option("--lufs", type=float, help="Integrated loudness to deliver, LUFS.")
@click.option("--ceiling", type=float, help="True-peak ceiling, dBTP.")
@click.option(
    "--sample-rate",
    "rate",
    type=click.Choice([str(rate) for rate in RATES]),
    help="Sample rate of the file, Hz.",
)
@click.option(
    "--bit-depth",
    type=click.Choice(BIT_DEPTHS),
    default="24",
    show_default=True,
    help="16 and 24 are dithered; 32f is float.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the dither.")
@click.option("--no-report", is_flag=True, help="Do not write NAME.report.json.")
def process(source: Path, output: Path | None, settings, chain, rate, bit_depth, no_report, **given) -> None:
    """Run known settings over a recording, an hour as well as a song: no search, bounded memory."""
    from daiw_master.cli.asides import tell_asides
    from daiw_master.cli.run import one_thread_unless_told, output_paths

    with loading():
        from daiw_master.options import Options, every_knob
        from daiw_master.processing import process as run

    started = time.monotonic()
    tell_asides()
    steady_heap()
    one_thread_unless_told()
    asked = Options(chain=chain)
    knobs = every_knob(asked)
    show = progress_line()
    done = run(
        source,
        output_paths(source, output, [], midi=False)[0],
        dict(knobs.parse(text) for text in settings),
        chain=asked.chain,
        rate=int(rate) if rate else None,
        bit_depth=bit_depth if bit_depth == "32f" else int(bit_depth),
        report=not no_report,
        progress=show,
        **given,
    )
    show("", 1.0)
    aside = "" if done.reached else ", as loud as stays clean"
    click.echo(f"{'delivered':<10} {done.loudness_lufs:.2f} LUFS{aside}, {done.true_peak_dbtp:.2f} dBTP")
    click.echo(f"{'limiter':<10} less than {done.limiter_p99_db:.1f} dB for 99 % of the music")
    click.echo(f"{'written':<10} {done.path} in {time.monotonic() - started:.0f} s")
