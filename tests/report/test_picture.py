"""The picture: made from the report alone, the same every time, for any song, without a warning."""

from __future__ import annotations

import json
import math
import struct
from functools import cache

import pytest
import torch

from daiw_master.audio import Audio
from daiw_master.errors import InputError, WriteError
from daiw_master.meters import measure
from daiw_master.report.curves import EMPTY_DB, MOST_POINTS, curve_of
from daiw_master.report.model import Report, TargetRow
from daiw_master.report.picture import HIGH_IN, WIDE_IN, draw
from daiw_master.targets import BAND_EDGES_HZ, BANDS, FIELDS, HEARD
from tests.signals import music, noise, sine

RATE = 44100


def sound(x: torch.Tensor) -> Audio:
    return Audio(x[0].float(), RATE)


def a_report(**changes) -> Report:
    """A report as the pipeline writes it, some of it changed."""
    return _a_report().model_copy(deep=True, update=changes)


@cache
def _a_report(seconds: float = 6.0) -> Report:
    """Three levels of one sound; the master asked 0.7 more of everything than it got."""
    came = sound(music(seconds))
    neutral, master = came.with_samples(came.samples * 2), came.with_samples(came.samples * 1.5)
    heard, neutral_heard = measure(master).targets, measure(neutral).targets
    rows = [
        TargetRow(
            target=name, unit=FIELDS[name].unit, asked=heard[name] + 0.7, before=-20.0,
            neutral=neutral_heard[name] if name in HEARD else None, after=heard[name],
            tolerance=FIELDS[name].tolerance, verdict="missed" if name == "crest_db" else "met",
        )
        for name in ("loudness_lufs", "true_peak_dbtp", *HEARD)
    ]  # fmt: skip
    return Report(
        source="song.mid", emotion="longing", duration_s=came.duration_s, rate=RATE, targets=rows, shown={},
        guards=[], settings=[], chain=["eq"], log=[], relaxed=[], notes=[], versions={},
        sections=[{"name": "Verse: first light", "start_s": 0.0, "end_s": 3.0}],
        curves=[curve_of(n, a) for n, a in (("as it came", came), ("neutral", neutral), ("master", master))],
    )  # fmt: skip


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height as the PNG's own header gives them (RFC 2083, 4.1.1)."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


def test_a_picture_1400_wide_and_the_same_twice(tmp_path):
    report = a_report()
    first = draw(report, tmp_path / "a.png").read_bytes()
    again = draw(Report.model_validate_json(report.model_dump_json()), tmp_path / "b.png").read_bytes()
    assert size_of(first) == (round(WIDE_IN * 100), round(HIGH_IN * 100))
    assert first == again
    assert len(first) < 300_000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_what_was_got_shows(tmp_path):
    """Another master, another picture: nothing is drawn from memory."""
    report = a_report()
    first = draw(report, tmp_path / "a.png").read_bytes()
    report.row("band_air_db").after += 1.0
    assert draw(report, tmp_path / "b.png").read_bytes() != first


def section(name: str, start_s: float, end_s: float) -> dict:
    return {"name": name, "start_s": start_s, "end_s": end_s}


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "$x^2_{$ 海.mid", "emotion": "\N{GRINNING FACE} _^"},
        {"sections": []},
        {"sections": [section(f"part {i} of very many", i / 10, i / 10 + 0.1) for i in range(60)]},
        {"sections": [section("beyond the end", 5.0, 500.0), section("", 1.0, 2.0)]},
    ],
    ids=["odd letters", "no sections", "many sections", "sections beyond the end"],
)
def test_odd_songs_make_no_noise(tmp_path, changes):
    """Warnings are errors here: a letter the font lacks would be one."""
    assert draw(a_report(**changes), tmp_path / "a.png").stat().st_size > 20_000


@pytest.mark.parametrize(
    "x",
    [torch.zeros(1, 2, RATE), torch.zeros(1, 1, 1), noise(0.5), sine(440.0, 4.0)],
    ids=["silence", "one sample", "half a second", "one note"],
)
def test_odd_sounds_make_finite_curves(tmp_path, x):
    curve = curve_of("master", sound(x))
    assert all(math.isfinite(value) for value in curve.third_octave_db + curve.short_term_lufs)
    curves = [curve.model_copy(update={"of": name}) for name in ("as it came", "neutral", "master")]
    report = a_report(curves=curves, duration_s=x.shape[-1] / RATE)
    assert draw(report, tmp_path / "a.png").stat().st_size > 20_000


def test_a_bypass_has_nothing_to_compare(tmp_path):
    with pytest.raises(InputError, match="bypass"):
        draw(a_report(curves=[]), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_nowhere_to_put_it(tmp_path):
    with pytest.raises(WriteError, match="no such folder|does not exist"):
        draw(a_report(), tmp_path / "nowhere" / "a.png")


def test_tone_adds_up_to_the_bands():
    """The curve's third octaves, summed within a band, are the band the meter reads."""
    audio = sound(music(5.0))
    curve, heard = curve_of("master", audio), measure(audio).targets
    for name, (low, high) in zip(BANDS, BAND_EDGES_HZ.values(), strict=True):
        power = sum(
            10 ** (db / 10) for hz, db in zip(curve.hz, curve.third_octave_db, strict=True) if low < hz < high
        )
        assert 10 * math.log10(power) == pytest.approx(heard[name], abs=0.02), name


def test_tone_leaves_level_out():
    audio = sound(music(4.0))
    loud, soft = (curve_of("master", audio.with_samples(audio.samples * g)) for g in (1.0, 0.1))
    assert loud.third_octave_db == pytest.approx(soft.third_octave_db, abs=0.02)
    drop = [a - b for a, b in zip(loud.short_term_lufs, soft.short_term_lufs, strict=True)]
    assert drop == pytest.approx([20.0] * len(drop), abs=0.02)


def test_loudness_line_stands_where_the_sound_does():
    """A sine at -23 dBFS in both channels reads -23 LUFS (EBU Tech 3341 case 1), then 20 dB less."""
    loud, soft = sine(1000.0, 10.0, level_db=-23.0), sine(1000.0, 10.0, level_db=-43.0)
    curve = curve_of("master", sound(torch.cat([loud, soft], dim=-1)))
    at = {round(index * curve.hop_s, 1): value for index, value in enumerate(curve.short_term_lufs)}
    assert at[3.0] == pytest.approx(-23.0, abs=0.1)
    assert at[15.0] == pytest.approx(-43.0, abs=0.1)


def test_an_hour_costs_the_report_no_more_than_a_song():
    curve = curve_of("master", Audio(0.1 * torch.ones(1, 8000 * 1200), 8000))
    assert len(curve.short_term_lufs) <= MOST_POINTS + 1
    assert (len(curve.short_term_lufs) - 1) * curve.hop_s == pytest.approx(1197, abs=2 * curve.hop_s)
    assert min(curve.third_octave_db) >= EMPTY_DB - 100 and len(json.dumps(curve.model_dump())) < 6000
