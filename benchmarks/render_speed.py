"""How fast songs are rendered: the mix alone, with its send, with stems, onto disk; fluidsynth beside it.

    python benchmarks/render_speed.py [SONG.mid ...] [--runs 5]

CPU seconds (user + system) and wall seconds, medians; the ways take turns, so that a busy minute hurts
all of them. `system` is shown apart because it is mostly the machine's price for memory touched for the
first time. The fluidsynth program plays with the same soundfont, dry, once with its own 4th-order
interpolation and once with the 7th order used here; it writes a file, which costs it little.
`first` is a song with a soundfont just loaded, `again` one with the soundfont kept from the last song.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from material import peak_mib, save

from daiw_master.demo import SONG as DEMO_SONG
from daiw_master.midi import find_soundfont, kept, render_midi, render_midi_to
from daiw_master.midi.synth import library
from daiw_master.parts import SEND_WEIGHTS
from daiw_master.sounds import Store

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "midi"
SONGS = ("band/simutrans_13-stephenson-blues.mid", "orchestral/icalvo_romance-in-rio.mid",
         "piano/emidi_joplin-maple-leaf-rag.mid")  # fmt: skip


def used(who: int) -> tuple[float, float]:
    usage = resource.getrusage(who)
    return usage.ru_utime, usage.ru_stime


def clocked(work: Callable[[], object], who: int = resource.RUSAGE_SELF) -> tuple[float, float, float]:
    """User, system and wall seconds of one call, or of the programs it runs."""
    (user, system), wall = used(who), time.perf_counter()
    work()
    after = used(who)
    return after[0] - user, after[1] - system, time.perf_counter() - wall


def fluidsynth(song: Path, folder: str, order: int) -> None:
    """The program's own fast render, as dry as ours."""
    options = ["synth.reverb.active=0", "synth.chorus.active=0", "player.timing-source=sample"]
    command = ["fluidsynth", "-niq", "-g0.2", "-r44100", *(f"-o{option}" for option in options)]
    command += ["-T", "wav", "-O", "float", "-F", f"{folder}/theirs.wav"]
    commands = Path(folder) / "order"
    commands.write_text(f"interp {order}\n")
    command += ["-f", str(commands), str(find_soundfont().path), str(song)]
    subprocess.run(command, check=True, capture_output=True)


def ways(song: Path, folder: str) -> dict[str, Callable[[], object]]:
    def onto_disk() -> None:
        render_midi_to(Store(most=0, folder=folder).place, song, sends=SEND_WEIGHTS)

    return {
        "mix": lambda: render_midi(song),
        "mix and send": lambda: render_midi(song, sends=SEND_WEIGHTS),
        "stems by role": lambda: render_midi(song, stems="roles"),
        "stems by part": lambda: render_midi(song, stems=True),
        "mix and send, disk": onto_disk,
    }


def measured(song: Path, runs: int, folder: str) -> dict[str, object]:
    """Median seconds of every way for one song."""
    seconds: dict[str, list[tuple[float, float, float]]] = {}
    rendered = render_midi(song, stems=True)  # the font is loaded, memory is warm
    duration_s, parts = rendered.duration_s, len(rendered.stems)
    roles = len({stem.role for stem in rendered.stems})
    del rendered
    for _ in range(runs):
        for name, work in ways(song, folder).items():
            seconds.setdefault(name, []).append(clocked(work))
        if shutil.which("fluidsynth"):
            for order in (4, 7):
                took = clocked(lambda order=order: fluidsynth(song, folder, order), resource.RUSAGE_CHILDREN)
                seconds.setdefault(f"fluidsynth, order {order}", []).append(took)
    rows = {}
    for name, took in seconds.items():
        user, system, wall = (statistics.median(column) for column in zip(*took, strict=True))
        cpu = statistics.median(u + s for u, s, _ in took)
        rows[name] = {"cpu_s": cpu, "user_s": user, "system_s": system, "wall_s": wall}
    for row in rows.values():
        row["to_mix"] = row["cpu_s"] / rows["mix"]["cpu_s"]
        row["x_real_time"] = duration_s / row["cpu_s"]
    rounded = {name: {key: round(value, 3) for key, value in row.items()} for name, row in rows.items()}
    return {"duration_s": round(duration_s, 1), "parts": parts, "roles": roles, "ways": rounded}


def loading(song: Path, runs: int) -> dict[str, float]:
    """Median CPU seconds of a short song with the soundfont just loaded, and with the one kept."""
    first, again = [], []
    for _ in range(runs):
        kept.forget(library())
        first.append(sum(clocked(lambda: render_midi(song))[:2]))
        again.append(sum(clocked(lambda: render_midi(song))[:2]))
    return {"first_s": round(statistics.median(first), 3), "again_s": round(statistics.median(again), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("songs", nargs="*", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    songs = asked.songs or [DEMO_SONG, *(DATA / name for name in SONGS if (DATA / name).is_file())]
    results: dict[str, object] = {"soundfont": find_soundfont().path.name, "runs": asked.runs, "songs": {}}
    with tempfile.TemporaryDirectory() as folder:
        for song in songs:
            found = measured(song, asked.runs, folder)
            results["songs"][song.stem] = found
            print(f"\n{song.stem}: {found['duration_s']} s, {found['parts']} parts, {found['roles']} roles")
            print(f"{'':<22}{'CPU s':>7}{'user':>7}{'system':>8}{'wall':>7}{'to mix':>8}{'x real time':>13}")
            for name, row in found["ways"].items():
                print(
                    f"{name:<22}{row['cpu_s']:>7.2f}{row['user_s']:>7.2f}{row['system_s']:>8.2f}"
                    f"{row['wall_s']:>7.2f}{row['to_mix']:>8.2f}{row['x_real_time']:>13.0f}",
                    flush=True,
                )
        short = DATA / "short" / "emidi_coin.mid"
        if short.is_file():
            results["loading"] = loading(short, max(asked.runs, 5))
            print(f"\na short song, soundfont loaded and kept: {results['loading']}")
    results["peak_mib"] = round(peak_mib())
    print(f"peak memory {results['peak_mib']} MiB, {os.cpu_count()} cores")
    print(f"written to {save('render_speed.json', results)}")


if __name__ == "__main__":
    main()
