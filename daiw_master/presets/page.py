"""A preset's YAML as somebody wrote it: names, values, line numbers and the comments beside them.

Plain YAML loaders forget where a value stood and what was written next to it; both are wanted here,
one to answer a slip with its line, the other because the comments are the reasons.
"""

from __future__ import annotations

import codecs
import contextlib
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from daiw_master.errors import DaiwMasterError, InputError

#: A preset is a page, not a book; more than this is some other file.
MOST_BYTES = 256 * 1024
#: Sections in a file, names in a section, knobs of a part, numbers in a list: deeper is a slip.
MOST_DEPTH = 6
BY_HAND = "edited by hand"

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # YAML 1.1 section 5.4
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_COMMENT = re.compile(r"(?:^|\s)#(.*)$")
_REFUSED = {
    yaml.AnchorToken: "an anchor (&); write the value out where it is meant",
    yaml.AliasToken: "an alias (*); write the value out where it is meant",
    yaml.TagToken: "a tag (!); a preset holds plain words and numbers",
    yaml.DirectiveToken: "a directive (%); a preset holds plain words and numbers",
}
_OPENS = (
    yaml.BlockMappingStartToken, yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken,
)  # fmt: skip
_CLOSES = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


@dataclass(frozen=True)
class Entry:
    """One thing written on the page: its name, its value as a node, its line and its reason."""

    name: str
    node: yaml.Node
    line: int
    why: str


