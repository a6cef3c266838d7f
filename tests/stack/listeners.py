"""What a population's workers listen with: here, where another process finds it too."""

from __future__ import annotations

import os

import torch

from daiw_master.errors import InputError


def power(y: torch.Tensor) -> torch.Tensor:
    return y.square().mean((1, 2, 3))


def who(y: torch.Tensor) -> torch.Tensor:
    """The process that listens."""
    return torch.full((len(y),), float(os.getpid()), dtype=torch.float64)


def offended(y: torch.Tensor) -> torch.Tensor:
    raise InputError("this is no music")
