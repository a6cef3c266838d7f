"""`daiw-master style`: what recordings sound like, as vectors to save, to compare and to ask for."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import click

from daiw_master.cli.loading import loading
from daiw_master.cli.run import one_thread_unless_told
from daiw_master.errors import InputError, WriteError
from daiw_master.formats import SOUND_ENDINGS

#: What `nearest` looks at in a folder.
_SOUNDS = (*SOUND_ENDINGS, ".style")
#: `read` asks for a knob of which at least this share of the variance could be told.
_HEARD = 0.1


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """Put the heavy imports of a command that listens in this `with` block."""
    with loading():
        yield
    one_thread_unless_told()


@click.group()
def style() -> None:
    """Styles: hear recordings as embeddings, save them, compare them, find the nearest."""


@style.command()
@click.argument("sources", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Where to write; FILE.style if nothing is said.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the style as JSON too.")
def embed(sources: tuple[Path, ...], output: Path | None, as_json: bool) -> None:
    """Hear one or several recordings as one style, and save it for --reference."""
    with listening():
        from daiw_master.files import check_place
        from daiw_master.neural.style import SUFFIX, style_of, write_style

    target = sources[0].with_suffix(SUFFIX) if output is None else output
    if target.suffix.lower() != SUFFIX:
        raise WriteError(f"cannot write {target}: a style's name ends in {SUFFIX}")
    if target.resolve() in {source.resolve() for source in sources}:
        raise WriteError(f"cannot write {target}: it is one of the sources; name another with -o")
    check_place(target)
    heard = style_of(list(sources))
    write_style(heard, target)
    if as_json:
        click.echo(target.read_text(encoding="utf-8"), nl=False)
        return
    for source in heard.sources:
        click.echo(f"{'heard':<10} {source.name}: {source.seconds:.1f} s, {source.windows} windows")
    click.echo(f"{'style':<10} {len(heard.embedding)} numbers, spread {heard.spread:.3f}")
    click.echo(f"{'written':<10} {target}")


@style.command()
@click.argument("one", metavar="A")
@click.argument("other", metavar="B")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def compare(one: str, other: str, as_json: bool) -> None:
    """How alike A and B sound, and what differs most. Each is a recording, a .style or a feeling."""
    with listening():
        from daiw_master.neural.difference import differences, worth_a_word
        from daiw_master.neural.style import cosine, halves
        from daiw_master.report.names import name_of
        from daiw_master.targets import FIELDS

    (name_a, a), (name_b, b) = _named(one), _named(other)
    (mid_a, side_a), (mid_b, side_b) = halves(a.embedding), halves(b.embedding)
    rows = differences(a.heard, b.heard)
    alike = {"cosine": a.similarity(b), "mid": cosine(mid_a, mid_b), "side": cosine(side_a, side_b)}
    if as_json:
        fields = {row.field: {"a": row.one, "b": row.other, "unit": FIELDS[row.field].unit} for row in rows}
        click.echo(json.dumps({"a": name_a, "b": name_b, **alike, "differences": fields}, indent=2))
        return
    parts = f"mid {alike['mid']:.3f}, side {alike['side']:.3f}; 1 is the same"
    click.echo(f"{'alike':<10} {alike['cosine']:.3f} ({parts})")
    most = worth_a_word(rows)
    if not most:
        why = "nothing the meters would tell apart" if rows else "nothing is known but the embeddings"
        click.echo(f"{'differs':<10} {why}")
    for number, row in enumerate(most):
        unit = FIELDS[row.field].unit
        click.echo(
            f"{'differs' if not number else '':<10} {name_b} has {abs(row.by):.1f} {unit} "
            f"{'more' if row.by > 0 else 'less'} {name_of(row.field)} ({row.other:.1f} against {row.one:.1f})"
        )


@style.command()
@click.argument("sound", metavar="SOUND")
@click.argument("among", metavar="[FOLDER|FILE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def nearest(sound: str, among: tuple[Path, ...], as_json: bool) -> None:
    """What sounds most like SOUND, best first: of these files and folders, else of the emotion bank."""
    with listening():
        from daiw_master.neural.bank import emotion_bank
        from daiw_master.neural.style import style_of

    _, wanted = _named(sound)
    if among:
        known = {str(path): style_of(path) for path in _files(among)}
    else:
        bank = emotion_bank()
        known = {**bank.styles, "neutral": bank.neutral}
    found = sorted(((wanted.similarity(style), name) for name, style in known.items()), reverse=True)
    if as_json:
        click.echo(json.dumps([{"name": name, "cosine": cosine} for cosine, name in found], indent=2))
        return
    for cosine, name in found:
        click.echo(f"{cosine:>7.3f}  {name}")


@style.command()
@click.argument("chain", metavar="CHAIN", type=click.Path(path_type=Path))
@click.argument("music", metavar="MUSIC...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Default: CHAIN's name.rehearsal.")
@click.option("--sounds", default=3000, show_default=True, help="How many sounds to hear.")
@click.option("--soundfont", type=click.Path(path_type=Path), help="What plays the MIDI among the music.")
@click.option("--seed", default=0, show_default=True, help="Another seed, other settings heard.")
def rehearse(
    chain: Path, music: tuple[Path, ...], output: Path | None, sounds: int, soundfont: Path | None, seed: int
) -> None:
    """Turn the knobs of a chain file on your music until they can be read off a record (style read)."""
    with listening():
        from daiw_master.cli.progress import progress_line
        from daiw_master.refine.ito.music import LEAD_S, dry_windows, music_files
        from daiw_master.refine.ito.rehearsal import STYLE_RATE, enough
        from daiw_master.refine.ito.rehearsal import rehearse as rehearsed
        from daiw_master.refine.ito.rehearsal_file import SUFFIX, rehearsal_place, write_rehearsal
        from daiw_master.stack.chain_file import read_chain

    target = Path(chain.name).with_suffix(SUFFIX) if output is None else output
    rehearsal_place(target)
    enough(sounds)  # before the music is played
    wanted, files, show = read_chain(chain), music_files(music), progress_line()
    if not wanted.free:
        raise InputError(f"{chain}: no knob is searched, so there is nothing to rehearse")
    pieces = []
    for number, file in enumerate(files):
        show(f"playing {file.name}", number / len(files))
        try:
            pieces.append(dry_windows(file, soundfont))
        except InputError as refusal:  # a folder of music may hold a click or a broken file
            show("", 1.0)
            click.echo(f"{'left out':<10} {refusal}", err=True)
    made = rehearsed(
        wanted.placed, pieces, free=wanted.free, start=wanted.start, sounds=sounds, seed=seed,
        lead=round(LEAD_S * STYLE_RATE), progress=lambda done, of: show(f"{done} of {of} sounds", done / of),
    )  # fmt: skip
    show("", 1.0)
    write_rehearsal(made, target)
    click.echo(f"{'rehearsed':<10} {made.sounds} sounds of {made.pieces} pieces")
    for name, spread, told in zip(made.knobs, made.ear.line.spread, made.ear.line.told, strict=True):
        click.echo(f"{'hears':<10} {name}: {_off(made.knobs[name], spread)}, {told:.0%} of its turns told")
    click.echo(f"{'written':<10} {target}")


@style.command()
@click.argument("sound", metavar="SOUND", type=click.Path(path_type=Path))
@click.argument("rehearsal", metavar="REHEARSAL", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def read(sound: Path, rehearsal: Path, as_json: bool) -> None:
    """Read off a record where the knobs of a rehearsed chain would have stood."""
    with listening():
        from daiw_master.files import open_sound
        from daiw_master.neural.windows import windows_of
        from daiw_master.refine.ito.rehearsal_file import read_rehearsal

    known = read_rehearsal(rehearsal)
    found = known.read(windows_of(open_sound(sound), sound.name))
    if as_json:
        told = {
            name: {"value": found.settings[name], "spread": found.spreads[name], "told": found.told[name]}
            for name in known.knobs
        }
        click.echo(json.dumps({"sound": sound.name, "knobs": told, "settings": found.settings}, indent=2))
        return
    for name, param in known.knobs.items():
        unit = f" {param.unit}" if param.unit else ""
        click.echo(
            f"{'reads':<10} {name} {found.settings[name]:.3g}{unit}, {_off(param, found.spreads[name])}"
        )
    heard = [name for name in known.knobs if found.told[name] >= _HEARD]
    if heard:
        asked = " ".join(f"--set {name}={found.settings[name]:.3g}" for name in heard)
        click.echo(f"{'try':<10} {asked}")
    deaf = [name for name in known.knobs if name not in heard]
    if deaf:
        click.echo(
            f"{'unheard':<10} {', '.join(deaf)}: in the rehearsal hardly any of their turns could be told"
        )


def _off(param, spread: float) -> str:
    """How far off a knob is read, in its own unit: 'give or take 3 dB', 'within a factor of 1.4'."""
    if param.scale == "log":
        return f"within a factor of {(param.high / param.low) ** spread:.2g}"
    unit = f" {param.unit}" if param.unit else ""
    return f"give or take {spread * (param.high - param.low):.2g}{unit}"


def _named(text: str):
    """(what it is called, its style): a file if there is one of this name, else a feeling of the bank."""
    from daiw_master.intent import parse_emotion
    from daiw_master.neural.bank import emotion_bank
    from daiw_master.neural.style import style_of

    path = Path(text)
    if path.exists() or path.suffix[1:2].isalpha():  # "grief:0.5,hope:0.5" has no ending
        return path.name, style_of(path)
    feeling = parse_emotion(text)
    return feeling.name, emotion_bank().style(feeling.affect.mixture, feeling.intensity)


def _files(among: tuple[Path, ...]) -> list[Path]:
    """The recordings and styles among files and folders, each once."""
    found: dict[Path, None] = {}
    for path in among:
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in _SOUNDS) if path.is_dir() else [path]
        found.update(dict.fromkeys(inside))
    if not found:
        raise InputError(f"no recordings and no styles in {', '.join(map(str, among))}")
    return list(found)
