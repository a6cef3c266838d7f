"""From a file on disk to plain data: JSON or YAML, any Unicode, every surprise told in one line.

An intent is a page of text. What is larger, deeper or stranger than that is refused before it can
cost time or memory: no aliases unfolded without end, no nesting without end, no device read.
"""

from __future__ import annotations

import codecs
import json
import re
from pathlib import Path

import yaml

from daiw_master.errors import InputError, nearest

MOST_BYTES = 1_000_000
MOST_DEPTH = 60
#: A key written twice keeps its earlier value under this name, so that nothing vanishes.
EARLIER = " (written earlier)"

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: The first bytes of files people mix up with an intent, and what to say about them.
_KINDS = (
    (b"MThd", "a MIDI file: that is the song; the intent is the sheet that belongs to it"),
    (b"RIFF", "a sound file (or a soundfont), not an intent"),
    (b"fLaC", "a sound file, not an intent"),
    (b"OggS", "a sound file, not an intent"),
    (b"ID3", "a sound file, not an intent"),
    (b"FORM", "a sound file, not an intent"),
    (b"PK\x03\x04", "a zip archive; unpack it and name the intent inside"),
    (b"\x1f\x8b", "a compressed file; unpack it first"),
    (b"\x89PNG", "a picture, not an intent"),
    (b"%PDF", "a PDF; an intent is JSON or YAML"),
)


def read_tree(path: Path) -> object:
    """The data in a JSON or YAML file as dicts, lists, texts and numbers. Raises InputError."""
    text = _text(path, _bytes(path))
    if not text.strip():
        raise InputError(f"{path} is empty; `daiw-master intent new` writes a sheet to fill in")
    looks_json = text.lstrip()[0] in "{["
    if looks_json or path.suffix.lower() == ".json":
        try:
            return json.loads(text, object_pairs_hook=_pairs)
        except RecursionError:
            raise InputError(f"{path} is nested too deeply for an intent") from None
        except ValueError as error:
            if path.suffix.lower() == ".json" or not looks_json:
                raise InputError(f"{path} is not valid JSON: {_json_trouble(error)}") from None
    return _yaml(path, text)


def _bytes(path: Path) -> bytes:
    try:
        if not path.exists():
            near = nearest(path.name, (p.name for p in path.parent.iterdir())) if path.parent.is_dir() else []
            raise InputError(f"no file {path}{f'; did you mean {near[0]}?' if near else ''}")
        if path.is_dir():
            raise InputError(f"{path} is a folder; name the intent file in it")
        if not path.is_file():
            raise InputError(f"{path} is no ordinary file")
        size = path.stat().st_size
        if size <= MOST_BYTES:
            return path.read_bytes()
        with open(path, "rb") as file:
            _refuse_kinds(path, file.read(8))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {str(path)[:200]!r}: {reason}") from None
    raise InputError(f"{path} is {size / 1e6:.1f} MB; an intent is a page of text, at most 1 MB")


def _refuse_kinds(path: Path, head: bytes) -> None:
    for mark, what in _KINDS:
        if head.startswith(mark):
            raise InputError(f"{path} is {what}")


def _text(path: Path, data: bytes) -> str:
    _refuse_kinds(path, data[:8])
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in data[:400]:
        # UTF-16 without its mark: every other byte of plain text is zero
        encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be" if data[:1] == b"\0" else ""
    try:
        text = data.decode(encoding) if encoding else "\0"
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not {encoding.upper().removesuffix('-SIG')} at byte {error.start}; "
            f"save it as UTF-8 (older editors write Latin-1)"
        ) from None
    if "\0" in text:
        raise InputError(f"{path} is a binary file; an intent is JSON or YAML text")
    return text


def _json_trouble(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}: {error.msg[0].lower()}{error.msg[1:]}"
    return "a number in it has thousands of digits"


def _pairs(pairs: list[tuple[str, object]]) -> dict:
    tree: dict = {}
    for key, value in pairs:
        put(tree, key, value)
    return tree


def put(tree: dict, key: str, value: object) -> None:
    """Set a key; if it was there, the later value counts and the earlier keeps a name of its own."""
    if key in tree:
        aside = key + EARLIER
        while aside in tree:
            aside += EARLIER
        tree[aside] = tree[key]
    tree[key] = value


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML as people mean it: `no` is a word, 2025-01-01 a text, 010 not octal; no object tags."""

    yaml_implicit_resolvers: dict = {}
    yaml_constructors: dict = {}

    def construct_mapping(self, node, deep=False):
        tree: dict = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key that is no plain text", key_node.start_mark
                )
            put(tree, key_node.value, self.construct_object(value_node, deep=deep))
        return tree


def _refuse_tag(loader, node):
    raise yaml.constructor.ConstructorError(
        None, None, f"the tag {node.tag!r}, which has no place here", node.start_mark
    )


def _number(text: str, kind: type) -> float | str:
    try:
        return kind(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        return text


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9]\d{0,15})", list("-+0123456789")),
    ("float", r"[-+]?(\.\d+|\d+\.\d*|\d+(\.\d*)?[eE][-+]?\d+)|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
     list("-+.0123456789")),
):  # fmt: skip
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), _first)
for _tag, _make in (
    ("null", lambda loader, node: None),
    ("bool", lambda loader, node: node.value.lower() == "true"),
    ("int", lambda loader, node: _number(node.value, int)),
    ("float", lambda loader, node: _number(node.value, float)),
    ("str", lambda loader, node: loader.construct_scalar(node)),
    ("seq", yaml.constructor.SafeConstructor.construct_yaml_seq),
    ("map", yaml.constructor.SafeConstructor.construct_yaml_map),
):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _make)
_Loader.add_constructor(None, _refuse_tag)


def _yaml(path: Path, text: str) -> object:
    try:
        depth = 0
        for event in yaml.parse(text, Loader=_Loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MOST_DEPTH:
                raise InputError(f"{path} is nested too deeply for an intent")
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        kind = "valid YAML" if path.suffix.lower() in (".yaml", ".yml") else "JSON or YAML, as an intent is"
        raise InputError(f"{path} is not {kind}: {_yaml_trouble(error, text)}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not valid YAML: {str(error).splitlines()[0]}") from None


def _yaml_trouble(error: yaml.MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    problem = error.problem or error.context or "it cannot be read"
    if "expected a single document" in f"{error.context} {problem}":
        return f"{where}it holds several documents; an intent is one"
    line = text.splitlines()[mark.line : mark.line + 1] if mark else []
    tab = line and line[0][mark.column : mark.column + 1] == "\t"
    hint = " (YAML indents with spaces, not with tabs)" if tab else ""
    return f"{where}{problem}{hint}"
