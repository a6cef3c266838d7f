"""What there is to learn from, work by work, and which side of the split each work stands on.

The split is drawn before anything is rendered, by a hash of the group's name: movements of a work, stems
of a song and versions of a piece are one group and never stand on two sides.
"""

from __future__ import annotations

import csv
import hashlib
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from daiw_master.errors import InputError, MissingDependencyError

SPLITS = ("train", "dev", "test")
DOMAINS = ("midi", "audio", "speech")
#: What training hears besides: the same MIDI by other instruments, more soundtracks.
TRAINING_DOMAINS = (*DOMAINS, "recast", "games")
#: Bytes below which a soundtrack is a jingle.
SHORTEST_SOUNDTRACK = 300_000
#: Shares of train, dev and test among the groups of one kind.
SHARES = {
    "midi": (0.78, 0.07, 0.15),
    "audio": (0.50, 0.15, 0.35),
    # game soundtracks from Debian: material to learn from, a few for choosing between models
    "game": (0.92, 0.08, 0.0),
    "voice": (0.50, 0.20, 0.30),
    "sentence": (0.50, 0.20, 0.30),
}
AUDIO_ENDINGS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff")
MIDI_ENDINGS = (".mid", ".midi")


@dataclass(frozen=True)
class Work:
    """One file that clips are cut from; `group` is the unit of the split, `seconds` 0 where unknown."""

    domain: str
    group: str
    name: str
    path: Path
    licence: str
    split: str
    seconds: float = 0.0


def split_of(kind: str, group: str) -> str:
    """The side a group stands on: always the same, whoever asks, whatever else there is."""
    train, dev, _ = SHARES[kind]
    u = int.from_bytes(hashlib.sha256(f"{kind}:{group}".encode()).digest()[:8], "big") / 2**64
    return "train" if u < train else "dev" if u < train + dev else "test"


def midi_group(repo: str, path: str) -> str:
    """The work a MIDI file belongs to, from its repository and its path there.

    Mutopia and OpenScore: composer and opus. Groove: drummer and session. Freedoom: the slot of the
    game, so that an older version stands where the newer one stands. Else the file's own name.
    """
    parts = path.split(" (")[0].split("/")
    if repo.startswith(("MutopiaProject", "OpenScore", "MarkGotham")):
        depth = 4 if len(parts) > 3 and parts[2] == "_" else 3
        return "/".join(parts[1:depth])
    if repo.startswith("zharry29"):
        return "/".join(parts[1:3])
    if repo.startswith("icalvo"):
        return "icalvo/" + "/".join(parts[5:6])
    stem = parts[-1].rsplit(".", 1)[0]
    return f"{repo}/{re.sub(r'[^a-z0-9]+', '', stem.casefold())}"


