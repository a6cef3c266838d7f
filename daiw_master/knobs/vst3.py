"""Where VST3 effects lie on this machine, looked up without loading any of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

#: Where hosts look for VST3 effects: Linux, macOS, Windows (Steinberg VST3 SDK, "Plug-in locations").
VST3_FOLDERS = (
    "/usr/lib/vst3",
    "/usr/local/lib/vst3",
    "~/.vst3",
    "/Library/Audio/Plug-Ins/VST3",
    "~/Library/Audio/Plug-Ins/VST3",
    "C:/Program Files/Common Files/VST3",
)


def installed_vst3(folders: Iterable[str] = VST3_FOLDERS) -> Iterator[Path]:
    """The VST3 effects of these folders, folder by folder."""
    for folder in folders:
        try:
            yield from sorted(Path(folder).expanduser().glob("*.vst3"))
        except (OSError, RuntimeError):  # unreadable, or no home to expand
            continue


def find_vst3(name: str, beside: Path) -> Path | None:
    """A VST3 by its path, relative to the folder `beside`, or by its file's name in the system's folders."""
    path = Path(name).expanduser()
    if (beside / path).exists():
        return beside / path
    if path.name == name:
        return next((place for place in installed_vst3() if place.name == name), None)
    return None
