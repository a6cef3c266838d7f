"""The README's tables, written from the code they describe.

    python docs/readme.py            refresh every table and the command-line reference (`make readme`)
    python docs/readme.py --demo     also master the demo song: its transcript and its picture
    python docs/readme.py --check    change nothing; exit 1 where something is out of date

What stands between `<!-- made:NAME -->` and `<!-- /made:NAME -->` belongs to this script. Numbers of
benchmarks stand between `<!-- bench:NAME -->` marks and are filled from `make bench`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

from daiw_master import house
from daiw_master.data import load_yaml
from daiw_master.params import Param

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "the_last_ferry-grief.png"
DEMO = "daiw-master render daiw_master/demo/the_last_ferry.mid --emotion grief -o ferry.wav --picture"


def number(value: float) -> str:
    """A number as a reader writes it: no trailing zeros, a true minus."""
    return f"{value:{'.4g' if abs(value) < 1e4 else '.0f'}}".replace("-", "−")  # 20000 is not 2e+04


def signed(value: float) -> str:
    return f"+{number(value)}" if value > 0 else number(value)


def with_unit(value: str, unit: str) -> str:
    return f"{value} {unit}".strip()


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; a bar inside a cell would end it, so it is escaped."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def targets() -> str:
    """Every target with its kind, tolerance and meaning."""
    from daiw_master.targets import FIELDS

    def tolerance(field) -> str:
        if field.kind == "delivery" and not field.tolerance:
            return "never above"
        if field.relative_tolerance:
            return f"±{number(100 * field.tolerance)} %"
        unit = field.unit.replace("LUFS", "LU")  # a difference of levels
        return f"±{with_unit(number(field.tolerance), unit)}"

    return table(
        ("target", "kind", "tolerance", "what it is"),
        ((f"`{f.name}`", f.kind, tolerance(f), f.about) for f in FIELDS.values()),
    )


def knob_rows(place: str, params: Iterable[Param]) -> Iterator[tuple[str, ...]]:
    for param in params:
        span = with_unit(f"{number(param.low)} to {number(param.high)}", param.unit)
        yield f"`{place}.{param.name}`", span, number(param.default), param.about


def effects() -> str:
    """Our effects with every knob, folded away; pedalboard's by name."""
    from daiw_master.stack import EFFECTS, HOUSE_CHAIN, PEDALBOARD

    parts = [f"The house chain: {' → '.join(f'`{name}`' for name in HOUSE_CHAIN)}."]
    for effect in EFFECTS.values():
        knobs = table(("knob", "range", "rests at", "what it does"), knob_rows(effect.name, effect.params))
        summary = f"<b>{effect.name}</b>: {effect.about} ({len(effect.params)} knobs)"
        parts.append(f"<details><summary>{summary}</summary>\n\n{knobs}\n\n</details>")
    others = table(("effect", "what it is"), ((f"`{e.name}`", e.about) for e in PEDALBOARD.values()))
    summary = (
        f"<b>{len(PEDALBOARD)} of pedalboard's</b>; <code>daiw-master list effects</code> has their knobs"
    )
    parts.append(f"<details><summary>{summary}</summary>\n\n{others}\n\n</details>")
    return "\n\n".join(parts)


def limits() -> str:
    """The house limits: by default, and when relaxed by name."""
    return table(
        ("limit", "by default", "with `--relax`", "on what"),
        (
            (
                f"`{limit.name}`",
                f"{'≥' if limit.at_least else '≤'} {with_unit(number(limit.default), limit.unit)}",
                with_unit(number(limit.hard), limit.unit) if limit.hard != limit.default else "the same",
                limit.about,
            )
            for limit in house.limits().values()
        ),
    )


def platforms() -> str:
    return table(
        ("`--platform`", "loudness", "ceiling", "why"),
        (
            (
                f"`{name}`",
                f"{number(row['loudness_lufs'])} LUFS",
                f"{number(row['true_peak_dbtp'])} dBTP",
                load_yaml("presets", name)["about"],
            )
            for name, row in house.platforms().items()
        ),
    )


def emotions() -> str:
    """The categories with what each asks for against neutral; the largest three moves are named."""
    from daiw_master.intent import LEXICON
    from daiw_master.intent.categories import categories
    from daiw_master.targets import FIELDS, HEARD

    def moves(shifts) -> str:
        """The three largest heard moves, in tolerances, as the summary would say them."""
        heard = [name for name in shifts if name in HEARD and shifts[name].value]
        heard.sort(key=lambda name: -abs(shifts[name].value) / FIELDS[name].tolerance)
        return ", ".join(f"{plain(name)} {signed(shifts[name].value)}" for name in heard[:3])

    def by(shifts, name: str) -> str:
        return signed(shifts[name].value) if name in shifts and shifts[name].value else "·"

    rows = [
        (
            f"`{category.name}`",
            category.about,
            by(category.shifts, "loudness_lufs"),
            moves(category.shifts),
            by(category.shifts, "reverb_decay_s"),
            by(category.shifts, "reverb_wet_db"),
        )
        for category in categories().values()
    ]
    heads = ("category", "in a sentence", "loudness, LU", "largest moves, dB or LU", "room, s", "room, dB")
    return (
        f"{len(LEXICON)} words lead to {len(rows)} categories and a small map of valence, arousal and "
        f"dominance between them. What each asks for at full strength, against this song's neutral:\n\n"
        + table(heads, rows)
    )


