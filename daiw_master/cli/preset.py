"""`daiw-master preset`: an intent written down as numbers, to read, to edit and to master with again."""

from __future__ import annotations

from pathlib import Path

import click

from daiw_master.errors import InputError, UnknownNameError, WriteError


@click.group()
def preset() -> None:
    """Presets: write one from an intent, list, show and check them."""


@preset.command()
@click.argument("intent", required=False)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where to write (.yaml); else it is printed."
)
@click.option("-e", "--emotion", help="A feeling; beside an intent it takes the place of the intent's mood.")
@click.option("--rule", "rules", multiple=True, help="A rule to break. May be repeated.")
@click.option("--preset", "presets", multiple=True, help="A preset to build on. May be repeated.")
@click.option("--platform", help="Delivery target: spotify, apple, youtube, cd, ...")
@click.option("--strength", help="How much of the feeling, 0-1; or per group: bands=0.5,width=0.7.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Set a target or a knob.")
@click.option("--name", help="What the preset is called; else as its file.")
@click.option("--about", help="One line that says what it does.")
@click.option("--force", is_flag=True,
              help="Write over a file that is there; take a rule that comes without its reason.")  # fmt: skip
def author(
    intent: str | None, output: Path | None, emotion: str | None, name: str | None, about: str | None, **given
) -> None:
    """Compile INTENT (FILE or FILE:NAME), or a feeling and rules, into a preset with its reasons."""
    from daiw_master.brief import briefs_of
    from daiw_master.files import check_place, write_text_atomic
    from daiw_master.options import Options
    from daiw_master.presets import author as text_of

    if output is not None:
        _check_output(output, given["force"])
        check_place(output)
    if not (intent or emotion or given["rules"] or given["presets"] or given["settings"]):
        raise InputError("nothing to write a preset from: give an intent file, --emotion or --rule")
    briefs, options = briefs_of([emotion] if emotion else [], Options(intent=intent, **given))
    brief = briefs[0]
    plan = brief.plan(options)
    for notice in brief.notices:
        click.echo(f"{'note':<10} {notice}", err=True)
    text = text_of(
        _with_chain(plan, options),
        name=name or (output.stem if output else brief.name),
        about=about or "; ".join(brief.reasons) or brief.name,
        source=_told(intent, emotion, given["rules"]),
    )
    if output is None:
        click.echo(text, nl=False)
        return
    write_text_atomic(output, text)
    click.echo(f"{'written':<10} {output}")


@preset.command("list")
@click.argument("kind", required=False)
def list_(kind: str | None) -> None:
    """Every preset by name; KIND is emotion, rule, genre, platform or lofi."""
    from daiw_master.presets import KINDS, known_presets

    if kind is not None and kind.casefold() not in KINDS:
        raise UnknownNameError("kind of preset", kind, KINDS, f"({', '.join(KINDS)})")
    for name, info in known_presets().items():
        if kind is None or info.kind == kind.casefold():
            click.echo(f"{name:<32} {info.kind:<9} {info.about}")


@preset.command()
@click.argument("name")
def show(name: str) -> None:
    """Print a preset as a file: any name from the list, or a path."""
    from daiw_master.presets import author as text_of
    from daiw_master.presets import read_preset

    found = read_preset(name)
    click.echo(text_of(found.moves, name=found.name, about=found.about, source=name), nl=False)


@preset.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Read a preset file line by line; say what it asks for, or which line cannot stand."""
    from daiw_master.presets import read_preset_file, summary

    found = read_preset_file(file)
    click.echo(f"ok         {file}: {found.name}")
    for line in summary(found):
        click.echo(f"{'':<10} {line}")


def _check_output(output: Path, force: bool) -> None:
    if output.suffix.lower() not in (".yaml", ".yml"):
        raise WriteError(f"cannot write {output}: a preset's name ends in .yaml")
    if output.exists() and not force:
        raise WriteError(f"cannot write {output}: it is there already; --force writes over it")


def _with_chain(plan, options):
    """The plan with the user's own chain as edits of the house's; refused where edits cannot say it."""
    from dataclasses import replace

    from daiw_master.moves import Move
    from daiw_master.options import Options, chain_of
    from daiw_master.stack import HOUSE_CHAIN

    asked = list(chain_of(options, plan))
    added = [name for name in asked if name not in (*HOUSE_CHAIN, *plan.added)]
    removed = {name for name in HOUSE_CHAIN if name not in asked} - plan.removed
    edits = [Move("switch", "in", name, "the chain was asked for with it", "chain") for name in added]
    edits += [Move("switch", "out", name, "the chain was asked for without it", "chain") for name in removed]
    plan = replace(
        plan,
        added=tuple(name for name in (*plan.added, *added) if name in asked),
        removed=plan.removed | removed,
        moves=(*plan.moves, *edits),
    )
    if list(chain_of(Options(), plan)) != asked:
        raise InputError(f"a preset keeps the house's order of effects; this chain is {', '.join(asked)}")
    return plan


def _told(intent: str | None, emotion: str | None, rules: tuple[str, ...]) -> str:
    """What the preset was made from, for its first line."""
    return " + ".join([*([Path(intent).name] if intent else []), *([emotion] if emotion else []), *rules])
