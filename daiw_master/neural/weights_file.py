"""Weights on disk: one safetensors file holds a network's matrices, its shape, and how it was made."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from torch import nn

from daiw_master.errors import InputError


class Shaped(Protocol):
    """A network that knows the arguments it was built with."""

    shape: Mapping[str, object]

    def state_dict(self) -> dict: ...


Network = TypeVar("Network", bound=nn.Module)
#: Batch norm counts its batches; nobody reads that afterwards.
_COUNTER = "num_batches_tracked"


def write_weights(network: Shaped, path: Path, told: Mapping[str, str]) -> None:
    """Write a network's matrices in half precision, with its shape and what is `told` of its making."""
    from safetensors.torch import save_file

    tensors = {
        name: (value.half() if value.ndim == 2 and name.endswith("weight") else value.float()).contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith(_COUNTER)
    }
    save_file(tensors, path, metadata={**told, "shape": json.dumps(network.shape)})


def read_weights(path: Path, make: Callable[..., Network], what: str) -> Network:
    """The network that `make(**shape)` builds, with the file's weights, frozen and ready to listen.

    `what` names it in the InputError where the file holds none of this version.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            shape = json.loads((file.metadata() or {})["shape"])
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        network = make(**shape, dropout=0.0)
        missing, unexpected = network.load_state_dict(tensors, strict=False)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{path} holds no {what} of this version: {error}") from error
    missing = [name for name in missing if not name.endswith(_COUNTER)]
    if missing or unexpected:
        raise InputError(f"{path} holds another {what}: {(missing + unexpected)[0]} does not fit")
    return network.eval().requires_grad_(False)


def told_in(path: Path) -> dict[str, str]:
    """What a file of weights tells of its making. InputError where it holds none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} holds no weights: {error}") from None