def plain(target: str) -> str:
    """`band_low_mid_db` as one says it: 'low mid'."""
    words = {"loudness_range_lu": "range", "crest_db": "crest", "onset_db": "attacks"}
    kind, _, place = target.removesuffix("_db").partition("_")
    place = place.replace("_", " ")
    return words.get(target) or (f"{place} width" if kind == "width" else place)


def rules() -> str:
    """The 42 rules with what each changes, folded away."""
    from daiw_master.intent.rules import rules_table

    summary = "<b>All 42 rules, and what each changes</b>"
    return f"<details><summary>{summary}</summary>\n\n{rules_table()}\n\n</details>"


def commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command with its whole name, those of `intent` and `preset` too."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def reference() -> str:
    """Each command with its options, read from the same objects that print `--help`."""
    from daiw_master.cli import main

    shared = {option.name for option in main.commands["master"].params}
    parts = []
    for name, command in commands(main):
        arguments = [
            "|".join(p.type.choices) if isinstance(p.type, click.Choice) else p.human_readable_name
            for p in command.params
            if isinstance(p, click.Argument)
        ]
        parts.append(f"**`{' '.join(['daiw-master', name, *arguments])}`**: {command.help.splitlines()[0]}")
        options = [p for p in command.params if isinstance(p, click.Option)]
        if name == "master":
            rendering = [p for p in main.commands["render"].params if isinstance(p, click.Option)]
            own = [option.opts[-1] for option in rendering if option.name not in shared]
            parts.append(f"The options of `render`, but for {' and '.join(f'`{option}`' for option in own)}.")
        elif options:
            parts.append(table(("option", "what it does"), (option_row(option) for option in options)))
    return "\n\n".join(parts)


def option_row(option: click.Option) -> tuple[str, str]:
    names = ", ".join(sorted(option.opts, key=len))
    if isinstance(option.type, click.Choice):
        names += f" {{{','.join(option.type.choices)}}}"
    elif not option.is_flag:
        names += f" {option.metavar or option.type.name.upper()}"
    said = option.help
    if option.show_default:
        said += f" Default: {option.default[0] if option.multiple else option.default}."
    return f"`{names}`", said


MADE: dict[str, Callable[[], str]] = {
    "targets": targets,
    "emotions": emotions,
    "effects": effects,
    "limits": limits,
    "platforms": platforms,
    "rules": rules,
    "reference": reference,
}


def filled(text: str, blocks: dict[str, str]) -> str:
    """`text` with the named blocks put between their marks; a mark that is missing is an error."""
    for name, block in blocks.items():
        pattern = re.compile(rf"(<!-- made:{name} -->\n).*?(<!-- /made:{name} -->)", re.DOTALL)
        text, count = pattern.subn(lambda found, block=block: f"{found[1]}{block}\n{found[2]}", text)
        if count != 1:
            raise SystemExit(f"README.md has {count} blocks made:{name}; there must be one")
    return text


def tables() -> dict[str, str]:
    return {name: make() for name, make in MADE.items()}


def demo() -> str:
    """Master the demo song as a user would; its picture lands beside this script."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "ferry.wav"
        command = [arg if arg != "ferry.wav" else str(target) for arg in DEMO.split()[1:]]
        program = [sys.executable, "-c", "from daiw_master.cli import main; main()"]
        done = subprocess.run([*program, *command], cwd=ROOT, capture_output=True, text=True, check=True)
        PICTURE.write_bytes(target.with_suffix(".png").read_bytes())
    said = done.stdout.strip().replace(str(target), "ferry.wav")
    return f"```console\n$ {DEMO}\n{said}\n```"


def main() -> int:
    plain_text = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain_text)
    parser.add_argument("--demo", action="store_true", help="also the transcript and the picture")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where out of date")
    given = parser.parse_args()
    text = README.read_text(encoding="utf-8")
    blocks = tables() | ({"demo": demo()} if given.demo else {})
    fresh = filled(text, blocks)
    if given.check:
        print("README.md is out of date: make readme" if fresh != text else "README.md is up to date")
        return int(fresh != text)
    README.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
