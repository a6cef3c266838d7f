"""Is everything here that a render needs? One line a part, with what to do where one is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass

from daiw_master.errors import DaiwMasterError
from daiw_master.knobs.vst3 import VST3_FOLDERS, installed_vst3

#: How many plugins are named before the rest is only counted.
_NAMED_PLUGINS = 6


@dataclass(frozen=True)
class Check:
    """One thing looked at: whether it will do, what was found, and what to do about it.

    `advice` is empty where nothing needs doing; an optional improvement has `ok` and advice both.
    """

    name: str
    ok: bool
    found: str
    advice: str = ""


def checks() -> Iterator[Check]:
    """Library, soundfont, torch, device, plugins, in that order, each looked at when asked for.

    The first two need no torch, so they answer at once and also where torch is broken.
    """
    yield _library()
    yield _soundfont()
    torch_check = _torch()
    yield torch_check
    yield _device(torch_check.ok)
    yield _plugins()


def _library() -> Check:
    from daiw_master.midi.synth import library_version

    try:
        version = library_version()
    except DaiwMasterError as error:
        problem, _, advice = str(error).partition(": ")
        return Check("library", False, problem, advice)
    return Check("library", True, f"libfluidsynth {version}")


def _soundfont() -> Check:
    from daiw_master.midi.soundfont import BETTER, find_soundfont

    try:
        font = find_soundfont()
    except DaiwMasterError as error:
        return Check("soundfont", False, str(error), BETTER)
    size_mb = font.path.stat().st_size / 1e6
    return Check(
        "soundfont", True, f"{font.path} ({size_mb:.0f} MB, {font.source})", BETTER if font.small else ""
    )


def _torch() -> Check:
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library of a broken build
        advice = "pip install torch --index-url https://download.pytorch.org/whl/cpu (the CPU build suffices)"
        return Check("torch", False, f"does not import: {error}", advice)
    return Check("torch", True, f"torch {torch.__version__}, {torch.get_num_threads()} threads")


def _device(has_torch: bool) -> Check:
    if not has_torch:
        return Check("device", False, "unknown without torch", "install torch first")
    import torch

    if torch.cuda.is_available():
        return Check("device", True, f"cuda ({torch.cuda.get_device_name()})")
    return Check("device", True, f"cpu ({os.cpu_count()} cores); a GPU is not needed")


def _plugins() -> Check:
    if importlib.util.find_spec("pedalboard") is None:
        return Check("plugins", False, "pedalboard is missing", "pip install pedalboard")
    version = importlib.metadata.version("pedalboard")
    names = sorted({path.stem for path in installed_vst3(VST3_FOLDERS)})
    if not names:
        advice = "optional: VST3 effects in a standard folder, e.g. `apt install zam-plugins`"
        return Check("plugins", True, f"pedalboard {version}, no VST3 found", advice)
    more = f" and {len(names) - _NAMED_PLUGINS} more" if len(names) > _NAMED_PLUGINS else ""
    found = f"pedalboard {version}, {len(names)} VST3: {', '.join(names[:_NAMED_PLUGINS])}{more}"
    return Check("plugins", True, found)
