"""The options that `render` and `master` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from daiw_master.formats import BIT_DEPTHS, RATES


def mastering_options(command: Callable) -> Callable:
    """The options `render` and `master` share, in the order they are asked for most."""
    for option in reversed(
        (
            click.option("-e", "--emotion", "emotions", multiple=True,
                         help="A feeling: grief, 'overwhelming grief', grief:0.7,hope:0.3; neutral if "
                              "nothing is said. Several (a,b,c or repeated) give several masters."),
            click.option("-i", "--intent", metavar="FILE[:NAME]",
                         help="An intent file, DAiW's or your own; NAME chooses one of several."),
            click.option("--extra", "extras", multiple=True, type=click.Path(path_type=Path),
                         help="More of DAiW's files on the song: `process -o` output, .idaw.json."),
            click.option("--rule", "rules", multiple=True, metavar="NAME",
                         help="A rule to break: PRODUCTION_LoFiDegradation. May be repeated."),
            click.option("--preset", "presets", multiple=True, metavar="NAME|FILE",
                         help="A preset by name (`preset list`) or file. May be repeated."),
            click.option("--force", is_flag=True, help="Break a rule without saying why."),
            click.option("-o", "--output", type=click.Path(path_type=Path),
                         help="Where to write; the ending decides the format (wav, flac, aiff, mp3, ogg)."),
            click.option("--strength",
                         help="How much of the feeling, 0-1 (1 if nothing is said); or per group: "
                              "bands=0.5,width=0.7."),
            click.option("--platform", help="Delivery target: spotify, apple, youtube, cd, ..."),
            click.option("--lufs", type=float, help="Integrated loudness to deliver, LUFS."),
            click.option("--ceiling", type=float, help="True-peak ceiling, dBTP."),
            click.option("--set", "settings", multiple=True, metavar="NAME=VALUE",
                         help="Set a target (band_air_db=-6) or a knob (eq.tilt_db=1). May be repeated."),
            click.option("--chain", metavar="NAMES|FILE",
                         help="Effects in order, comma-separated (a .vst3 is one too), or a chain file."),
            click.option("--without", multiple=True, metavar="EFFECT", help="Leave an effect out."),
            click.option("--with", "with_effects", multiple=True, metavar="EFFECT",
                         help="Take an effect in at its place: tape, bits, wow, noise, clipper."),
            click.option("--no-automation", is_flag=True, help="Leave the song's sections where they are."),
            click.option("--relax", "relaxed", multiple=True, metavar="LIMIT",
                         help="Let a house limit go to its hard value."),
            click.option("--sample-rate", "rate", type=click.Choice([str(rate) for rate in RATES]),
                         help="Sample rate of render and file, Hz."),
            click.option("--bit-depth", type=click.Choice(BIT_DEPTHS),
                         help="16 and 24 (if nothing is said) are dithered; 32f is float."),
            click.option("--preview", is_flag=True, help="Only the loudest 20 seconds, fast."),
            click.option("--bypass", is_flag=True, help="Write the input as it came (to compare)."),
            click.option("--reference", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
                         help="Sound like this: a recording or a .style; several: their mean."),
            click.option("--refine", is_flag=True,
                         help="Go further after the solver, by gradient and to the feeling's own style."),
            click.option("--generations", type=click.IntRange(1, 1000), default=12, show_default=True,
                         help="How long to search for a sound: so many times 32 settings are heard."),
            click.option("--seed", type=int, default=0, show_default=True, help="Seed of the dither."),
            click.option("--device", default="cpu", show_default=True, help="cpu or cuda."),
            click.option("--picture", is_flag=True, help="Also draw before and after as NAME.png."),
            click.option("--json", "as_json", is_flag=True, help="Print the report as JSON."),
            click.option("--no-report", is_flag=True, help="Write neither NAME.report.json nor the page."),
            click.option("--no-html", is_flag=True, help="Do not write the page, NAME.report.html."),
        )
    ):  # fmt: skip
        command = option(command)
    return command
