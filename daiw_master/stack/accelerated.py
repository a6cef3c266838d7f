"""Faster ways to the same numbers, where a machine has them; each has its plain torch twin.

Two options. *Kernels* (on where they can be): on a CUDA device, where triton imports, the recursions
run as the kernels of `triton_scans`; anywhere else, and silently, as plain torch. *Fusing* (off):
chains of pointwise steps marked `fusible` go through `torch.compile`, which pays after many calls of
the same shapes and needs a compiler on the machine; the first call of each shape takes seconds.

    accelerated.use(fusing=True)
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from types import ModuleType

import torch

_KERNELS = "daiw_master.stack.triton_scans"

_chosen = {"kernels": True, "fusing": False}


def use(*, kernels: bool | None = None, fusing: bool | None = None) -> dict[str, bool]:
    """Choose for the whole process from here on; what is not named stays. Returns what was before."""
    before = dict(_chosen)
    _chosen.update({k: v for k, v in (("kernels", kernels), ("fusing", fusing)) if v is not None})
    return before


def kernels_for(like: torch.Tensor) -> ModuleType | None:
    """The kernels that may work on this tensor where it is; None where plain torch has to."""
    return _kernels() if like.is_cuda and _chosen["kernels"] else None


def full_precision() -> None:
    """From here on a GPU multiplies and convolves in whole float32.

    Left alone, torch lets cuDNN round what it convolves to ten bits (TF32): noise at -66 dB.
    """
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


@functools.cache
def _kernels() -> ModuleType | None:
    try:
        return importlib.import_module(_KERNELS)
    except (ImportError, AttributeError):  # no triton, or one too old to know what the kernels are made of
        return None


def fusible(chain: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Mark a function of tensors, pointwise steps only, as one that a compiler may make one step of."""

    @functools.wraps(chain)
    def run(*arguments: torch.Tensor) -> torch.Tensor:
        return (_fused(chain) if _chosen["fusing"] else chain)(*arguments)

    return run


@functools.cache
def _fused(chain: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    # Lengths change from block to block, and so they must not be compiled in.
    return torch.compile(chain, dynamic=True)
