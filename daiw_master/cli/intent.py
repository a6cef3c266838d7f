"""`daiw-master intent`: a sheet to fill in, its reading back, and what each word will do."""

from __future__ import annotations

import json
from pathlib import Path

import click

extras_option = click.option(
    "--extra", "extras", multiple=True, metavar="FILE",
    help="More about the same song: `daiw intent process -o` output, an .idaw.json.",
)  # fmt: skip


@click.group()
def intent() -> None:
    """What the song is about: write it down, check it, see what it does."""


@intent.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--example", is_flag=True, help="Filled in, to see how plainly one may answer.")
@click.option("--ask", is_flag=True, help="Put the questions one by one.")
def new(file: Path | None, example: bool, ask: bool) -> None:
    """Write an empty intent sheet (.yaml with its questions, or .json for DAiW); without FILE, print it."""
    from daiw_master.errors import InputError, WriteError
    from daiw_master.intent.template import example_answers, sheet_json, sheet_text

    if example and ask:
        raise InputError("--example has its answers already; leave --ask away")
    if file is not None:
        if file.suffix.lower() not in (".yaml", ".yml", ".json"):
            raise InputError(
                f"an intent is a .yaml or .json file, not {file.suffix or 'one without an ending'}"
            )
        if file.exists():
            raise WriteError(f"{file} is there already; nothing was written over it")
    answers = example_answers() if example else asked() if ask else {}
    as_json = file is not None and file.suffix.lower() == ".json"
    text = sheet_json(answers) if as_json else sheet_text(answers)
    if file is None:
        click.echo(text, nl=False)
        return
    write_new(file, text)
    click.echo(f"written    {file}")


def write_new(file: Path, text: str) -> None:
    """A new file, whole or not at all; never over another. Without torch, unlike daiw_master.files."""
    from daiw_master.errors import WriteError

    opened = False
    try:
        with open(file, "x", encoding="utf-8") as sheet:
            opened = True
            sheet.write(text)
    except OSError as error:
        if opened:
            file.unlink(missing_ok=True)
        raise WriteError(f"cannot write {file}: {error.strerror}") from None


def asked() -> dict[str, object]:
    """The answers somebody types; an empty line leaves a question open, an unusable one is asked again."""
    from daiw_master.intent.check import questions
    from daiw_master.intent.names import FIELDS

    click.echo("Answer as plainly as you can; an empty line leaves a question open.\n", err=True)
    answers: dict[str, object] = {}
    for field, row in questions().items():
        click.echo(f"{click.style(row['asks'], bold=True)}\n{row['hint']}", err=True)
        read = FIELDS[field.rpartition(".")[2]][1]
        while answer := click.prompt(
            ">", default="", show_default=False, prompt_suffix=" ", err=True
        ).strip():
            try:
                got = read(answer)
            except ValueError as error:
                click.echo(f"that is not {error}; try again, or leave it empty", err=True)
                continue
            # numbers as DAiW wants them in its JSON; words as they were typed
            answers[field] = got if isinstance(got, float) else answer
            if field.endswith("tempo_range"):
                answers[field] = [int(end) if end.is_integer() else end for end in got]
            break
        click.echo(err=True)
    return answers


@intent.command()
@click.argument("file", metavar="FILE[:NAME]")
@extras_option
@click.option("--force", is_flag=True, help="Let a rule be broken without a reason.")
@click.option("--json", "as_json", is_flag=True, help="Print what was read and noticed as JSON.")
@click.pass_context
def check(ctx: click.Context, file: str, extras: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Read an intent and say what stops it (exit 2) and what might be better."""
    from daiw_master.intent.check import check_intent

    read = whole(file, extras)
    notices = check_intent(read, force)
    stopped = sum(notice.level == "error" for notice in notices)
    if as_json:
        told = {
            "file": read.origin,
            "shape": read.shape,
            "ok": not stopped,
            "notices": [notice.as_json() for notice in notices],
            "intent": json.loads(read.model_dump_json(exclude={"notices", "origin", "shape"})),
        }
        click.echo(json.dumps(told, indent=2, allow_nan=False))
    else:
        for notice in notices:
            click.echo(str(notice))
        click.echo(summary(read, notices))
    if stopped:
        ctx.exit(2)


def whole(file: str, extras: tuple[str, ...]):
    """The intent in a file together with what other files say about the same song."""
    from daiw_master.intent.shapes import read_intent, with_extras

    read = read_intent(file)
    for extra in extras:
        read = with_extras(read, extra)
    return read


def summary(read, notices: list) -> str:
    """One line: what was read, and whether a master can be made of it."""
    warnings = sum(notice.level == "warning" for notice in notices)
    errors = sum(notice.level == "error" for notice in notices)
    title = f"{read.title}: " if read.title else ""
    count = f"{warnings} warning{'s' if warnings != 1 else ''}"
    if errors:
        return f"stopped    {title}{errors} error{'s' if errors != 1 else ''}, {count}"
    article = "an" if read.shape[0] in "aeio" else "a"
    return f"ok         {title}read as {article} {read.shape}, {count if warnings else 'nothing to warn of'}"


@intent.command()
@click.argument("file", metavar="FILE[:NAME]")
@extras_option
@click.option("--force", is_flag=True, help="Let a rule be broken without a reason.")
@click.option("--json", "as_json", is_flag=True, help="Print the explanation as JSON.")
def explain(file: str, extras: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Print which word moves which target, by how much, and why; nothing else is applied."""
    from daiw_master.cli.loading import loading

    with loading():
        from daiw_master.brief import explain as explained

    # the same road a master takes, so that what is shown is what would be applied
    explanation = explained(file, extras=extras, force=force)
    click.echo(json.dumps(explanation.as_json(), indent=2) if as_json else explanation.text())
