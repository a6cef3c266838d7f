"""A chain with known settings over a file of any length: no search, and memory that does not grow."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from daiw_master import house
from daiw_master.errors import InputError
from daiw_master.files import check_place, check_target, open_sound, resampled, write_sound, write_text_atomic
from daiw_master.knobs.reverb import NO_WET_DB
from daiw_master.options import Options, chain_of, pinned_knobs
from daiw_master.refine.bench import DELIVERY_KNOBS, Bench
from daiw_master.refine.song import FADE_S, put_on_bench
from daiw_master.sounds import Store, faded_out
from daiw_master.stack.chain import chain_space
from daiw_master.stack.chain_file import ChainFile
from daiw_master.stack.effect import Effect

#: What each part of the work takes of the whole, for the bar: listening, the chain, delivery, writing.
SHARES = {"listening": 0.15, "processing": 0.45, "delivering": 0.25, "writing": 0.15}


@dataclass(frozen=True)
class Processed:
    """What came out: where it is, how loud and how high it stands, and the settings it was made with.

    `reached` is False where the loudness could not be had with a limiter working within the house's limits.
    """

    path: str
    duration_s: float
    rate: int
    chain: tuple[str, ...]
    settings: Mapping[str, float]
    loudness_lufs: float
    true_peak_dbtp: float
    limiter_p99_db: float
    reached: bool


def process(
    source: str | Path,
    target: str | Path,
    settings: Mapping[str, float] | None = None,
    *,
    like: str | Path | None = None,
    chain: Sequence[str | Effect] | str | os.PathLike | ChainFile | None = None,
    lufs: float | None = None,
    ceiling: float | None = None,
    rate: int | None = None,
    bit_depth: int | str = 24,
    seed: int = 0,
    report: bool = True,
    progress: Callable[[str, float], None] = lambda what, done: None,
) -> Processed:
    """Run a chain with known settings over a recording, an hour as well as a song.

    `settings` are physical values by full name (`{"eq.tilt_db": 1.0}`); `like` is the
    `NAME.report.json` of an earlier master or run, whose chain and settings are taken over and may be
    overruled; so may what a chain file pins (`chain`: its path, or effects in order). Loudness and
    ceiling come from `lufs` and `ceiling`, else from the settings, else the house's. The sound is
    brought to the bench's -20 LUFS first, so a threshold means here what it means
    in every report. `target` appears whole or not at all; memory does not grow with the song.
    Raises `DaiwMasterError` with one clear line.
    """
    check_target(target, bit_depth, rate)
    told = read_settings(like) if like is not None else Told((), {})
    asked = Options(chain=chain if chain is not None else told.chain or None)
    placed = chain_of(asked)
    said = {**told.settings, **pinned_knobs(asked), **(settings or {})}
    known = _settled(placed, said, lufs, ceiling)
    loudness, peak = (known[knob] for knob in DELIVERY_KNOBS)
    if report:
        check_place(_record_path(target))

    steps = _Steps(progress)
    with open_sound(source) as file:
        sound = resampled(file, rate) if rate else file
        check_target(target, bit_depth, sound.rate, sound.time, sound.channels)
        song = put_on_bench(sound, progress=partial(steps, "listening"))
        song = song.with_tail(max((_decay_s(place, known) for place in _rooms(placed, known)), default=0.0))
        bench = Bench(song, placed, Store(most=0), keep_room=False)
        most_db = house.limits()["limiter_p99_db"].hard
        delivered = bench.delivered(known, loudness, peak, most_db, progress=steps)
        written = bench.rung_out(delivered.sound)
        written = faded_out(written, min(round(FADE_S * sound.rate), written.time - sound.time))
        write_sound(
            written,
            target,
            bit_depth=bit_depth,
            seed=seed,
            tags=file.tags,
            progress=partial(steps, "writing"),
        )
    done = Processed(
        str(target), written.time / sound.rate, sound.rate, tuple(placed), known,
        delivered.loudness_lufs, delivered.true_peak_dbtp, float(delivered.reduction_p99_db),
        delivered.reached,
    )  # fmt: skip
    if report:
        record = {"format": "daiw-master record 1", "source": Path(source).name, **asdict(done)}
        write_text_atomic(_record_path(target), json.dumps(record, indent=2) + "\n")
    return done


def _settled(
    placed: Mapping[str, Effect], said: Mapping[str, float], lufs: float | None, ceiling: float | None
) -> dict[str, float]:
    """Every knob of the chain, and how loud and how high the result shall stand."""
    space, neutral = chain_space(placed), house.neutral()
    asked = {"loudness_lufs": lufs, "true_peak_dbtp": ceiling}
    known = {**space.defaults(), **space.check(said)}
    for knob, target in DELIVERY_KNOBS.items():
        value = said.get(knob, neutral[target]) if asked[target] is None else asked[target]
        known[knob] = space[knob].check(value, knob) if knob in space else value
    return known


@dataclass(frozen=True)
class Told:
    """Chain and settings as an earlier run wrote them down."""

    chain: Sequence[str]
    settings: Mapping[str, float]


def read_settings(path: str | Path) -> Told:
    """The chain and the settings of a `NAME.report.json`, of a master or of `process`."""
    try:
        report = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such report") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: not a report of daiw-master ({error})") from None
    rows = report.get("settings") if isinstance(report, dict) else None
    if isinstance(rows, list):  # a master's report: a row per knob
        rows = {row.get("setting"): row.get("value") for row in rows if isinstance(row, dict)}
    if not isinstance(rows, dict) or not str(report.get("format", "")).startswith("daiw-master re"):
        raise InputError(f"{path}: not a report of daiw-master; it holds no settings")
    return Told(tuple(report.get("chain", ())), rows)


class _Steps:
    """Progress of the parts as progress of the whole."""

    def __init__(self, progress: Callable[[str, float], None]):
        self.progress = progress

    def __call__(self, what: str, done: float) -> None:
        names = list(SHARES)
        before = sum(SHARES[name] for name in names[: names.index(what)])
        self.progress(what, before + SHARES[what] * min(max(done, 0.0), 1.0))


def _rooms(placed: Mapping[str, Effect], settings: Mapping[str, float]) -> list[str]:
    """Where a reverb is heard."""
    rooms = [place for place, effect in placed.items() if effect.name == "reverb"]
    return [place for place in rooms if settings[f"{place}.wet_db"] > NO_WET_DB]


def _decay_s(place: str, settings: Mapping[str, float]) -> float:
    return settings[f"{place}.decay_s"] * max(1.0, settings[f"{place}.low_decay_ratio"])


def _record_path(target: str | Path) -> Path:
    return Path(target).with_suffix(".report.json")
