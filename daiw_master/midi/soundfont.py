"""Which instruments play: finding a General MIDI soundfont on this machine."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from daiw_master.errors import InputError, MissingDependencyError

ENVIRONMENT = "DAIW_SOUNDFONT"
#: Where systems keep soundfonts: Debian, Arch and Fedora, Homebrew, macOS, Windows.
FOLDERS = (
    "/usr/share/sounds/sf2",
    "/usr/share/sounds/sf3",
    "/usr/share/soundfonts",
    "/usr/local/share/soundfonts",
    "/usr/local/share/sounds/sf2",
    "/opt/homebrew/share/soundfonts",
    "/opt/homebrew/share/sounds/sf2",
    "~/.local/share/soundfonts",
    "~/Library/Audio/Sounds/Banks",
    "/Library/Audio/Sounds/Banks",
    "C:/soundfonts",
    "C:/ProgramData/soundfonts",
)
#: Full General MIDI sets by file name, best first; other large fonts follow, small ones come last.
_PREFERRED = ("fluidr3_gm", "musescore_general", "ms_basic", "default-gm", "fluidr3mono", "generaluser")
#: Supplements that hold no General MIDI set of their own.
_SUPPLEMENTS = ("fluidr3_gs",)
#: Below this a full General MIDI set is a sketch: few samples, short loops, no velocity layers.
SMALL_BYTES = 15 * 2**20
BETTER = (
    "a larger soundfont sounds better: Debian/Ubuntu `apt install fluid-soundfont-gm`, "
    "Fedora `dnf install fluid-soundfont-gm`, elsewhere download FluidR3_GM.sf2; "
    f"or name one with --soundfont or {ENVIRONMENT}"
)


@dataclass(frozen=True)
class SoundFont:
    """A soundfont and how it was found: `source` is argument, environment, system or bundled."""

    path: Path
    source: str

    @property
    def small(self) -> bool:
        return self.path.stat().st_size < SMALL_BYTES


def find_soundfont(given: str | os.PathLike | None = None) -> SoundFont:
    """The soundfont to play with: the one given, DAIW_SOUNDFONT, the system's best, the bundled one.

    InputError if a named file is no soundfont; MissingDependencyError if there is none at all.
    """
    if given is not None:
        return SoundFont(_checked(Path(given), "the soundfont"), "argument")
    from_environment = os.environ.get(ENVIRONMENT)
    if from_environment:
        return SoundFont(_checked(Path(from_environment), f"{ENVIRONMENT}: the soundfont"), "environment")
    found = sorted(_on_system(), key=_rank)
    if found and not _rank(found[0])[0] == len(_PREFERRED) + 1:
        return SoundFont(found[0], "system")
    bundled = _bundled()
    if bundled is not None:
        return SoundFont(bundled, "bundled")
    if found:
        return SoundFont(found[0], "system")
    raise MissingDependencyError(
        "no soundfont found: Debian/Ubuntu `apt install fluid-soundfont-gm`, Fedora `dnf install "
        f"fluid-soundfont-gm`, `pip install pretty_midi` for a small one, or set {ENVIRONMENT}"
    )


def _checked(path: Path, what: str) -> Path:
    path = path.expanduser()
    if not path.is_file():
        raise InputError(f"{what} {path} does not exist")
    if not is_soundfont(path):
        raise InputError(f"{what} {path} is not an SF2 or SF3 file")
    return path


def is_soundfont(path: Path) -> bool:
    """Whether the file starts as SoundFont 2.04 section 4.1 demands: a RIFF form of type sfbk."""
    try:
        with open(path, "rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head[:4] == b"RIFF" and head[8:] == b"sfbk"


def _on_system() -> Iterator[Path]:
    for folder in FOLDERS:
        try:
            entries = sorted(Path(folder).expanduser().iterdir())
        except (OSError, RuntimeError):  # no such folder, or no home to expand
            continue
        for path in entries:
            supplement = path.stem.casefold().startswith(_SUPPLEMENTS)
            if path.suffix.casefold() in (".sf2", ".sf3") and not supplement and is_soundfont(path):
                yield path


def _rank(path: Path) -> tuple[int, str]:
    name = path.stem.casefold()
    for place, prefix in enumerate(_PREFERRED):
        if name.startswith(prefix) and path.stat().st_size >= SMALL_BYTES:
            return place, str(path)
    small = path.stat().st_size < SMALL_BYTES
    return len(_PREFERRED) + small, str(path)


def _bundled() -> Path | None:
    """TimGM6mb (6 MB, GPL-2) inside the pretty_midi package, found without importing it."""
    spec = importlib.util.find_spec("pretty_midi")
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / "TimGM6mb.sf2"
    return path if is_soundfont(path) else None