def midi_corpus(sources: Path, unpacked: Path) -> list[Work]:
    """The MIDI training corpus under `sources`, unpacked once into `unpacked`.

    A group of which a test song (`sources`/midi) is part goes to test as a whole.
    """
    folder = sources / "midi-train"
    manifest, archive = folder / "manifest.csv", folder / "midi-train-open.tar.zst"
    if not manifest.is_file():
        raise InputError(f"{manifest} does not exist; --sources names the folder that holds midi-train/")
    if not unpacked.is_dir():
        _unpack(archive, unpacked)
    kept = _groups_of_test_songs(sources / "midi" / "SOURCES.md")
    with open(manifest, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    works = []
    for row in rows:
        group = midi_group(row["repo"], row["path"])
        split = "test" if group in kept else split_of("midi", group)
        path = unpacked / row["file"]
        works.append(Work("midi", group, row["file"], path, row["licence"], split, float(row["seconds"])))
    return works


def _unpack(archive: Path, folder: Path) -> None:
    part = folder.with_name(folder.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    try:
        command = ["tar", "--use-compress-program=unzstd", "-xf", str(archive), "-C", str(part)]
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", b"") or str(error).encode()
        reason = said.decode(errors="replace").strip()
        raise MissingDependencyError(
            f"{archive.name} cannot be unpacked (tar and zstd are needed): {reason}"
        ) from None
    part.rename(folder)


def _groups_of_test_songs(table: Path) -> set[str]:
    """Groups of the songs kept for tests, from the table beside them: | file | repo @ commit | path | ..."""
    if not table.is_file():
        return set()
    rows = (
        line.split("|") for line in table.read_text(encoding="utf-8").splitlines() if line.startswith("| ")
    )
    cells = ([cell.strip() for cell in row[1:-1]] for row in rows)
    return {midi_group(c[1].split(" @")[0], c[2]) for c in cells if len(c) > 3 and " @ " in c[1]}


def audio_corpus(sources: Path) -> list[Work]:
    """Real recordings under `sources`/audio: music, loops, solos, stems of a song with their rough mix."""
    licences = _audio_licences(sources / "audio" / "SOURCES.md")
    works = []
    for kind in ("music", "multitrack", "loops", "solo"):
        for path in _files(sources / "audio" / kind, AUDIO_ENDINGS):
            name = f"{kind}/{path.name}"
            group = "_".join(path.stem.split("_")[:2]) if kind == "multitrack" else path.stem
            split = split_of("audio", group)
            works.append(Work("audio", group, name, path, licences.get(name, ""), split))
    return works


def speech_corpus(sources: Path) -> list[Work]:
    """Two recorded readers under `sources`/audio/speech: for the test only."""
    licences = _audio_licences(sources / "audio" / "SOURCES.md")
    files = _files(sources / "audio" / "speech", AUDIO_ENDINGS)
    return [
        Work("speech", p.stem, f"speech/{p.name}", p, licences.get(f"speech/{p.name}", ""), "test")
        for p in files
    ]


def _audio_licences(table: Path) -> dict[str, str]:
    if not table.is_file():
        return {}
    rows = (
        line.split("|") for line in table.read_text(encoding="utf-8").splitlines() if line.startswith("| ")
    )
    return {row[1].strip(): row[5].strip() for row in rows if len(row) > 6}


#: Soundtracks that Debian packages carry, and the licence they come under.
GAME_MUSIC = {
    "wesnoth": (
        "/usr/share/games/wesnoth/1.16/data/core/music",
        "GPL-2+ or CC BY-SA 4.0 (wesnoth-1.16-music)",
    ),
    "warzone2100": ("/usr/share/games/warzone2100/music", "CC BY-SA or CC0 (warzone2100-music)"),
}
#: More of them, from small bands to bedroom studios: for learning only. Free licences, several a package.
MORE_GAME_MUSIC = {
    "etr": ("/usr/share/games/etr/music", "extremetuxracer-data"),
    "freedroidrpg": ("/usr/share/freedroidrpg", "freedroidrpg-data"),
    "fretsonfire": ("/usr/share/games/fretsonfire/data/songs", "fretsonfire-songs-*"),
    "hedgewars": ("/usr/share/games/hedgewars/Data/Music", "hedgewars-data"),
    "hyperrogue": ("/usr/share/hyperrogue/music", "hyperrogue-music"),
    "lincity": ("/usr/share/games/lincity-ng/music", "lincity-ng-data"),
    "planetblupi": ("/usr/share/planetblupi/music", "planetblupi-music-ogg"),
    "singularity": ("/usr/share/games/singularity/music", "singularity-music"),
    "supertux": ("/usr/share/games/supertux2/music", "supertux-data"),
    "supertuxkart": ("/usr/share/games/supertuxkart/data/music", "supertuxkart-data"),
    "unknown-horizons": ("/usr/share/unknown-horizons/content/audio/music", "unknown-horizons"),
    "warmux": ("/usr/share/games/warmux/music", "warmux-data"),
    "widelands": ("/usr/share/games/widelands/data/music", "widelands-data"),
    "xmoto": ("/usr/share/games/xmoto/Textures/Musics", "xmoto-data"),
}
#: Versions of one piece: a faster lap, an older take, the second half.
_VERSIONS = re.compile(r"[-_ ]?(fast|old|remake|enhanced|f|(?<!\d)\d)$")


def game_corpus() -> list[Work]:
    """Soundtracks of the Debian packages wesnoth-1.16-music and warzone2100-music, where installed."""
    works = []
    for game, (folder, licence) in GAME_MUSIC.items():
        for path in _files(Path(folder), (".ogg", ".opus")):
            # versions of one piece (frantic-old, victory2, menu_enhanced) are one work
            group = (
                f"{game}/{re.sub(r'(-old|_enhanced|2)$', '', path.stem) if game == 'wesnoth' else path.stem}"
            )
            group = group.removesuffix("_enhanced")
            split = split_of("game", group)
            works.append(Work("audio", group, f"{game}/{path.name}", path, licence, split))
    return works


def more_games() -> list[Work]:
    """Soundtracks of more Debian packages, where installed: domain "games", all on the side of training."""
    works = []
    for game, (folder, package) in MORE_GAME_MUSIC.items():
        for path in _files(Path(folder), (".ogg",)):
            if path.stat().st_size < SHORTEST_SOUNDTRACK:
                continue
            # tracks of one song lie in one folder of their own
            piece = path.parent.name if game == "fretsonfire" else path.stem
            while (shorter := _VERSIONS.sub("", piece)) not in ("", piece):
                piece = shorter
            licence = f"free (copyright file of Debian's {package})"
            name = f"{game}/{path.relative_to(folder)}"
            works.append(Work("games", f"{game}/{piece}", name, path, licence, "train"))
    return works


def recast(corpus: Iterable[Work]) -> list[Work]:
    """The training side's MIDI once more, to be played by other instruments: domain "recast"."""
    return [replace(w, domain="recast") for w in corpus if (w.domain, w.split) == ("midi", "train")]


def folder_corpus(folder: Path, domain: str, split: str) -> list[Work]:
    """Any folder of MIDI or sound files as works of one side; each file is a group of its own."""
    endings = MIDI_ENDINGS if domain == "midi" else AUDIO_ENDINGS
    found = [Work(domain, p.stem, p.name, p, "", split) for p in _files(folder, endings)]
    if not found:
        raise InputError(f"{folder} holds no {domain} files ({', '.join(endings)})")
    return found


def _files(folder: Path, endings: Iterable[str]) -> Iterator[Path]:
    endings = tuple(endings)
    if folder.is_dir():
        yield from sorted(p for p in folder.rglob("*") if p.suffix.casefold() in endings)
