"""A GPU played by the processor: real numbers, pretended places, and a list of all that would go wrong.

    with PretendedGPU() as gpu:
        y = effect(gpu.take(x), rate)
    assert not gpu.mixed

Every tensor carries the place it would be at. Tensors made without a word about a device are on the
processor, what is computed from tensors on the "GPU" is there too, and an operation that meets tensors of
both places is written down in `mixed` (0-dimensional numbers may meet anything, as in torch), with the
line that did it. `waits` lists the lines where the processor would have to wait for the GPU's answer.
"""

from __future__ import annotations

import traceback
from collections import Counter
from pathlib import Path

import torch
from torch.overrides import TorchFunctionMode, resolve_name

GPU, CPU = torch.device("cuda", 0), torch.device("cpu")
PACKAGE = str(Path(__file__).resolve().parents[1] / "daiw_master")
#: What reads a number off a tensor: on a GPU, everything before it must be finished first.
ASKING = {"__bool__", "__float__", "__int__", "__index__", "item", "tolist", "numpy", "nonzero", "unique"}
#: Where tensors of two places may meet.
MOVING = {"to", "cpu", "cuda", "copy_", "type_as", "__get__", "__set__", "backward", "grad"}
MAKERS = {
    "tensor", "as_tensor", "zeros", "ones", "empty", "full", "arange", "linspace", "eye", "rand", "randn",
    "rfftfreq", "fftfreq", "kaiser_window", "hann_window", "from_numpy", "logspace", "tril_indices",
}  # fmt: skip


class PretendedGPU(TorchFunctionMode):
    """Runs everything inside as if tensors given to `take` were on a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.mixed: list[str] = []
        self.waits: Counter[str] = Counter()
        self.double_bytes = 0
        #: Where a tensor is that nobody saw being made: on the processor; on the way back, where gradients
        #: are handed in by the engine, on the GPU.
        self.unseen = CPU

    def take(self, x: torch.Tensor) -> torch.Tensor:
        """The same numbers, moved to the pretended GPU."""
        with torch._C.DisableTorchFunction():
            x = x.detach().clone()
        x._place = GPU
        return x

    def place(self, x: torch.Tensor) -> torch.device:
        return getattr(x, "_place", self.unseen)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = getattr(function, "__name__", "")
        if name == "__get__":
            return self._attribute(function, args, kwargs)
        wanted = kwargs.get("device")
        if wanted is not None:
            kwargs["device"] = CPU
        if name in ("to", "cpu", "cuda"):
            return self._moved(name, function, args, kwargs, wanted)
        seen = [t for t in _tensors((args, kwargs)) if isinstance(t, torch.Tensor)]
        places = {self.place(t) for t in seen if t.dim()} or {self.place(t) for t in seen}
        if len(places) > 1 and name not in MOVING and not _indexing(name, args, self):
            self.mixed.append(f"{resolve_name(function) or name} at {_line()}")
        if name in ASKING and GPU in places:
            self.waits[_line()] += 1
        out = function(*args, **kwargs)
        if wanted is not None:
            here = torch.device(wanted)
        elif name in MAKERS and not (name == "as_tensor" and seen):
            here = CPU
        elif name == "__getitem__":
            here = self.place(args[0])
        else:
            here = GPU if GPU in places else CPU
        return self._put(out, GPU if here.type == "cuda" else CPU)

    def _attribute(self, function, args, kwargs):
        owner, out = args[0], function(*args, **kwargs)
        if isinstance(out, torch.device):
            return self.place(owner)
        for asked, there in ((torch.Tensor.is_cuda, GPU), (torch.Tensor.is_cpu, CPU)):
            if getattr(function, "__self__", None) is asked:
                return self.place(owner) == there
        return self._put(out, self.place(owner))

    def _moved(self, name, function, args, kwargs, wanted):
        there = torch.device(name) if name != "to" else self.place(args[0])
        if wanted is not None:
            there = torch.device(wanted)
        rest = []
        for given in args[1:]:
            if isinstance(given, torch.Tensor):
                there = self.place(given)
            elif isinstance(given, (str, torch.device)):
                there, given = torch.device(given), CPU
            rest.append(given)
        if "other" in kwargs:
            there = self.place(kwargs["other"])
        there = GPU if there.type == "cuda" else CPU
        if self.place(args[0]) == GPU and there == CPU:
            self.waits[_line()] += 1
        out = function(args[0], *rest, **kwargs)
        if out is args[0] and there != self.place(out):
            out = out.view_as(out)  # a move makes a new tensor
        return self._put(out, there)

    def _put(self, out, here: torch.device):
        for t in _tensors(out):
            t._place = here
            if here == GPU and t.dtype == torch.float64:
                self.double_bytes += t.nbytes
        return out


def _tensors(nest):
    if isinstance(nest, torch.Tensor):
        yield nest
    elif isinstance(nest, (list, tuple)):
        for item in nest:
            yield from _tensors(item)
    elif isinstance(nest, dict):
        yield from _tensors(list(nest.values()))


def _indexing(name: str, args: tuple, mode: PretendedGPU) -> bool:
    """A tensor on the GPU may be indexed by numbers on the processor; the reverse may not."""
    return name in ("__getitem__", "__setitem__") and mode.place(args[0]) == GPU


def _line() -> str:
    """Where in the package we are."""
    for frame in reversed(traceback.extract_stack(limit=40)):
        if frame.filename.startswith(PACKAGE):
            return f"{Path(frame.filename).relative_to(PACKAGE)}:{frame.lineno} {frame.line}"
    return "outside the package"
