"""A chain file's text as plain data that remembers its lines."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import yaml

from daiw_master.errors import DaiwMasterError, InputError

#: A chain is a page; more than this is some other file. Stages, keys, knobs, ends: deeper is a slip.
MOST_BYTES, MOST_DEPTH = 256 * 1024, 6


class ChainText:
    """What a file says (`says`), and errors with its name and line.

    InputError where it is missing, no text, no YAML, says a thing twice, or hides something behind an alias.
    """

    def __init__(self, file: Path):
        self.file = file
        self._lines: dict[tuple, int] = {}
        text = self._text()
        try:
            self._look_through(text)
            root = yaml.compose(text, Loader=yaml.SafeLoader)
            self.says: object = None
            if root is not None:
                self._note(root, ())
                self.says = yaml.constructor.SafeConstructor().construct_document(root)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problem = error.problem or error.context or "it cannot be read"
            if "\\t" in problem:
                problem = "a tab; indent with spaces"
            raise self.error(mark.line + 1 if mark else 1, f"this is not YAML: {problem}") from None
        except (yaml.YAMLError, ValueError) as error:
            raise InputError(f"{file.name} is not YAML: {' '.join(str(error).split())}") from None

    @contextlib.contextmanager
    def at(self, *where: str | int) -> Iterator[None]:
        """Whatever is refused inside is told with the line of this place (keys and indices from the top)."""
        try:
            yield
        except DaiwMasterError as error:
            while where and where not in self._lines:
                where = where[:-1]
            raise self.error(self._lines.get(where, 1), error) from None

    def error(self, line: int, what: str | Exception) -> InputError:
        return InputError(f"{self.file.name}, line {line}: {what}")

    def _text(self) -> str:
        try:
            with open(self.file, "rb") as opened:
                raw = opened.read(MOST_BYTES + 1)
        except FileNotFoundError:
            raise InputError(f"{self.file}: no such chain file") from None
        except OSError as error:
            raise InputError(f"cannot read chain file {self.file}: {error.strerror or error}") from None
        if len(raw) > MOST_BYTES:
            raise InputError(
                f"{self.file.name} is larger than {MOST_BYTES // 1024} KiB; that is no chain file"
            )
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise InputError(f"{self.file.name} is no text (UTF-8); a chain file is YAML") from None

    def _look_through(self, text: str) -> None:
        """Refuse what a chain has no use for before anything is built from it."""
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = event.start_mark.line + 1
            if isinstance(event, yaml.AliasEvent):
                raise self.error(line, "an alias (*); write the value out where it is meant")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MOST_DEPTH:
                raise self.error(line, "lists within lists within lists; a chain is flatter than this")

    def _note(self, node: yaml.Node, path: tuple) -> None:
        """The line where each key and each item stands; a key that stands twice is refused."""
        self._lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self._note(item, (*path, index))
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                line = key.start_mark.line + 1
                if key.tag != "tag:yaml.org,2002:str":
                    what = key.value if isinstance(key, yaml.ScalarNode) else "more than a word"
                    raise self.error(line, f"a key is {what}; it must be a word")
                own = (*path, key.value)
                if own in self._lines:
                    raise self.error(line, f"{key.value} stands here twice, first in line {self._lines[own]}")
                self._lines[own] = line
                self._note(value, own)
