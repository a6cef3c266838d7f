"""matchering as a rival: a process beside ours that reads two files and writes a third."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch


def installed() -> bool:
    """Whether matchering can be asked (`pip install daiw-master[bench]`)."""
    return find_spec("matchering") is not None


def matchering(sound: torch.Tensor, reference: torch.Tensor, rate: int) -> torch.Tensor:
    """A sound (2, time) as matchering masters it after the reference, its own limiter included."""
    import matchering as mg
    import soundfile

    with tempfile.TemporaryDirectory() as folder:
        target, model, result = (Path(folder) / f"{name}.wav" for name in ("target", "model", "result"))
        for path, x in ((target, sound), (model, reference)):
            soundfile.write(path, _within_full_scale(x).T, rate, subtype="FLOAT")
        mg.process(
            str(target),
            str(model),
            [mg.Result(str(result), subtype="FLOAT")],
            config=mg.Config(internal_sample_rate=rate, temp_folder=folder),
        )
        made, _ = soundfile.read(result, dtype="float32", always_2d=True)
    return torch.from_numpy(np.ascontiguousarray(made.T))


def _within_full_scale(x: torch.Tensor) -> np.ndarray:
    """As a file holds it: samples beyond full scale are not clipped, the file is made softer."""
    return (x / x.abs().max().clamp_min(1.0)).numpy()
