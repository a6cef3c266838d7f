"""A rehearsal on disk: one safetensors file that says whose knobs it reads, and how it was made."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np

from daiw_master.errors import InputError, WriteError
from daiw_master.files import check_place, staged
from daiw_master.params import Param
from daiw_master.refine.ito.ear import Ear
from daiw_master.refine.ito.rehearsal import Rehearsal

#: What a rehearsal's name ends in, and the version of what stands in it.
SUFFIX, VERSION = ".rehearsal", 1


def rehearsal_place(path: str | os.PathLike) -> Path:
    """Where a rehearsal would be written, before minutes are spent on it. WriteError where it cannot."""
    if Path(path).suffix.lower() != SUFFIX:
        raise WriteError(f"cannot write {path}: a rehearsal's name ends in {SUFFIX}")
    return check_place(path)


def write_rehearsal(rehearsal: Rehearsal, path: str | os.PathLike) -> Path:
    """Write a rehearsal, whole or not at all; returns the path written. WriteError where it cannot be."""
    from safetensors.numpy import save

    rehearsal_place(path)
    told = {
        "rehearsal": VERSION,
        "knobs": {name: asdict(param) for name, param in rehearsal.knobs.items()},
        "start": dict(rehearsal.start),
        "encoder": rehearsal.encoder,
        "sounds": rehearsal.sounds,
        "pieces": rehearsal.pieces,
    }
    arrays = {**rehearsal.ear.arrays(), "walls": np.ascontiguousarray(rehearsal.walls)}
    with staged(path) as part:
        part.write_bytes(save(arrays, metadata={"told": json.dumps(told)}))
    return Path(path)


def read_rehearsal(path: str | os.PathLike) -> Rehearsal:
    """The rehearsal that `write_rehearsal` kept. InputError where the file holds none of this version."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            told = json.loads((file.metadata() or {})["told"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if told["rehearsal"] != VERSION:
            raise ValueError(f"version {told['rehearsal']}; this program reads {VERSION}")
        walls = arrays.pop("walls")
        return Rehearsal(
            {name: Param(**param) for name, param in told["knobs"].items()},
            walls,
            told["start"],
            Ear.of(arrays),
            told["encoder"],
            told["sounds"],
            told["pieces"],
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} holds no rehearsal of this version: {error}") from error