class Page:
    """A page of YAML. `label` is what errors call it, usually the file's name."""

    def __init__(self, text: str, label: str):
        self.label = label
        self.lines = _LINE_BREAK.split(text)
        self.root = self._composed(text)

    def fail(self, line: int, what: str | Exception) -> InputError:
        """The error for a line: where, then what."""
        return InputError(f"{self.label}, line {line}: {what}")

    @contextlib.contextmanager
    def at(self, line: int) -> Iterator[None]:
        """Whatever is refused inside is told with its line."""
        try:
            yield
        except DaiwMasterError as error:
            if str(error).startswith(f"{self.label}, line "):
                raise
            raise self.fail(line, error) from None

    def entries(self, node: yaml.Node, what: str) -> list[Entry]:
        """Name and value of a mapping, in the order written; an empty section has none."""
        if is_empty(node):
            return []
        if not isinstance(node, yaml.MappingNode):
            raise self.fail(line_of(node), f"{what} is {shown(node)}; it must hold names with values")
        found: dict[str, Entry] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.fail(line_of(key), f"a name in {what} is {shown(key)}; it must be a word")
            name, line = key.value, line_of(key)
            if name in found:
                raise self.fail(line, f"{name} stands here twice, first in line {found[name].line}")
            found[name] = Entry(name, value, line, self._why(key, value))
        return list(found.values())

    def items(self, entry: Entry) -> list[Entry]:
        """The words of a list, each with its line and reason; a word alone is a list of one.

        A comment on lines of its own speaks for all items below it that say nothing themselves.
        """
        if is_empty(entry.node):
            return []
        nodes = entry.node.value if isinstance(entry.node, yaml.SequenceNode) else [entry.node]
        found: dict[str, Entry] = {}
        heading = BY_HAND
        for node in nodes:
            if not isinstance(node, yaml.ScalarNode) or is_empty(node):
                raise self.fail(line_of(node), f"{entry.name} holds {shown(node)}; it must list names")
            if node.value in found:
                first = found[node.value].line
                raise self.fail(line_of(node), f"{node.value} stands here twice, first in line {first}")
            above, beside = self._above(node), self._beside(node)
            heading = _said(above) or (BY_HAND if beside else heading)
            why = _said([*above, *beside]) or heading
            found[node.value] = Entry(node.value, node, line_of(node), why)
        return list(found.values())

    def word(self, entry: Entry) -> str:
        """A value that is a word or a sentence."""
        if not isinstance(entry.node, yaml.ScalarNode) or is_empty(entry.node):
            raise self.fail(entry.line, f"{entry.name} is {shown(entry.node)}; it must be a word")
        return entry.node.value

    def number(self, name: str, node: yaml.Node, low: float, high: float, unit: str, kind: str = "") -> float:
        """A value that is a number between two others, unit said."""
        unit = f" {unit}" if unit else ""
        allowed = f"between {low:g} and {high:g}{unit}{kind}"
        line = line_of(node)
        if not isinstance(node, yaml.ScalarNode) or node.style or not _NUMBER.fullmatch(node.value):
            raise self.fail(line, f"{name} is {shown(node)}; it must be a number {allowed}")
        value = float(node.value)
        if not (math.isfinite(value) and low <= value <= high):
            raise self.fail(line, f"{name} is {node.value}; it must lie {allowed}")
        return value

    def _why(self, key: yaml.Node, value: yaml.Node) -> str:
        """The comment at the end of a value's line, after those on the lines right above."""
        one_line = isinstance(value, yaml.ScalarNode) or value.flow_style
        return _said([*self._above(key), *self._beside(value if one_line else key)]) or BY_HAND

    def _above(self, node: yaml.Node) -> list[str]:
        """Comments on the lines right above, in the same column; a line with ## is a heading, no reason."""
        line = node.start_mark.line
        indent = _indent(self.lines[line])
        above: list[str] = []
        for text in reversed(self.lines[:line]):
            bare = text.lstrip()
            if not bare.startswith("#") or bare.startswith("##") or _indent(text) != indent:
                break
            above.insert(0, bare.removeprefix("#"))
        return above

    def _beside(self, node: yaml.Node) -> list[str]:
        """The comment at the end of the line where a node ends."""
        end = node.end_mark
        match = _COMMENT.search(self.lines[end.line][end.column :])
        return [match.group(1)] if match else []

    def _composed(self, text: str) -> yaml.Node:
        try:
            self._look_through(text)
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.reader.ReaderError as error:
            line = len(_LINE_BREAK.findall(text[: error.position])) + 1
            code = error.character if isinstance(error.character, int) else ord(error.character)
            raise self.fail(line, f"the character U+{code:04X} cannot stand in a preset") from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problem = error.problem or error.context or "it cannot be read"
            if "\\t" in problem:
                problem = "a tab; indent with spaces"
            else:
                problem = f"this is not YAML: {problem}"
            raise self.fail(mark.line + 1 if mark else 1, problem) from None
        if root is None:
            raise InputError(f"{self.label} is empty; a preset begins with `kind: preset`")
        return root

    def _look_through(self, text: str) -> None:
        """Refuse what a preset has no use for before anything is built from it."""
        depth = 0
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            line = token.start_mark.line + 1
            if type(token) in _REFUSED:
                raise self.fail(line, _REFUSED[type(token)])
            depth += isinstance(token, _OPENS) - isinstance(token, _CLOSES)
            if depth > MOST_DEPTH:
                raise self.fail(line, "lists within lists within lists; a preset is flatter than this")


def page_of_file(path: str | Path) -> Page:
    """A preset file as a page; InputError if it cannot be read or is no text."""
    path = Path(path)
    try:
        with open(path, "rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read preset {path}: {error.strerror or error}") from None
    if len(raw) > MOST_BYTES:
        raise InputError(f"{path.name} is larger than {MOST_BYTES // 1024} KiB; that is no preset")
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = raw.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path.name} is no text (UTF-8); a preset is a YAML file") from None
    return Page(text, path.name)


def line_of(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.style and node.value in ("", "~", "null")


def shown(node: yaml.Node) -> str:
    """A value as an error message calls it."""
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if isinstance(node, yaml.MappingNode):
        return "a section"
    if is_empty(node):
        return "empty"
    text = node.value if len(node.value) <= 40 else node.value[:39] + "…"
    text = " ".join(text.split())
    return f"the text {text!r}" if node.style else text


def _said(comments: Iterable[str]) -> str:
    return " ".join(" ".join(comments).split())


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))
