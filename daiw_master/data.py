"""Where the shipped words and numbers live: intents/ and presets/, as YAML."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

_PACKAGE = Path(__file__).resolve().parent
# libyaml's loader where PyYAML was built with it: the lexicon in 20 ms instead of 300.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def data_folder(name: str) -> Path:
    """`intents` or `presets`: inside an installed package, else at the repository's root."""
    inside = _PACKAGE / "_data" / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


@cache
def load_yaml(folder: str, name: str) -> dict:
    """One shipped YAML file as plain data; callers must not change what they get."""
    with open(data_folder(folder) / f"{name}.yaml", encoding="utf-8") as file:
        return yaml.load(file, Loader=_LOADER)


@cache
def names_in(folder: str) -> tuple[str, ...]:
    """The YAML files of a shipped folder by name, sorted."""
    return tuple(sorted(path.stem for path in data_folder(folder).glob("*.yaml")))
