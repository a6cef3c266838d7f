"""The end of a run: about six lines an engineer would say, each true to the report."""

from __future__ import annotations

import pytest

from daiw_master.report.model import GuardRow, Report, StyleDifference, StyleSection, TargetRow
from daiw_master.report.words import WHOLE_SEARCH, summary
from daiw_master.targets import FIELDS


def row(target, after, asked=None, neutral=None, shift=0.0, verdict="met", **more) -> TargetRow:
    field = FIELDS[target]
    return TargetRow(
        target=target, unit=field.unit, asked=asked, after=after, neutral=neutral, shift=shift,
        tolerance=field.tolerance, verdict=verdict, **more,
    )  # fmt: skip


def report(*rows: TargetRow, **more) -> Report:
    delivered = (
        row("loudness_lufs", -14.02, -14.0),
        row("true_peak_dbtp", -1.003, -1.0),
        row("reverb_wet_db", -60.0, -60.0),
    )
    mine = {r.target for r in rows}
    given = {
        "source": "song.mid", "emotion": "grief", "duration_s": 185.4, "rate": 48000, "shown": {},
        "guards": [], "settings": [], "chain": ["eq", "loudness", "limiter"], "log": [], "relaxed": [],
        "notes": [], "sections": [], "versions": {},
    }  # fmt: skip
    targets = [*(r for r in delivered if r.target not in mine), *rows]
    return Report(**{**given, "targets": targets, **more})


def line(lines: list[str], title: str) -> str:
    return next((text for text in lines if text.startswith(title)), "")


def test_the_first_lines_say_song_feeling_length_and_both_numbers():
    lines = summary(report())
    assert lines[0] == "song.mid · grief · 3:05 at 48 kHz"
    assert "-14.0 LUFS (asked -14)" in lines[1] and "-1.00 dBTP under -1" in lines[1]
    assert line(lines, "space").endswith("none added")
    assert line(lines, "limits").endswith("all held")
    assert line(lines, "tone") == line(lines, "not done") == ""


def test_what_moved_most_is_told_first_with_its_reason():
    lines = summary(
        report(
            row("band_air_db", -13.0, -13.0, -12.0, -1.0, why="a veil; over the top"),
            row("band_mid_db", 12.1, 12.0, 10.0, 2.0, why="a voice"),
            row("band_sub_db", 0.1, 0.1, 0.0, 0.1, why="too little to tell"),
            row("width_high_db", -8.0, -8.0, -6.0, -2.0, why="drawn in"),
            row("loudness_range_lu", 8.0, 8.0, 7.0, 1.0, why="room to breathe"),
        )
    )
    assert line(lines, "tone").endswith("mids +2.1 dB, air -1.0 dB: a voice")
    assert line(lines, "width").endswith("highs -2.0 dB: drawn in")
    assert line(lines, "dynamics").endswith("range +1.0 LU: room to breathe")


def test_a_room_is_told_by_length_level_and_reason():
    lines = summary(
        report(row("reverb_wet_db", -15.6, -16.0, why="absence"), row("reverb_decay_s", 3.26, 3.3))
    )
    assert line(lines, "space").endswith("3.3 s at -16 dB: absence")


def test_what_could_not_be_done_is_told_and_counted():
    rows = [
        row(f"band_{b}_db", 0.0, 2.0, 0.0, 2.0, verdict="missed") for b in ("sub", "bass", "low_mid", "mid")
    ]
    lines = summary(
        report(*rows, row("loudness_range_lu", 1.8, 1.5, 1.8, -0.3, cut="wanted 3.0 LU less range"))
    )
    told = line(lines, "not done")
    assert "wanted 3.0 LU less range" in told
    assert "wanted 2.0, got 0.0 dB" in told
    assert "more in the report" in told
    assert len(lines) <= 9


def test_a_missed_loudness_says_why():
    lines = summary(
        report(
            row("loudness_lufs", -15.1, -8.0, verdict="missed", why="-15.1 LUFS is the loudest clean value")
        )
    )
    assert "-15.1 LUFS (asked -8)" in lines[1] and "the loudest clean value" in lines[1]


@pytest.mark.parametrize(
    ("holds", "said"),
    [
        (True, "all held; beyond taste, within the hard limit: net EQ"),
        (False, "BROKEN: net EQ 7.0 dB (limit 6)"),
    ],
)
def test_limits_are_told(holds, said):
    guard = GuardRow(
        guard="eq_band_db",
        about="net EQ",
        unit="dB",
        measured=7.0,
        default=3,
        hard=6,
        holds=holds,
        beyond_default=True,
    )
    assert said in line(summary(report(guards=[guard], relaxed=["eq_band_db"])), "limits")


def test_a_bypassed_song_is_told_as_one():
    shown = {"loudness_lufs": -23.04, "true_peak_dbtp": -3.456}
    bypassed = report(chain=[], targets=[], shown=shown)
    assert summary(bypassed)[1:] == [
        "loudness   -23.0 LUFS, peak -3.46 dBTP",
        "bypassed   the input as it came",
    ]


def test_real_runs_are_about_six_lines(masters):
    for name, result in masters.items():
        lines = result.summary()
        assert 4 <= len(lines) <= 8, name
        assert name in lines[0]
        assert not [text for text in lines if "nan" in text.lower() or "None" in text]


def sought(**changes) -> StyleSection:
    given = {
        "toward": "ref.wav", "encoder": "0123456789ab", "before": 0.412, "after": 0.655, "kept": True,
        "candidates": 384, "seconds": 47.6, "stopped": WHOLE_SEARCH,
        "differences": [
            StyleDifference(target="band_air_db", wanted=-18.0, before=-22.0, after=-20.6),
            StyleDifference(target="width_high_db", wanted=-12.0, before=-9.0, after=-8.0),
            StyleDifference(target="crest_db", wanted=12.0, before=14.0, after=13.9),
        ],
    }  # fmt: skip
    return StyleSection(**{**given, **changes})


def test_a_search_for_a_sound_says_how_near_it_came_by_what_and_at_what_cost():
    told = line(summary(report(style=sought())), "style")
    # the width went the other way and the crest hardly moved: neither is boasted of
    assert told.endswith("0.41 to 0.66 like ref.wav: air +1.4 dB (384 settings heard in 48 s)")
    stopped = line(summary(report(style=sought(stopped="stopped: the best so far is kept"))), "style")
    assert stopped.endswith("48 s; stopped: the best so far is kept)")
    kept = line(summary(report(style=sought(kept=False, after=0.412, stopped="nothing was nearer"))), "style")
    assert kept.endswith("0.41 like ref.wav, and left there: nothing was nearer (384 settings heard in 48 s)")
    assert line(summary(report()), "style") == ""
